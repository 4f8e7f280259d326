"""What every four-lepton channel fills: its histograms, cutflow and selected events."""

from __future__ import annotations

from typing import NamedTuple

from . import fill as sums
from . import gate as quality
from .language import Float64, Int64, Sums, add, scalar, take
from .lookup import Lookup
from .scoring import Scoring
from .shifts import Branches, Shifts
from .weights import WeightTable

FINAL_STATES = ("4mu", "4e", "2e2mu")

COMMON = ("m4l", "m_z1", "m_z2", "pt4l")
"""The first histograms of each channel."""
M4L, M_Z1, M_Z2, PT4L = range(4)

BAD_WEIGHT, OVER_CAPACITY = range(2)
"""Rows of ``out.errors``: a weight that cannot be summed; more leptons or FSR photons than there is room for."""


class Tables(NamedTuple):
    """Lookup tables, and what the variations are: see :mod:`.shifts` and :mod:`.weights`."""

    lumi_mask: quality.LumiMask
    corrections: Lookup
    shifts: Shifts
    weights: WeightTable
    branches: Branches
    scoring: Scoring


class Selected(NamedTuple):
    """The selected events, in the order in which they were found."""

    n: Int64
    capacity: int
    event: Int64
    final_state: Int64
    category: Int64
    m4l: Float64
    m_z1: Float64
    m_z2: Float64
    pt4l: Float64
    weight: Float64
    features: Float64
    """Of each event one after the other, the score last; empty where they are not kept."""


class Out(NamedTuple):
    """What the channel fills."""

    errors: Sums
    cutflow: sums.Counter
    histograms: sums.Histograms
    selected: Selected


class Reconstructed(NamedTuple):
    """A selected event: GeV."""

    final_state: int
    category: int
    m4l: float
    m_z1: float
    m_z2: float
    pt4l: float
    weight: float


@scalar
def quantised(value, out):
    """Return a weight as integers; 0, which is a counted error, where it cannot be summed."""
    if not sums.is_weight(value):
        add(out.errors, BAD_WEIGHT, 1)
        value = 0.0
    return sums.quantise(value)


@scalar
def write(event, shift, found, row, weights, out):
    """Fill a selected event into a *row* of the histograms; return its place among them, -1 in variations.

    *weights* are its weight and the variations, as integers.
    """
    sums.fill_varied(out.histograms, M4L, row, found.m4l, shift, weights)
    sums.fill_varied(out.histograms, M_Z1, row, found.m_z1, shift, weights)
    sums.fill_varied(out.histograms, M_Z2, row, found.m_z2, shift, weights)
    sums.fill_varied(out.histograms, PT4L, row, found.pt4l, shift, weights)
    place = -1
    if shift == 0:
        place = take(out.selected.n, 0)
        if place < out.selected.capacity:
            out.selected.event[place] = event
            out.selected.final_state[place] = found.final_state
            out.selected.category[place] = found.category
            out.selected.m4l[place] = found.m4l
            out.selected.m_z1[place] = found.m_z1
            out.selected.m_z2[place] = found.m_z2
            out.selected.pt4l[place] = found.pt4l
            out.selected.weight[place] = found.weight
    return place
