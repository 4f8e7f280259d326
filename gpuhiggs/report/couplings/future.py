"""Precision of the couplings to come, against luminosity."""

from __future__ import annotations

import matplotlib.figure
import matplotlib.pyplot as plt

from ...interpret import projections
from ...interpret.tables import load
from ..figure import Figure
from ..numbers import Column, Numbers
from ..style import COLORS, heading
from .fits import Fits
from .labels import parameter

LUMINOSITIES = (140.0, 300.0, 600.0, 1200.0, 3000.0)


def precision(fits: Fits) -> Figure:
    """Return the errors of κ against luminosity in the scenarios S1 and S2, beside published projections."""
    found = {scenario: projections.project(LUMINOSITIES, scenario) for scenario in ("S1", "S2")}
    names = list(found["S1"][0].errors)
    published = load("projections")
    caption = (
        "Relative errors of the coupling modifiers with effective loops against the luminosity of each of two"
        " experiments: the strengths of ATLAS Run 2 scaled, with the SM as truth. S1 (dashed): systematic and theory"
        " uncertainties stay as they are; S2 (full): theory uncertainties halve, experimental ones fall with the"
        " statistical ones to one half. The gain of 14 over 13 TeV is left out. Stars: published S2 at 3 ab⁻¹"
        " (arXiv:1902.00134, quoted from memory)."
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(3, 3, figsize=(13, 11), sharex=True)
        for k, (panel, name) in enumerate(zip(axes.flat, names, strict=True)):
            for scenario, style in (("S1", "--"), ("S2", "-")):
                errors = [100 * point.errors[name] for point in found[scenario]]
                panel.plot(LUMINOSITIES, errors, style, color=COLORS[0], marker="o", markersize=6, label=scenario)
            panel.plot(
                published["luminosity"],
                published["S2"][name],
                "*",
                color=COLORS[2],
                markersize=16,
                label="published S2",
            )
            panel.set(xscale="log", ylim=(0, None))
            panel.set_xticks([140, 300, 1000, 3000], ["140", "300", "1000", "3000"], fontsize=17)
            panel.tick_params(axis="x", which="minor", labelbottom=False)
            panel.text(0.94, 0.85, parameter(name), transform=panel.transAxes, ha="right", fontsize=24)
            if k == 0:
                panel.legend(frameon=False, fontsize=15, loc="lower left")
        for panel in axes[-1]:
            panel.set_xlabel("Luminosity [fb$^{-1}$]", fontsize=19)
        axes[1, 0].set_ylabel("Relative error [%]", loc="center")
        heading(axes[0, 0], "Projection")
        return figure

    rows = [(scenario, point) for scenario, points in found.items() for point in points]
    numbers = Numbers(
        (
            Column("scenario", [scenario for scenario, _ in rows], independent=True),
            Column("luminosity", [point.luminosity for _, point in rows], "1/fb", independent=True),
            *(Column(name, [100 * point.errors[name] for _, point in rows], "%") for name in names),
        )
    )
    return Figure("projections", "Couplings at the HL-LHC", caption, draw, (numbers,), wide=True)
