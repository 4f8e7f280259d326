"""The N - 1 distributions: each variable that is cut on, with all other cuts applied."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt

from . import stack
from .figure import Figure
from .record import Record
from .style import heading

PREFIX = "n_minus_one"
"""How the names of these histograms begin."""

ACROSS = 3
PANEL_BINS = 40


def figure(run: Record) -> Figure | None:
    """Return one figure of all of them; None where the channel has none."""
    found = {
        name: stack.content_of(run, name, PANEL_BINS) for name, parts in run.histograms.items() if _is(name) and parts
    }
    if not found:
        return None
    caption = (
        "Each variable that the selection cuts on, in events that pass all other cuts, all categories together; "
        f"{run.conditions}. {stack.explained(run, next(iter(found.values())))}"
    )
    tables = tuple(stack.numbers(content, name) for name, content in found.items())
    return Figure(PREFIX, "N − 1 distributions", caption, partial(_draw, run, found), tables, wide=True)


def _is(name: str) -> bool:
    return name.startswith(PREFIX)


def _draw(run: Record, found: Mapping[str, stack.Content]) -> matplotlib.figure.Figure:
    across = min(ACROSS, len(found))
    rows = math.ceil(len(found) / across)
    canvas, axes = plt.subplots(rows, across, figsize=(6.4 * across, 5.2 * rows + 0.4), squeeze=False)
    for number, (panel, content) in enumerate(zip(axes.flat, found.values(), strict=False)):
        stack.fill(panel, run, content)
        panel.set_xlabel(content.axis.label.replace(", all other cuts", ""), fontsize=20)
        if number == 0:
            heading(panel, run.config.title)
        if number == across - 1:
            heading(panel, "", run.luminosity, run.config.sqrt_s)
    for panel in axes.flat[len(found) :]:
        panel.set_axis_off()
    if len(found) < axes.size:  # the legend has a panel of its own
        handles, labels = stack.ordered_legend(axes.flat[0])
        axes.flat[-1].legend(handles, labels, loc="center", fontsize=20)
    else:
        stack.legend(axes.flat[0])
    return canvas
