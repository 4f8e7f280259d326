"""-2 ln L along a parameter and over a plane of two, everything else profiled, all points together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ..errors import InputError
from .combination import Problem
from .likelihood import Likelihood
from .measurements import Array

TOLERANCE = 1e-5
"""Of a step's gain, relative: -2 ln L is then right to far better than a contour shows."""
BLOCK = 1000
"""Points that are minimised together: enough to fill the processor, few enough for its memory."""


@dataclass(frozen=True)
class Scan:
    """-2 ln L above its minimum along one parameter; ``values`` and ``rise`` have one shape."""

    parameter: str
    values: Array
    rise: Array

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"parameter": self.parameter, "values": self.values.tolist(), "rise": self.rise.tolist()}


@dataclass(frozen=True)
class Plane:
    """-2 ln L above its minimum over two parameters.

    Attributes
    ----------
    names
        Of the parameters along x and y.
    x, y
        Their values.
    rise
        Shape (y, x).
    best
        Where it is lowest, x and y.
    rise_sm
        Of the SM, theory profiled as everywhere in the plane.
    """

    names: tuple[str, str]
    x: Array
    y: Array
    rise: Array
    best: tuple[float, float]
    rise_sm: float

    def excluded(self, confidence: float = 0.95) -> Array:
        """Return where the model is excluded, shape (y, x): 5.99 above the minimum at 95 %."""
        return np.asarray(self.rise > stats.chi2.isf(1.0 - confidence, 2))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "names": list(self.names),
            "x": self.x.tolist(),
            "y": self.y.tolist(),
            "rise": self.rise.round(4).tolist(),
            "best": list(self.best),
            "rise_sm": self.rise_sm,
        }


def _profile(likelihood: Likelihood, points: Array, fixed: tuple[int, ...]) -> Array:
    starts = points[None]
    model = likelihood.model
    n_free = likelihood.n_parameters - len(fixed)
    if model is not None and model.starts is not None and n_free:
        starts = np.repeat(model.starts[:, None], len(points), axis=1)
        starts[..., list(fixed)] = points[:, list(fixed)]
        starts = np.concatenate([points[None], starts])
    flat = starts.reshape(-1, points.shape[1])
    found = [
        likelihood.minimise(flat[start : start + BLOCK], fixed, tolerance=TOLERANCE).twice_nll
        for start in range(0, len(flat), BLOCK)
    ]
    return np.asarray(np.concatenate(found).reshape(starts.shape[:2]).min(axis=0))


def scan(problem: Problem, parameter: str, values: Array) -> Scan:
    """Profile along one parameter.

    Raises
    ------
    InputError
        If the model has no such parameter, or a value is out of its bounds.
    """
    position = _position(problem, parameter, values)
    likelihood = problem.likelihood()
    best = problem.best(likelihood)
    points = np.repeat(best.points, len(values), axis=0)
    points[:, position] = values
    rise = _profile(likelihood, points, tuple({position, *problem.held})) - best.twice_nll[0]
    return Scan(parameter, np.asarray(values, dtype=float), rise)


def plane(problem: Problem, x_name: str, x: Array, y_name: str, y: Array) -> Plane:
    """Profile over two parameters.

    Raises
    ------
    InputError
        If the model has no such parameter, or a value is out of its bounds.
    """
    positions = (_position(problem, x_name, x), _position(problem, y_name, y))
    if positions[0] == positions[1]:
        msg = f"a plane needs two parameters, got {x_name} twice"
        raise InputError(msg)
    likelihood = problem.likelihood()
    best = problem.best(likelihood)
    points = np.repeat(best.points, len(x) * len(y), axis=0)
    points[:, positions[0]] = np.tile(x, len(y))
    points[:, positions[1]] = np.repeat(y, len(x))
    values = _profile(likelihood, points, tuple({*positions, *problem.held}))
    lowest = min(float(best.twice_nll[0]), float(values.min()))
    at = best.points[0]
    if values.min() < best.twice_nll[0]:
        at = points[int(np.argmin(values))]
    return Plane(
        (x_name, y_name),
        np.asarray(x, dtype=float),
        np.asarray(y, dtype=float),
        (values - lowest).reshape(len(y), len(x)),
        (float(at[positions[0]]), float(at[positions[1]])),
        problem.standard_profiled() - lowest,
    )


def _position(problem: Problem, name: str, values: Array) -> int:
    model = problem.model
    if name not in model.names:
        msg = f"model {model.name} has no parameter {name!r}; known: {', '.join(model.names)}"
        raise InputError(msg)
    parameter = model.parameters[model.names.index(name)]
    outside = [value for value in np.asarray(values) if not parameter.low <= value <= parameter.high]
    if outside:
        msg = f"{name} = {outside[0]:g} is outside its range, {parameter.low:g} to {parameter.high:g}"
        raise InputError(msg)
    return model.names.index(name)
