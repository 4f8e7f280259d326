"""Whether the fitted model describes the data: measures of goodness of fit against toys."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from .. import inference
from ..inference import GoodnessOfFit
from .figure import Block, Figure, Missing, Table
from .numbers import Column, Numbers
from .statistics import Statistics
from .style import COLORS, SIZE, heading

TOYS, SEED = 400, 1
WORDS = {
    "saturated": "saturated model (Baker, Cousins)",
    "chi2": "Pearson's χ²",
    "ks": "Kolmogorov-Smirnov",
    "ad": "Anderson-Darling",
}


def blocks(statistics: Statistics) -> list[Block]:
    """Return the distribution of toys and the table of all measures."""
    if not statistics.is_observed:
        return [Missing("Goodness of fit", "There are no data that the fit could describe.")]
    found = inference.goodness_of_fits(
        statistics.model, statistics.data, n_toys=TOYS, generator=np.random.default_rng(SEED), best=statistics.best
    )
    return [figure(statistics, found[0]), _table(found)]


def figure(statistics: Statistics, found: GoodnessOfFit) -> Figure:
    """Return the statistic in data and in toys."""
    caption = (
        f"{statistics.what}. The saturated statistic in data and in {len(found.toys)} toys drawn from the best fit and "
        f"fitted in the same way: {100 * (found.p_toys or 0):.1f} % of them are at least as bad."
    )
    values, edges = np.histogram(found.toys, bins=25)
    centers = (edges[1:] + edges[:-1]) / 2
    toys = Numbers(
        (Column("statistic", centers, low=edges[:-1], high=edges[1:], independent=True), Column("toys", values)), "toys"
    )
    data = Numbers((Column("statistic in data", [found.statistic]), Column("p-value", [found.p_toys])), "data")
    draw = partial(_draw, statistics, found)
    return Figure("goodness_of_fit", "Goodness of fit", caption, draw, (toys, data))


def _draw(statistics: Statistics, found: GoodnessOfFit) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=SIZE)
    values, edges = np.histogram(found.toys, bins=25)
    axes.stairs(values, edges, fill=True, color=COLORS[0], alpha=0.55, label=f"{len(found.toys)} toys")
    axes.axvline(found.statistic, color="black", linewidth=3, label="Data")
    axes.set_ylim(0, 1.35 * values.max(initial=1))
    low, high = min(edges[0], found.statistic), max(edges[-1], found.statistic)
    axes.set_xlim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    axes.set_xlabel(r"$-2\,\ln(L/L_{\mathrm{saturated}})$")
    axes.set_ylabel("Toys")
    axes.legend(title=f"p = {found.p_toys or 0:.3f}", loc="upper right")
    heading(axes, statistics.run.config.title, statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas


def _table(found: Sequence[GoodnessOfFit]) -> Table:
    columns = (
        Column("measure", [WORDS[one.measure] for one in found], independent=True),
        Column("statistic", [one.statistic for one in found]),
        Column("degrees of freedom", [one.degrees if one.p_value is not None else None for one in found]),
        Column("p-value, χ² distribution", [one.p_value for one in found], format=".3f"),
        Column("p-value, toys", [one.p_toys for one in found], format=".3f"),
    )
    caption = "p-values: the probability of data that agree no better with the model, if it is true."
    return Table("goodness_table", "Goodness of fit", caption, Numbers(columns))
