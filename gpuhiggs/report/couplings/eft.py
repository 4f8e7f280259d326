"""SMEFT: coefficients one at a time, linear and quadratic, and the directions that the data constrain."""

from __future__ import annotations

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ...interpret import operators, prepare, smeft
from ..figure import Figure
from ..numbers import Column, Errors, Numbers
from ..style import COLORS, heading
from .fits import Fits, Interval, fitted, intervals
from .labels import operator

SHOWN = 24
"""Operators in the figure, the best constrained first; all are in the numbers."""
SOURCE = "Parametrisation in the Warsaw basis: STXStoSMEFT of Combine (Apache-2.0)."


def coefficients(fits: Fits) -> Figure:
    """Return each coefficient fitted with all others at 0, to linear and to quadratic order."""
    inputs = fits.inputs(fits.best, "smeft-linear")
    found: dict[str, dict[str, Interval]] = {}
    for order, quadratic in (("linear", False), ("linear + quadratic", True)):
        found[order] = {
            name: intervals(fitted(prepare(smeft.model([name], quadratic=quadratic), inputs)))[name]
            for name in smeft.sensitive(inputs, quadratic=quadratic)
        }
    linear = found["linear"]
    names = sorted(linear, key=lambda n: _half(linear[n]))
    shown = names[:SHOWN]
    scale = {name: 10.0 ** np.floor(np.log10(max(_half(linear[name]), 1e-9))) for name in shown}
    caption = (
        "SMEFT coefficients c/Λ², Λ = 1 TeV, each fitted with all others at 0: best fit, 68 % (thick) and 95 % (thin)"
        " intervals, to linear order and with the quadratic terms; each row is divided by the power of ten given with"
        f" it. The {len(shown)} best constrained of {len(names)}; all are in the numbers. The SM is 0. {SOURCE} "
        + fits.sources(fits.best)
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 2.4 + 0.42 * len(shown)))
        axes.axvline(0.0, color="gray")
        for k, (order, one) in enumerate(found.items()):
            for i, name in enumerate(shown):
                if name not in one:
                    continue
                part, y = one[name], (0.15, -0.15)[k] - i
                for edges, width in ((("low_95", "high_95"), 1.5), (("low_68", "high_68"), 4.0)):
                    ends = [part.value if (e := getattr(part, edge)) is None else e for edge in edges]
                    axes.plot(np.array(ends) / scale[name], [y, y], color=COLORS[(0, 2)[k]], linewidth=width)
                axes.plot(
                    part.value / scale[name],
                    y,
                    "o",
                    color=COLORS[(0, 2)[k]],
                    markersize=6,
                    markeredgecolor="white",
                    label=order if i == 0 else None,
                )
        axes.set(xlim=(-25, 25), ylim=(-len(shown) + 0.3, 2.2))
        axes.set_xlabel(r"$c\,/\,\Lambda^2$ [TeV$^{-2}$ × factor]")
        texts = [rf"{operator(name)}  ×10$^{{{int(np.log10(scale[name]))}}}$" for name in shown]
        axes.set_yticks([-i for i in range(len(shown))], texts, fontsize=17)
        axes.tick_params(axis="y", which="both", length=0)
        axes.minorticks_off()
        axes.legend(frameon=False, loc="upper left", ncols=2, fontsize=16)
        heading(axes, "SMEFT, one at a time", None, 13)
        return figure

    rows = [(order, name, part) for order, one in found.items() for name, part in one.items()]
    numbers = Numbers(
        (
            Column("order", [row[0] for row in rows], independent=True),
            Column("operator", [row[1] for row in rows], independent=True),
            Column(
                "coefficient",
                [row[2].value for row in rows],
                "TeV^-2",
                errors=tuple(
                    Errors(
                        [_shift(row[2], f"high_{p}") for row in rows],
                        [_shift(row[2], f"low_{p}") for row in rows],
                        f"{p} %",
                    )
                    for p in (68, 95)
                ),
            ),
        )
    )
    return Figure("smeft_coefficients", "SMEFT coefficients", caption, draw, (numbers,))


def _half(part: Interval) -> float:
    low = part.value if part.low_68 is None else part.low_68
    high = part.value if part.high_68 is None else part.high_68
    return (high - low) / 2 or np.inf


def _shift(part: Interval, edge: str) -> float:
    at = getattr(part, edge)
    return float("nan") if at is None else float(at - part.value)


def directions(fits: Fits) -> Figure:
    """Return the eigenvectors of the Fisher matrix that the data constrain best."""
    found = operators.directions(fits.inputs(fits.best, "smeft-linear"))
    kept = int(np.sum(found.eigenvalues > 10.0**-2))
    vectors, errors = found.vectors[:kept], found.eigenvalues[:kept] ** -0.5
    names = [n for j, n in enumerate(found.operators) if np.any(abs(vectors[:, j]) > 0.15)]
    columns = [found.operators.index(name) for name in names]
    caption = (
        "Directions in the space of SMEFT coefficients that the data constrain to better than 10 TeV⁻², eigenvectors"
        " of the Fisher matrix of the linear model at the SM, the best first with the error of a coefficient along"
        " each;"
        " operators with a part above 0.15 in one of them. " + SOURCE + " " + fits.sources(fits.best)
    )

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(12.5, 2.8 + 0.42 * kept))
        image = axes.imshow(vectors[:, columns], cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto")
        for i in range(kept):
            for j, column in enumerate(columns):
                if abs(vectors[i, column]) >= 0.1:
                    axes.text(j, i, f"{vectors[i, column]:.1f}", ha="center", va="center", fontsize=11,
                              color="white" if abs(vectors[i, column]) > 0.6 else "black")  # fmt: skip
        axes.set_xticks(range(len(names)), [operator(name) for name in names], rotation=90, fontsize=17)
        axes.set_yticks(range(kept), [rf"$e_{{{i + 1}}}$: ±{error:.2g}" for i, error in enumerate(errors)], fontsize=15)
        axes.tick_params(which="both", length=0)
        axes.minorticks_off()
        axes.set_ylabel("Direction: error [TeV$^{-2}$]")
        figure.colorbar(image, ax=axes, pad=0.01, label="part")
        heading(axes, "SMEFT, what the data constrain", None, 13)
        return figure

    numbers = Numbers(
        (
            Column("direction", [f"e{i + 1}" for i in range(kept)], independent=True),
            Column("error", errors, "TeV^-2"),
            *(Column(name, found.vectors[:kept, j].round(4)) for j, name in enumerate(found.operators)),
        )
    )
    return Figure("smeft_directions", "SMEFT directions", caption, draw, (numbers,), wide=True)
