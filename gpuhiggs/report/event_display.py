"""The display of a selected event: across the beam, and in the plane of η and φ."""

from __future__ import annotations

from functools import partial
from pathlib import PurePosixPath
from typing import Any

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle, Wedge

from . import candidate
from .candidate import Candidate, Object
from .figure import Block, Figure, Missing
from .numbers import Column, Numbers
from .record import Record
from .style import COLORS, heading

TINT = {
    "muon": COLORS[2], "electron": COLORS[0], "photon": "#d99000", "lepton": COLORS[5], "jet": COLORS[3],
    "missing momentum": COLORS[4],
}  # fmt: skip
SIGN = {"muon": "μ", "electron": "e", "photon": "γ", "lepton": "ℓ", "jet": "jet", "missing momentum": "$p_T^{miss}$"}
TRACKER, CALORIMETER, MUONS = 0.42, 0.72, 1.0
"""Radii of the drawing: no detector's own."""
SCALE = 60.0
"""GeV at which a line has grown to about two thirds of the radius."""
JET_RADIUS = 0.4
SHOWN = ("m4l", "m_z1", "m_z2", "pt4l", "m_gg", "pt_gg", "m_ll", "m_t", "pt_ll", "met", "n_jets", "m_jj")
NAMES = {
    "m4l": r"$m_{4\ell}$", "m_z1": r"$m_{Z_1}$", "m_z2": r"$m_{Z_2}$", "pt4l": r"$p_T^{4\ell}$",
    "m_gg": r"$m_{\gamma\gamma}$", "pt_gg": r"$p_T^{\gamma\gamma}$", "m_ll": r"$m_{\ell\ell}$", "m_t": r"$m_T$",
    "pt_ll": r"$p_T^{\ell\ell}$", "met": r"$p_T^{miss}$", "n_jets": r"$N_{jets}$", "m_jj": r"$m_{jj}$",
}  # fmt: skip


def blocks(run: Record) -> list[Block]:
    """Return the display, or why there is none."""
    if not run.results["cutflow"]:
        return [Missing("Event display", "No dataset could be processed.")]
    return [_figure(run, candidate.find(run))]


def _figure(run: Record, found: Candidate) -> Figure:
    which = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in found.identity.items())
    kind = "Data" if found.dataset.kind == "data" else "Simulation"
    caption = (
        f"{kind} ({found.dataset.name}: {PurePosixPath(found.path).name}), {which}: of the selected events that were "
        "looked through, the one whose mass is nearest to the Higgs boson's. Left: across the beam; lines and wedges "
        "grow with the transverse momentum. Right: pseudorapidity and azimuth; circles of jets have R = 0.4. Objects "
        "are all that were reconstructed above 5 (leptons), 15 (photons) and 25 GeV (jets)."
    )
    objects = [*found.objects, *([found.met] if found.met else [])]
    columns = (
        Column("object", [one.kind for one in objects], independent=True),
        Column("pt", [one.pt for one in objects], "GeV"),
        Column("eta", [None if one is found.met else one.eta for one in objects]),
        Column("phi", [one.phi for one in objects], "rad"),
    )
    masses = Numbers(
        (Column("quantity", list(found.found), independent=True), Column("value", list(found.found.values()))), "event"
    )
    draw = partial(_draw, run, found)
    return Figure("event_display", "Event display", caption, draw, (Numbers(columns, "objects"), masses), wide=True)


def _draw(run: Record, found: Candidate) -> matplotlib.figure.Figure:
    canvas, (left, right) = plt.subplots(1, 2, figsize=(16, 7.8), gridspec_kw={"width_ratios": [1, 1.05]})
    _across(left, found)
    _plane(right, found)
    heading(right, "", run.luminosity, run.config.sqrt_s)
    left.set_title(run.config.title, loc="left", fontweight="bold")
    shown = [name for name in SHOWN if name in found.found]
    lines = [_line(name, found.found[name]) for name in shown[:4]]
    left.text(-1.08, -1.08, "\n".join(lines), fontsize=16, va="bottom", linespacing=1.3)
    return canvas


def _line(name: str, value: float) -> str:
    return f"{NAMES[name]} = {value:.0f}" if name == "n_jets" else f"{NAMES[name]} = {value:.1f} GeV"


def _length(pt: float) -> float:
    """Return how far from the centre an object reaches, of what it may."""
    return float(1 - np.exp(-pt / SCALE))


def _across(axes: Any, found: Candidate) -> None:
    for radius, tint in ((MUONS, "#f3f5f7"), (CALORIMETER, "#e4eaf0"), (TRACKER, "#ffffff")):
        axes.add_patch(Circle((0, 0), radius, facecolor=tint, edgecolor="#aab3bd", linewidth=1))
    for one in found.objects:
        _ray(axes, one)
    if found.met is not None:
        end = MUONS * (0.25 + 0.75 * _length(found.met.pt))
        tip = end * np.cos(found.met.phi), end * np.sin(found.met.phi)
        style = {"arrowstyle": "-|>", "color": TINT[found.met.kind], "linestyle": "--", "linewidth": 2}
        axes.annotate("", tip, (0, 0), arrowprops=style)
    axes.set(xlim=(-1.12, 1.12), ylim=(-1.12, 1.12), aspect="equal")
    axes.set_axis_off()


def _ray(axes: Any, one: Object) -> None:
    direction = np.array([np.cos(one.phi), np.sin(one.phi)])
    color, degrees = TINT[one.kind], np.degrees(one.phi)
    if one.kind == "muon":
        axes.plot(*np.outer(direction, [0, MUONS]), color=color, linewidth=3)
        return
    if one.kind == "jet":
        spread = np.degrees(JET_RADIUS)
        end = CALORIMETER * (0.3 + 0.7 * _length(one.pt))
        axes.add_patch(Wedge((0, 0), end, degrees - spread, degrees + spread, color=color, alpha=0.35))
        return
    if one.kind != "photon":
        axes.plot(*np.outer(direction, [0, TRACKER]), color=color, linewidth=3)
    end = TRACKER + (CALORIMETER - TRACKER) * (0.15 + 0.85 * _length(one.pt))
    axes.add_patch(Wedge((0, 0), end, degrees - 2.5, degrees + 2.5, width=end - TRACKER, color=color))


def _plane(axes: Any, found: Candidate) -> None:
    for one in found.objects:
        color = TINT[one.kind]
        if one.kind == "jet":
            axes.add_patch(Circle((one.eta, one.phi), JET_RADIUS, facecolor=color, edgecolor=color, alpha=0.35))
        else:
            axes.scatter(one.eta, one.phi, s=60 + 340 * _length(one.pt), color=color, zorder=3)
        axes.annotate(
            f"{SIGN[one.kind]}  {one.pt:.0f} GeV", (one.eta, one.phi), (12, 8), textcoords="offset points",
            fontsize=15, color=color if one.kind != "jet" else "#5a6268",
        )  # fmt: skip
    if found.met is not None:
        axes.axhline(found.met.phi, color=TINT[found.met.kind], linestyle="--", linewidth=2)
        text = f"{SIGN[found.met.kind]}  {found.met.pt:.0f} GeV"
        place = {"transform": axes.get_yaxis_transform(), "ha": "right", "fontsize": 15}
        up = found.met.phi < np.pi / 2
        axes.text(
            0.985, found.met.phi + (0.08 if up else -0.08), text, va="bottom" if up else "top",
            color=TINT[found.met.kind], **place,
        )  # fmt: skip
    reach = max([3.4, *(abs(one.eta) + 0.9 for one in found.objects)])
    axes.set(xlim=(-reach, reach), ylim=(-np.pi - 0.3, np.pi + 0.3), aspect="equal")
    axes.set_xlabel(r"$\eta$")
    axes.set_ylabel(r"$\phi$ [rad]")
