"""The Bayesian view of the same model: marginal posteriors of the parameters that matter most."""

from __future__ import annotations

from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm

from ..errors import MissingExtraError, RunError
from ..inference.parameters import Gaussian
from ..inference.posterior import Posterior, sample_posterior
from .figure import Block, Figure, Missing, Table
from .numbers import Column, Errors, Numbers
from .statistics import Statistics, readable
from .style import COLORS, heading

PANELS = 6
DRAWS, TUNE = 600, 300
"""Of each of four chains."""
BINS = 40


def blocks(statistics: Statistics, names: list[str]) -> list[Block]:
    """Return marginal posteriors.

    Parameters
    ----------
    names
        Parameters by importance; the first few are drawn.
    """
    try:
        found = sample_posterior(statistics.model, statistics.data, draws=DRAWS, tune=TUNE, profile_bins=True)
    except (MissingExtraError, RunError) as error:
        return [Missing("Posterior", str(error))]
    shown = [name for name in names if name in found.names][:PANELS]
    return [figure(statistics, found, shown), _table(statistics, found)]


def figure(statistics: Statistics, found: Posterior, shown: list[str]) -> Figure:
    """Return the marginals of some parameters."""
    caption = (
        f"{statistics.what}. Marginal posteriors, {found.draws.shape[0]} chains of {found.draws.shape[1]} draws "
        "(NUTS); shaded: the central 68 %. Dotted: the prior of a nuisance parameter. "
        "The prior of the signal strength is flat; the factors of the simulation's statistics are at their best."
    )
    tables = []
    for name in shown:
        density, edges = np.histogram(found.of(name), bins=BINS, density=True)
        centers = (edges[1:] + edges[:-1]) / 2
        axis = Column(name, centers, low=edges[:-1], high=edges[1:], independent=True)
        tables.append(Numbers((axis, Column("density", density)), name))
    draw = partial(_draw, statistics, found, shown)
    return Figure("posterior", "Posterior marginals", caption, draw, tuple(tables), wide=True)


def _draw(statistics: Statistics, found: Posterior, shown: list[str]) -> matplotlib.figure.Figure:
    across = min(3, len(shown))
    rows = -(-len(shown) // across)
    canvas, axes = plt.subplots(rows, across, figsize=(5.6 * across, 4.5 * rows + 0.4), squeeze=False)
    for panel, name in zip(axes.flat, shown, strict=False):
        draws = found.of(name)
        density, edges = np.histogram(draws, bins=BINS, density=True)
        low, high = found.interval(name)
        inside = (edges[:-1] >= low) & (edges[1:] <= high)
        panel.stairs(density, edges, color=COLORS[0], linewidth=2)
        panel.stairs(np.where(inside, density, 0), edges, fill=True, color=COLORS[0], alpha=0.35)
        constraint = statistics.model.parameters[statistics.model.index(name)].constraint
        if isinstance(constraint, Gaussian):
            x = np.linspace(edges[0], edges[-1], 100)
            panel.plot(x, norm.pdf(x, constraint.center, constraint.width), ":", color="black", linewidth=2)
        panel.set(ylim=(0, 1.15 * density.max()), xlim=(edges[0], edges[-1]))
        panel.set_yticks([])
        panel.set_xlabel(r"$\mu$" if name == "mu" else readable(name), fontsize=20)
    for panel in axes.flat[len(shown) :]:
        panel.set_axis_off()
    for row in axes:
        row[0].set_ylabel("Density", fontsize=20)
    heading(axes[0, 0], statistics.run.config.title)
    heading(axes[0, -1], "", statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas


def _table(statistics: Statistics, found: Posterior) -> Table:
    chosen = [name for name in found.names if "[" not in name]
    form = found.to_json()["parameters"]
    assert isinstance(form, dict)
    rows = [form[name] for name in chosen]
    interval = Errors(
        [row["interval"][1] - row["median"] for row in rows],
        [row["interval"][0] - row["median"] for row in rows],
        "68 %",
    )
    columns = (
        Column("parameter", chosen, independent=True),
        Column("median", [row["median"] for row in rows], errors=(interval,)),
        Column("mean", [row["mean"] for row in rows]),
        Column("deviation", [row["deviation"] for row in rows]),
        Column("95 % upper limit", [row["upper_limit"] for row in rows]),
        Column("R̂", [row["r_hat"] for row in rows], format=".4f"),
        Column("effective draws", [row["effective"] for row in rows], format=".0f"),
        Column("prior", [_prior(statistics, name, row["prior"]) for name, row in zip(chosen, rows, strict=True)]),
    )
    caption = "Median with the central 68 % interval. The per-bin factors of the simulation's statistics are left out."
    return Table("posterior_table", "Posterior", caption, Numbers(columns))


def _prior(statistics: Statistics, name: str, otherwise: str) -> str:
    constraint = statistics.model.parameters[statistics.model.index(name)].constraint
    if isinstance(constraint, Gaussian):
        return f"Gaussian, {constraint.center:g} ± {constraint.width:g}"
    return otherwise
