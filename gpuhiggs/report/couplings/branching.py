"""Branching ratios, predicted and measured."""

from __future__ import annotations

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ...interpret import sm
from ...interpret.tables import load
from ..figure import Figure
from ..numbers import Column, Errors, Numbers, symmetric
from ..style import COLORS, heading
from .cross_sections import YELLOW_REPORT
from .fits import Fits
from .labels import DECAY
from .marks import MARKERS, end_labels, series_color


def branching_errors(decay: str) -> float:
    """Return the relative uncertainty of a branching ratio: theory, quark masses and α_s in quadrature."""
    parts = load("branching_ratios")["uncertainty"][decay]
    return float(np.linalg.norm([parts["theory"], max(parts["quark_masses"]), max(parts["alpha_s"])])) / 100.0


def branching_ratios(fits: Fits) -> Figure:
    """Return branching ratios against m_H, and at 125.09 GeV the measured ones."""
    masses = np.linspace(120.0, 130.0, 41)
    decays = [decay for decay in sm.DECAYS if decay != "ss"]
    curves = {decay: np.array([sm.branching_ratio(decay, m) for m in masses]) for decay in decays}
    errors = {decay: branching_errors(decay) for decay in decays}
    measured = measured_branching(fits)
    caption = (
        "Branching ratios of the SM against m_H, with their theory, quark-mass and α_s uncertainties at 125.09 GeV in"
        " quadrature (bands), and measured ones (points, moved apart in m_H for legibility) from fits with the cross"
        f" sections of the SM, with 68 % intervals. Predictions: {YELLOW_REPORT}. " + fits.sources()
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 9.0))
        for k, (decay, curve) in enumerate(curves.items()):
            axes.fill_between(
                masses, curve * (1 - errors[decay]), curve * (1 + errors[decay]), color=COLORS[k], alpha=0.5
            )
            axes.plot(masses, curve, color=COLORS[k], linewidth=1.5)
        for k, (title, rows) in enumerate(measured.items()):
            axes.errorbar(
                [125.09 + 0.35 * (k - (len(measured) - 1) / 2)] * len(rows), [row[1] for row in rows],
                [[row[2] for row in rows], [row[3] for row in rows]], fmt=MARKERS[k % 5], markersize=7, elinewidth=2,
                color=series_color(title, k), label=title,
            )  # fmt: skip
        axes.set(yscale="log", xlabel="$m_H$ [GeV]", ylabel="Branching ratio", xlim=(120, 130), ylim=(8e-5, 6))
        end_labels(axes, {DECAY[decay]: (curve[-1], COLORS[k]) for k, (decay, curve) in enumerate(curves.items())})
        axes.legend(frameon=False, loc="upper left", fontsize=17)
        heading(axes, "Branching ratios")
        return figure

    predicted = Numbers(
        (
            Column("m_H", masses, "GeV", independent=True),
            *(Column(f"B({d})", c, errors=(symmetric(errors[d] * c),)) for d, c in curves.items()),
        ),
        "predicted",
    )
    return Figure("branching_ratios", "Branching ratios", caption, draw, (predicted, branching_numbers(measured)))


def measured_branching(fits: Fits) -> dict[str, list[tuple[str, float, float, float]]]:
    """Return decay, measured branching ratio and its errors (positive), by set."""
    found = {}
    for which in fits.sets:
        rows = []
        for name, one in fits.fit(which, "br").parameters.items():
            minus, plus = abs(one.minus) if one.minus else one.error, one.plus or one.error
            rows.append((name.removeprefix("B_"), one.value, minus, plus))
        found[fits.title(which)] = rows
    return found


def branching_numbers(measured: dict[str, list[tuple[str, float, float, float]]]) -> Numbers:
    """Return measured and predicted branching ratios at 125.09 GeV."""
    rows = [(title.replace("$^{-1}$", "⁻¹"), *row) for title, part in measured.items() for row in part]
    ratios = [sm.branching_ratio(row[1]) for row in rows]
    return Numbers(
        (
            Column("data", [row[0] for row in rows], independent=True),
            Column("decay", [row[1] for row in rows], independent=True),
            Column(
                "measured",
                [row[2] for row in rows],
                errors=(Errors([row[4] for row in rows], [-row[3] for row in rows]),),
            ),
            Column(
                "SM",
                ratios,
                errors=(symmetric(r * branching_errors(row[1]) for r, row in zip(ratios, rows, strict=True)),),
            ),
        ),
        "measured",
    )
