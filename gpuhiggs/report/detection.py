"""A schematic of how the Higgs boson of a run is produced, decays and is detected."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import FancyBboxPatch, Rectangle

from .figure import Block, Figure
from .numbers import Column, Numbers
from .record import Record
from .style import COLORS

LAYERS = ("Tracker", "Electromagnetic\ncalorimeter", "Hadronic\ncalorimeter", "Muon\nchambers")


class Decay(NamedTuple):
    """A final state: through what, into what, and what is measured."""

    through: str
    particles: tuple[str, ...]
    """Kinds of particles that the detector sees, or not."""
    measured: str


DECAYS = {
    "four_lepton": Decay(r"$H \to ZZ^*$", ("muon", "muon", "electron", "electron"), r"$m_{4\ell}$"),
    "diphoton": Decay(r"$H$ (loop of $W$, $t$)", ("photon", "photon"), r"$m_{\gamma\gamma}$"),
    "dilepton": Decay(r"$H \to WW^*$", ("electron", "muon", "neutrinos"), r"$m_T$, $m_{\ell\ell}$"),
}
PRODUCTION = {
    "ggH": ("ggF", "$gg \\to H$"),
    "VBF": ("VBF", "$qq \\to qqH$"),
    "WH": ("WH", "$q\\bar{q}' \\to WH$"),
    "ZH": ("ZH", "$q\\bar{q} \\to ZH$"),
    "ttH": ("ttH", "$gg \\to t\\bar{t}H$"),
}
REACH = {"photon": 2, "electron": 2, "muon": 4, "neutrinos": 5, "jet": 3}
"""How many layers a particle passes or stops in."""
SIGN = {"photon": "γ", "electron": "e", "muon": "μ", "neutrinos": "ν ν"}
TINT = {"photon": "#d99000", "electron": COLORS[0], "muon": COLORS[2], "neutrinos": COLORS[4]}


def blocks(run: Record) -> list[Block]:
    """Return the schematic; nothing for a channel of the user's own, of which it is not known what it looks for."""
    channel = run.config.selection.channel
    return [_figure(decay) for name, decay in DECAYS.items() if channel.startswith(name)]


def _figure(decay: Decay) -> Figure:
    caption = (
        "Schematic, not to scale: production of the Higgs boson in proton-proton collisions, its decay in this "
        "channel, and where the detector sees what comes out. Filled ends: the layer that stops and measures a "
        "particle; neutrinos leave, and the momentum that is missing across the beam tells of them."
    )
    columns = (
        Column("particle", list(decay.particles), independent=True),
        Column("seen in", [_seen(particle) for particle in decay.particles]),
    )
    return Figure(
        "detection", "Production and detection", caption, partial(_draw, decay), (Numbers(columns),), wide=True
    )


def _seen(particle: str) -> str:
    if particle == "neutrinos":
        return "nothing: missing transverse momentum"
    layers = {"photon": (1,), "electron": (0, 1), "muon": (0, 3)}[particle]
    return " and ".join(LAYERS[layer].replace("\n", " ").lower() for layer in layers)


def _draw(decay: Decay) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=(16, 6.2))
    axes.set(xlim=(0, 16), ylim=(0, 6.2))
    axes.set_axis_off()
    _modes(axes)
    _boson(axes, decay)
    _layers(axes)
    _particles(axes, decay)
    return canvas


def _modes(axes: Any) -> None:
    axes.text(1.75, 5.85, "Production", ha="center", va="center", fontsize=19, fontweight="bold")
    for row, (name, formula) in enumerate(PRODUCTION.values()):
        y = 4.85 - 0.98 * row
        box = FancyBboxPatch(
            (0.2, y - 0.32), 3.1, 0.64, "round,pad=0,rounding_size=0.12", facecolor="#eef2f7", edgecolor="#9fb0c3"
        )
        axes.add_patch(box)
        axes.text(0.45, y, name, va="center", fontsize=17, fontweight="bold")
        axes.text(3.1, y, formula, va="center", ha="right", fontsize=17)
        axes.annotate("", (5.05, 2.9), (3.35, y), arrowprops={"arrowstyle": "-", "color": "#9fb0c3", "linewidth": 1.6})


def _boson(axes: Any, decay: Decay) -> None:
    axes.text(5.6, 5.85, "Decay", ha="center", va="center", fontsize=19, fontweight="bold")
    axes.scatter(5.35, 2.9, s=2600, color=COLORS[2], zorder=4)
    axes.text(5.35, 2.9, "H", color="white", ha="center", va="center", fontsize=26, fontweight="bold", zorder=5)
    axes.text(5.35, 1.85, decay.through, ha="center", va="center", fontsize=17)
    axes.text(5.35, 1.3, f"measured: {decay.measured}", ha="center", va="center", fontsize=15, color="#555")


def _layers(axes: Any) -> None:
    axes.text(11.4, 5.85, "Detection", ha="center", va="center", fontsize=19, fontweight="bold")
    for number, (name, tint) in enumerate(zip(LAYERS, ("#f6f7f9", "#e8f0e4", "#f3ebdf", "#e6e9f2"), strict=True)):
        axes.add_patch(Rectangle((7.6 + 1.95 * number, 0.55), 1.85, 4.2, facecolor=tint, edgecolor="#b8bec7"))
        axes.text(8.52 + 1.95 * number, 5.14, name, ha="center", va="center", fontsize=14, linespacing=1.0)


def _particles(axes: Any, decay: Decay) -> None:
    rows = np.linspace(4.3, 1.0, len(decay.particles)) if len(decay.particles) > 2 else np.array([3.7, 1.7])
    for y, particle in zip(rows, decay.particles, strict=True):
        color = TINT[particle]
        end = 7.6 + 1.95 * REACH[particle] - 0.6 if particle != "neutrinos" else 15.75
        style = {"color": color, "linewidth": 3, "linestyle": "--" if particle in ("photon", "neutrinos") else "-"}
        axes.plot([5.85, 7.6], [2.9, y], **style)
        axes.plot([7.6, end], [y, y], **style)
        if particle == "neutrinos":
            axes.annotate("", (15.95, y), (15.7, y), arrowprops={"arrowstyle": "-|>", "color": color})
        else:
            axes.scatter(
                end,
                y,
                s=320 if particle != "muon" else 120,
                marker="s" if particle != "muon" else "o",
                color=color,
                zorder=4,
            )
        axes.text(7.35, y + 0.22, SIGN[particle], ha="right", va="bottom", fontsize=19, color=color)
