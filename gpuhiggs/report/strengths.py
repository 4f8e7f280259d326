"""Signal strengths side by side: the common one, one for each channel, one for each production mode."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from .. import inference
from ..errors import GpuhiggsError, RunError
from ..inference import Estimate
from ..inference.joining import with_strengths
from .contours import productions
from .figure import Block, Figure, Missing
from .numbers import Column, Errors, Numbers
from .statistics import Statistics, readable
from .style import COLORS, heading


class Row(NamedTuple):
    """One signal strength."""

    name: str
    kind: str
    value: float
    minus: float
    plus: float


def blocks(statistics: Statistics) -> list[Block]:
    """Return the figure, with the test of whether the channels agree in its caption."""
    rows = [_row("all channels", "common", statistics.best.parameters[statistics.model.poi])]
    notes = []
    for kind, make in (("channel", _by_channel), ("production mode", _by_production)):
        try:
            found, note = make(statistics)
        except GpuhiggsError as error:
            notes.append(f"None by {kind}: {error}.")
        else:
            rows += found
            notes.append(note)
    if len(rows) == 1:
        return [Missing("Signal strengths by channel and production mode", " ".join(notes))]
    caption = (
        f"{statistics.what}. {' '.join(notes)} Errors are those of the whole fit. Black: one strength "
        "for all, and its interval as a grey band; blue: by channel of the model; red: by production mode; the line is "
        "the Standard Model."
    )
    columns = (
        Column("signal strength", [row.name for row in rows], independent=True),
        Column("of each", [row.kind for row in rows]),
        Column("mu", [r.value for r in rows], errors=(Errors([r.plus for r in rows], [r.minus for r in rows]),)),
    )
    draw = partial(_draw, statistics, rows)
    title = "Signal strengths by channel and production mode"
    return [Figure("strengths", title, caption, draw, (Numbers(columns),))]


def _row(name: str, kind: str, estimate: Estimate) -> Row:
    minus = estimate.minus if estimate.minus is not None else -estimate.error
    plus = estimate.plus if estimate.plus is not None else estimate.error
    return Row(name, kind, estimate.value, minus, plus)


def _by_channel(statistics: Statistics) -> tuple[list[Row], str]:
    poi = statistics.model.poi
    test = inference.compatibility(statistics.workspace, statistics.data)
    apart = inference.split(statistics.workspace, poi)
    rows = _fitted(statistics, apart, "channel", f"{poi}_")
    return rows, f"The channels agree with one common strength with p = {test.p_value:.2f}."


def _by_production(statistics: Statistics) -> tuple[list[Row], str]:
    strengths = productions(statistics)
    if len(set(strengths.values())) < 2:
        return [], "There is one production mode only."
    apart = with_strengths(statistics.workspace, strengths)
    return _fitted(statistics, apart, "production mode", "mu_"), "Production modes are fitted together."


def _fitted(statistics: Statistics, apart: inference.Workspace, kind: str, prefix: str) -> list[Row]:
    model = inference.flatten(apart)
    found = inference.fit(model, statistics.data_of(apart, model), minos=model.pois)
    if not found.converged:
        raise RunError(" ".join(found.notes))
    return [_row(readable(name.removeprefix(prefix)), kind, found.parameters[name]) for name in model.pois]


def _draw(statistics: Statistics, rows: list[Row]) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=(9, 2.4 + 0.62 * len(rows)))
    places = np.arange(len(rows))[::-1]
    tint = {"common": "black", "channel": COLORS[0], "production mode": COLORS[2]}
    axes.axvline(1, color="gray", linewidth=1.5)
    common = rows[0]
    axes.axvspan(common.value + common.minus, common.value + common.plus, color="#ececec", zorder=0)
    for place, row in zip(places, rows, strict=True):
        axes.errorbar(row.value, place, xerr=[[-row.minus], [row.plus]], fmt="o", color=tint[row.kind], markersize=9)
        text = f"${row.value:.2f}_{{{row.minus:.2f}}}^{{+{row.plus:.2f}}}$"
        axes.text(0.985, place, text, ha="right", va="center", fontsize=18, transform=axes.get_yaxis_transform())
    low = min(min(row.value + row.minus for row in rows), 0.5)
    high = max(max(row.value + row.plus for row in rows), 1.5)
    axes.set_xlim(low - 0.05 * (high - low), high + 0.45 * (high - low))
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_yticks(places, [row.name for row in rows], fontsize=18)
    axes.tick_params(axis="y", which="both", left=False, right=False)
    axes.set_xlabel(r"Signal strength $\mu$")
    heading(axes, statistics.run.config.title, statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas
