"""Cross sections: against √s with measured ones, shares of production, gluon fusion order by order."""

from __future__ import annotations

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ...interpret import gluon_fusion, sm
from ...interpret.tables import load
from ..figure import Figure
from ..numbers import Column, Errors, Numbers, symmetric
from ..style import COLORS, heading
from .fits import Fits
from .labels import PRODUCTION
from .marks import MARKERS, end_labels, series_color

YELLOW_REPORT = "LHC Higgs Cross Section Working Group, Yellow Report 4 (arXiv:1610.07922)"
ENERGIES = (7.0, 8.0, 13.0, 13.6, 14.0)


def _total(sqrt_s: float) -> tuple[float, float, float]:
    """Return the sum of all production modes in pb, and its errors: scales add linearly, PDF and α_s too."""
    found = [sm.cross_section(mode, sqrt_s) for mode in sm.MODES]
    plus, minus = (
        np.hypot(sum(s.value * getattr(s, f"scale_{side}") for s in found), sum(s.value * s.pdf_alpha_s for s in found))
        for side in ("plus", "minus")
    )
    return sum(s.value for s in found), float(plus), float(minus)


def against_energy(fits: Fits) -> Figure:
    """Return the cross sections against √s with the measured totals."""
    energies = np.linspace(7.0, 14.0, 36)
    curves = {mode: np.array([sm.cross_section(mode, e).value for e in energies]) for mode in sm.MODES}
    curves["tH"] = curves.pop("tHq") + curves.pop("tHW")
    total = np.array([_total(e) for e in energies])
    measured = load("differential")["total"]
    caption = (
        "Cross sections of pp → H against √s at m_H = 125.09 GeV, by production mode and in all; bands are the scale"
        " and PDF+α_s uncertainties, added in quadrature for each mode and linearly between modes. Points are"
        f" measured total cross sections with total errors. Predictions: {YELLOW_REPORT}. Measurements: "
        + "; ".join(f"{m['experiment']} {m['channel']}, {m['luminosity']} fb⁻¹, {m['source']}" for m in measured)
        + "."
    )

    def draw() -> matplotlib.figure.Figure:
        figure, (axes, zoom) = plt.subplots(2, 1, figsize=(9, 9.6), height_ratios=(2, 1.3), sharex=True)
        for panel in (axes, zoom):
            panel.fill_between(
                energies,
                total[:, 0] - total[:, 2],
                total[:, 0] + total[:, 1],
                color=COLORS[3],
                alpha=0.6,
                label="all, with uncertainty",
            )
            panel.plot(energies, total[:, 0], color="black", linewidth=1.5)
            for k, item in enumerate(measured):
                color, marker = _mark(item)
                channel = item["channel"].replace("4ℓ", r"$4\ell$")
                shift = 0.12 * (k - 2) if item["sqrt_s"] == 13 else 0.0
                panel.errorbar(item["sqrt_s"] + shift, item["value"], [[item["minus"]], [item["plus"]]], fmt=marker,
                               color=color, markersize=8, elinewidth=2,
                               label=f"{item['experiment']} {channel}, {item['luminosity']:g} fb$^{{-1}}$")  # fmt: skip
        for k, (mode, curve) in enumerate(curves.items()):
            relative = _spread(mode, energies)
            axes.fill_between(
                energies, curve * (1 - relative[1]), curve * (1 + relative[0]), color=COLORS[k], alpha=0.4
            )
            axes.plot(energies, curve, color=COLORS[k], linewidth=2)
        axes.set(yscale="log", ylabel=r"$\sigma(pp\to H)$ [pb]", xlim=(6.8, 14.2), ylim=(0.01, 150))
        end_labels(axes, {PRODUCTION[mode]: (curve[-1], COLORS[k]) for k, (mode, curve) in enumerate(curves.items())})
        zoom.set(xlabel=r"$\sqrt{s}$ [TeV]", ylabel=r"$\sigma$ [pb]", ylim=(10, 75))
        zoom.legend(frameon=False, loc="upper left", fontsize=13, ncols=2)
        heading(axes, r"$m_H$ = 125.09 GeV")
        return figure

    predicted = Numbers(
        (
            Column("sqrt_s", energies.round(3), "TeV", independent=True),
            *(Column(f"sigma {mode}", curve, "pb") for mode, curve in curves.items()),
            Column("sigma total", total[:, 0], "pb", errors=(Errors(total[:, 1], -total[:, 2]),)),
        ),
        "predicted",
    )
    points = Numbers(
        (
            Column("sqrt_s", [m["sqrt_s"] for m in measured], "TeV", independent=True),
            Column("experiment", [f"{m['experiment']} {m['channel']}" for m in measured]),
            Column(
                "sigma",
                [m["value"] for m in measured],
                "pb",
                errors=(Errors([m["plus"] for m in measured], [-m["minus"] for m in measured]),),
            ),
            Column("source", [m["source"] for m in measured]),
        ),
        "measured",
    )
    return Figure("cross_section_energy", "Cross section against √s", caption, draw, (predicted, points))


def _mark(item: dict[str, object]) -> tuple[str, str]:
    color = COLORS[0] if item["experiment"] == "ATLAS" else COLORS[2]
    return color, {8: "v", 13.6: "^"}.get(float(item["sqrt_s"]), "D" if item["channel"] == "γγ" else "o")  # type: ignore[arg-type]


def _spread(mode: str, energies: np.ndarray) -> np.ndarray:
    names = ("tHq",) if mode == "tH" else (mode,)
    found = [sm.cross_section(names[0], e) for e in energies]
    return np.array(
        [np.hypot([s.scale_plus for s in found], [s.pdf_alpha_s for s in found]),
         np.hypot([s.scale_minus for s in found], [s.pdf_alpha_s for s in found])]
    )  # fmt: skip


def production_shares(fits: Fits) -> Figure:
    """Return the share of each production mode in the total cross section, at each √s."""
    shares = np.array([[sm.cross_section(mode, e).value for mode in sm.MODES] for e in ENERGIES])
    shares /= shares.sum(axis=1, keepdims=True)
    caption = (
        "Shares of the production mechanisms in the total cross section of the SM at m_H = 125.09 GeV, by √s; ZH"
        f" contains gg → ZH. Cross sections: {YELLOW_REPORT}; 13.6 TeV between 13 and 14 TeV as in arXiv:2402.09955."
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 7.0))
        width = 0.8 / len(ENERGIES)
        for k, energy in enumerate(ENERGIES):
            x = np.arange(len(sm.MODES)) + (k - (len(ENERGIES) - 1) / 2) * width
            axes.bar(x, 100 * shares[k], width, color=COLORS[k], label=f"{energy:g} TeV")
        for i, share in enumerate(shares[2]):
            axes.text(i, 100 * shares[:, i].max() * 1.15, f"{100 * share:.2g}%", ha="center", fontsize=17)
        axes.set(yscale="log", ylim=(0.01, 400), ylabel="Share of the total cross section [%]")
        axes.set_xticks(range(len(sm.MODES)), [PRODUCTION[mode] for mode in sm.MODES])
        axes.tick_params(axis="x", which="both", length=0)
        axes.legend(frameon=False, loc="upper right", ncols=2, fontsize=17, title="numbers: 13 TeV", title_fontsize=17)
        heading(axes, "SM, $m_H$ = 125.09 GeV")
        return figure

    numbers = Numbers(
        (
            Column("production", list(sm.MODES), independent=True),
            *(Column(f"share at {energy:g} TeV", 100 * shares[k], "%") for k, energy in enumerate(ENERGIES)),
        )
    )
    return Figure("production_shares", "Production mechanisms", caption, draw, (numbers,))


def orders(fits: Fits) -> Figure:
    """Return σ(gg → H) order by order, and the κ_g that the measured rate would mean at each."""
    kappa = {which: fits.fit(which, fits.kappas).parameters["kappa_g"] for which in fits.sets}
    found = gluon_fusion.orders()
    names = [order.name.replace("N3LO", "N³LO") for order in found]
    sigma = np.array([order.value for order in found])
    low, high = (np.array([getattr(order, side) for order in found]) for side in ("low", "high"))
    factor = np.array([order.kappa_g for order in found])
    caption = (
        "Cross section of gg → H at 13 TeV and m_H = 125 GeV order by order in α_s (Anastasiou et al.,"
        " arXiv:1602.00695), with the variation of the scales between m_H/4 and m_H, and below the κ_g that the"
        " measured rate means against"
        " each order, with its 68 % error: a rate is κ_g² σ, so a smaller σ makes a larger κ_g. " + fits.sources()
    )

    def draw() -> matplotlib.figure.Figure:
        figure, (axes, ratio) = plt.subplots(2, 1, figsize=(9, 9.6), height_ratios=(1.4, 1), sharex=True)
        x = np.arange(len(found))
        axes.errorbar(
            x,
            sigma,
            [sigma - low, high - sigma],
            fmt="o",
            color="black",
            markersize=9,
            elinewidth=8,
            alpha=0.9,
            ecolor=COLORS[0],
            label="scale variation",
        )
        axes.axhspan(low[-1], high[-1], color=COLORS[0], alpha=0.2)
        axes.set(ylabel=r"$\sigma(gg\to H)$ [pb]", ylim=(0, 60))
        axes.legend(frameon=False, loc="lower right")
        ratio.axhline(1.0, color="gray")
        for k, (which, one) in enumerate(kappa.items()):
            label, shift = fits.title(which), 0.12 * (k - (len(kappa) - 1) / 2)
            ratio.errorbar(
                x + shift,
                factor * one.value,
                factor * one.error,
                fmt=MARKERS[k % 5],
                markersize=8,
                elinewidth=2,
                color=series_color(label, k),
                label=label,
            )
        ratio.set(ylabel=r"$\kappa_g$", ylim=(0.7, 2.2), xlim=(-0.5, len(found) - 0.5))
        ratio.set_xticks(x, [name.replace("N³LO", "N$^3$LO") for name in names])
        ratio.tick_params(axis="x", which="minor", length=0)
        ratio.legend(frameon=False, loc="upper right", fontsize=17)
        heading(axes, "Gluon fusion", None, 13)
        return figure

    numbers = Numbers(
        (
            Column("order", names, independent=True),
            Column("sigma", sigma, "pb", errors=(Errors(high - sigma, low - sigma, "scale"),)),
            *(
                Column(
                    f"kappa_g, {fits.plain(which)}", factor * one.value, errors=(symmetric(factor * one.error, "68 %"),)
                )
                for which, one in kappa.items()
            ),
        )
    )
    return Figure("perturbative_orders", "Gluon fusion order by order", caption, draw, (numbers,))
