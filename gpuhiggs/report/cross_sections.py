"""Unfolded cross sections, beside what is predicted."""

from __future__ import annotations

from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ..inference.unfolding import Unfolded
from .figure import Figure
from .numbers import Column, Errors, Numbers
from .statistics import Statistics, readable
from .style import COLORS, heading


def figure(statistics: Statistics, found: Unfolded) -> Figure:
    """Return the figure of an unfolding."""
    caption = (
        f"{statistics.what}. One strength for each generator bin, times the predicted cross section; errors are those "
        "of the likelihood with everything else fitted. There is no regularisation. Below: ratio to the prediction."
    )
    columns = (
        Column("bin", list(found.names), independent=True),
        Column("cross section", found.values, errors=(Errors(found.plus, found.minus),)),
        Column("predicted", found.predicted),
    )
    draw = partial(_draw, statistics, found)
    return Figure("cross_sections", "Unfolded cross sections", caption, draw, (Numbers(columns),))


def _draw(statistics: Statistics, found: Unfolded) -> matplotlib.figure.Figure:
    n = len(found.names)
    canvas, (main, ratio) = plt.subplots(
        2, 1, figsize=(max(9.0, 1.1 * n), 9.6), sharex=True, gridspec_kw={"height_ratios": [3, 1]}
    )
    places, edges = np.arange(n), np.arange(n + 1) - 0.5
    for axes, scale in ((main, np.ones(n)), (ratio, found.predicted)):
        axes.stairs(found.predicted / scale, edges, color=COLORS[0], linewidth=2.5, label="Predicted", baseline=None)
        errors = -found.minus / scale, found.plus / scale
        axes.errorbar(places, found.values / scale, errors, fmt="o", color="black", markersize=8, label="Unfolded")
    main.set_ylabel("Cross section")
    low, high = (found.values + found.minus).min(), max((found.values + found.plus).max(), found.predicted.max())
    main.set(xlim=(-0.5, n - 0.5), ylim=(min(0.0, 1.1 * low), 1.3 * high))
    main.legend(loc="upper right")
    ratio.axhline(1, color="gray", linewidth=1)
    ratio.set_ylabel("Ratio", loc="center")
    ratio.set_xticks(places, [readable(name) for name in found.names], rotation=30 if n > 4 else 0, fontsize=15)
    ratio.tick_params(axis="x", which="minor", length=0)
    heading(main, statistics.run.config.title, statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas
