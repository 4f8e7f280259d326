"""The parts of an error: statistical, experimental, and of the signal's theory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .intervals import crossing

if TYPE_CHECKING:
    from .combination import Problem


def split(problem: Problem) -> dict[str, dict[str, float | None]]:
    """Split the error of each parameter by holding one kind of uncertainty after the other.

    Held first are the nuisances of the signal's theory, then everything systematic; each part is the difference in
    quadrature to the error before. ``experimental`` contains the theory of backgrounds, which publications do not give
    by channel. It and ``statistical`` are None where an input does not separate them, and ``signal_theory`` is 0 where
    the inputs contain it.
    """
    total, without_theory = _errors(problem), _errors(problem, signal_theory=False)
    separated = all(item.stat_errors is not None for item in problem.inputs)
    stat = _errors(problem, signal_theory=False, statistical=True) if separated else None
    found: dict[str, dict[str, float | None]] = {}
    for i, name in enumerate(problem.model.names):
        if i in problem.held:
            continue
        parts: dict[str, float | None] = {"total": total[i], "signal_theory": _rest(total[i], without_theory[i])}
        parts["statistical"] = None if stat is None else stat[i]
        parts["experimental"] = None if stat is None else _rest(without_theory[i], stat[i])
        found[name] = parts
    return found


def _errors(problem: Problem, **options: bool) -> list[float]:
    """Return the mean of the errors to both sides."""
    likelihood = problem.likelihood(**options)
    best = problem.best(likelihood)
    free = [i for i in range(len(problem.model.parameters)) if i not in problem.held]
    guess = np.zeros(len(problem.model.parameters))
    guess[free] = np.sqrt(np.maximum(np.diag(likelihood.covariance(best, problem.held)), 0.0))
    below, above = crossing(likelihood, best, free, guess, 1.0, held=problem.held)
    errors = guess.copy()
    for i, one, other in zip(free, below, above, strict=True):
        sides = [side for side in (one, other) if side is not None]
        errors[i] = np.mean(sides) if sides else np.nan
    return [float(value) for value in errors]


def _rest(whole: float, part: float) -> float:
    return math.sqrt(max(0.0, whole**2 - part**2))
