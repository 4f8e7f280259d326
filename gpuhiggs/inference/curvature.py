"""The Hessian of -ln L, what is wrong with it, and the covariance of all parameters from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpuhiggs.inference import batch
from gpuhiggs.inference.flat_model import FlatModel, FloatArray, IndexArray
from gpuhiggs.inference.likelihood import Likelihood

STEP = 1e-4
"""Step of differences, in a parameter's scale; and how near to a bound is at it."""

FLAT = 1e-7
"""Smallest eigenvalue of the Hessian scaled to unit diagonal that is a curvature; rounding makes up to about 1e-10."""


def hessian(likelihood: Likelihood, theta: FloatArray, moved: IndexArray, profiled: IndexArray) -> FloatArray:
    """Return the Hessian by the moved parameters, (moved, moved): differences of the gradient, one-sided at a bound."""
    arrays, n = likelihood.model.arrays, len(moved)
    points = np.repeat(theta[np.newaxis], 2 * n, axis=0)
    rows = np.arange(n)
    size = STEP * arrays.step[moved]
    points[rows, moved] = np.minimum(theta[moved] + size, arrays.upper[moved])
    points[n + rows, moved] = np.maximum(theta[moved] - size, arrays.lower[moved])
    span = (points[rows, moved] - points[n + rows, moved])[:, np.newaxis]
    _, gradients, _ = batch.evaluate(
        likelihood.model, likelihood.data.counts[np.newaxis], likelihood.data.auxiliary[np.newaxis], points, profiled
    )
    slopes = (gradients[:n] - gradients[n:])[:, moved] / span
    return np.asarray((slopes + slopes.T) / 2.0)


def leaning(model: FlatModel, theta: FloatArray, gradient: FloatArray, moved: IndexArray) -> FloatArray:
    """Return which moved parameters are at a bound beyond which -ln L would fall further."""
    values, slopes = theta[moved], gradient[moved]
    at_lower = values - model.arrays.lower[moved] < STEP * model.arrays.step[moved]
    at_upper = model.arrays.upper[moved] - values < STEP * model.arrays.step[moved]
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


def complete(
    likelihood: Likelihood, theta: FloatArray, moved: IndexArray, covariance: FloatArray, profiled: IndexArray
) -> tuple[IndexArray, FloatArray]:
    """Return the positions of all free parameters, in order, and their covariance.

    That of the profiled ones follows from how their best values move with the others.
    """
    model, data = likelihood.model, likelihood.data
    arrays, n = model.arrays, len(moved)
    bins = np.flatnonzero(profiled)
    if not len(bins):
        order = np.argsort(moved)
        return moved[order], covariance[np.ix_(order, order)]
    errors = np.sqrt(np.diag(covariance))
    size = np.where(errors > 0.0, 1e-3 * errors, 1e-6)
    points = np.repeat(theta[np.newaxis], 2 * n + 1, axis=0)
    points[np.arange(n), moved] += size
    points[n + np.arange(n), moved] -= size
    _, _, points = batch.evaluate(model, data.counts[np.newaxis], data.auxiliary[np.newaxis], points, profiled)
    owner = arrays.bin_parameter[bins]
    moves = ((points[:n] - points[n : 2 * n])[:, owner] / (2.0 * size[:, np.newaxis])).T
    onto = np.vstack([np.eye(n), moves])
    full = onto @ covariance @ onto.T
    full[n:, n:] += np.diag(_known_others(model, data.counts, points[-1])[bins])
    positions = np.concatenate([moved, owner])
    order = np.argsort(positions)
    return positions[order], full[np.ix_(order, order)]


def _known_others(model: FlatModel, counts: FloatArray, theta: FloatArray) -> FloatArray:
    """Return the variance of each bin's MC-statistics parameter when all other parameters are known."""
    arrays = model.arrays
    rates = batch.expected(model, theta)[0]
    moved = theta.copy()
    owner = np.maximum(arrays.bin_parameter, 0)
    moved[owner[arrays.bin_parameter >= 0]] += arrays.bin_width[arrays.bin_parameter >= 0]
    error = batch.expected(model, moved)[0] - rates
    with np.errstate(divide="ignore", invalid="ignore"):
        from_counts = np.where(counts > 0.0, counts * (error / rates) ** 2, 0.0)
    return np.asarray(arrays.bin_width**2 / (from_counts + 1.0))
