"""Two signal strengths at a time: contours of the profile likelihood in their plane."""

from __future__ import annotations

import itertools
from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D

from .. import inference
from ..inference import Data, FitResult, FlatModel
from ..inference.flat_model import FloatArray
from ..inference.joining import with_strengths
from ..inference.profile import Profile
from . import rays
from .figure import Block, Figure, Missing
from .numbers import Column, Numbers
from .rays import Contours
from .statistics import Statistics, in_words
from .style import COLORS, SIZE, heading

PLANES = 3
"""At most so many pairs."""


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
    return [
        _figure(statistics, pair, _contours(model, data, best, pair), best)
        for pair in itertools.islice(itertools.combinations(model.pois, 2), PLANES)
    ]


def _contours(model: FlatModel, data: Data, best: FitResult, pair: tuple[str, str]) -> Contours:
    profile = Profile(model, data, pair, best=best)

    def rise(points: FloatArray) -> FloatArray:
        nll, is_good, _ = profile.at(points)
        return np.where(is_good, 2.0 * (nll - best.nll), np.nan)

    places = [best.free.index(name) for name in pair]
    values = np.array([best.parameters[name].value for name in pair])
    bounds = np.array([model.bounds(name) for name in pair]).T
    return rays.contours(values, best.covariance[np.ix_(places, places)], bounds, rise)


def _figure(statistics: Statistics, pair: tuple[str, str], found: Contours, best: FitResult) -> Figure:
    a, b = pair
    caption = (
        f"{statistics.what}. Profile likelihood of {in_words(a)} and {in_words(b)}, all others fitted at each "
        f"of {len(found.rise)} points along rays from the best fit. "
        "The lines enclose 68 % and 95 % of both parameters together (−2 Δ ln L = 2.28 and 5.99)."
    )
    if lost := int(np.sum(np.isnan(found.rise))):
        caption += f" At {lost} of the points the fit of the others did not converge."
    lines = tuple(
        Numbers((Column(a, line[:, 0], independent=True), Column(b, line[:, 1])), level)
        for level, line in found.lines.items()
    )
    fitted = Numbers(
        (
            Column(a, found.points[:, 0], independent=True),
            Column(b, found.points[:, 1], independent=True),
            Column("-2 delta ln L", found.rise),
        ),
        "fitted points",
    )
    point = Numbers(
        (Column(a, [best.parameters[a].value], independent=True), Column(b, [best.parameters[b].value])), "best fit"
    )
    title = f"{in_words(a)} and {in_words(b)}"
    draw = partial(_draw, statistics, pair, found, best)
    return Figure(f"contour_{a}_{b}", title, caption, draw, (*lines, fitted, point))


def _label(name: str) -> str:
    return rf"$\mu_{{\mathrm{{{name[3:].replace('_', ' ')}}}}}$" if name.startswith("mu_") else name.replace("_", " ")


def _draw(statistics: Statistics, pair: tuple[str, str], found: Contours, best: FitResult) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=SIZE)
    for line, style in zip(found.lines.values(), ("-", "--"), strict=True):
        axes.plot(line[:, 0], line[:, 1], style, color=COLORS[0], linewidth=2.5)
    a, b = pair
    axes.plot(best.parameters[a].value, best.parameters[b].value, "P", color="black", markersize=12)
    axes.plot(1, 1, "*", color=COLORS[2], markersize=18)
    axes.margins(0.1)
    low, high = axes.get_ylim()
    axes.set_ylim(low, high + 0.22 * (high - low))  # room for the legend
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
