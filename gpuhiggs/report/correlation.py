"""Correlations of the fitted parameters: those of interest and those that are most correlated with them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from .figure import Figure, Missing
from .numbers import Column, Numbers
from .statistics import Statistics, readable
from .style import heading

SHOWN = 20
"""Parameters that a figure has room for."""
WRITTEN = 14
"""So many have room for the numbers, too."""


def figure(statistics: Statistics) -> Figure | Missing:
    """Return the matrix of the fit's correlations."""
    best, title = statistics.best, "Correlations"
    if not np.all(np.isfinite(best.covariance)):
        return Missing(title, "The covariance of the fit is not known.")
    size = np.sqrt(np.diag(best.covariance))
    places = [k for k in range(len(size)) if size[k] > 0.0]
    of_interest = [best.free.index(name) for name in statistics.model.pois if name in best.free]
    of_interest = [k for k in of_interest if k in places]
    if len(places) < 2 or not of_interest:
        return Missing(title, "Fewer than two parameters are free.")
    matrix = best.covariance / np.outer(np.where(size > 0.0, size, 1.0), np.where(size > 0.0, size, 1.0))
    strongest = np.abs(matrix[of_interest]).max(axis=0)
    others = sorted((k for k in places if k not in of_interest), key=lambda k: -strongest[k])
    chosen = (of_interest + others)[:SHOWN]
    names = [best.free[k] for k in chosen]
    shown = matrix[np.ix_(chosen, chosen)]
    caption = (
        f"{statistics.what}. Correlations of the fitted parameters (inverse Hessian): those of interest and the "
        f"{len(chosen) - len(of_interest)} of {len(others)} others that are most correlated with one of them."
    )
    return Figure("correlation", title, caption, partial(_draw, statistics, names, shown), (_numbers(names, shown),))


def matrix_of(statistics: Statistics, names: Sequence[str], matrix: np.ndarray, name: str, what: str) -> Figure:
    """Return the figure of a matrix that is known already, such as that of an unfolding."""
    caption = f"{statistics.what}. {what}"
    return Figure(name, "Correlations", caption, partial(_draw, statistics, names, matrix), (_numbers(names, matrix),))


def _numbers(names: Sequence[str], matrix: np.ndarray) -> Numbers:
    rows = [(a, b, float(matrix[i, j])) for i, a in enumerate(names) for j, b in enumerate(names)]
    return Numbers(
        (
            Column("first", [a for a, _, _ in rows], independent=True),
            Column("second", [b for _, b, _ in rows], independent=True),
            Column("correlation", [value for _, _, value in rows], format="+.3f"),
        )
    )


def _draw(statistics: Statistics, names: Sequence[str], matrix: np.ndarray) -> matplotlib.figure.Figure:
    n = len(names)
    side = 5.5 + 0.52 * n
    canvas, axes = plt.subplots(figsize=(side + 1.4, side), layout="compressed")
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    if n <= WRITTEN:
        for i in range(n):
            for j in range(n):
                color = "white" if abs(matrix[i, j]) > 0.6 else "black"
                text = f"{matrix[i, j]:.2f}".replace("-", "−")
                axes.text(j, i, text, ha="center", va="center", fontsize=12, color=color)
    labels = [readable(name) for name in names]
    axes.set_xticks(range(n), labels, rotation=90, fontsize=14)
    axes.set_yticks(range(n), labels, fontsize=14)
    axes.tick_params(which="both", length=0)
    axes.minorticks_off()
    canvas.colorbar(image, ax=axes, shrink=0.8).set_label("Correlation", fontsize=17)
    heading(axes, statistics.run.config.title, statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas
