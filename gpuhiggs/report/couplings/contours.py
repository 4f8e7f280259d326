"""Contours of a plane of two parameters, as numbers."""

from __future__ import annotations

import contourpy
import numpy as np

from ...interpret import Plane
from ..numbers import Column, Numbers

LEVELS = {"68 %": 2.296, "95 %": 5.991}
"""-2 Δln L of contours in two parameters: χ² with two degrees of freedom."""


def contour_points(found: Plane, name: str) -> Numbers:
    """Return the points of the 68 % and 95 % contours, closed pieces one after the other, and the best fit.

    The whole plane is what ``gpuhiggs combine --plane`` writes.
    """
    generator = contourpy.contour_generator(found.x, found.y, found.rise)
    rows: list[tuple[str, int, float, float]] = [("best fit", 0, *found.best)]
    for level, rise in LEVELS.items():
        for piece, points in enumerate(generator.lines(rise)):
            rows += [(level, piece, *point) for point in np.asarray(points).tolist()]
    x, y = found.names
    return Numbers(
        (
            Column("contour", [row[0] for row in rows], independent=True),
            Column("piece", [row[1] for row in rows], independent=True),
            Column(x, [round(row[2], 5) for row in rows]),
            Column(y, [round(row[3], 5) for row in rows]),
        ),
        name,
    )
