"""The stacked figure: simulation by process with its uncertainty, data on top, their ratio below."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, NamedTuple

import hist
import matplotlib.figure
import matplotlib.pyplot as plt
import mplhep
import numpy as np
from hist.intervals import poisson_interval

from . import plane
from .band import Band, band
from .figure import Figure
from .numbers import Column, Errors, Numbers, bins
from .record import Record
from .style import COLORS, HATCHED, SIZE, heading

FAINT = 0.02
"""A signal below this share of the highest bin is drawn a second time, as a line and scaled up."""


BINS = 60
"""Equal bins that a figure has room for."""


class Content(NamedTuple):
    """What a figure shows, summed over categories."""

    axis: Any
    stacked: dict[str, np.ndarray]
    """The processes from the bottom: backgrounds, then signals."""
    band: Band | None
    data: np.ndarray | None

    @property
    def expected(self) -> np.ndarray:
        """The sum of the simulation."""
        return np.asarray(np.sum(list(self.stacked.values()), axis=0))


def figure(run: Record, name: str) -> Figure:
    """Return the figure of one histogram of a run."""
    content = content_of(run, name)
    title, _ = split_unit(plain(content.axis.label))
    caption = (
        f"Selected events, all categories together; {run.conditions}. {explained(run, content)}{plane.words(run, name)}"
    )
    return Figure(name, title or name, caption, partial(_draw, run, name, content), (numbers(content),))


def explained(run: Record, content: Content) -> str:
    """Say what the points, the areas and the band of a figure are."""
    parts = []
    if content.data is not None:
        parts.append(f"Points: {', '.join(run.of_kind('data'))}, with Poisson intervals of 68 %.")
    if content.stacked:
        parts.append(f"Stacked: simulated {', '.join(reversed(content.stacked))}.")
    if content.band is not None:
        sources = content.band.sources
        shown = ", ".join(sources[:7]) + (f" and {len(sources) - 7} more" if len(sources) > 7 else "")
        parts.append(f"Hatched: {shown}{', in quadrature' if len(sources) > 1 else ''}.")
    return " ".join(parts)


def plain(label: str) -> str:
    """Return a label without LaTeX, as far as that goes."""
    words = {r"\ell": "ℓ", r"\gamma": "γ", r"\Delta": "Δ", r"\phi": "φ", r"\eta": "η", r"\mu": "μ", r"\times": "×"}
    for command, sign in words.items():
        label = label.replace(command, sign)
    return re.sub(r"[${}_^]|\\[a-z]+ ?", "", label)


def content_of(run: Record, name: str, most: int = BINS) -> Content:
    """Add up a histogram over categories; equal bins are merged until there are at most so many."""
    whole = next(iter(run.histograms[name].values())).axes[1]
    merge = slice(None) if name in plane.PLANES else _merging(whole, most)
    by_process: dict[str, Any] = {process: h[:, merge] for process, h in run.histograms[name].items()}
    varied: dict[str, Any] = {process: h[:, :, merge] for process, h in run.systematics.get(name, {}).items()}
    simulated = [process for process in run.of_kind("simulation") if process in by_process]
    order = sorted(simulated, key=lambda process: process in run.signals)
    measured = [process for process in run.of_kind("data") if process in by_process]
    axis = next(iter(by_process.values())).axes[1]

    def summed(process: str) -> np.ndarray:
        return np.asarray(by_process[process].project(axis.name).values())

    templates = {process: by_process[process] for process in order}
    return Content(
        axis,
        {process: summed(process) for process in order},
        band(run.config, templates, varied) if order else None,
        np.sum([summed(process) for process in measured], axis=0) if measured else None,
    )


def _merging(axis: Any, most: int) -> Any:
    """Return the slice of a histogram that merges its bins evenly; all as they are where they differ or are few."""
    n = len(axis)
    factors = [k for k in range(1, n + 1) if n % k == 0 and n // k <= most]
    return slice(None) if isinstance(axis, hist.axis.Variable) else slice(None, None, hist.rebin(factors[0]))


def numbers(content: Content, table: str = "") -> Numbers:
    """Return what a figure shows, bin by bin."""
    name, unit = split_unit(plain(content.axis.label))
    columns = [bins(name, content.axis.edges, unit)]
    if content.data is not None:
        low, high = garwood(content.data)
        columns.append(Column("data", content.data, errors=(Errors(high - content.data, low - content.data, "stat"),)))
    if content.band is not None:
        total = Errors(content.band.up, -content.band.down, "total")
        statistical = Errors(content.band.statistical, -content.band.statistical, "of which statistical")
        columns.append(Column("all simulation", content.expected, errors=(total, statistical)))
    columns += [Column(process, values) for process, values in content.stacked.items()]
    return Numbers(tuple(columns), table)


def split_unit(label: str) -> tuple[str, str]:
    """Return what an axis shows and its unit."""
    name, _, rest = label.partition("[")
    return name.strip(), rest.partition("]")[0]


def garwood(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the central Poisson interval of 68 % of each count (F. Garwood, Biometrika 28 (1936) 437)."""
    known = np.nan_to_num(counts)
    low, high = poisson_interval(known, known)
    withheld = np.isnan(counts)
    return np.where(withheld, np.nan, np.nan_to_num(low)), np.where(withheld, np.nan, high)


def colors(run: Record, processes: list[str]) -> list[str]:
    """Return the colour of each process: the configuration's, or the next of the scheme."""
    given = {name: run.config.processes[name].color for name in processes if name in run.config.processes}
    free = iter(color for color in COLORS * 3 if color not in given.values())
    return [given.get(name) or next(free) for name in processes]


def _draw(run: Record, name: str, content: Content) -> matplotlib.figure.Figure:
    ratio = content.data is not None and content.band is not None
    canvas, axes = plt.subplots(
        2 if ratio else 1, 1, figsize=(SIZE[0], SIZE[1] + 1.6 * ratio), sharex=True, squeeze=False,
        gridspec_kw={"height_ratios": [3, 1]} if ratio else None,
    )  # fmt: skip
    main = axes[0, 0]
    fill(main, run, content)
    legend(main)
    for panel in axes[:, 0]:
        plane.separate(panel, run, name)
    plane.explain(main, run, name)
    heading(main, run.config.title, run.luminosity, run.config.sqrt_s)
    if ratio:
        _ratio(axes[1, 0], content)
    axes[-1, 0].set_xlabel(content.axis.label)
    return canvas


def fill(axes: Any, run: Record, content: Content) -> None:
    """Draw simulation, its band and data into one panel."""
    if content.stacked:
        _stack(axes, run, content)
    if content.data is not None:
        names = run.of_kind("data")
        _points(axes, content, content.data, run.label(names[0]) if len(names) == 1 else "Data")
    axes.set(ylabel=_events_per(content.axis), xlim=(content.axis.edges[0], content.axis.edges[-1]))
    _limits(axes, content)


def _stack(axes: Any, run: Record, content: Content) -> None:
    names = list(content.stacked)
    mplhep.histplot(
        list(content.stacked.values()), content.axis.edges, ax=axes, stack=True, histtype="fill",
        label=[run.label(name) for name in names], color=colors(run, names), flow="none", edges=False,
    )  # fmt: skip
    if content.band is not None:
        axes.stairs(
            content.expected + content.band.up, content.axis.edges, baseline=content.expected - content.band.down,
            fill=True, label=_uncertainty(content.band), **HATCHED,
        )  # fmt: skip
    signal = np.sum([content.stacked[name] for name in names if name in run.signals], axis=0)
    if np.any(signal) and 0 < signal.max() < FAINT * content.expected.max():
        scale = 10.0 ** np.floor(np.log10(0.5 * content.expected.max() / signal.max()))
        axes.stairs(signal * scale, content.axis.edges, color="black", linewidth=2, label=f"signal × {scale:.0f}")


def _uncertainty(band: Band) -> str:
    return "Stat. unc." if len(band.sources) == 1 else "Stat. + syst. unc."


def _points(axes: Any, content: Content, data: np.ndarray, label: str) -> None:
    """Draw data where there are events, with the width of the bin where bins differ."""
    low, high = garwood(data)
    seen = data > 0
    widths = (
        np.diff(content.axis.edges)[seen] / 2 if not np.allclose(content.axis.widths, content.axis.widths[0]) else None
    )
    errors = (data - low)[seen], (high - data)[seen]
    axes.errorbar(
        content.axis.centers[seen], data[seen], errors, widths, fmt="o", color="black", markersize=7, label=label
    )


def _events_per(axis: Any) -> str:
    """Return the label of the vertical axis: what one bin is."""
    _, unit = split_unit(axis.label)
    if isinstance(axis, hist.axis.Variable):
        return "Events / bin"
    width = axis.widths[0]
    return f"Events / {width:.3g} {unit}".rstrip() if unit else f"Events / {width:.3g}" if width != 1 else "Events"


def _limits(axes: Any, content: Content) -> None:
    """Leave room for the legend above what is drawn."""
    high = 0.0
    if content.band is not None:
        high = float((content.expected + content.band.up).max())
    if content.data is not None:
        high = max(high, float(garwood(content.data)[1][content.data > 0].max(initial=0)))
    axes.set_ylim(0, 1.45 * high if high > 0 else 1)


def ordered_legend(axes: Any) -> tuple[list[Any], list[str]]:
    """Return data first, then the stack from its top, then the uncertainty, then lines."""
    handles, labels = axes.get_legend_handles_labels()
    ranked = sorted(zip(map(_rank, handles, labels), range(len(labels)), strict=True))
    return [handles[i] for _, i in ranked], [labels[i] for _, i in ranked]


def _rank(handle: Any, label: str) -> int:
    if hasattr(handle, "has_xerr"):
        return 0
    return 3 if label.startswith("signal ×") else 2 if label.endswith("unc.") else 1


def legend(axes: Any) -> None:
    """Draw the legend in two columns above what is drawn."""
    handles, labels = ordered_legend(axes)
    size = 18 if len(labels) <= 8 else 15
    axes.legend(handles, labels, ncols=2, loc="upper center", columnspacing=1.0, handletextpad=0.5, fontsize=size)


def _ratio(axes: Any, content: Content) -> None:
    """Draw data over simulation, with the uncertainty of each on its own."""
    assert content.band is not None
    assert content.data is not None
    safe = np.where(content.expected > 0, content.expected, np.nan)
    edges = content.axis.edges
    axes.stairs(1 + content.band.up / safe, edges, baseline=1 - content.band.down / safe, fill=True, **HATCHED)
    low, high = garwood(content.data)
    seen = content.data > 0
    ratio, errors = content.data / safe, ((content.data - low) / safe, (high - content.data) / safe)
    axes.errorbar(
        content.axis.centers[seen], ratio[seen], [one[seen] for one in errors], fmt="o", color="black", markersize=7
    )
    axes.axhline(1, color="gray", linewidth=1)
    axes.set_ylim(0, 2)
    axes.set_ylabel("Data / sim.", loc="center")
