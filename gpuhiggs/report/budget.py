"""What the uncertainty of the signal strength is made of."""

from __future__ import annotations

from collections import defaultdict
from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from .. import inference
from ..errors import InputError
from ..inference import Budget
from .figure import Block, Figure, Missing, Table
from .numbers import Column, Numbers
from .statistics import Statistics, in_words, readable
from .style import COLORS, heading

PER_BIN = ("staterror", "binerror")


def blocks(statistics: Statistics) -> list[Block]:
    """Return the budget of the first parameter of interest."""
    workspace = statistics.workspace
    if not workspace.groups:
        workspace = workspace.model_copy(update={"groups": groups(statistics)})
    model = inference.flatten(workspace)
    try:
        found = inference.budget(model, statistics.data, best=statistics.best)
    except InputError as error:
        return [Missing("Uncertainty budget", str(error))]
    return [figure(statistics, found), _table(found)]


def groups(statistics: Statistics) -> dict[str, tuple[str, ...]]:
    """Return the constrained parameters by the first word of their names; those of single bins are left out."""
    found: dict[str, list[str]] = defaultdict(list)
    for parameter in statistics.model.parameters:
        if parameter.constraint is not None and parameter.kind not in PER_BIN:
            found[parameter.name.partition("_")[0]].append(parameter.name)
    return {name: tuple(names) for name, names in found.items()}


def _rows(found: Budget) -> dict[str, tuple[float, float]]:
    words = {"mc_statistics": "statistics of the simulation", "lumi": "luminosity"}
    parts = {words.get(name, readable(name)): sizes for name, sizes in found.groups.items()}
    parts = dict(sorted(parts.items(), key=lambda part: -part[1][1]))
    return {"statistics of the data": found.statistical, **parts, "total": found.total}


def _numbers(found: Budget) -> Numbers:
    rows = _rows(found)
    return Numbers(
        (
            Column("source", list(rows), independent=True),
            Column("down", [minus for minus, _ in rows.values()], format="+.4f"),
            Column("up", [plus for _, plus in rows.values()], format="+.4f"),
        )
    )


def figure(statistics: Statistics, found: Budget) -> Figure:
    """Return the figure of a budget."""
    caption = (
        f"{statistics.what}. Error of {in_words(found.parameter)} by source: groups of nuisance parameters are fixed "
        "one after the other, each is given the difference in quadrature that this makes, and the rest is statistics."
    )
    return Figure("budget", "Uncertainty budget", caption, partial(_draw, statistics, found), (_numbers(found),))


def _draw(statistics: Statistics, found: Budget) -> matplotlib.figure.Figure:
    rows = _rows(found)
    places = np.arange(len(rows))[::-1]
    canvas, axes = plt.subplots(figsize=(9, 2.6 + 0.62 * len(rows)))
    tint = [COLORS[3] if name == "total" else COLORS[0] for name in rows]
    axes.barh(places, [plus for _, plus in rows.values()], color=tint, height=0.62)
    axes.barh(places, [minus for minus, _ in rows.values()], color=tint, height=0.62)
    axes.axvline(0, color="black", linewidth=1)
    size = max(abs(value) for pair in rows.values() for value in pair) or 1.0
    for place, (minus, plus) in zip(places, rows.values(), strict=True):
        text = f"{minus:+.3f} / {plus:+.3f}".replace("-", "−")
        axes.text(2.05 * size, place, text, ha="right", va="center", fontsize=15)
    axes.set_xlim(-1.15 * size, 2.1 * size)
    axes.set_yticks(places, list(rows), fontsize=16)
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.set_xlabel(r"Contribution to the error of $\mu$")
    heading(axes, statistics.run.config.title, statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas


def _table(found: Budget) -> Table:
    numbers = _numbers(found)
    caption = f"Error of {in_words(found.parameter)} by source, in the order of the figure."
    return Table("budget_table", "Uncertainty budget", caption, numbers, frozenset({numbers.rows - 1}))
