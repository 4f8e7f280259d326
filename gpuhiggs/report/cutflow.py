"""What the selection keeps: the cutflow as a figure and a table, and the yields by category."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Any

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from .figure import Block, Figure, Missing, Table
from .numbers import Column, Numbers, symmetric
from .record import Record
from .stack import colors
from .style import heading


def blocks(run: Record) -> list[Block]:
    """Return everything that the selection says of its events."""
    if not run.results["cutflow"]:
        return [Missing("Cutflow and yields", "No dataset could be processed.")]
    return [_figure(run), _table(run), _yields(run)]


def _flows(run: Record) -> dict[str, list[dict[str, Any]]]:
    flows: dict[str, list[dict[str, Any]]] = run.results["cutflow"]
    return flows


def steps(run: Record) -> list[str]:
    """Return the names of the cuts, as text."""
    return [row["step"].replace("_", " ") for row in next(iter(_flows(run).values()))]


def _numbers(rows: Iterable[dict[str, Any]], key: str) -> list[float]:
    """Return numbers of rows; NaN, which nothing draws and tables leave out, where they are withheld."""
    return [math.nan if row[key] is None else row[key] for row in rows]


def _columns(run: Record) -> tuple[Column, ...]:
    events = []
    for process, rows in _flows(run).items():
        error = symmetric(_numbers(rows, "error"), "stat")
        events.append(Column(process, _numbers(rows, "events"), errors=(error,)))
    return (Column("cut", steps(run), independent=True), *events)


def _figure(run: Record) -> Figure:
    caption = (
        f"Events that are left after each cut, by process; {run.conditions}. Simulation is normalised to its cross "
        f"section and the luminosity, data are counted. Selection: {run.results['reference']}."
    )
    return Figure("cutflow", "Cutflow", caption, partial(_draw, run), (Numbers(_columns(run)),))


def _draw(run: Record) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=(9, 8))
    names = steps(run)
    flows = _flows(run)
    simulated = [name for name in flows if name not in run.of_kind("data")]
    for name, color in zip(simulated, colors(run, simulated), strict=True):
        events = np.array(_numbers(flows[name], "events"))
        axes.stairs(events, np.arange(len(names) + 1) - 0.5, color=color, linewidth=2.5, label=run.label(name))
    for name in run.of_kind("data"):
        if name in flows:
            events = np.array(_numbers(flows[name], "events"))
            axes.plot(np.arange(len(names)), events, "ok", markersize=7, label=run.label(name))
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.3)
    axes.set_xticks(np.arange(len(names)), names, rotation=60, ha="right", rotation_mode="anchor", fontsize=16)
    axes.tick_params(axis="x", which="minor", bottom=False, top=False)
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylabel("Events")
    axes.legend(ncols=2, loc="upper right")
    heading(axes, run.config.title, run.luminosity, run.config.sqrt_s)
    return canvas


def _table(run: Record) -> Table:
    columns = [Column("cut", steps(run), independent=True)]
    for column, rows in zip(_columns(run)[1:], _flows(run).values(), strict=True):
        is_data = column.name in run.of_kind("data")
        if not is_data:
            columns.append(column)
        columns.append(
            Column(column.name if is_data else f"{column.name}, simulated", [row["entries"] for row in rows])
        )
    caption = "Events expected with the statistical error of the simulation, and how many were simulated; data counted."
    return Table("cutflow_table", "Cutflow", caption, Numbers(tuple(columns)), frozenset({len(steps(run)) - 1}))


def _yields(run: Record) -> Table | Missing:
    yields: dict[str, dict[str, dict[str, Any]]] = run.results["yields"]
    first = next(iter(yields.values()), {})
    categories = [name for name in first if any((part[name]["error"] or 0.0) > 0 for part in yields.values())]
    if not categories:
        return Missing("Yields", "No event is selected.")

    def row(parts: dict[str, dict[str, Any]]) -> tuple[list[float], list[float]]:
        values, errors = (_numbers((parts[name] for name in categories), key) for key in ("value", "error"))
        return [*values, sum(values)], [*errors, float(np.hypot.reduce(errors))]

    columns = [Column("category", [*categories, "all"], independent=True)]
    simulated = [name for name in yields if name not in run.of_kind("data")]
    rows = {name: row(parts) for name, parts in yields.items()}
    columns += [Column(name, rows[name][0], errors=(symmetric(rows[name][1], "stat"),)) for name in simulated]
    if simulated:
        total = np.sum([rows[name][0] for name in simulated], axis=0)
        error = np.sqrt(np.sum([np.square(rows[name][1]) for name in simulated], axis=0))
        columns.append(Column("all simulation", total, errors=(symmetric(error, "stat"),)))
    columns += [
        Column(name, [n if math.isnan(n) else round(n) for n in rows[name][0]])
        for name in yields
        if name in run.of_kind("data")
    ]
    caption = f"Selected events by category; {run.conditions}. Errors are those of the simulation's statistics."
    return Table("yields", "Yields", caption, Numbers(tuple(columns)), frozenset({len(categories)}))
