"""Control regions of objects that fail identification: what a read-out needs to weigh them with measured rates.

Rates are known only after all events have been seen, so a body fills what they depend on: the *cell* of each failing
object, its bin in pt and region in |η|, beside the variable of the histogram that is to be predicted. The read-out sums
over cells with the rates that the same run has measured (:mod:`gpuhiggs.backgrounds`).

Region histograms follow a channel's own in number. They have no variations, and no memory is taken for them unless a
run asks for them (``cuts.dataset.regions``).
"""

from __future__ import annotations

from . import fill as sums
from .fill import BINS, LAYOUT
from .language import scalar


@scalar
def cell(histograms, pt_axis, pt, abs_eta, split):
    """Return the cell of an object: its bin of pt on the axis of a histogram, below or above *split* in |η|.

    The first and the last bin of pt take what lies outside.
    """
    n = histograms.layout[pt_axis * LAYOUT + BINS]
    place = sums.bin_of(histograms, pt_axis, pt) - 1
    if place < 0:
        place = 0
    if place >= n:
        place = n - 1
    return place if abs_eta < split else n + place


@scalar
def pair_of_cells(a, b):
    """Return the number of an unordered pair of cells."""
    if a < b:
        a, b = b, a
    return a * (a + 1) // 2 + b


@scalar
def fill_combination(histograms, number, category, combination, target, x, weight):
    """Fill *x*, in the bins of the histogram *target*, flow bins included, for one combination of cells."""
    place = combination * (histograms.layout[target * LAYOUT + BINS] + 2) + sums.bin_of(histograms, target, x)
    sums.fill(histograms, number, category, place + 0.5, 0, weight)
