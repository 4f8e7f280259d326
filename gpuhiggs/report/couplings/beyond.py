"""Models beyond the SM: planes of 2HDM and hMSSM, and rates at benchmark points."""

from __future__ import annotations

from typing import Any

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ...interpret import Plane, benchmarks, plane
from ...interpret.measurements import PUBLISHED
from ..figure import Figure
from ..numbers import Column, Errors, Numbers
from ..style import COLORS, heading
from .contours import LEVELS, contour_points
from .fits import Fits
from .labels import parameter
from .marks import MARKERS

TYPES = {"I": "Type I", "II": "Type II", "X": "Type X (lepton-specific)", "Y": "Type Y (flipped)"}
POINTS = 56
"""Along each axis of a plane."""


def doublets(fits: Fits) -> Figure:
    """Return the excluded regions of the four types of 2HDM."""
    x, y = np.linspace(-0.6, 0.6, POINTS + 1), np.geomspace(0.1, 50.0, POINTS)
    planes = {
        kind: plane(fits.problem(fits.best, f"2hdm-{kind}"), "cos_beta_alpha", x, "tan_beta", y) for kind in TYPES
    }
    caption = (
        "Two-Higgs-doublet models: regions of cos(β-α) and tan β excluded at 95 % (shaded; -2 Δln L > 5.99 above the"
        " best fit, cross) by the rates of the light state; dashed: 68 %. The line cos(β-α) = 0 is the SM; the second"
        " branch of types II, X and Y has couplings of the wrong sign. Loops of the charged Higgs boson are left out. "
        + fits.sources(fits.best)
    )

    def draw() -> matplotlib.figure.Figure:
        figure, panels = plt.subplots(2, 2, figsize=(13, 11.5), sharex=True, sharey=True)
        for axes, (kind, found) in zip(panels.flat, planes.items(), strict=True):
            _exclusion(axes, found)
            axes.axvline(0.0, color="gray", linewidth=1)
            axes.set(yscale="log")
            axes.text(0.03, 0.93, TYPES[kind], transform=axes.transAxes)
        for axes in panels[1]:
            axes.set_xlabel(parameter("cos_beta_alpha"))
        for axes in panels[:, 0]:
            axes.set_ylabel(parameter("tan_beta"))
        heading(panels[0, 0], "2HDM")
        panels[0, 1].text(1, 1.01, "13 TeV", transform=panels[0, 1].transAxes, ha="right", va="bottom")
        return figure

    return Figure(
        "planes_2hdm",
        "Two-Higgs-doublet models",
        caption,
        draw,
        tuple(contour_points(found, f"type {kind}") for kind, found in planes.items()),
        wide=True,
    )


def hmssm(fits: Fits) -> Figure:
    """Return the excluded region of the hMSSM."""
    x, y = np.linspace(150.0, 1000.0, POINTS), np.geomspace(1.0, 60.0, POINTS)
    found = plane(fits.problem(fits.best, "hmssm"), "m_A", x, "tan_beta", y)
    caption = (
        "hMSSM: region of m_A and tan β excluded at 95 % (shaded; -2 Δln L > 5.99 above the best fit) by the rates of"
        " the"
        " light Higgs boson alone; dashed: 68 %. Loops of superpartners are left out. " + fits.sources(fits.best)
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 8.0))
        _exclusion(axes, found)
        axes.set(yscale="log", xlabel="$m_A$ [GeV]", ylabel=parameter("tan_beta"))
        heading(axes, "hMSSM", None, 13)
        return figure

    return Figure("plane_hmssm", "hMSSM", caption, draw, (contour_points(found, "hMSSM"),))


def _exclusion(axes: Any, found: Plane) -> None:
    top = max(float(found.rise.max()), 6.0) + 1.0
    axes.contourf(found.x, found.y, found.rise, [LEVELS["95 %"], top], colors=[COLORS[0]], alpha=0.35)
    axes.contour(found.x, found.y, found.rise, [LEVELS["95 %"]], colors=[COLORS[0]], linewidths=2)
    axes.contour(found.x, found.y, found.rise, [LEVELS["68 %"]], colors=["black"], linestyles="dashed", linewidths=1.5)
    axes.plot(*found.best, "P", color=COLORS[2], markersize=11)
    axes.set(xlim=(found.x[0], found.x[-1]), ylim=(found.y[0], found.y[-1]))


def points(fits: Fits) -> Figure:
    """Return the rates at the benchmark points beside the measured ones."""
    found = benchmarks.benchmarks(fits.inputs(fits.best))
    rates = [(i, rate) for i, rate in enumerate(found[0].rates) if (rate.minus + rate.plus) / 2 < 0.4]
    texts = [_label(rate.measurement) for _, rate in rates]
    caption = (
        "Measured strengths with a total error below 0.4 (points) and those predicted at benchmarks of models beyond"
        " the SM (marks); in the legend -2 Δln L of each above the best fit of its model, and whether it is excluded"
        " at 95 %"
        " (3.84 for one parameter, 5.99 for two). " + fits.sources(fits.best)
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(13, 2.5 + 0.55 * len(rates)))
        y = -np.arange(len(rates))
        axes.errorbar([r.value for _, r in rates], y, xerr=[[r.minus for _, r in rates], [r.plus for _, r in rates]],
                      fmt="o", color="black", elinewidth=2, markersize=6, label="measured")  # fmt: skip
        axes.axvline(1.0, color="gray")
        for k, one in enumerate(found):
            verdict = "excluded" if one.excluded else "allowed"
            shift = 0.075 * ((len(found) - 1) / 2 - k)
            axes.plot(
                [one.rates[i].predicted for i, _ in rates],
                y + shift,
                MARKERS[k % 5],
                color=COLORS[k % 10],
                markersize=6,
                fillstyle="none",
                markeredgewidth=1.8,
                label=f"{one.name} ({one.rise:.1f}, {verdict})",
            )
        axes.set(xlim=(-0.2, 2.6), ylim=(-len(rates) + 0.4, 0.8), xlabel=r"$\mu$ (SM = 1)")
        axes.set_yticks(y, texts, fontsize=15)
        axes.tick_params(axis="y", which="both", length=0)
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=14)
        heading(axes, "Benchmarks", None, 13)
        return figure

    numbers = Numbers(
        (
            Column("measurement", [rate.measurement for rate in found[0].rates], independent=True),
            Column("mu", [r.value for r in found[0].rates],
                   errors=(Errors([r.plus for r in found[0].rates], [-r.minus for r in found[0].rates]),)),
            *(Column(one.name, [rate.predicted for rate in one.rates]) for one in found),
        ),
        "rates",
    )  # fmt: skip
    verdicts = Numbers(
        (
            Column("benchmark", [one.name for one in found], independent=True),
            Column("model", [one.model for one in found]),
            Column("point", [", ".join(f"{k} = {v:.4g}" for k, v in one.parameters.items()) for one in found]),
            Column("-2 delta ln L", [round(one.rise, 3) for one in found]),
            Column("-2 delta ln L of the SM", [round(one.rise_sm, 3) for one in found]),
            Column("excluded at 95 %", ["yes" if one.excluded else "no" for one in found]),
        ),
        "verdicts",
    )
    return Figure("benchmarks", "Benchmarks beyond the SM", caption, draw, (numbers, verdicts), wide=True)


def _label(measurement: str) -> str:
    """Return `atlas-run2: ggH_gammagamma` as `ATLAS: ggH γγ`; a name of own runs, their folders, is left out."""
    data, _, name = measurement.rpartition(": ")
    text = name.removeprefix("mu_").replace("_", " ").replace("+bbH", "")
    for plain, short in (("gammagamma", "γγ"), ("tautau", "ττ"), ("mumu", "μμ")):
        text = text.replace(plain, short)
    return f"{data.removesuffix('-run2').upper()}: {text}" if data in PUBLISHED else text
