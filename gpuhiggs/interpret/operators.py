"""What measurements say about SMEFT operators: one at a time, and the directions that they constrain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import smeft
from .combination import Combination, Problem, combine, prepare
from .kappa import Rates
from .measurements import Array, Measurements
from .model import Model, Parameter


@dataclass(frozen=True)
class Directions:
    """Eigenvectors of the Fisher matrix of the linear model at the SM, the best constrained first.

    Attributes
    ----------
    operators
        Names.
    eigenvalues
        TeV⁴: 1/√eigenvalue is the error of a coefficient along the eigenvector.
    vectors
        Shape (directions, operators), each of length 1.
    """

    operators: tuple[str, ...]
    eigenvalues: Array
    vectors: Array

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; parts of a direction below 5 % are left out."""
        found = []
        for value, vector in zip(self.eigenvalues, self.vectors, strict=True):
            parts = {name: float(part) for name, part in zip(self.operators, vector, strict=True) if abs(part) > 0.05}
            error = float(value**-0.5) if value > 0 else None
            found.append({"eigenvalue": float(value), "error": error, "parts": parts})
        return {"operators": list(self.operators), "directions": found}


def one_at_a_time(
    inputs: Sequence[Measurements], names: Sequence[str] = (), *, quadratic: bool = False
) -> dict[str, Combination]:
    """Fit each operator with all others at 0.

    Parameters
    ----------
    inputs
        What was measured.
    names
        Operators; all that the inputs depend on if none is named.
    quadratic
        Keep the squares and products of the coefficients.

    Raises
    ------
    InputError
        If an operator is unknown, or the inputs do not depend on one that is named.
    """
    names = names or smeft.sensitive(inputs, quadratic=quadratic)
    return {name: combine(smeft.model([name], quadratic=quadratic), inputs) for name in names}


def fisher(problem: Problem) -> Array:
    """Return the Fisher matrix of the parameters at the SM, shape (parameters, parameters); nuisances are profiled."""
    likelihood = problem.likelihood()
    start, theta = problem.model.start[None], np.zeros((1, likelihood.n_theta))
    n = len(problem.model.parameters)
    curvature = likelihood.normal(start, theta, list(range(n)), likelihood.predictions(start))[1][0]
    mixed = curvature[:n, n:]
    return np.asarray(curvature[:n, :n] - mixed @ np.linalg.solve(curvature[n:, n:], mixed.T))


def directions(inputs: Sequence[Measurements], names: Sequence[str] = ()) -> Directions:
    """Diagonalise the Fisher matrix of the linear model.

    Raises
    ------
    InputError
        If an operator is unknown.
    """
    names = tuple(names) or smeft.sensitive(inputs, quadratic=False)
    values, vectors = np.linalg.eigh(fisher(prepare(smeft.model(names, quadratic=False), inputs)))
    order = np.argsort(values)[::-1]
    found = vectors.T[order]
    found = found * np.sign(found[np.arange(len(found)), abs(found).argmax(axis=1)])[:, None]
    return Directions(tuple(names), np.maximum(values[order], 0.0), found)


def rotated(found: Directions, *, quadratic: bool, worst: float = 10.0) -> Model:
    """Return the model in the directions that are constrained better than *worst* (TeV⁻²); all others are 0.

    Parameters ``e1``, ``e2``, … are the coefficients along the directions, in their order.
    """
    kept = found.vectors[found.eigenvalues > worst**-2]
    inner = smeft.model(found.operators, quadratic=quadratic)

    def predict(points: Array, item: Measurements) -> Rates:
        return inner.predict(points @ kept, item)

    parameters = tuple(Parameter(f"e{i + 1}", 0.0, -1e4, 1e4) for i in range(len(kept)))
    title = f"{inner.title}, in the directions that the data constrain"
    return Model(inner.name, title, parameters, predict, (0.0,) * len(kept), view="stxs")
