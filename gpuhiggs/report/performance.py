"""How fast a run was: its stages on the wall clock, what the workers did, memory."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import matplotlib.figure
import matplotlib.pyplot as plt

from .figure import Block, Figure, Missing, Table
from .numbers import Column, Numbers
from .record import Record
from .stages import EVENTS
from .style import COLORS


def blocks(run: Record) -> list[Block]:
    """Return what is known of the run's speed."""
    if "stages" not in run.performance:
        return [Missing("Performance", "The run left no performance.json.")]
    return [_figure(run), _table(run), *_workers(run), *_files(run)]


def _figure(run: Record) -> Figure:
    stages: dict[str, float] = run.performance["stages"]
    numbers = Numbers(
        (Column("stage", list(stages), independent=True), Column("wall clock", list(stages.values()), "s"))
    )
    caption = (
        "Wall clock of the run's stages. The stage of events is divided as its workers' time was: reading "
        "(decompression and decoding), and kernels with everything else."
    )
    return Figure("performance", "Time of the run", caption, partial(_draw, run.performance), (numbers,))


def _draw(performance: dict[str, Any]) -> matplotlib.figure.Figure:
    stages = performance["stages"]
    share = _reading(performance)
    canvas, axes = plt.subplots(figsize=(9, 1.6 + 0.75 * len(stages)))
    for row, (name, seconds) in enumerate(stages.items()):
        if name == EVENTS and share is not None:
            axes.barh(row, seconds * share, color=COLORS[0], height=0.6, label="reading")
            axes.barh(row, seconds * (1 - share), left=seconds * share, color=COLORS[1], height=0.6, label="kernels")
        else:
            axes.barh(row, seconds, color=COLORS[3], height=0.6)
        axes.annotate(f"{seconds:.2g} s", (seconds, row), (6, 0), textcoords="offset points", va="center", fontsize=17)
    axes.set_yticks(range(len(stages)), list(stages))
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.2 * max(stages.values(), default=1))
    axes.set_xlabel("Wall clock [s]")
    if share is not None:
        axes.legend(loc="best")
    return canvas


def _reading(performance: dict[str, Any]) -> float | None:
    progress = performance.get("progress", {})
    busy = progress.get("process_seconds") or 0.0
    return min(1.0, progress["read_seconds"] / busy) if busy else None


def _table(run: Record) -> Table:
    performance = run.performance
    progress = performance.get("progress", {})
    rows: list[tuple[str, float | int | str | None, str]] = [
        ("events processed", progress.get("events_done"), ""),
        ("events a second", progress.get("rate"), "1/s"),
        ("workers", performance.get("workers"), ""),
        ("of the workers' time, reading", None if (s := _reading(performance)) is None else round(100 * s, 1), "%"),
        ("files tried again", progress.get("retries"), ""),
        ("peak memory of a worker", round(progress.get("worker_memory", 0) / 2**20), "MiB"),
        ("peak memory of the main process", round(progress.get("peak_memory", 0) / 2**20), "MiB"),
        ("all stages", sum(performance["stages"].values()), "s"),
    ]
    names, values, units = zip(*rows, strict=True)
    columns = (Column("quantity", names, independent=True), Column("value", values), Column("unit", units))
    caption = f"On {run.results['platform']}. A run that was stopped and taken up again counts its last part only."
    return Table("performance_table", "Performance", caption, Numbers(columns))


def _workers(run: Record) -> Iterator[Table]:
    workers: dict[str, dict[str, Any]] = run.performance.get("by_worker", {})
    if not workers:
        return
    found = list(workers.values())
    columns = (
        Column("worker", list(workers), independent=True),
        Column("work items", [one["items"] for one in found]),
        Column("events", [one["events"] for one in found]),
        Column("busy", [round(one["seconds"], 2) for one in found], "s"),
        Column("reading", [round(one["read_seconds"], 2) for one in found], "s"),
        Column("peak memory", [round(one["peak_memory"] / 2**20) for one in found], "MiB"),
    )
    caption = "What each worker did: host and process, and the time that it was busy with work items."
    yield Table("performance_workers", "Time by worker", caption, Numbers(columns))


def _files(run: Record) -> Iterator[Table]:
    found: list[dict[str, Any]] = run.performance.get("slowest_files", [])
    if not found:
        return
    columns = (
        Column("file", [one["path"] for one in found], independent=True),
        Column("dataset", [one["dataset"] for one in found]),
        Column("events", [one["events"] for one in found]),
        Column("time", [round(one["seconds"], 2) for one in found], "s"),
        Column("reading", [round(one["read_seconds"], 2) for one in found], "s"),
    )
    caption = f"The {len(found)} files that took longest, summed over their work items."
    yield Table("performance_files", "Time by file", caption, Numbers(columns))
