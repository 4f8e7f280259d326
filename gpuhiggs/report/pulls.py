"""Pulls, constraints and impacts of the nuisance parameters, the largest impact first."""

from __future__ import annotations

from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from .. import inference
from ..inference import Impact
from .figure import Figure, Missing
from .numbers import Column, Numbers, symmetric
from .statistics import PULLED, Statistics, in_words, readable
from .style import COLORS, heading

LOOSE = 0.05
"""A parameter whose error after the fit is below this share of that before it is as good as free."""


def figure(statistics: Statistics, found: tuple[Impact, ...] | None = None) -> Figure | Missing:
    """Return pulls and impacts on the first parameter of interest; *found* are these if they are known already."""
    poi = statistics.model.poi
    if found is None:
        found = inference.impacts(statistics.model, statistics.data, best=statistics.best)
    nuisances = tuple(impact for impact in found if _is_nuisance(impact))
    free = tuple(impact for impact in found if not _is_nuisance(impact))
    if not nuisances:
        return Missing("Pulls and impacts", "The model has no nuisance parameters beside the simulation's statistics.")
    shown = nuisances[:PULLED]
    more = f" The first {len(shown)} of {len(nuisances)} are drawn." if len(nuisances) > len(shown) else ""
    if free:
        more += (
            f" Parameters that the data alone determine ({len(free)}: free normalisations and shapes of backgrounds) "
            "have no pull; they are in the numbers, not in the figure."
        )
    caption = (
        f"{statistics.what}. Left: fitted nuisance parameters in units of their error before the fit, with their error "
        f"after it; the grey band is ±1. Right: shift of {in_words(poi)} when a parameter is held one error up or down "
        f"of its best value and all others are fitted.{more}"
    )
    rows = nuisances + free
    columns = (
        Column("parameter", [impact.name for impact in rows], independent=True),
        Column("kind", ["nuisance"] * len(nuisances) + ["free"] * len(free)),
        Column(
            "value", [impact.value for impact in rows], errors=(symmetric([i.error for i in rows], "after the fit"),)
        ),
        Column("pull", [impact.pull for impact in rows], errors=(symmetric([_size(i) for i in rows], "constraint"),)),
        Column("impact up", [impact.up for impact in rows]),
        Column("impact down", [impact.down for impact in rows]),
    )
    draw = partial(_draw, statistics, shown)
    return Figure("pulls", "Pulls and impacts", caption, draw, (Numbers(columns),), wide=True)


def order(figure: Figure) -> list[str]:
    """Return the parameters of the figure, the largest impact first."""
    return [str(name) for name in figure.numbers[0].columns[0].values]


def _is_nuisance(impact: Impact) -> bool:
    return impact.pull is not None and impact.constraint is not None and impact.constraint > LOOSE


def _size(impact: Impact) -> float:
    return impact.constraint if impact.constraint is not None else float("nan")


def _draw(statistics: Statistics, shown: tuple[Impact, ...]) -> matplotlib.figure.Figure:
    rows = np.arange(len(shown))[::-1]
    canvas, (left, right) = plt.subplots(1, 2, figsize=(15, 2.2 + 0.48 * len(shown)), sharey=True)
    left.axvspan(-1, 1, color="#e9e9e9")
    left.axvline(0, color="gray", linewidth=1)
    for row, impact in zip(rows, shown, strict=True):
        left.errorbar(impact.pull, row, xerr=_size(impact), fmt="o", color="black", markersize=7)
    furthest = max(abs(impact.pull or 0.0) + _size(impact) for impact in shown)
    left.set_xlim(-max(2.6, 1.1 * furthest), max(2.6, 1.1 * furthest))
    left.set_yticks(rows, [readable(impact.name) for impact in shown], fontsize=15)
    left.set_ylim(-0.7, len(shown) - 0.3)
    left.tick_params(axis="y", which="both", left=False, right=False)
    left.set_xlabel(r"$(\hat\theta - \theta_0)/\Delta\theta$")
    right.barh(rows, [impact.up for impact in shown], height=0.62, color=COLORS[0], label="+1 error")
    right.barh(rows, [impact.down for impact in shown], height=0.62, color=COLORS[1], label="−1 error")
    right.axvline(0, color="gray", linewidth=1)
    size = max((impact.size for impact in shown if np.isfinite(impact.size)), default=0.0) or 1.0
    right.set_xlim(-1.6 * size, 1.6 * size)
    right.tick_params(axis="y", which="both", left=False, right=False)
    right.set_xlabel(
        r"$\Delta\hat\mu$" if statistics.model.poi == "mu" else f"shift of {readable(statistics.model.poi)}"
    )
    right.legend(loc="lower right", fontsize=15)
    run = statistics.run
    heading(left, run.config.title)
    heading(right, "", run.luminosity, run.config.sqrt_s)
    return canvas
