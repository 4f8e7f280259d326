"""The stacked figure: simulation by process, data on top, their ratio below."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import hist
import matplotlib as mpl
import matplotlib.pyplot as plt
import mplhep
import numpy as np
from matplotlib.figure import Figure

from ..config import RunConfig
from .run_folder import write

logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # the style names fonts that may be absent

# The ten-colour scheme that CMS recommends: M. A. Petroff, arXiv:2107.02270.
_COLORS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")


_BAND = "Simulation stat. unc."


def _over_categories(histogram: hist.Hist[Any]) -> hist.Hist[Any]:
    return histogram.project(histogram.axes[1].name)


def _data_processes(config: RunConfig) -> set[str]:
    return {dataset.process for dataset in config.datasets if dataset.kind == "data"}


def draw(config: RunConfig, histograms: dict[str, hist.Hist[Any]]) -> Figure:
    """Draw one histogram of every process, summed over categories."""
    data_names = _data_processes(config)
    summed = {name: _over_categories(histogram) for name, histogram in histograms.items()}
    stacked = {name: histogram for name, histogram in summed.items() if name not in data_names}
    measured = {name: histogram for name, histogram in summed.items() if name in data_names}
    data, expected = _total(measured), _total(stacked)
    with mpl.rc_context({**mplhep.style.CMS, "figure.constrained_layout.use": True}):
        ratio = data is not None and expected is not None
        figure, axes = plt.subplots(
            2 if ratio else 1, 1, figsize=(10, 10 if ratio else 8), sharex=True, squeeze=False,
            gridspec_kw={"height_ratios": [3, 1]} if ratio else None,
        )  # fmt: skip
        main = axes[0, 0]
        if expected is not None:
            _stack(main, config, stacked)
            _band(main, expected)
        if data is not None:
            label = _label(config, next(iter(measured))) if len(measured) == 1 else "Data"
            mplhep.histplot(
                data, ax=main, histtype="errorbar", color="black", label=label, w2method="poisson", flow="none"
            )
        axis = next(iter(summed.values())).axes[0]
        main.set(ylabel=_events_per(axis), xlabel=None, xlim=(axis.edges[0], axis.edges[-1]))
        main.set_ylim(bottom=0)
        _legend(main, n_stacked=len(stacked))
        heading(main, config)
        if data is not None and expected is not None:
            _ratio(axes[1, 0], data, expected)
        axes[-1, 0].set_xlabel(axis.label)
    return figure


def _total(histograms: dict[str, hist.Hist[Any]]) -> hist.Hist[Any] | None:
    total: Any = None
    for histogram in histograms.values():
        total = histogram if total is None else total + histogram
    return total  # type: ignore[no-any-return]


def _label(config: RunConfig, process: str) -> str:
    style = config.processes.get(process)
    return style.label if style else process


def _stack(axes: Any, config: RunConfig, stacked: dict[str, hist.Hist[Any]]) -> None:
    """Fill the processes on top of each other, the first at the bottom."""
    given = [config.processes[name].color if name in config.processes else None for name in stacked]
    mplhep.histplot(
        list(stacked.values()),
        ax=axes,
        stack=True,
        histtype="fill",
        label=[_label(config, name) for name in stacked],
        color=[color or _COLORS[i % len(_COLORS)] for i, color in enumerate(given)],
        flow="none",
    )


def _legend(axes: Any, n_stacked: int) -> None:
    """List data first, then the stack from its top, which is how mplhep gives it, then the uncertainty."""
    handles, labels = axes.get_legend_handles_labels()
    filled = [i for i, label in enumerate(labels) if label != _BAND][:n_stacked]
    data = [i for i, label in enumerate(labels) if label != _BAND][n_stacked:]
    band = [i for i, label in enumerate(labels) if label == _BAND]
    order = [*data, *filled, *band]
    axes.legend([handles[i] for i in order], [labels[i] for i in order])


def _events_per(axis: Any) -> str:
    """Return the label of the vertical axis: what one bin is."""
    unit = re.search(r"\[(.+?)\]", axis.label)
    if isinstance(axis, hist.axis.Variable):
        return "Events / bin"
    return f"Events / {axis.widths[0]:g} {unit.group(1) if unit else ''}".rstrip()


def heading(axes: Any, config: RunConfig) -> None:
    """Say whose data at which luminosity above a figure."""
    axes.text(0, 1.01, config.title, transform=axes.transAxes, fontweight="bold", va="bottom")
    if config.luminosity:
        axes.text(1, 1.01, f"{config.luminosity:g} fb$^{{-1}}$", transform=axes.transAxes, ha="right", va="bottom")


def _error(histogram: hist.Hist[Any]) -> np.ndarray:
    return np.asarray(np.sqrt(np.asarray(histogram.variances())))


def _band(axes: Any, total: hist.Hist[Any]) -> None:
    """Hatch the statistical uncertainty of the simulation."""
    error = _error(total)
    edges = total.axes[0].edges
    axes.stairs(
        total.values() + error, edges, baseline=total.values() - error, fill=True, hatch="////", facecolor="none",
        edgecolor="gray", linewidth=0, label=_BAND,
    )  # fmt: skip


def _ratio(axes: Any, data: hist.Hist[Any], expected: hist.Hist[Any]) -> None:
    """Draw data over simulation, with the uncertainty of each on its own."""
    values, error = expected.values(), _error(expected)
    safe = np.where(values > 0, values, np.nan)
    centers, edges = data.axes[0].centers, data.axes[0].edges
    axes.stairs(
        1 + error / safe, edges, baseline=1 - error / safe, fill=True, hatch="////", facecolor="none",
        edgecolor="gray", linewidth=0,
    )  # fmt: skip
    axes.errorbar(centers, data.values() / safe, _error(data) / safe, fmt="o", color="black")
    axes.axhline(1, color="gray", linewidth=1)
    axes.set_ylim(0, 2)
    axes.set_ylabel("Data / sim.")


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG and PDF beside each other and close it."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, not for each format
    for suffix in (".png", ".pdf"):
        write(path.with_suffix(suffix), lambda temporary: figure.savefig(temporary, dpi=100))
    plt.close(figure)
