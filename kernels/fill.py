"""Integer sums of weights: histograms and counters that do not depend on the order of events.

A weight w is kept as three integers (design: no floating-point sum is ever made in the event loop):

* ``q = floor(w · 2³⁰ + ½)`` for Σw,
* ``hi = floor(w²)`` and ``lo = floor((w² - hi) · 2⁴⁰ + ½)`` for Σw².

With |w| < 2¹¹ a bin takes 2²¹ fills before an int64 can wrap: |Σq| ≤ 2⁴¹ · 2²¹, Σhi ≤ 2²² · 2²¹, Σlo ≤ 2⁴⁰ · 2²¹.
A launch fills a bin at most that often; launches are merged in wider integers (:mod:`gpuhiggs.histogram`).
"""

from __future__ import annotations

from typing import NamedTuple

from .choose import choose
from .language import Bins, Column, Float64, Int64, Sums, Tally, add, scalar

WEIGHT_LIMIT = 2.0**11
"""Largest |weight| in units of the dataset's weight unit; at or above it an event is a counted error."""

LAUNCH_FILLS = 2**21
"""How often one launch may fill a bin before an int64 could wrap."""

FRACTION_BITS = 30
SQUARE_BITS = 40
_FRACTION = 2.0**FRACTION_BITS
_SQUARE = 2.0**SQUARE_BITS


class Weight(NamedTuple):
    """One weight as integers; see the module's text."""

    q: int
    hi: int
    lo: int


class Weights(NamedTuple):
    """The weight of one event, and its variations: Σq only."""

    nominal: Weight
    others: Column
    """One integer a variation; see :mod:`.weights`."""


class Counter(NamedTuple):
    """Rows of (entries, Σq, Σhi, Σlo): a cutflow."""

    sums: Tally
    """Shape (rows, 4)."""


class Histograms(NamedTuple):
    """All histograms of a channel, by number: accumulators and axes.

    Bins are numbered with the flow bins: 0 is the underflow, ``bins + 1`` the overflow, which also takes NaN, as in
    boost-histogram.
    """

    sumw: Bins
    """Σq: one after the other, each of shape (categories, bins + 2, variations)."""
    sumw2: Bins
    """Σhi and Σlo: each of shape (categories, bins + 2, shifts, 2)."""
    layout: Int64
    """Shape (histograms, 8): columns OFFSET, OFFSET2, BINS, UNIFORM, EDGES, CATEGORIES, VARIATIONS, SHIFTS."""
    limits: Float64
    """Shape (histograms, 2): lower and upper edge of uniform bins."""
    edges: Float64
    """The edges of histograms with bins of different widths, one after the other."""
    misfilled: Sums
    """Fills with a category or shift that the histogram does not have: a mistake in the body."""


OFFSET, OFFSET2, BINS, UNIFORM, EDGES, CATEGORIES, VARIATIONS, SHIFTS = range(8)
LAYOUT = 8


@scalar
def is_weight(w):
    """Whether *w* can be accumulated: finite and below the limit."""
    return w > -WEIGHT_LIMIT and w < WEIGHT_LIMIT


@scalar
def quantise(w):
    """Return *w* as integers; the caller has asked :func:`is_weight`."""
    scaled = w * _FRACTION + 0.5
    q = int(scaled)
    if q > scaled:  # int() truncates towards zero
        q -= 1
    square = w * w
    hi = int(square)
    lo = int((square - hi) * _SQUARE + 0.5)
    return Weight(q, hi, lo)


@scalar
def uniform_bin(x, bins, low, high):
    """Return the bin of *x* on an axis of equal bins, flow bins included: boost-histogram's own formula, plus one."""
    z = (x - low) / (high - low)
    z = choose(z < 1.0, z, 1.0)
    return int(choose(z >= 0.0, z * bins, -1.0)) + 1


@scalar
def variable_bin(x, bins, edges, start):
    """Return the bin of *x* among the edges that begin at *start*: the number of edges that are not above it."""
    low = 0
    high = bins + 1
    if x != x:
        return high
    while low < high:
        middle = (low + high) // 2
        if edges[start + middle] <= x:
            low = middle + 1
        else:
            high = middle
    return low


@scalar
def bin_of(histograms, number, x):
    """Return the bin of *x* on the axis of a histogram, flow bins included."""
    layout = histograms.layout
    row = number * LAYOUT
    bins = layout[row + BINS]
    if layout[row + UNIFORM] == 1:
        return uniform_bin(x, bins, histograms.limits[2 * number], histograms.limits[2 * number + 1])
    return variable_bin(x, bins, histograms.edges, layout[row + EDGES])


@scalar
def plane_cell(histograms, number_x, x, number_y, y):
    """Return the cell of (x, y) in the plane of two histograms' axes, rows of y for each bin of x, or -1 outside."""
    bins_y = histograms.layout[number_y * LAYOUT + BINS]
    i = bin_of(histograms, number_x, x)
    j = bin_of(histograms, number_y, y)
    if i < 1 or i > histograms.layout[number_x * LAYOUT + BINS] or j < 1 or j > bins_y:
        return -1
    return (i - 1) * bins_y + j - 1


@scalar
def fill(histograms, number, category, x, shift, weight):
    """Fill *x* with *weight* into a category of a histogram, for the variation *shift* (0 is nominal).

    Nothing happens for a shift that the histogram does not have. Returned is where the bin's variations begin, or -1.
    """
    layout = histograms.layout
    row = number * LAYOUT
    bins = layout[row + BINS]
    shifts = layout[row + SHIFTS]
    if category < 0 or category >= layout[row + CATEGORIES] or shift < 0:
        add(histograms.misfilled, 0, 1)
        return -1
    if shift >= shifts:
        return -1
    cell = category * (bins + 2) + bin_of(histograms, number, x)
    start = layout[row + OFFSET] + cell * layout[row + VARIATIONS]
    add(histograms.sumw, start + shift, weight.q)
    square = layout[row + OFFSET2] + (cell * shifts + shift) * 2
    add(histograms.sumw2, square, weight.hi)
    add(histograms.sumw2, square + 1, weight.lo)
    return start


@scalar
def fill_varied(histograms, number, category, x, shift, weights):
    """Fill *x* as :func:`fill` does, and for the nominal with every variation of the weight as well."""
    start = fill(histograms, number, category, x, shift, weights.nominal)
    if start < 0 or shift != 0:
        return
    row = number * LAYOUT
    shifts = histograms.layout[row + SHIFTS]
    for variation in range(histograms.layout[row + VARIATIONS] - shifts):
        add(histograms.sumw, start + shifts + variation, weights.others[variation])


@scalar
def count(counter, row, weight):
    """Add one event of *weight* to a row of a counter."""
    add(counter.sums, row * 4, 1)
    add(counter.sums, row * 4 + 1, weight.q)
    add(counter.sums, row * 4 + 2, weight.hi)
    add(counter.sums, row * 4 + 3, weight.lo)


@scalar
def tally(rows, units, row, w):
    """Add one event of weight *w* to a row of (entries, Σq, Σhi, Σlo), in scratch memory that no other thread sees.

    An event of weight 1, as data have it, is one more in *units* until :func:`settle`: most of the loop over events
    that are not selected would go into four sums.
    """
    if w == 1.0:
        units[row] = units[row] + 1
    else:
        weight = quantise(w)
        rows[row * 4] = rows[row * 4] + 1
        rows[row * 4 + 1] = rows[row * 4 + 1] + weight.q
        rows[row * 4 + 2] = rows[row * 4 + 2] + weight.hi
        rows[row * 4 + 3] = rows[row * 4 + 3] + weight.lo


@scalar
def settle(rows, units, row):
    """Add the events of weight 1 to their row."""
    one = quantise(1.0)
    rows[row * 4] = rows[row * 4] + units[row]
    rows[row * 4 + 1] = rows[row * 4 + 1] + units[row] * one.q
    rows[row * 4 + 2] = rows[row * 4 + 2] + units[row] * one.hi
    rows[row * 4 + 3] = rows[row * 4 + 3] + units[row] * one.lo
