"""The profile likelihood of two parameters of a model on a grid, with its contours."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Literal

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from scipy.interpolate import RectBivariateSpline

from ..inference import Scan2DResult
from .figure import Figure
from .numbers import Column, Numbers
from .statistics import Statistics, readable
from .style import COLORS, SIZE, heading

DRAWN = 121
"""Points along each axis between which contours are followed: a spline through the fitted ones, which are smooth."""
CONTOURS: tuple[tuple[float, Literal["-", "--"]], ...] = ((0.68, "-"), (0.95, "--"))
HIGHEST = 10.0
"""-2 Δ ln L up to which colours go."""


def figure(statistics: Statistics, scan: Scan2DResult) -> Figure:
    """Return the figure of a plane."""
    a, b = scan.parameters
    title = f"{readable(a)} and {readable(b)}"
    caption = (
        f"{statistics.what}. Profile likelihood of {title}, all other parameters fitted at each of {len(scan.x)} × "
        f"{len(scan.y)} points. The lines enclose 68 % and 95 % of both parameters together (−2 Δ ln L = 2.28, 5.99)."
    )
    if lost := int(np.sum(~scan.converged)):
        caption += f" At {lost} of {scan.converged.size} points the fit of the others did not converge."
    x, y = np.meshgrid(scan.x, scan.y, indexing="ij")
    best = [scan.best.parameters[name].value for name in scan.parameters]
    grid = Numbers(
        (
            Column(a, x.ravel(), independent=True),
            Column(b, y.ravel(), independent=True),
            Column("-2 delta ln L", scan.twice_nll.ravel()),
        ),
        "scan",
    )
    point = Numbers((Column(a, [best[0]], independent=True), Column(b, [best[1]])), "best fit")
    return Figure(f"plane_{a}_{b}", title, caption, partial(_draw, statistics, scan), (grid, point))


def _refined(scan: Scan2DResult) -> Scan2DResult:
    """Return the same surface at more points, where there are enough for a spline and all of them are known."""
    if min(len(scan.x), len(scan.y)) < 4 or not np.all(np.isfinite(scan.twice_nll)):
        return scan
    x, y = (np.linspace(axis[0], axis[-1], DRAWN) for axis in (scan.x, scan.y))
    surface = RectBivariateSpline(scan.x, scan.y, scan.twice_nll)(x, y)
    return dataclasses.replace(scan, x=x, y=y, twice_nll=surface, converged=np.ones_like(surface, dtype=bool))


def _draw(statistics: Statistics, scan: Scan2DResult) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=(SIZE[0] + 1.2, SIZE[1]))
    fine = _refined(scan)
    shown = axes.pcolormesh(fine.x, fine.y, fine.twice_nll.T, cmap="Blues_r", vmin=0, vmax=HIGHEST, rasterized=True)
    canvas.colorbar(shown, ax=axes, extend="max").set_label(r"$-2\,\Delta\ln L$")
    for confidence, style in CONTOURS:
        for line in fine.contour(confidence):
            axes.plot(line[:, 0], line[:, 1], style, color="black", linewidth=2.5)
    a, b = scan.parameters
    best = [scan.best.parameters[name].value for name in scan.parameters]
    axes.plot(*best, "P", color=COLORS[2], markersize=13)
    axes.set(xlim=(scan.x[0], scan.x[-1]), ylim=(scan.y[0], scan.y[-1]))
    axes.set_xlabel(readable(a))
    axes.set_ylabel(readable(b))
    handles = [Line2D([], [], color=COLORS[2], marker="P", linestyle="", markersize=13, label="Best fit")]
    handles += [
        Line2D([], [], color="black", linestyle=style, linewidth=2.5, label=f"{100 * confidence:.0f} % CL")
        for confidence, style in CONTOURS
    ]
    axes.legend(handles=handles, loc="upper right", frameon=True)
    heading(axes, statistics.run.config.title, statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas
