"""How sets of measurements and curves are told apart in a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..style import COLORS

MARKERS = "os^Dv"


def series_color(title: str, k: int) -> str:
    """Return the colour of the k-th set of measurements; all together is black."""
    return "black" if title == "Combination" else COLORS[(0, 2, 1, 4, 5)[k % 5]]


def end_labels(axes: Any, ends: Mapping[str, tuple[float, str]], gap: float = 0.045) -> None:
    """Name curves at the right edge of a logarithmic axis: text → (height, colour); no two nearer than *gap*.

    *gap* is a share of the height of the axes.
    """
    low, high = np.log10(axes.get_ylim())
    order = sorted(ends, key=lambda text: ends[text][0])
    heights = [(np.log10(ends[text][0]) - low) / (high - low) for text in order]
    for _ in range(50):  # neighbours push each other apart
        for i in range(len(heights) - 1):
            lack = gap - (heights[i + 1] - heights[i])
            if lack > 1e-6:
                heights[i] -= lack / 2
                heights[i + 1] += lack / 2
    for text, height in zip(order, heights, strict=True):
        axes.text(1.015, height, text, transform=axes.transAxes, va="center", fontsize=17, color=ends[text][1])
