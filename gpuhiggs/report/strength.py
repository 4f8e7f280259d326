"""The fitted signal strength: the answer in words, the scan of its likelihood, and the table of all parameters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import matplotlib.figure
import matplotlib.pyplot as plt

from .figure import Block, Figure, Missing, Table
from .numbers import Column, Errors, Numbers
from .page import Head
from .record import Record
from .style import SIZE, heading

ONE_SIGMA, TWO_SIGMA = 1.0, 3.84
"""-2 Δ ln L at the edges of the 68 % and 95 % intervals of one parameter (Wilks)."""

PARTS = {"observed": "observed", "expected": "expected (Asimov, μ = 1)"}
CONTROL = "control"
"""The fit of what is shown while the signal regions are blind, where μ is 1."""

BOUND = "at a bound"
"""Said of a fitted value without errors."""

Estimate = Mapping[str, "float | None"]


def interval(estimate: Estimate) -> str:
    """Return a fitted value with its errors as text."""
    value, error = estimate["value"], estimate["error"]
    minus, plus = estimate["minus"], estimate["plus"]
    if minus is None or plus is None:
        text = f"{value:.3f}" if error is None else f"{value:.3f} ± {error:.3f}"
    else:
        text = f"{value:.3f} {minus:+.3f} {plus:+.3f}"
    return text.replace("-", "−")


def answers(results: Mapping[str, Any]) -> list[str]:
    """Return the result in a line for data and one for what is expected."""
    lines = []
    for part, label in PARTS.items():
        if found := results.get("fit", {}).get(part):
            discovery = found["discovery"]
            significance = f", significance {discovery['significance']:.1f} σ" if discovery else ""
            warning = "" if found["converged"] else " (the fit did not converge)"
            lines.append(f"μ = {interval(found['parameters']['mu'])}{significance}, {label}{warning}")
    return lines


def head(run: Record) -> Head:
    """Return what stands above the report of one run."""
    title = f"{run.config.title or run.name}: {run.results['selection'].replace('_', ' ')}"
    return Head(title, f"{run.conditions}. Selection: {run.results['reference']}.", answers(run.results))


def no_fit(run: Record) -> str | None:
    """Say why there is no fit, if there is none."""
    if "fit" in run.results:
        return None
    if "fit_error" in run.results:
        return f"There is no fit: {run.results['fit_error']}"
    return "There is no fit: the configuration has no `model`."


def blocks(run: Record) -> list[Block]:
    """Return the scan and the table of parameters, or why they are not there."""
    if (reason := no_fit(run)) is not None:
        return [Missing("Signal strength", reason)]
    return [_scan(run), _table(run)]


def _scan(run: Record) -> Figure | Missing:
    scans = {part: run.results["fit"][part] for part in PARTS if run.results["fit"].get(part, {}).get("scan")}
    if not scans:
        problems = [problem for part in run.results["fit"].values() for problem in part["problems"]]
        return Missing("Scan of the signal strength", " ".join(problems) or "None was made.")
    tables = tuple(
        Numbers(
            (
                Column("mu", found["scan"]["values"], independent=True),
                Column("-2 delta ln L", found["scan"]["twice_nll"]),
            ),
            part,
        )
        for part, found in scans.items()
    )
    caption = (
        f"Profile likelihood of the signal strength, all other parameters fitted at each point; {run.conditions}. "
        "The lines mark the 68 % and 95 % intervals of one parameter (Wilks)."
    )
    return Figure("scan_mu", "Profile likelihood of the signal strength", caption, partial(_draw, run, scans), tables)


def _draw(run: Record, scans: dict[str, Any]) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=SIZE)
    for part, found in scans.items():
        mu, scan = found["parameters"]["mu"], found["scan"]
        minus, plus = mu["minus"] or -mu["error"], mu["plus"] or mu["error"]
        label = f"{part.capitalize()}: $\\mu = {mu['value']:.2f}_{{{minus:+.2f}}}^{{{plus:+.2f}}}$"
        axes.plot(scan["values"], scan["twice_nll"], "--" if part == "expected" else "-", color="black", label=label)
    levels(axes)
    axes.set_ylim(0, 10)
    axes.margins(x=0)
    axes.set_xlabel(r"Signal strength $\mu$")
    axes.set_ylabel(r"$-2\,\Delta\ln L$")
    axes.legend(loc="upper center")
    heading(axes, run.config.title, run.luminosity, run.config.sqrt_s)
    return canvas


def levels(axes: Any) -> None:
    """Mark where the intervals of one parameter end."""
    for level, text in ((ONE_SIGMA, "68 % CL"), (TWO_SIGMA, "95 % CL")):
        axes.axhline(level, color="gray", linewidth=1, zorder=0)
        axes.text(0.985, level + 0.06, text, ha="right", va="bottom", fontsize=16, transform=axes.get_yaxis_transform())


def _table(run: Record) -> Table:
    """List the fitted parameters, less the per-bin factors of the simulation's statistics."""
    fits = run.results["fit"]
    first = next(iter(fits.values()))["parameters"]
    names = [name for name in first if "[" not in name]

    def column(part: str) -> Column:
        estimates = [fits[part]["parameters"].get(name, {}) for name in names]
        at_bound = [BOUND if name in fits[part].get("at_bounds", ()) else "" for name in names]
        plus = [one.get("plus") or one.get("error") or None for one in estimates]
        minus = [one.get("minus") or (-one["error"] if one.get("error") else None) for one in estimates]
        values = [one.get("value") for one in estimates]
        return Column(part, values, errors=(Errors(plus, minus),), remarks=at_bound)

    caption = (
        "Signal strengths, and nuisance parameters in units of their error before the fit (luminosity: as a factor). "
        "The per-bin factors of the simulation's statistics are left out."
        + (f" A value {BOUND} of its range has no error." if any(one.get("at_bounds") for one in fits.values()) else "")
    )
    columns = (
        Column("parameter", names, independent=True),
        *(column(part) for part in (*PARTS, CONTROL) if part in fits),
    )
    return Table("parameters", "Fitted parameters", caption, Numbers(columns))
