"""The Higgs boson's width and lifetime: from coupling modifiers, and from on-shell and off-shell rates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import InputError
from . import sm
from .kappa import scaling, width_ratio
from .measurements import Array
from .model import Model

if TYPE_CHECKING:
    from .combination import Problem

HBAR = 6.582119569e-22
"""ħ in MeV s, CODATA 2018."""


class Interval(NamedTuple):
    """A value and its distances to both sides, positive."""

    value: float
    minus: float
    plus: float

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return self._asdict()


def lifetime(width: float) -> float:
    """Return ħ/Γ in seconds of a width in MeV.

    Raises
    ------
    InputError
        If the width is not positive.
    """
    if not width > 0:
        msg = f"a width must be positive, got {width:g} MeV"
        raise InputError(msg)
    return HBAR / width


def partial_widths(model: Model, values: dict[str, float], m_h: float = sm.M_H) -> dict[str, float]:
    """Return the partial widths and the ``total`` in MeV of a κ model at parameters by name.

    ``invisible`` and ``undetected`` are there where the model has such decays.

    Raises
    ------
    InputError
        If the model is none of coupling modifiers.
    """
    if model.kappas is None:
        msg = f"model {model.name} says nothing about the width: it has no coupling modifiers"
        raise InputError(msg)
    point = np.array([values[name] for name in model.names])
    scale = scaling(model.kappas(point), 13.0, m_h)
    standard = sm.total_width(m_h).value
    total = float(width_ratio(scale, m_h)) * standard
    found = {
        decay: float(ratio * share) * standard
        for decay, ratio, share in zip(sm.DECAYS, scale.width, sm.branching_ratios(m_h), strict=True)
    }
    if np.any(scale.invisible) or np.any(scale.undetected):
        found |= {"invisible": total * float(scale.invisible), "undetected": total * float(scale.undetected)}
    return {**found, "total": total}


def measured(problem: Problem, m_h: float = sm.M_H) -> dict[str, tuple[float, float]]:
    """Return the partial widths and the ``total`` in MeV, each with its error, of a κ model fitted to measurements.

    Errors are propagated linearly from the covariance at the best fit; parameters at a bound are held there.

    Raises
    ------
    InputError
        If the model is none of coupling modifiers.
    """
    model, likelihood = problem.model, problem.likelihood()
    best = problem.best(likelihood)
    x = best.points[0]
    fixed = sorted({*problem.held, *problem.at_bound(x)})
    free = [i for i in range(len(x)) if i not in fixed]

    def widths(point: Array) -> dict[str, float]:
        return partial_widths(model, dict(zip(model.names, point.tolist(), strict=True)), m_h)

    central = widths(x)
    step = 1e-4
    slopes = {name: np.zeros(len(free)) for name in central}
    for k, i in enumerate(free):
        shift = np.eye(len(x))[i] * step
        up, down = widths(x + shift), widths(x - shift)
        for name, slope in slopes.items():
            slope[k] = (up[name] - down[name]) / (2 * step)
    covariance = likelihood.covariance(best, fixed)
    return {name: (value, math.sqrt(slopes[name] @ covariance @ slopes[name])) for name, value in central.items()}


def off_shell_yield(mu: float, signal: float, interference: float, background: float) -> float:
    """Return the events expected far above the peak: μ S + √μ I + B (Kauer and Passarino, arXiv:1206.4803).

    The amplitudes with and without a Higgs boson interfere: *interference* is negative, and grows as √μ.
    """
    return mu * signal + math.sqrt(mu) * interference + background


def off_shell_strength(events: float, signal: float, interference: float, background: float) -> float:
    """Return the strength at which *events* are expected; where two give them, the larger.

    Raises
    ------
    InputError
        If no strength gives so few, or the signal is not positive.
    """
    if not signal > 0:
        msg = f"the off-shell signal must be positive, got {signal:g}"
        raise InputError(msg)
    inner = interference**2 - 4.0 * signal * (background - events)
    root = (-interference + math.sqrt(inner)) / (2.0 * signal) if inner >= 0 else -1.0
    if root < 0:
        least = background - interference**2 / (4.0 * signal) if interference < 0 else background
        msg = f"no off-shell strength gives {events:g} events; the least is {least:g}"
        raise InputError(msg)
    return root**2


def from_off_shell(mu_off: Interval, mu_on: Interval, m_h: float = sm.M_H) -> Interval:
    """Return Γ_H in MeV from off-shell and on-shell strengths.

    Γ/Γ_SM = μ_off/μ_on (Caola and Melnikov, arXiv:1307.4935) holds where the couplings are the same on and off the
    peak. Relative errors are added in quadrature.

    Raises
    ------
    InputError
        If a strength is not positive.
    """
    if mu_off.value <= 0 or mu_on.value <= 0:
        msg = f"strengths must be positive, got μ_off = {mu_off.value:g} and μ_on = {mu_on.value:g}"
        raise InputError(msg)
    width = sm.total_width(m_h).value * mu_off.value / mu_on.value
    minus = width * math.hypot(mu_off.minus / mu_off.value, mu_on.plus / mu_on.value)
    plus = width * math.hypot(mu_off.plus / mu_off.value, mu_on.minus / mu_on.value)
    return Interval(width, min(minus, width), plus)
