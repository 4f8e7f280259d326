"""The auxiliary measurements of a workspace's parameters, and what correlates them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuhiggs.errors import InputError
from gpuhiggs.inference.flat_model import Constraints
from gpuhiggs.inference.model import Workspace
from gpuhiggs.inference.parameters import Gaussian, Parameter, PoissonCount


def constraints_of(parameters: Sequence[Parameter], workspace: Workspace, index: dict[str, int]) -> Constraints:
    """Return the constraints of all parameters, Gaussian ones first."""
    normal = [(i, p.constraint) for i, p in enumerate(parameters) if isinstance(p.constraint, Gaussian)]
    counts = [(i, p.constraint) for i, p in enumerate(parameters) if isinstance(p.constraint, PoissonCount)]
    return Constraints(
        gaussian=np.array([i for i, _ in normal], dtype=np.int64),
        width=np.array([constraint.width for _, constraint in normal]),
        poisson=np.array([i for i, _ in counts], dtype=np.int64),
        events=np.array([constraint.events for _, constraint in counts]),
        nominal=np.array([c.center for _, c in normal] + [c.events * c.at for _, c in counts]),
        correlation=_correlation([i for i, _ in normal], parameters, workspace, index),
    )


def _correlation(
    gaussian: Sequence[int], parameters: Sequence[Parameter], workspace: Workspace, index: dict[str, int]
) -> Any:
    """Return the correlation matrix of the Gaussian constraints, None for the unit matrix."""
    if not workspace.correlations:
        return None
    matrix = np.eye(len(gaussian))
    for entry in workspace.correlations:
        try:
            places = [gaussian.index(index[name]) for name in entry.parameters]
        except (KeyError, ValueError) as error:
            msg = f"correlation of {' and '.join(entry.parameters)}: both must be normally constrained parameters"
            raise InputError(msg) from error
        kinds = {parameters[gaussian[place]].kind for place in places}
        if kinds & {"staterror", "binerror"} or places[0] == places[1]:
            msg = f"correlation of {' and '.join(entry.parameters)}: expected two parameters, none of MC statistics"
            raise InputError(msg)
        matrix[places[0], places[1]] = matrix[places[1], places[0]] = entry.coefficient
    if np.linalg.eigvalsh(matrix)[0] <= 1e-10:
        msg = "the correlations of the constraints contradict each other: their matrix is not positive definite"
        raise InputError(msg)
    return matrix


def lay_out_constraints(constraints: Constraints) -> dict[str, Any]:
    """Return the constraints as the kernels' arrays."""
    rows: list[tuple[int, int, float]] = []
    if constraints.correlation is not None:
        precision = np.linalg.inv(constraints.correlation)
        excess = precision - np.eye(len(precision))
        for i, j in np.argwhere(np.triu(np.abs(excess) > 1e-15)).tolist():
            rows.append((i, j, float(excess[i, j]) / (2.0 if i == j else 1.0)))
    return {
        "gaussian": constraints.gaussian,
        "sharpness": 1.0 / constraints.width,
        "poisson": constraints.poisson,
        "scale": constraints.events,
        "correlated_i": [i for i, _, _ in rows],
        "correlated_j": [j for _, j, _ in rows],
        "correlated_v": [v for _, _, v in rows],
    }
