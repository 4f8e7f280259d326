"""Contours of a profile likelihood in two parameters, found along rays from the best fit.

A grid spends most of its fits where no contour runs. Along a ray the root of -2 Δ ln L grows nearly as the distance, or
as a power of it, so that few fits, the first where a Gaussian likelihood has its contour, tell where it crosses one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from ..inference.flat_model import FloatArray

RAYS, ROUNDS = 16, 6
DRAWN = 160
"""Points of a contour, on a spline through those on the rays."""
ROOTS = {"68 %": 1.5096, "95 %": 2.4477}
"""Roots of -2 Δ ln L on contours in two parameters: of quantiles of χ² with two degrees of freedom."""
CLOSE = 0.08
"""So far from its target, relative to it, a root may be for the last step to be made without a fit."""
FEWEST = 10
"""Rays of a contour that must have been found."""


class Contours(NamedTuple):
    """The contours around a best fit.

    Attributes
    ----------
    lines
        Closed lines by confidence level, shape (points, 2).
    points, rise
        What was fitted, shape (fits, 2), and -2 Δ ln L there; NaN where a fit failed.
    """

    lines: dict[str, FloatArray]
    points: FloatArray
    rise: FloatArray


def contours(
    best: FloatArray, covariance: FloatArray, bounds: FloatArray, rise: Callable[[FloatArray], FloatArray]
) -> Contours:
    """Follow the contours around a best fit; one that a bound comes before runs along it.

    Parameters
    ----------
    best, covariance
        Of both parameters, shapes (2,) and (2, 2).
    bounds
        Lower and upper, shape (2, 2), as (bound, parameter).
    rise
        Returns -2 Δ ln L at points, shape (n, 2); NaN where a fit fails.

    Raises
    ------
    ValueError
        If too few of the fits converged.
    """
    angle = np.linspace(0.0, 2.0 * np.pi, RAYS, endpoint=False)
    scale = np.linalg.cholesky(covariance)
    rays = _circle(angle) @ scale.T
    with np.errstate(divide="ignore", invalid="ignore"):
        end = np.nanmax((bounds[:, np.newaxis] - best) / rays, axis=0).min(axis=1)
    target = np.repeat(np.array([*ROOTS.values()])[:, np.newaxis], RAYS, axis=1)
    distance = np.minimum(target, end)
    room = np.broadcast_to(end, distance.shape)
    power = np.ones(distance.shape)
    before = distance, np.ones(distance.shape)
    tried = []
    todo = np.full(distance.shape, True)
    for _ in range(ROUNDS):
        points = best + distance[todo][:, np.newaxis] * rays[np.nonzero(todo)[1]]
        height = rise(points)
        tried.append((points, height))
        ratio = np.full(distance.shape, np.nan)
        ratio[todo] = np.sqrt(np.maximum(height, 1e-3)) / target[todo]
        if len(tried) > 1:
            power = np.where(todo, _power(distance / before[0], ratio / before[1]), power)
        before = distance, ratio
        moves = todo & ~((ratio < 1.0) & (distance >= room))  # a bound may come first
        distance = np.where(moves, np.minimum(distance * np.clip(ratio ** (-1.0 / power), 0.4, 2.5), room), distance)
        todo = moves & (abs(ratio - 1.0) > CLOSE)
        if not todo.any():
            break
    lines = {}
    for level, found in zip(ROOTS, distance, strict=True):
        good = np.isfinite(found)
        if good.sum() < FEWEST:
            msg = f"the fits along {RAYS - good.sum()} of {RAYS} rays did not converge"
            raise ValueError(msg)
        around = np.append(angle[good], angle[good][0] + 2.0 * np.pi)
        spline = CubicSpline(around, np.log(np.append(found[good], found[good][0])), bc_type="periodic")
        fine = np.linspace(0.0, 2.0 * np.pi, DRAWN + 1)
        line = best + np.exp(spline(fine))[:, np.newaxis] * (_circle(fine) @ scale.T)
        lines[level] = np.clip(line, *bounds)
    return Contours(lines, *(np.concatenate(part) for part in zip(*tried, strict=True)))


def _power(farther: FloatArray, higher: FloatArray) -> FloatArray:
    """Return with which power of the distance the root grows, from two fits on a ray."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log(higher) / np.log(farther)
    return np.clip(np.where(np.isfinite(found), found, 1.0), 0.5, 8.0)


def _circle(angle: FloatArray) -> FloatArray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
