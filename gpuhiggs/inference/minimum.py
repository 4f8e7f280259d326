"""The minimum of -ln L by iminuit: MIGRAD and MINOS with the analytic gradient, and the Hessian from it.

Minuit sees only the free parameters that have no closed form (`barlow_beeston` has those that do). With those at their
best values, the gradient by the others is the partial one, and the covariance and the MINOS errors are those of the
full likelihood; the covariance of the profiled parameters follows from how their best values move with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from iminuit import Minuit

from gpuhiggs.inference.barlow_beeston import BinFactorProfile
from gpuhiggs.inference.interpolation import BoolArray, FloatArray
from gpuhiggs.inference.likelihood import Likelihood
from gpuhiggs.inference.parameters import Gaussian, Parameter

TOLERANCE = 1e-5
"""MIGRAD stops at an estimated distance to the minimum of 0.001 · TOLERANCE in -ln L: 1.4e-4 σ of a parameter."""

MAX_DISTANCE = 1e-5
"""The largest distance that passes for a minimum: 0.0045 σ."""

STEP = 1e-4
"""Step of the Hessian's differences in a parameter's width, or absolute; and how near to a bound is at it."""

FLAT = 1e-7
"""Smallest eigenvalue of the Hessian scaled to unit diagonal that is a curvature; rounding makes up to about 1e-10."""


@dataclass(frozen=True)
class Minimum:
    """What Minuit found: values and covariance of the parameters it saw, MINOS errors by name, whether to trust it."""

    values: FloatArray
    covariance: FloatArray
    converged: bool
    notes: tuple[str, ...] = ()
    minos: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)


class Objective:
    """-ln L as a function of the parameters that Minuit moves, the profiled ones at their best values.

    Parameters
    ----------
    likelihood
        The likelihood.
    theta
        Where to start; the values of the held parameters. Shape (parameters,).
    held
        Positions of the parameters that stay where they are.
    seen
        Positions of parameters that Minuit shall move even if they could be profiled.
    """

    def __init__(
        self, likelihood: Likelihood, theta: FloatArray, held: frozenset[int], seen: frozenset[int] = frozenset()
    ) -> None:
        self.likelihood = likelihood
        self.profile = BinFactorProfile(likelihood, keep=held | seen)
        profiled = set(self.profile.parameter.tolist())
        self.moved = np.array([i for i in range(len(theta)) if i not in held and i not in profiled], dtype=np.intp)
        self.parameters: tuple[Parameter, ...] = tuple(likelihood.model.parameters[i] for i in self.moved)
        self.start = theta[self.moved]
        self.n_evaluations = 0
        self._theta = theta
        self._lower, self._upper = np.array([parameter.bounds for parameter in self.parameters]).reshape(-1, 2).T

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters that Minuit moves."""
        return tuple(parameter.name for parameter in self.parameters)

    def theta(self, values: FloatArray) -> FloatArray:
        """Return the full parameter vector, the profiled parameters at their best values."""
        theta = self._theta.copy()
        theta[self.moved] = values
        return self.profile.best(theta)

    def nll(self, values: FloatArray) -> float:
        """Return -ln L at the best values of the profiled parameters."""
        self.n_evaluations += 1
        return self.likelihood.nll(self.theta(values))

    def gradient(self, values: FloatArray) -> FloatArray:
        """Return its gradient: at the best values the profiled parameters' own derivatives vanish."""
        self.n_evaluations += 1
        return self.likelihood.gradient(self.theta(values))[self.moved]

    def hessian(self, values: FloatArray) -> FloatArray:
        """Return its Hessian: central differences of the gradient, one-sided at a bound."""
        hessian = np.empty((len(values), len(values)))
        for row, parameter in enumerate(self.parameters):
            step = np.zeros(len(values))
            step[row] = STEP * _first_step(parameter)
            above, below = self.within_bounds(values + step), self.within_bounds(values - step)
            hessian[row] = (self.gradient(above) - self.gradient(below)) / (above - below)[row]
        return (hessian + hessian.T) / 2.0

    def within_bounds(self, values: FloatArray) -> FloatArray:
        """Return the values moved to the bounds that they exceed."""
        return np.clip(values, self._lower, self._upper)

    def leaning(self, values: FloatArray, gradient: FloatArray) -> BoolArray:
        """Return which parameters are at a bound beyond which -ln L would fall further."""
        at_lower, at_upper = values - self._lower < STEP, self._upper - values < STEP
        leaning: BoolArray = (at_lower & (gradient > 0.0)) | (at_upper & (gradient < 0.0))
        return leaning

    def trivial_minimum(self) -> Minimum:
        """Return the minimum when no parameter is left for Minuit."""
        return Minimum(self.start, np.zeros((0, 0)), converged=True)

    def covariance(self, minimum: Minimum) -> tuple[tuple[str, ...], FloatArray]:
        """Return names and covariance matrix of all free parameters, in the model's order."""
        theta, profiled = self.theta(minimum.values), self.profile.parameter
        moves = np.zeros((len(profiled), len(self.moved)))
        for column, error in enumerate(np.sqrt(np.diag(minimum.covariance))):
            step = np.zeros(len(self.moved))
            step[column] = 1e-3 * error if error > 0.0 else 1e-6
            above, below = self.theta(minimum.values + step), self.theta(minimum.values - step)
            moves[:, column] = (above - below)[profiled] / (2.0 * step[column])
        onto = np.vstack([np.eye(len(self.moved)), moves])
        full = onto @ minimum.covariance @ onto.T
        full[len(self.moved) :, len(self.moved) :] += np.diag(self.profile.variances(theta))
        positions = np.concatenate([self.moved, profiled])
        order = np.argsort(positions)
        names = tuple(self.likelihood.model.parameters[i].name for i in positions[order])
        return names, full[np.ix_(order, order)]


def minimise(objective: Objective, minos: Sequence[str] = ()) -> Minimum:
    """Run MIGRAD (once more with strategy 2 if it fails), invert the Hessian there, and run MINOS for those named."""
    minuit = Minuit(objective.nll, objective.start, grad=objective.gradient, name=objective.names)
    minuit.errordef = Minuit.LIKELIHOOD
    minuit.tol = TOLERANCE
    minuit.errors = [_first_step(parameter) for parameter in objective.parameters]
    minuit.limits = [parameter.bounds for parameter in objective.parameters]
    minuit.migrad()
    if not minuit.valid:
        minuit.strategy = 2
        minuit.migrad()
    values = np.array(minuit.values)
    step, covariance, notes = _parabola(objective, values)
    if not minuit.valid:
        notes.append(
            f"MIGRAD did not converge: {minuit.nfcn} evaluations, distance to the minimum {minuit.fmin.edm:.3g}"
        )
    if notes:
        return Minimum(values, covariance, converged=False, notes=tuple(notes))
    intervals = {}
    for name in minos:
        intervals[name], problems = _interval(minuit, name)
        notes += problems
    lower_elsewhere = any(minuit.merrors[name].lower_new_min or minuit.merrors[name].upper_new_min for name in minos)
    return Minimum(objective.within_bounds(values + step), covariance, not lower_elsewhere, tuple(notes), intervals)


def _first_step(parameter: Parameter) -> float:
    return parameter.constraint.width if isinstance(parameter.constraint, Gaussian) else 0.1


def _parabola(objective: Objective, values: FloatArray) -> tuple[FloatArray, FloatArray, list[str]]:
    """Return the step to the bottom of -ln L's parabola at `values`, the inverse Hessian, and what is wrong with them.

    This proves a minimum independently of how it was found: -ln L curves up in all directions, and the bottom is near.
    The step, one of Newton's, makes the minimum exact to about 1e-7 σ. Parameters that lean on a bound count as fixed
    there. Without an inverse Hessian, it and the step are NaN.
    """
    gradient, covariance = objective.gradient(values), np.zeros((len(values), len(values)))
    free = np.flatnonzero(~objective.leaning(values, gradient))
    inside = np.ix_(free, free)
    hessian = objective.hessian(values)[inside]
    problem = _flatness(hessian, [objective.names[i] for i in free])
    covariance[inside] = np.nan if problem else np.linalg.inv(hessian)
    step = -covariance @ gradient
    distance = -float(gradient @ step) / 2.0
    if distance > MAX_DISTANCE:
        problem = f"-ln L falls by another {distance:.3g} nearby: no minimum was found"
    return step, covariance, [problem] if problem else []


def _flatness(hessian: FloatArray, names: Sequence[str]) -> str:
    """Return, as a sentence, a direction in which -ln L does not curve up; empty if there is none."""
    scale = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    flat = [name for name, size in zip(names, scale, strict=True) if size == 0.0]
    if flat or not names:
        return f"-ln L does not curve up with {', '.join(flat)}" if flat else ""
    curvatures, directions = np.linalg.eigh(hessian / np.outer(scale, scale))
    if curvatures[0] > FLAT:
        return ""
    along = [name for name, part in zip(names, directions[:, 0], strict=True) if abs(part) > 0.1]
    return f"-ln L has a flat direction, along {', '.join(along)}"


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
