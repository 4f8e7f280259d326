"""The minimum of -ln L by iminuit: MIGRAD and MINOS with the analytic gradient, and the Hessian from it.

Minuit sees only the free parameters that have no closed form. With those at their best values, the gradient by the
others is the partial one, and the covariance and the MINOS errors are those of the full likelihood.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from iminuit import Minuit

from gpuhiggs.inference.curvature import flatness, hessian, leaning
from gpuhiggs.inference.flat_model import FloatArray, IndexArray
from gpuhiggs.inference.likelihood import Likelihood
from gpuhiggs.inference.minimum import Minimum

TOLERANCE = 1e-5
"""MIGRAD stops at an estimated distance to the minimum of 0.001 · TOLERANCE in -ln L: 1.4e-4 σ of a parameter."""

MAX_DISTANCE = 1e-5
"""The largest distance that passes for a minimum: 0.0045 σ."""


class Objective:
    """-ln L as a function of the parameters that Minuit moves, the profiled ones at their best values."""

    def __init__(self, likelihood: Likelihood, theta: FloatArray, moved: IndexArray, profiled: IndexArray) -> None:
        self.likelihood = likelihood
        self.moved = moved
        self.profiled = profiled
        self.names = tuple(likelihood.model.parameters[i].name for i in moved)
        self.n_evaluations = 0
        self._theta = theta
        self._last: tuple[bytes, tuple[float, FloatArray, FloatArray]] | None = None

    def at(self, values: FloatArray) -> tuple[float, FloatArray, FloatArray]:
        """Return -ln L, its gradient and the full parameter vector; Minuit asks for them one by one."""
        key = np.asarray(values).tobytes()
        if self._last is None or self._last[0] != key:
            theta = self._theta.copy()
            theta[self.moved] = values
            self._last = key, self.likelihood.profiled(theta, self.profiled)
            self.n_evaluations += 1
        return self._last[1]

    def nll(self, values: FloatArray) -> float:
        """Return -ln L."""
        return self.at(values)[0]

    def gradient(self, values: FloatArray) -> FloatArray:
        """Return its gradient: at the best values the profiled parameters' own derivatives vanish."""
        return self.at(values)[1][self.moved]


def minimise(objective: Objective, minos: Sequence[str] = ()) -> Minimum:
    """Run MIGRAD (once more with strategy 2 if it fails), invert the Hessian there, and run MINOS for those named."""
    model = objective.likelihood.model
    minuit = Minuit(objective.nll, objective._theta[objective.moved], grad=objective.gradient, name=objective.names)
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.tol = TOLERANCE
    minuit.errors = model.arrays.step[objective.moved]
    minuit.limits = [model.parameters[i].bounds for i in objective.moved]
    minuit.migrad()
    if not minuit.valid:
        minuit.strategy = 2
        minuit.migrad()
    step, covariance, notes = _parabola(objective, np.array(minuit.values))
    if not minuit.valid:
        notes.append(
            f"MIGRAD did not converge: {minuit.nfcn} evaluations, distance to the minimum {minuit.fmin.edm:.3g}"
        )
    if notes:
        theta = objective.at(np.array(minuit.values))[2]
        return Minimum(theta, covariance, converged=False, notes=tuple(notes), n_evaluations=objective.n_evaluations)
    intervals = {}
    for name in minos:
        intervals[name], problems = _interval(minuit, name)
        notes += problems
    lower_elsewhere = any(minuit.merrors[name].lower_new_min or minuit.merrors[name].upper_new_min for name in minos)
    bounds = model.arrays.lower[objective.moved], model.arrays.upper[objective.moved]
    _, _, theta = objective.at(np.clip(np.array(minuit.values) + step, *bounds))
    return Minimum(theta, covariance, not lower_elsewhere, tuple(notes), objective.n_evaluations, intervals)


def _parabola(objective: Objective, values: FloatArray) -> tuple[FloatArray, FloatArray, list[str]]:
    """Return the step to the bottom of -ln L's parabola at `values`, the inverse Hessian, and what is wrong with them.

    This proves a minimum independently of how it was found: -ln L curves up in all directions, and the bottom is near.
    The step, one of Newton's, makes the minimum exact to about 1e-7 σ. Parameters that lean on a bound count as fixed
    there. Without an inverse Hessian, it and the step are NaN.
    """
    _, full, theta = objective.at(values)
    gradient, covariance = full[objective.moved], np.zeros((len(values), len(values)))
    free = np.flatnonzero(~leaning(objective.likelihood.model, theta, full, objective.moved).astype(bool))
    inside = np.ix_(free, free)
    matrix = hessian(objective.likelihood, theta, objective.moved, objective.profiled)[inside]
    problem = flatness(matrix, [objective.names[i] for i in free])
    covariance[inside] = np.nan if problem else np.linalg.inv(matrix)
    step = -covariance @ gradient
    distance = -float(gradient @ step) / 2.0
    if distance > MAX_DISTANCE:
        problem = f"-ln L falls by another {distance:.3g} nearby: no minimum was found"
    return step, covariance, [problem] if problem else []


def _interval(minuit: Minuit, name: str) -> tuple[tuple[float | None, float | None], list[str]]:
    """Return the MINOS errors (lower, upper) of one parameter and what went wrong with them."""
    minuit.minos(name)
    found = minuit.merrors[name]
    notes = []
    if found.lower_new_min or found.upper_new_min:
        notes.append(f"MINOS of {name!r} found a lower minimum: start from there")
    has_lower = found.lower_valid and not found.at_lower_limit
    has_upper = found.upper_valid and not found.at_upper_limit
    for side, is_there in (("lower", has_lower), ("upper", has_upper)):
        if not is_there:
            notes.append(f"MINOS found no {side} error of {name!r}: -ln L does not rise by 1/2 within its bounds")
    return (float(found.lower) if has_lower else None, float(found.upper) if has_upper else None), notes
