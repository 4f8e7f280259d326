"""Signal strengths: by production and decay, by production, by decay, and of own runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import matplotlib.figure
import matplotlib.pyplot as plt

from ...interpret.measurements import Entry
from ..figure import Block, Figure
from ..numbers import Column, Errors, Numbers
from ..style import heading
from .fits import OWN, Fits, mathtext
from .labels import DECAY, PRODUCTION, parameter
from .marks import MARKERS, series_color
from .matrix import matrix_of


class Row(NamedTuple):
    """One measured number: where it stands, what it is, and its errors (positive)."""

    group: str
    label: str
    name: str
    series: str
    value: float
    minus: float
    plus: float


def summary(fits: Fits) -> Figure:
    """Return the global strength, those by production (SM decays) and those by decay (SM production)."""
    rows = []
    for which in fits.sets:
        for group, model in (("all", "mu"), ("production", "mu-production"), ("decay", "mu-decay")):
            for name, found in fits.fit(which, model).parameters.items():
                minus = abs(found.minus) if found.minus else found.error
                rows.append(
                    Row(group, parameter(name), name, fits.title(which), found.value, minus, found.plus or minus)
                )
    for item in fits.inputs(OWN) if fits.own else ():
        for entry in sorted(item.entries, key=lambda entry: entry.decay):
            rows.append(
                Row("own runs", _label(entry), entry.name, fits.title(OWN), entry.value, entry.minus, entry.plus)
            )
    caption = (
        "Signal strengths μ = σ·B/(σ·B)_SM: for everything together, by production mode with the branching ratios of"
        " the SM, and by decay with its cross sections; bars are the 68 % intervals of the profile likelihood,"
        " statistical and systematic; the line is the SM. Own runs, if any, last, by production and decay. ATLAS'"
        " strengths by production are its own cross sections"
        " by mode. " + fits.sources()
    )
    return Figure(
        "signal_strengths", "Signal strengths by production and decay", caption,
        lambda: _bars(rows, r"$\mu$ (SM = 1)", _span(rows)), (_numbers(rows, "mu"),),
    )  # fmt: skip


def _span(rows: Sequence[Row]) -> tuple[float, float]:
    """Return the axis that shows all bars, within reason, with room for the numbers where there is one series."""
    low = min(0.5, max(-1.0, min(row.value - row.minus for row in rows)))
    high = max(1.5, min(5.0, max(row.value + row.plus for row in rows)))
    room = 0.4 if len({row.series for row in rows}) == 1 else 0.05
    return low - 0.05 * (high - low), high + room * (high - low)


def correlations(fits: Fits) -> Figure | list[Block]:
    """Return the correlation matrix of the strengths of own runs by production and decay; nothing without them."""
    items = fits.inputs(OWN) if fits.own else []
    if len(items) != 1 or len(items[0].entries) < 2:
        return []
    (item,) = items
    caption = (
        "Correlations of the signal strengths by production and decay, from the covariance of their joint fit: "
        "nuisance parameters of one name, such as the luminosity, are shared by the channels. " + fits.sources(OWN)
    )
    names, labels = [entry.name for entry in item.entries], [_label(entry) for entry in item.entries]
    draw, numbers = matrix_of(names, labels, item.correlation, fits.title(OWN))
    return Figure("correlations_strengths", "Correlations of the signal strengths", caption, draw, (numbers,))


def channels(fits: Fits) -> Figure | list[Block]:
    """Return the measured strength of every production mode in every decay, as published; nothing of own runs."""
    if not fits.published:
        return []  # those of own runs stand in the summary
    rows = []
    for name in fits.published:
        (item,) = fits.inputs(name)
        for entry in item.entries:
            group, series = DECAY.get(entry.decay, entry.decay), mathtext(item.title)
            rows.append(Row(group, _production(entry), entry.name, series, entry.value, entry.minus, entry.plus))
    order = list(dict.fromkeys(row.group for row in rows))
    modes = list(PRODUCTION.values())
    rows.sort(key=lambda r: (order.index(r.group), modes.index(r.label) if r.label in modes else 99))
    caption = (
        "Signal strengths by decay and production mode as published, relative to the SM (line); bars are total 68 %"
        " intervals. Values or bars beyond the frame are cut off; all numbers are in the table. " + fits.sources()
    )
    return Figure(
        "strengths_by_channel", "Signal strengths by channel", caption,
        lambda: _bars(rows, r"$\mu$ (SM = 1)", (-2.0, 6.0), grouped=True), (_numbers(rows, "mu"),),
    )  # fmt: skip


def _label(entry: Entry) -> str:
    return f"{_production(entry)}, $H\\to$ {DECAY.get(entry.decay, entry.decay)}"


def _production(entry: Entry) -> str:
    parts = [mode for mode in entry.production if mode != "bbH" or len(entry.production) == 1]
    return "+".join(PRODUCTION.get(mode, mode) for mode in parts)


def _numbers(rows: Sequence[Row], name: str) -> Numbers:
    return Numbers(
        (
            Column("data", [row.series.replace("$^{-1}$", "⁻¹") for row in rows], independent=True),
            Column("quantity", [row.name for row in rows], independent=True),
            Column(name, [row.value for row in rows],
                   errors=(Errors([row.plus for row in rows], [-row.minus for row in rows]),)),
        )
    )  # fmt: skip


def _bars(
    rows: Sequence[Row], label: str, span: tuple[float, float], *, grouped: bool = False
) -> matplotlib.figure.Figure:
    """Draw rows from top to bottom, one line for each (group, label), the series side by side in it."""
    lines = list(dict.fromkeys((row.group, row.label) for row in rows))
    series = list(dict.fromkeys(row.series for row in rows))
    breaks = [i for i in range(1, len(lines)) if lines[i][0] != lines[i - 1][0]]
    gap = 1.1 if grouped else 0.6
    place = {line: -(i + gap * sum(b <= i for b in breaks)) for i, line in enumerate(lines)}
    figure, axes = plt.subplots(figsize=(9.0, 2.6 + 0.46 * (len(lines) + gap * len(breaks))))
    axes.axvline(1.0, color="gray", linewidth=1.5)
    for k, name in enumerate(series):
        mine = [row for row in rows if row.series == name]
        shift = 0.22 * ((len(series) - 1) / 2 - k)
        y = [place[row.group, row.label] + shift for row in mine]
        axes.errorbar(
            [row.value for row in mine], y, xerr=[[row.minus for row in mine], [row.plus for row in mine]],
            fmt=MARKERS[k % 5], color=series_color(name, k), markersize=6, elinewidth=2, capsize=0, label=name,
        )  # fmt: skip
        for row, at in zip(mine, y, strict=True):
            if len(series) == 1:
                text = f"${row.value:.2f}_{{-{row.minus:.2f}}}^{{+{row.plus:.2f}}}$"
                axes.text(0.985, at, text, ha="right", va="center", transform=axes.get_yaxis_transform(), fontsize=17)
            elif not span[0] < row.value < span[1]:
                side = int(row.value > span[1])
                text, where = (f"{row.value:.1f} →", "right") if side else (f"← {row.value:.1f}", "left")
                axes.text(span[side], at + 0.16, text, ha=where, fontsize=13, color=series_color(name, k))
    axes.set(xlim=span, ylim=(min(place.values()) - 0.8, 1.2 + 0.62 * len(series)), xlabel=label)
    axes.set_yticks(list(place.values()), [text for _, text in lines], fontsize=18)
    axes.tick_params(axis="y", which="both", length=0)
    axes.minorticks_off()
    for b in breaks:
        axes.axhline(place[lines[b]] + (1.35 if grouped else 0.8), color="lightgray", linewidth=1)
    for group in dict.fromkeys(group for group, _ in lines) if grouped else ():
        top = max(place[line] for line in lines if line[0] == group)
        axes.text(0.985, top + 0.75, f"$H\\to$ {group}", transform=axes.get_yaxis_transform(), ha="right", va="center",
                  fontsize=18)  # fmt: skip
    axes.legend(loc="upper left", frameon=False, fontsize=16)
    heading(axes, "Signal strengths", None, 13)
    return figure
