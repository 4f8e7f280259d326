"""The way of a run's data, with what went through each of its stages."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import matplotlib.figure
import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from .figure import Figure
from .numbers import Column, Numbers
from .record import Record
from .strength import interval


class Stage(NamedTuple):
    """One box."""

    name: str
    passed: str
    detail: str


def figure(run: Record) -> Figure:
    """Return the workflow of a run."""
    found = stages(run)
    numbers = Numbers(
        (
            Column("stage", [stage.name for stage in found], independent=True),
            Column("what went through", [stage.passed for stage in found]),
            Column("of which", [stage.detail for stage in found]),
        )
    )
    caption = (
        "What went through each stage of this run: files that were complete, events read, events that pass the "
        "trigger and the whole selection (entries, not weighted), histograms filled, and the fit."
    )
    return Figure("workflow", "The run, stage by stage", caption, partial(_draw, found), (numbers,), wide=True)


def stages(run: Record) -> list[Stage]:
    """Return the boxes, in the order of the data's way."""
    results = run.results
    datasets = results["datasets"].values()
    done, listed = (sum(part[key] for part in datasets) for key in ("files_complete", "files"))
    read = sum(part["events"] for part in datasets)
    found = [
        Stage("Files", f"{done} of {listed}", f"{len(results['datasets'])} datasets"),
        Stage("Events", f"{read:,}", "read"),
    ]
    flows = results["cutflow"]
    if flows:
        names = [row["step"] for row in next(iter(flows.values()))]
        passed = {name: sum(rows[i]["entries"] or 0 for rows in flows.values()) for i, name in enumerate(names)}
        shown = all(rows[-1]["entries"] is not None for rows in flows.values())
        if "trigger" in passed:
            found.append(Stage("Trigger", f"{passed['trigger']:,}", _share(passed["trigger"], read)))
        found.append(
            Stage("Selected", f"{passed[names[-1]]:,}", _share(passed[names[-1]], read) if shown else "data withheld")
        )
    sizes = [len(h.axes[0]) for by_process in run.histograms.values() for h in by_process.values()]
    if sizes:
        found.append(Stage("Histograms", f"{len(run.histograms)}", f"{max(sizes)} categories"))
    if "fit" in results:
        part = "observed" if "observed" in results["fit"] else "expected"
        mu = results["fit"][part]["parameters"]["mu"]
        found.append(Stage("Fit", f"μ = {interval(mu)}", part))
    else:
        found.append(Stage("Fit", "none", "see below" if "fit_error" in results else "no model"))
    return found


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.3g} %" if whole else "none read"


def _draw(found: list[Stage]) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=(16, 2.9))
    axes.set_axis_off()
    widths = [1.0 + 0.055 * max(0, len(stage.passed) - 9) for stage in found]
    gap, x = 0.3, 0.0
    for number, (stage, width) in enumerate(zip(found, widths, strict=True)):
        _box(axes, stage, x, width, is_last=number == len(found) - 1)
        if number:
            axes.add_patch(
                FancyArrowPatch(
                    (x - gap + 0.02, 0.5), (x - 0.02, 0.5), arrowstyle="-|>", mutation_scale=22, color="#555"
                )
            )
        x += width + gap
    axes.set(xlim=(-0.05, x - gap + 0.05), ylim=(0, 1))
    return canvas


def _box(axes: Any, stage: Stage, x: float, width: float, *, is_last: bool) -> None:
    color = "#bd1f01" if is_last else "#3f90da"
    style = "round,pad=0,rounding_size=0.06"
    axes.add_patch(
        FancyBboxPatch((x, 0.08), width, 0.84, style, facecolor=color + "18", edgecolor=color, linewidth=1.8)
    )
    middle = x + width / 2
    axes.text(middle, 0.76, stage.name, ha="center", va="center", fontsize=17, color=color, fontweight="bold")
    axes.text(middle, 0.48, stage.passed, ha="center", va="center", fontsize=19)
    axes.text(middle, 0.22, stage.detail, ha="center", va="center", fontsize=14, color="#555")
