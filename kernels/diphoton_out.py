"""What the diphoton channels have in common: a pair of photons, and the selected events."""

from __future__ import annotations

from typing import NamedTuple

from . import fill as sums
from . import four_vector as p4
from .language import Float64, Int64, Sums, scalar, take

COMMON = ("m_gg", "pt_gg")
"""The first histograms of each channel."""
M_GG, PT_GG = range(2)


class Pair(NamedTuple):
    """Two photons, GeV: the hardest first."""

    first: int
    """Places in their collection."""
    second: int
    pt1: float
    pt2: float
    mass: float
    px: float
    py: float


class Selected(NamedTuple):
    """The selected events, in the order in which they were found."""

    n: Int64
    capacity: int
    event: Int64
    category: Int64
    m_gg: Float64
    pt_gg: Float64
    pt1: Float64
    pt2: Float64
    n_jets: Int64
    n_b_jets: Int64
    m_jj: Float64
    weight: Float64
    features: Float64
    """Of each event one after the other, the score last; empty where they are not kept."""


class Out(NamedTuple):
    """What the channel fills."""

    errors: Sums
    cutflow: sums.Counter
    histograms: sums.Histograms
    selected: Selected


@scalar
def pair_of(photons, i, j, pt_i, pt_j):
    """Return the pair of photons *i* and *j* of a collection, with the given transverse momenta."""
    if pt_j > pt_i:
        i, j = j, i
        pt_i, pt_j = pt_j, pt_i
    a = p4.from_pt_eta_phi_mass(pt_i, photons.eta[i], photons.phi[i], 0.0)
    b = p4.from_pt_eta_phi_mass(pt_j, photons.eta[j], photons.phi[j], 0.0)
    both = p4.plus(a, b)
    return Pair(i, j, pt_i, pt_j, p4.mass(both), both.px, both.py)


@scalar
def pt_of(pair):
    """Return the transverse momentum of a pair."""
    return p4.pt(p4.P4(pair.px, pair.py, 0.0, 0.0))


@scalar
def write(event, shift, category, pair, n_jets, n_b_jets, m_jj, value, weights, out):
    """Fill a selected event and return its place among them, -1 in variations.

    *weights* are its weight *value* and the variations, as integers.
    """
    pt_gg = pt_of(pair)
    sums.fill_varied(out.histograms, M_GG, category, pair.mass, shift, weights)
    sums.fill_varied(out.histograms, PT_GG, category, pt_gg, shift, weights)
    place = -1
    if shift == 0:
        place = take(out.selected.n, 0)
        if place < out.selected.capacity:
            out.selected.event[place] = event
            out.selected.category[place] = category
            out.selected.m_gg[place] = pair.mass
            out.selected.pt_gg[place] = pt_gg
            out.selected.pt1[place] = pair.pt1
            out.selected.pt2[place] = pair.pt2
            out.selected.n_jets[place] = n_jets
            out.selected.n_b_jets[place] = n_b_jets
            out.selected.m_jj[place] = m_jj
            out.selected.weight[place] = value
    return place
