"""A correlation matrix, as a figure and as numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ..numbers import Column, Numbers
from ..style import heading


def matrix_of(
    names: Sequence[str], labels: Sequence[str], matrix: np.ndarray, title: str
) -> tuple[Callable[[], matplotlib.figure.Figure], Numbers]:
    """Return what draws a matrix and its numbers, an entry a row.

    Parameters
    ----------
    names, labels
        Of rows and columns, as text and as mathtext.
    matrix
        Shape (names, names).
    title
        What stands above the figure.
    """

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(10.8, 8.8))
        image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
        for i, row in enumerate(matrix):
            for j, value in enumerate(row):
                color = "white" if abs(value) > 0.6 else "black"
                text = f"{value:.2f}".replace("-", "−")
                axes.text(j, i, text, ha="center", va="center", fontsize=14, color=color)
        is_long = max(map(len, names), default=0) > 12
        axes.set_xticks(range(len(names)), labels, rotation=90 if is_long else 0, fontsize=15 if is_long else None)
        axes.set_yticks(range(len(names)), labels, fontsize=15 if is_long else None)
        axes.tick_params(which="both", length=0)
        axes.minorticks_off()
        figure.colorbar(image, ax=axes, label=r"Correlation $\rho$", shrink=0.9)
        heading(axes, title, None, 13)
        return figure

    n = len(names)
    numbers = Numbers(
        (
            Column("row", [names[i] for i in range(n) for _ in range(n)], independent=True),
            Column("column", list(names) * n, independent=True),
            Column("correlation", matrix.ravel().round(4)),
        )
    )
    return draw, numbers
