"""Contours of a profile likelihood in two parameters, found along rays from the best fit.

A grid spends most of its fits where no contour runs. Along a ray the root of -2 Δ ln L is nearly a straight line from
the best fit on, so that few fits, the first where a Gaussian likelihood has its contour, tell where it crosses one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.interpolate import CubicSpline

from ..inference.flat_model import FloatArray

RAYS, ROUNDS = 16, 4
DRAWN = 160
"""Points of a contour, on a spline through those on the rays."""
ROOTS = {"68 %": 1.5096, "95 %": 2.4477}
"""Roots of -2 Δ ln L on contours in two parameters: of quantiles of χ² with two degrees of freedom."""
CLOSE = 0.06
"""So far from its target, relative to it, a root may be for the straight line to be followed."""
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
    tried = []
    todo = np.full(distance.shape, True)
    for _ in range(ROUNDS):
        at = distance[todo]
        points = best + at[:, np.newaxis] * rays[np.nonzero(todo)[1]]
        height = rise(points)
        tried.append((points, height))
        factor = target[todo] / np.sqrt(np.maximum(height, 1e-2))
        room = np.broadcast_to(end, distance.shape)[todo]
        distance[todo] = np.minimum(at * np.clip(factor, 0.4, 2.5), room)
        todo[todo] = (abs(factor - 1.0) > CLOSE) & ~((factor > 1.0) & (at >= room))
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


def _circle(angle: FloatArray) -> FloatArray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=-1)
