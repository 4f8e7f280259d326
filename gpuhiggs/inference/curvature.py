"""The Hessian of -ln L, what is wrong with it, and the covariance of all parameters from it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from threadpoolctl import ThreadpoolController

from gpuhiggs.inference import batch
from gpuhiggs.inference.flat_model import FlatModel, FloatArray, IndexArray
from gpuhiggs.inference.likelihood import Likelihood

NEAR = 1e-4
"""How near to a bound, in a parameter's scale, is at it."""

FLAT = 1e-7
"""Smallest eigenvalue of the Hessian scaled to unit diagonal that is a curvature; rounding makes up to about 1e-10."""


def hessian(likelihood: Likelihood, theta: FloatArray, moved: IndexArray, profiled: IndexArray) -> FloatArray:
    """Return the Hessian by the moved parameters, (moved, moved), of the profile where bins are profiled."""
    counts, auxiliary = likelihood.data.counts[np.newaxis], likelihood.data.auxiliary[np.newaxis]
    return np.asarray(batch.hessian(likelihood.model, counts, auxiliary, theta[np.newaxis], moved, profiled)[0])


def leaning(model: FlatModel, theta: FloatArray, gradient: FloatArray, moved: IndexArray) -> FloatArray:
    """Return which moved parameters are at a bound beyond which -ln L would fall further."""
    values, slopes = theta[moved], gradient[moved]
    at_lower = values - model.arrays.lower[moved] < NEAR * model.arrays.step[moved]
    at_upper = model.arrays.upper[moved] - values < NEAR * model.arrays.step[moved]
    return np.asarray((at_lower & (slopes > 0.0)) | (at_upper & (slopes < 0.0)))


def flatness(matrix: FloatArray, names: Sequence[str]) -> str:
    """Return, as a sentence, a direction in which -ln L does not curve up; empty if there is none."""
    scale = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    flat = [name for name, size in zip(names, scale, strict=True) if size == 0.0]
    if flat or not names:
        return f"-ln L does not curve up with {', '.join(flat)}" if flat else ""
    curvatures, directions = np.linalg.eigh(matrix / np.outer(scale, scale))
    if curvatures[0] > FLAT:
        return ""
    along = [name for name, part in zip(names, directions[:, 0], strict=True) if abs(part) > 0.1]
    return f"-ln L has a flat direction, along {', '.join(along)}"


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def complete(
    likelihood: Likelihood, theta: FloatArray, moved: IndexArray, covariance: FloatArray, profiled: IndexArray
) -> tuple[IndexArray, FloatArray]:
    """Return the positions of all free parameters, in order, and their covariance.

    That of the profiled ones follows from how their best values move with the others.
    """
    arrays, n = likelihood.model.arrays, len(moved)
    owner = arrays.bin_parameter[np.flatnonzero(profiled)]
    positions = np.concatenate([moved, owner])
    matrix = hessian(likelihood, theta, positions, np.zeros_like(profiled))
    at_bound = (theta[owner] <= arrays.lower[owner]) | (theta[owner] >= arrays.upper[owner])
    known_others = np.where(at_bound, 0.0, 1.0 / np.diag(matrix)[n:])
    follow = -known_others[:, np.newaxis] * matrix[n:, :n]  # how their best values move with the others
    with _blas().limit(limits=1, user_api="blas"):  # for so few numbers its threads wait for each other longer
        across = follow @ covariance
        own = across @ follow.T + np.diag(known_others)
    full = np.block([[covariance, across.T], [across, own]])
    order = np.argsort(positions)
    return positions[order], full[np.ix_(order, order)]
