"""The plane of κ_V and κ_F: contours of each set of measurements, and of each decay mode."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ...errors import GpuhiggsError
from ...interpret import Plane, plane, prepare
from ..figure import Figure
from ..numbers import Numbers
from ..style import COLORS, heading
from .contours import LEVELS, contour_points
from .fits import OWN, Fits
from .labels import DECAY, parameter


def contours(fits: Fits) -> Figure:
    """Return the κ_V-κ_F contours of each set."""
    shown = [*fits.sets]
    if fits.own and OWN not in fits.sets:
        with contextlib.suppress(GpuhiggsError):
            own = fits.fit(OWN, "kappa-vf").parameters
            if all(one.error < 1.0 for one in own.values()):  # one channel alone does not tell the two apart
                shown.append(OWN)
    found = [fits.fit(which, "kappa-vf").parameters for which in shown]
    x, y = (
        np.linspace(
            max(0.02, min(one[name].value - 3.2 * one[name].error for one in found)),
            min(5.0, max(one[name].value + above * one[name].error for one in found)),
            81,
        )
        for name, above in (("kappa_V", 3.2), ("kappa_F", 5.2))  # with room for the legend
    )
    planes = {fits.title(which): plane(fits.problem(which, "kappa-vf"), "kappa_V", x, "kappa_F", y) for which in shown}
    caption = (
        "Profile likelihood in κ_V (W and Z) and κ_F (all fermions), loops resolved, no decays beyond the SM:"
        " 68 % (full) and 95 % (dashed) contours, best fits (crosses) and the SM (star). " + fits.sources()
    )
    return Figure("kappa_V_kappa_F", "κ_V and κ_F", caption, lambda: _contours(planes, tuple(LEVELS)), _points(planes))


def contours_by_decay(fits: Fits) -> Figure:
    """Return the 68 % κ_V-κ_F contours of each decay mode by itself, and of all together."""
    x, y = np.linspace(0.75, 1.45, 51), np.linspace(0.5, 1.5, 51)
    planes = {}
    inputs = fits.inputs(fits.best, "kappa-vf")
    for decay in ("gammagamma", "ZZ", "WW", "tautau", "bb"):
        kept = []
        for item in inputs:
            rows = [i for i, entry in enumerate(item.entries) if entry.decay == decay]
            if rows:
                entries = tuple(item.entries[i] for i in rows)
                kept.append(
                    replace(item, entries=entries, correlation=item.correlation[np.ix_(rows, rows)], supplements=())
                )
        try:
            planes[f"$H\\to$ {DECAY[decay]}"] = plane(prepare("kappa-vf", kept), "kappa_V", x, "kappa_F", y)
        except GpuhiggsError:
            continue  # a decay that is not there
    planes["all"] = plane(fits.problem(fits.best, "kappa-vf"), "kappa_V", x, "kappa_F", y)
    caption = (
        "68 % contours in κ_V and κ_F from each decay mode by itself and from all together (black); the star is the SM."
        " Correlations between decay modes enter the latter only. " + fits.sources(fits.best)
    )
    return Figure(
        "kappa_V_kappa_F_by_decay", "κ_V and κ_F by decay mode", caption,
        lambda: _contours(planes, ("68 %",)), _points(planes),
    )  # fmt: skip


def _contours(planes: dict[str, Plane], levels: Sequence[str]) -> matplotlib.figure.Figure:
    figure, axes = plt.subplots(figsize=(9.0, 8.0))
    for k, (label, found) in enumerate(planes.items()):
        color = "black" if label in ("all", "Combination") else COLORS[k % len(COLORS)]
        styles = {"68 %": "solid", "95 %": "dashed"}
        for level in levels:
            axes.contour(found.x, found.y, found.rise, [LEVELS[level]], colors=[color], linestyles=styles[level],
                         linewidths=2.5)  # fmt: skip
        axes.plot(*found.best, "P", color=color, markersize=9)
        axes.plot([], [], color=color, linewidth=2.5, label=label)
    axes.plot(1.0, 1.0, "*", color="gold", markeredgecolor="black", markersize=18, linestyle="none", label="SM")
    some = next(iter(planes.values()))
    axes.set(xlabel=parameter("kappa_V"), ylabel=parameter("kappa_F"))
    axes.set(xlim=(some.x[0], some.x[-1]), ylim=(some.y[0], some.y[-1]))
    axes.legend(frameon=False, fontsize=17, loc="best")
    heading(axes, "κ$_V$–κ$_F$, " + " and ".join(level.replace(" %", "%") for level in levels), None, 13)
    return figure


def _points(planes: dict[str, Plane]) -> tuple[Numbers, ...]:
    return tuple(
        contour_points(found, label.replace("$", "").replace("\\", "").replace("^{-1}", "⁻¹"))
        for label, found in planes.items()
    )
