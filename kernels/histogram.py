"""One histogram, as the body of a channel of the user's own fills it: ``fill(out.mass, m, weight)``.

The accumulators are those of :mod:`.fill`; here each histogram is a record of its own, whose axis the compiler may keep
in registers. What is filled with variations, :mod:`.own_variations` fills.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import fill as sums
from .language import Bins, Float64, Tally, Worst, add, inlined, scalar

MISFILLED, BAD_WEIGHT, WEIGHTED = range(3)
"""Rows of ``Histogram.problems``: fills of a category that is not there; weights that cannot be summed; fills with
another weight than 1, and behind it those of each shift."""


class Axis(NamedTuple):
    """What a channel's file says of a histogram."""

    bins: int
    low: float
    high: float
    edges: tuple[float, ...]
    """Empty where the bins are equal."""
    label: str
    categories: tuple[str, ...]


def regular(bins: int, low: float, high: float, label: str = "", categories: tuple[str, ...] = ("all",)) -> Any:
    """Declare a histogram with equal bins.

    Parameters
    ----------
    label
        What the axis shows, with its unit, as LaTeX that Matplotlib understands.
    categories
        Names of the histograms beside each other that :func:`fill_category` tells apart.
    """
    return Axis(bins, low, high, (), label, tuple(categories))


def variable(edges: tuple[float, ...], label: str = "", categories: tuple[str, ...] = ("all",)) -> Any:
    """Declare a histogram by its edges; see :func:`regular`."""
    return Axis(len(edges) - 1, edges[0], edges[-1], tuple(edges), label, tuple(categories))


class Histogram(NamedTuple):
    """One histogram in memory."""

    units: Bins
    """Fills of weight 1, of shape (categories, bins + 2): they become part of the sums after a launch."""
    sumw: Bins
    """Σq, of shape (categories, bins + 2, variations)."""
    sumw2: Bins
    """Σhi and Σlo, of shape (categories, bins + 2, shifts, 2)."""
    problems: Worst
    edges: Float64
    """Empty where the bins are equal."""
    uniform: int
    bins: int
    categories: int
    low: float
    high: float
    shifts: int
    """The nominal, and what moves objects."""
    variations: int
    """All that is filled: shifts, and variations of the weight."""


@inlined
def cell_of(histogram, category, x):
    """Return the place of *x* among the bins of all categories."""
    if histogram.uniform == 1:
        found = sums.uniform_bin(x, histogram.bins, histogram.low, histogram.high)
    else:
        found = sums.variable_bin(x, histogram.bins, histogram.edges, 0)
    return category * (histogram.bins + 2) + found


@inlined
def fill(histogram, x, weight):
    """Fill *x* with *weight* into a histogram that has no categories, or into the first of them."""
    fill_category(histogram, 0, x, weight)


@inlined
def fill_category(histogram, category, x, weight):
    """Fill *x* with *weight* into a category of a histogram, by its number."""
    if category < 0 or category >= histogram.categories:
        add(histogram.problems, MISFILLED, 1)
        return
    cell = cell_of(histogram, category, x)
    if weight == 1.0:
        add(histogram.units, cell, 1)
    else:
        fill_weighted(histogram, cell, weight)


@inlined
def fill_if(condition, histogram, x, weight):
    """Fill *x* with *weight* if the condition holds: without a branch, where that is hard to foretell.

    Where the condition holds seldom, or *x* takes long to compute, ``if`` and :func:`fill` are faster.
    """
    if weight != 1.0 or histogram.uniform != 1:
        if condition:
            fill(histogram, x, weight)
    else:
        cell = sums.uniform_bin(x, histogram.bins, histogram.low, histogram.high)
        add(histogram.units, cell, 1 if condition else 0)


@scalar
def fill_weighted(histogram, cell, weight):
    """Add a weight to a bin, by its place among all bins of all categories."""
    if sums.is_weight(weight):
        quantised = sums.quantise(weight)
        add(histogram.problems, WEIGHTED, 1)
        add(histogram.sumw, cell, quantised.q)
        add(histogram.sumw2, 2 * cell, quantised.hi)
        add(histogram.sumw2, 2 * cell + 1, quantised.lo)
    else:
        add(histogram.problems, BAD_WEIGHT, 1)


class Cutflow(NamedTuple):
    """The rows of a channel's ``STEPS``."""

    sums: Tally
    """Shape (steps, 4): entries, Σq, Σhi, Σlo."""
    steps: int
    problems: Worst


@scalar
def passed(out, step, weight):
    """Count an event in a row of the cutflow, by the number of the step in the channel's ``STEPS``."""
    if step < 0 or step >= out.cutflow.steps:
        add(out.cutflow.problems, MISFILLED, 1)
    elif sums.is_weight(weight):
        sums.count(out.cutflow, step, sums.quantise(weight))
    else:
        add(out.cutflow.problems, BAD_WEIGHT, 1)
