"""Two signal strengths at a time: contours of the profile likelihood in their plane."""

from __future__ import annotations

import dataclasses
import itertools
from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from scipy.interpolate import RectBivariateSpline

from .. import inference
from ..inference import FitResult, Scan2DResult
from ..inference.joining import with_strengths
from .figure import Block, Figure, Missing
from .numbers import Column, Numbers
from .statistics import Statistics
from .style import COLORS, SIZE, heading

WIDTHS = 3.5
PLANES = 3
"""At most so many pairs."""
FITTED, FITTED_OF_MANY, MANY = 31, 11, 60
"""Points along each axis that are fitted, and of models with many free parameters, whose fits take 50 ms."""
DRAWN = 61
"""Points along each axis between which contours are followed: a spline through the fitted ones, which are smooth."""


def productions(statistics: Statistics) -> dict[str, str]:
    """Return the signal strength of each signal sample: the configuration's productions, or its own."""
    model = statistics.run.config.model
    if model is not None and model.productions:
        return {process: name for name, group in model.productions.items() for process in group}
    samples = {sample.name for _, sample in statistics.workspace.blocks()}
    return {name: f"mu_{name}" for name in statistics.run.signals if name in samples}


def blocks(statistics: Statistics) -> list[Block]:
    """Return the planes of each pair of signal strengths."""
    strengths = productions(statistics)
    if len(set(strengths.values())) < 2:
        return [Missing("Contours of two signal strengths", "The model has one production mode only.")]
    apart = with_strengths(statistics.workspace, strengths)
    model = inference.flatten(apart)
    data = statistics.data_of(apart, model)
    best = inference.fit(model, data)
    if not best.converged:
        return [Missing("Contours of two signal strengths", " ".join(best.notes))]
    found: list[Block] = []
    points = FITTED if len(best.free) <= MANY else FITTED_OF_MANY
    for pair in itertools.islice(itertools.combinations(model.pois, 2), PLANES):
        x, y = (inference.grid_around(model, best, name, points, WIDTHS) for name in pair)
        scan = inference.profile_scan_2d(model, data, pair, x, y, best=best)
        found.append(_figure(statistics, scan, best))
    return found


def _figure(statistics: Statistics, scan: Scan2DResult, best: FitResult) -> Figure:
    a, b = scan.parameters
    caption = (
        f"{statistics.what}. Profile likelihood of {_plain(a)} and {_plain(b)}, all other parameters fitted at each "
        f"of {len(scan.x)} × {len(scan.y)} points. "
        "The lines enclose 68 % and 95 % of both parameters together (−2 Δ ln L = 2.28 and 5.99)."
    )
    if lost := int(np.sum(~scan.converged)):
        caption += f" At {lost} of {scan.converged.size} points the fit of the others did not converge."
    x, y = np.meshgrid(scan.x, scan.y, indexing="ij")
    grid = Numbers(
        (
            Column(a, x.ravel(), independent=True),
            Column(b, y.ravel(), independent=True),
            Column("-2 delta ln L", scan.twice_nll.ravel()),
        ),
        "scan",
    )
    point = Numbers(
        (Column(a, [best.parameters[a].value], independent=True), Column(b, [best.parameters[b].value])), "best fit"
    )
    title = f"{_plain(a)} and {_plain(b)}"
    return Figure(f"contour_{a}_{b}", title, caption, partial(_draw, statistics, scan, best), (grid, point))


def _refined(scan: Scan2DResult) -> Scan2DResult:
    """Return the same surface at more points."""
    x, y = (np.linspace(axis[0], axis[-1], DRAWN) for axis in (scan.x, scan.y))
    surface = RectBivariateSpline(scan.x, scan.y, scan.twice_nll)(x, y)
    return dataclasses.replace(scan, x=x, y=y, twice_nll=surface, converged=np.ones_like(surface, dtype=bool))


def _plain(name: str) -> str:
    return name.replace("mu_", "μ ").replace("_", " ")


def _label(name: str) -> str:
    return rf"$\mu_{{\mathrm{{{name[3:].replace('_', ' ')}}}}}$" if name.startswith("mu_") else name.replace("_", " ")


def _draw(statistics: Statistics, scan: Scan2DResult, best: FitResult) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=SIZE)
    fine = _refined(scan)
    for confidence, style in ((0.68, "-"), (0.95, "--")):
        for line in fine.contour(confidence):
            axes.plot(line[:, 0], line[:, 1], style, color=COLORS[0], linewidth=2.5)
    a, b = scan.parameters
    axes.plot(best.parameters[a].value, best.parameters[b].value, "P", color="black", markersize=12)
    axes.plot(1, 1, "*", color=COLORS[2], markersize=18)
    axes.set(xlim=(scan.x[0], scan.x[-1]), ylim=(scan.y[0], scan.y[-1] + 0.25 * (scan.y[-1] - scan.y[0])))
    axes.set_xlabel(_label(a))
    axes.set_ylabel(_label(b))
    handles = [
        Line2D([], [], color="black", marker="P", linestyle="", markersize=12, label="Best fit"),
        Line2D([], [], color=COLORS[2], marker="*", linestyle="", markersize=18, label="SM"),
        Line2D([], [], color=COLORS[0], linewidth=2.5, label="68 % CL"),
        Line2D([], [], color=COLORS[0], linewidth=2.5, linestyle="--", label="95 % CL"),
    ]
    axes.legend(handles=handles, ncols=2, loc="upper right")
    heading(axes, statistics.run.config.title, statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas
