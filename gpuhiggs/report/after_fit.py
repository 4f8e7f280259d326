"""The fitted distributions: each channel of the model after the fit, with the uncertainty that the fit leaves."""

from __future__ import annotations

import math
from functools import partial
from typing import Any, NamedTuple

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ..inference import batch
from .figure import Figure
from .numbers import Column, Errors, Numbers, bins, symmetric
from .stack import colors, garwood, split_unit
from .statistics import Statistics
from .style import COLORS, HATCHED, heading

ACROSS = 3
DRAWS = 300
"""Points of the fit's covariance that make the band."""
SEED = 1


class _Channel(NamedTuple):
    name: str
    label: str
    """Of the variable that is fitted, with its unit."""
    edges: np.ndarray
    samples: dict[str, np.ndarray]
    """The fitted samples from the bottom: backgrounds, then signals."""
    total: np.ndarray
    error: np.ndarray
    before: np.ndarray
    """What was expected before the fit."""
    data: np.ndarray | None


def figure(statistics: Statistics) -> Figure:
    """Return the figure of all channels."""
    channels = _channels(statistics)
    caption = (
        f"{statistics.what}. Each channel of the model after the fit; hatched: the uncertainty that the fit leaves, "
        "correlations included. Dashed: what was expected before the fit. Bins of several widths are scaled to that of "
        "the narrowest. Below: data over the fit."
    )
    tables = tuple(_numbers(channel) for channel in channels)
    return Figure(
        "after_fit", "Distributions after the fit", caption, partial(_draw, statistics, channels), tables, wide=True
    )


def _channels(statistics: Statistics) -> list[_Channel]:
    model, best = statistics.model, statistics.best
    theta = model.values(best.values())
    total, entries = batch.expected(model, theta)
    before, _ = batch.expected(model, model.initial())
    error = _spread(statistics, theta)
    signals = statistics.run.signals
    found = []
    for channel in statistics.workspace.channels:
        where = model.channels[channel.name]
        samples = {s: entries[place] for c, s, place in model.blocks if c == channel.name}
        raw = np.sum(list(samples.values()), axis=0)
        scale = np.divide(total[where], raw, out=np.ones_like(raw), where=raw > 0)  # the bins' own factors
        order = sorted(samples, key=lambda name: name in signals)
        found.append(
            _Channel(
                channel.name,
                _label(statistics, channel.name),
                np.asarray(channel.edges if channel.edges is not None else np.arange(channel.n_bins + 1.0)),
                {name: samples[name] * scale for name in order},
                total[where],
                error[where],
                before[where],
                None if channel.observed is None else np.asarray(channel.observed),
            )
        )
    return found


def _label(statistics: Statistics, channel: str) -> str:
    config = statistics.run.config
    model = None if config.model is None else config.divided_model  # a fit of a datacard has neither
    if model is None or channel not in model.channels:
        return ""
    return config.selection.histograms[model.histogram_of(channel)].label


def _spread(statistics: Statistics, theta: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each bin over the fit's covariance."""
    model, best = statistics.model, statistics.best
    places = [model.index(name) for name in best.free]
    if not places or not np.all(np.isfinite(best.covariance)):
        return np.zeros(model.n_bins)
    points = np.repeat(theta[np.newaxis], DRAWS, axis=0)
    drawn = np.random.default_rng(SEED).multivariate_normal(theta[places], best.covariance, DRAWS, method="eigh")
    points[:, places] = np.clip(drawn, model.arrays.lower[places], model.arrays.upper[places])
    return np.asarray(np.std([batch.expected(model, point)[0] for point in points], axis=0))


def _numbers(channel: _Channel) -> Numbers:
    columns = [bins("variable of the fit", channel.edges)]
    if channel.data is not None:
        low, high = garwood(channel.data)
        columns.append(Column("data", channel.data, errors=(Errors(high - channel.data, low - channel.data, "stat"),)))
    columns.append(Column("fit", channel.total, errors=(symmetric(channel.error),)))
    columns += [Column(name, values) for name, values in channel.samples.items()]
    columns.append(Column("before the fit", channel.before))
    return Numbers(tuple(columns), channel.name)


def _draw(statistics: Statistics, channels: list[_Channel]) -> matplotlib.figure.Figure:
    across = min(ACROSS, len(channels))
    rows = math.ceil(len(channels) / across)
    names = list(dict.fromkeys(name for channel in channels for name in channel.samples))
    known = set(statistics.run.of_kind("simulation"))
    palette = dict(zip(names, colors(statistics.run, names), strict=True))
    palette |= {name: COLORS[0] for name in names if name not in known}
    canvas, axes = plt.subplots(
        2 * rows, across, figsize=(6.4 * across, 6.6 * rows + 0.4), squeeze=False, sharex=False,
        gridspec_kw={"height_ratios": [3, 1] * rows},
    )  # fmt: skip
    for number, channel in enumerate(channels):
        row, column = divmod(number, across)
        _panel(axes[2 * row, column], statistics, channel, palette)
        _ratio(axes[2 * row + 1, column], channel)
    for number in range(len(channels), rows * across):
        row, column = divmod(number, across)
        axes[2 * row, column].set_axis_off()
        axes[2 * row + 1, column].set_axis_off()
    run = statistics.run
    heading(axes[0, 0], run.config.title)
    heading(axes[0, across - 1], "", run.luminosity, run.config.sqrt_s)
    return canvas


def _density(channel: _Channel) -> tuple[np.ndarray, str]:
    """Return by what each bin's events are multiplied to be drawn, and what the axis then shows."""
    widths = np.diff(channel.edges)
    if np.allclose(widths, widths[0]):
        return np.ones_like(widths), "Events / bin"
    _, unit = split_unit(channel.label)
    return widths.min() / widths, f"Events / {widths.min():.3g} {unit}".rstrip()


def _panel(axes: Any, statistics: Statistics, channel: _Channel, palette: dict[str, str]) -> None:
    scale, shown = _density(channel)
    bottom = np.zeros_like(channel.total)
    for name, values in channel.samples.items():
        label, top = statistics.run.label(name), bottom + values * scale
        axes.stairs(top, channel.edges, baseline=bottom, fill=True, color=palette[name], label=label)
        bottom = top
    above, below = (channel.total + channel.error) * scale, (channel.total - channel.error) * scale
    axes.stairs(above, channel.edges, baseline=below, fill=True, label="Unc. after the fit", **HATCHED)
    before = channel.before * scale
    axes.stairs(before, channel.edges, color="black", linestyle="--", linewidth=1.5, label="Before the fit")
    high = float(max(above.max(), before.max()))
    if channel.data is not None:
        low, up = garwood(channel.data)
        seen = channel.data > 0
        centers = (channel.edges[1:] + channel.edges[:-1]) / 2
        data, errors = channel.data * scale, (((channel.data - low) * scale)[seen], ((up - channel.data) * scale)[seen])
        label = (
            "Data"
            if len(statistics.run.of_kind("data")) != 1
            else statistics.run.label(statistics.run.of_kind("data")[0])
        )
        axes.errorbar(centers[seen], data[seen], errors, fmt="o", color="black", markersize=6, label=label)
        high = max(high, float((up * scale)[seen].max(initial=0)))
    axes.set(xlim=(channel.edges[0], channel.edges[-1]), ylim=(0, 1.75 * high if high > 0 else 1), ylabel=shown)
    axes.tick_params(labelbottom=False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1], labels[::-1], ncols=2, loc="upper right", fontsize=12, title=channel.name, title_fontsize=17
    )


def _ratio(axes: Any, channel: _Channel) -> None:
    safe = np.where(channel.total > 0, channel.total, np.nan)
    axes.stairs(1 + channel.error / safe, channel.edges, baseline=1 - channel.error / safe, fill=True, **HATCHED)
    axes.axhline(1, color="gray", linewidth=1)
    if channel.data is not None:
        low, up = garwood(channel.data)
        seen = channel.data > 0
        centers = (channel.edges[1:] + channel.edges[:-1]) / 2
        errors = ((channel.data - low) / safe)[seen], ((up - channel.data) / safe)[seen]
        axes.errorbar(centers[seen], (channel.data / safe)[seen], errors, fmt="o", color="black", markersize=6)
    axes.set(xlim=(channel.edges[0], channel.edges[-1]), ylim=(0, 2))
    axes.set_ylabel("Data / fit", loc="center", fontsize=17)
    axes.set_xlabel(channel.label, fontsize=17)
