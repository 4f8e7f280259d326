"""Width, lifetime and partial widths; the precision of the mass against luminosity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ...errors import InputError
from ...interpret import mass_precision, sm, width
from ...interpret.tables import load
from ..figure import Figure
from ..numbers import Column, Errors, Numbers, symmetric
from ..style import COLORS, heading
from .fits import Fits
from .labels import DECAY
from .marks import MARKERS, series_color


def total_width(fits: Fits) -> Figure:
    """Return Γ_H from κ fits, from off-shell rates and as published, with the lifetime on a second axis."""
    standard = sm.total_width()
    rows: list[tuple[str, str, float, float, float, str]] = []
    for k, which in enumerate(fits.sets):
        value, error = width.measured(fits.problem(which, fits.kappas))["total"]
        rows.append((f"{fits.title(which)}: κ", f"{fits.plain(which)}: from κ, no decays beyond the SM",
                     value, error, error, series_color(fits.title(which), k)))  # fmt: skip
    for name, entry in load("width")["off_shell"].items():
        data = f"{name}-run2"
        if data not in fits.published:
            continue
        one = fits.fit(data, "mu").parameters["mu"]
        on = width.Interval(one.value, abs(one.minus or one.error), one.plus or one.error)
        found = width.from_off_shell(width.Interval(**entry["mu_off"]), on)
        label = f"{name.upper()} off-shell"
        rows.append((f"{label}, here", f"{label} over on-shell strength, both published", *found, COLORS[5]))
        published = entry["width"]
        rows.append((f"{label}, published", f"{label}, {entry['source']}", published["value"], published["minus"],
                     published["plus"], COLORS[8]))  # fmt: skip
    average = load("width")["average"]
    rows.append(("PDG average", average["source"], *(average["width"][k] for k in ("value", "minus", "plus")), "black"))
    caption = (
        "Total width Γ_H: from coupling modifiers (Γ_H = Σ κ_f² Γ_f with nothing but SM decays), from the ratio of"
        " off-shell to on-shell strengths (which assumes the same couplings on and off the peak), and published"
        " values; bars are 68 %. The upper axis is the lifetime ħ/Γ_H. The line is the SM, "
        f"{standard.value:.2f} MeV ± {standard.uncertainty:.1%}. " + fits.sources()
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(10.5, 2.6 + 0.62 * len(rows)))
        axes.axvspan(standard.value * (1 - standard.uncertainty), standard.value * (1 + standard.uncertainty),
                     color=COLORS[3], alpha=0.6)  # fmt: skip
        for i, (_, _, value, minus, plus, color) in enumerate(rows):
            axes.errorbar(value, -i, xerr=[[minus], [plus]], fmt="o", color=color, markersize=8, elinewidth=2.5)
        axes.set_yticks([-i for i in range(len(rows))], [row[0] for row in rows], fontsize=16)
        axes.tick_params(axis="y", which="both", length=0)
        axes.set(xlim=(0, 9), ylim=(-len(rows) + 0.4, 0.6), xlabel=r"$\Gamma_H$ [MeV]")
        top = axes.secondary_xaxis("top")
        times = np.array([1.0, 1.5, 2.0, 3.0, 5.0])
        top.set_xticks(width.HBAR / (times * 1e-22), [f"{t:g}" for t in times])
        top.tick_params(which="minor", length=0)
        top.set_xlabel(r"$\tau_H$ [$10^{-22}$ s]")
        axes.tick_params(axis="x", which="both", top=False)
        return figure

    values = np.array([row[2] for row in rows])
    numbers = Numbers(
        (
            Column("from", [row[1] for row in rows], independent=True),
            Column("width", values, "MeV", errors=(Errors([r[4] for r in rows], [-r[3] for r in rows], "68 %"),)),
            Column("lifetime", width.HBAR / values * 1e22, "1e-22 s"),
        )
    )
    return Figure("width_lifetime", "Width and lifetime", caption, draw, (numbers,))


def partial_widths(fits: Fits) -> Figure:
    """Return the partial widths of the κ fits over those of the SM."""
    found = {which: width.measured(fits.problem(which, fits.kappas)) for which in fits.sets}
    names = [*sm.DECAYS, "total"]
    names.remove("ss")
    standard = {name: sm.total_width() if name == "total" else sm.partial_width(name) for name in names}
    caption = (
        "Partial widths and the total one from the fit of coupling modifiers with effective loops, over those of the"
        " SM at 125.09 GeV (gray: its uncertainty); errors are 68 %, propagated linearly. The fit takes κ_c = κ_t:"
        " the width to"
        " charm is not measured by itself. " + fits.sources()
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 8.0))
        for i, name in enumerate(names):
            spread = standard[name].uncertainty
            axes.fill_betweenx([-i - 0.45, -i + 0.45], 1 - spread, 1 + spread, color=COLORS[3], alpha=0.6, linewidth=0)
        for k, (which, widths) in enumerate(found.items()):
            label, shift = fits.title(which), 0.2 * ((len(found) - 1) / 2 - k)
            values = np.array([widths[name] for name in names]) / np.array([[standard[n].value] for n in names])
            axes.errorbar(values[:, 0], shift - np.arange(len(names)), xerr=values[:, 1], fmt=MARKERS[k % 5],
                          color=series_color(label, k), markersize=7, elinewidth=2, label=label)  # fmt: skip
        axes.set(xlim=(0, 4.2), ylim=(-len(names) + 0.4, 2.6), xlabel=r"$\Gamma_f\,/\,\Gamma_f^\mathrm{SM}$")
        texts = [rf"{DECAY[name]}   {standard[name].value:.3g} MeV" for name in names]
        axes.set_yticks([-i for i in range(len(names))], texts, fontsize=18)
        axes.tick_params(axis="y", which="both", length=0)
        axes.minorticks_off()
        axes.legend(frameon=False, loc="upper right", fontsize=16)
        heading(axes, "Partial widths", None, 13)
        return figure

    rows = [(fits.plain(which), name, *widths[name]) for which, widths in found.items() for name in names]
    numbers = Numbers(
        (
            Column("data", [row[0] for row in rows], independent=True),
            Column("decay", [row[1] for row in rows], independent=True),
            Column("width", [row[2] for row in rows], "MeV", errors=(symmetric((row[3] for row in rows), "68 %"),)),
            Column("SM", [standard[row[1]].value for row in rows], "MeV",
                   errors=(symmetric(standard[row[1]].value * standard[row[1]].uncertainty for row in rows),)),
        )
    )  # fmt: skip
    return Figure("partial_widths", "Partial widths", caption, draw, (numbers,))


def mass_against_luminosity(folders: Sequence[Path]) -> Figure:
    """Return the precision of m_H against luminosity, from the peaks of own runs or else of published analyses."""
    channels = []
    for folder in folders:
        try:
            channels.append(mass_precision.from_run(folder))
        except InputError:
            continue  # a run without a peak of its own
    own = bool(channels)
    if not own:
        channels = [mass_precision.channel(name) for name in load("mass")["channels"]]
    luminosities = np.geomspace(36.0, 3000.0, 6)
    points = {which.name: mass_precision.precision(which, luminosities.tolist(), n_toys=300) for which in channels}
    origin = "of the runs in this report" if own else "of published analyses (" + "; ".join(
        entry["source"] for entry in load("mass")["channels"].values()) + ")"  # fmt: skip
    caption = (
        "Statistical precision of m_H against luminosity: spread of the masses fitted to 300 pseudo-experiments a"
        f" point, with signal, background and resolution {origin}. Bars are the statistical error of the spread; the"
        " lines fall as 1/√L. Scales of energy and momentum come on top. Published statistical errors for comparison:"
        " ATLAS 4ℓ (Phys. Lett. B 843 (2023) 137880) and γγ (Phys. Lett. B 847 (2023) 138315)."
    )
    published = (("ATLAS $4\\ell$", 139.0, 180.0), (r"ATLAS $\gamma\gamma$", 140.0, 110.0))

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 8.0))
        for k, (name, found) in enumerate(points.items()):
            y = 1e3 * np.array([point.precision for point in found])
            label = name.replace("four_lepton", r"$H\to 4\ell$").replace("diphoton", r"$H\to\gamma\gamma$")
            axes.errorbar(luminosities, y, 1e3 * np.array([p.error for p in found]), fmt=MARKERS[k % 5], markersize=8,
                          color=COLORS[(0, 2, 1, 4)[k % 4]], label=label)  # fmt: skip
            scale = np.exp(np.mean(np.log(y * np.sqrt(luminosities))))
            axes.plot(luminosities, scale / np.sqrt(luminosities), "--", color=COLORS[(0, 2, 1, 4)[k % 4]])
        for k, (label, luminosity, error) in enumerate(published):
            axes.plot(luminosity, error, "*", markersize=15, color=("black", "gray")[k], label=f"{label}, published")
        axes.set(
            xscale="log", yscale="log", xlabel="Luminosity [fb$^{-1}$]", ylabel=r"Statistical error of $m_H$ [MeV]"
        )
        axes.legend(frameon=False, fontsize=17)
        heading(axes, "Precision of the mass", None, 13)
        return figure

    rows = [point for found in points.values() for point in found]
    numbers = Numbers(
        (
            Column("channel", [point.channel for point in rows], independent=True),
            Column("luminosity", [point.luminosity for point in rows], "1/fb", independent=True),
            Column("precision", [1e3 * point.precision for point in rows], "MeV",
                   errors=(symmetric((1e3 * point.error for point in rows), "stat"),)),
        )
    )  # fmt: skip
    return Figure("mass_precision", "Precision of the mass", caption, draw, (numbers,))
