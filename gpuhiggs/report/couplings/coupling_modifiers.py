"""Coupling modifiers: values, coupling against mass, correlations, deviations from the SM."""

from __future__ import annotations

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ..figure import Figure
from ..numbers import Column, Errors, Numbers
from ..style import COLORS, heading
from .fits import Fits, Interval
from .labels import parameter
from .marks import MARKERS, series_color
from .matrix import matrix_of

VACUUM = 246.22
"""GeV, (√2 G_F)^(-1/2)."""
MASSES = {"mu": 0.10566, "tau": 1.77686, "b": 4.18, "W": 80.377, "Z": 91.1876, "t": 172.69}
"""GeV, Particle Data Group 2022; b in the MS-bar scheme at its own scale, t from direct measurements."""
SMALLEST_M_B = 2.79
"""GeV: m_b at the scale of m_H, arXiv:1606.02266, which the field's figure of couplings against masses takes."""


def values(fits: Fits, model: str, title: str) -> Figure:
    """Return the coupling modifiers of a model with their 68 % and 95 % intervals."""
    found = {which: fits.intervals(which, model) for which in fits.sets}
    names = list(dict.fromkeys(name for one in found.values() for name in one))
    caption = (
        f"{title}: best fit, 68 % (thick) and 95 % (thin) intervals of the profile likelihood, statistical,"
        " systematic and theory uncertainties together; the line is the SM. " + fits.sources()
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 3.0 + 0.62 * len(names)))
        axes.axvline(1.0, color="gray", linewidth=1.5)
        for k, (which, intervals) in enumerate(found.items()):
            label, shift = fits.title(which), 0.24 * ((len(found) - 1) / 2 - k)
            color = series_color(label, k)
            for name, one in intervals.items():
                y = shift - names.index(name)
                for low, high, width in ((one.low_95, one.high_95, 1.5), (one.low_68, one.high_68, 4.5)):
                    axes.plot([_or(low, one), _or(high, one)], [y, y], color=color, linewidth=width)
                axes.plot(one.value, y, MARKERS[k % 5], color=color, markersize=8, markeredgecolor="white",
                          label=label if name == next(iter(intervals)) else None)  # fmt: skip
        axes.set(
            ylim=(-len(names) + 0.3, 0.9 + 0.45 * len(found)),
            xlabel=r"$\kappa$ or $B$" if "B_u" in names else r"$\kappa$",
        )
        low, high = axes.get_xlim()
        axes.set_xlim(max(low, -0.5), min(high, 3.0))
        axes.set_yticks([-i for i in range(len(names))], [parameter(name) for name in names])
        axes.tick_params(axis="y", which="both", length=0)
        axes.legend(loc="upper left", frameon=False, fontsize=16)
        heading(axes, "Coupling modifiers", None, 13)
        return figure

    return Figure(f"values_{model.replace('-', '_')}", title, caption, draw, (interval_numbers(fits, found),))


def interval_numbers(fits: Fits, found: dict[str, dict[str, Interval]]) -> Numbers:
    """Return intervals by set and parameter as columns."""
    rows = [(fits.plain(which), name, one) for which, intervals in found.items() for name, one in intervals.items()]
    errors = tuple(
        Errors(
            [np.nan if (high := getattr(one, f"high_{p}")) is None else high - one.value for _, _, one in rows],
            [np.nan if (low := getattr(one, f"low_{p}")) is None else low - one.value for _, _, one in rows],
            f"{p} %",
        )
        for p in (68, 95)
    )
    return Numbers(
        (
            Column("data", [title for title, _, _ in rows], independent=True),
            Column("parameter", [name for _, name, _ in rows], independent=True),
            Column("value", [one.value for _, _, one in rows], errors=errors),
        )
    )


def _or(edge: float | None, one: Interval) -> float:
    return one.value if edge is None else edge


def against_mass(fits: Fits) -> Figure:
    """Return the reduced couplings against the mass of the particle, and κ below."""
    intervals = fits.intervals(fits.best, "kappa-resolved")
    particles = sorted((p for p in MASSES if f"kappa_{p}" in intervals), key=MASSES.__getitem__)
    masses = np.array([SMALLEST_M_B if p == "b" else MASSES[p] for p in particles])
    found = [intervals[f"kappa_{p}"] for p in particles]
    power = np.array([0.5 if p in "WZ" else 1.0 for p in particles])
    kappa = np.array([one.value for one in found])
    low = np.array([_or(one.low_68, one) for one in found])
    high = np.array([_or(one.high_68, one) for one in found])
    scale = masses / VACUUM
    reduced, down, up = (np.maximum(k, 1e-3) ** power * scale for k in (kappa, low, high))
    caption = (
        "Reduced couplings κ_F m_F/v of fermions and √κ_V m_V/v of vector bosons against the mass of the particle (v"
        f" = {VACUUM:g} GeV; b quark at the scale of m_H, {SMALLEST_M_B:g} GeV), from the fit with resolved loops and"
        " no decays beyond the SM; bars are 68 % intervals. The line is the SM; below, κ. " + fits.sources(fits.best)
    )

    def draw() -> matplotlib.figure.Figure:
        figure, (axes, ratio) = plt.subplots(2, 1, figsize=(9, 9.6), height_ratios=(3, 1), sharex=True)
        line = np.geomspace(0.06, 300.0, 10)
        axes.plot(line, line / VACUUM, "--", color=COLORS[0], linewidth=2, label="SM")
        ratio.axhline(1.0, color=COLORS[0], linestyle="--", linewidth=2)
        for i, p in enumerate(particles):
            color, marker = (
                (COLORS[2], "s") if p in "WZ" else (COLORS[4], "^") if p in ("mu", "tau") else ("black", "o")
            )
            axes.errorbar(
                masses[i],
                reduced[i],
                [[reduced[i] - down[i]], [up[i] - reduced[i]]],
                fmt=marker,
                color=color,
                markersize=8,
                elinewidth=2.5,
            )
            ratio.errorbar(
                masses[i],
                kappa[i],
                [[kappa[i] - low[i]], [high[i] - kappa[i]]],
                fmt=marker,
                color=color,
                markersize=8,
                elinewidth=2.5,
            )
            text = {"mu": r"$\mu$", "tau": r"$\tau$"}.get(p, f"${p}$")
            side = (-12, 10) if p != "Z" else (14, -20)
            axes.annotate(text, (masses[i], reduced[i]), xytext=side, textcoords="offset points", ha="center")
        for marker, color, label in (
            ("o", "black", "quarks"),
            ("^", COLORS[4], "leptons"),
            ("s", COLORS[2], "$W$, $Z$"),
        ):
            axes.plot([], [], marker, color=color, markersize=8, label=label)
        axes.set(xscale="log", yscale="log", xlim=(0.06, 300), ylim=(2e-4, 2))
        axes.set_ylabel(r"$\kappa_F\, m_F/v$  or  $\sqrt{\kappa_V}\, m_V/v$")
        ratio.set(xlabel="Particle mass [GeV]", ylabel=r"$\kappa$", ylim=(0.55, 1.45))
        axes.legend(frameon=False, loc="upper left")
        heading(axes, fits.title(fits.best), None, 13)
        return figure

    numbers = Numbers(
        (
            Column("particle", particles, independent=True),
            Column("mass", masses, "GeV", independent=True),
            Column("reduced coupling", reduced, errors=(Errors(up - reduced, down - reduced, "68 %"),)),
            Column("SM", scale),
            Column("kappa", kappa, errors=(Errors(high - kappa, low - kappa, "68 %"),)),
        )
    )
    return Figure("coupling_against_mass", "Couplings against masses", caption, draw, (numbers,))


def correlations(fits: Fits) -> Figure:
    """Return the correlation matrix of the coupling modifiers."""
    found = fits.fit(fits.best, fits.kappas)
    names, matrix = list(found.free), found.correlation
    caption = (
        f"Correlations of the coupling modifiers ({fits.of_kappas()}), from the curvature of -2 ln L at the best fit. "
        + fits.sources(fits.best)
    )

    draw, numbers = matrix_of(names, [parameter(name) for name in names], matrix, fits.title(fits.best))
    return Figure("correlations_kappa", "Correlations of the couplings", caption, draw, (numbers,))


def deviations(fits: Fits) -> Figure:
    """Return how far from the SM each parameter is, in its own standard deviations."""
    models = (("mu", "strength"), ("mu-production", "production"), ("mu-decay", "decay"), (fits.kappas, "κ"))
    rows = []
    for which in fits.sets:
        for model, group in models:
            for name, one in fits.fit(which, model).parameters.items():
                error = one.minus if one.value > 1.0 else one.plus
                size = abs(error) if error else one.error
                if size:
                    rows.append((fits.title(which), fits.plain(which), group, name, (one.value - 1.0) / size))
    names = list(dict.fromkeys((group, name) for _, _, group, name, _ in rows))
    caption = (
        "Distance of each parameter from its SM value 1, in units of its error on the side of the SM; the bands are 1"
        " and 2 standard deviations. Parameters of one fit are correlated: their squares do not add up to a χ². "
        + fits.sources()
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 2.4 + 0.42 * len(names)))
        axes.axvspan(-2, 2, color="#ffdf7f")
        axes.axvspan(-1, 1, color="#85d1fb")
        axes.axvline(0.0, color="gray")
        titles = list(dict.fromkeys(title for title, *_ in rows))
        for k, title in enumerate(titles):
            mine = [(names.index((group, name)), pull) for t, _, group, name, pull in rows if t == title]
            shift = 0.2 * ((len(titles) - 1) / 2 - k)
            axes.plot([pull for _, pull in mine], [shift - i for i, _ in mine], MARKERS[k % 5],
                      color=series_color(title, k), label=title, markersize=8)  # fmt: skip
        axes.set(xlim=(-4.2, 4.2), ylim=(-len(names) + 0.2, 1.0 + 0.62 * len(titles)))
        axes.set_xlabel(r"(value $-$ SM) / error")
        axes.set_yticks([-i for i in range(len(names))], [parameter(name) for _, name in names], fontsize=18)
        axes.tick_params(axis="y", which="both", length=0)
        axes.minorticks_off()
        axes.legend(loc="upper left", frameon=False, fontsize=16)
        heading(axes, "Deviations from the SM", None, 13)
        return figure

    numbers = Numbers(
        (
            Column("data", [plain for _, plain, *_ in rows], independent=True),
            Column("parameter", [name for *_, name, _ in rows], independent=True),
            Column("deviation", [pull for *_, pull in rows], "standard deviations"),
        )
    )
    return Figure("deviations", "Deviations from the SM", caption, draw, (numbers,))
