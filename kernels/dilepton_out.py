"""What the channels of two leptons and missing momentum have in common: the lepton pair, and the selected events."""

from __future__ import annotations

from typing import NamedTuple

from . import fill as sums
from . import four_vector as p4
from .four_vector import P4
from .language import Float64, Int64, Sums, scalar, take
from .pairs import bare_pair

COMMON = ("m_t", "m_ll", "pt_ll", "delta_phi_ll", "met", "n_jets")
"""The first histograms of each channel."""
M_T, M_LL, PT_LL, DELTA_PHI_LL, MET, N_JETS = range(6)


class LeptonPair(NamedTuple):
    """Two leptons, the hardest first: GeV."""

    first: int
    """Places among the selected leptons."""
    second: int
    pt1: float
    pt2: float
    p: P4
    mass: float
    delta_phi: float
    """|Δφ|."""


class Selected(NamedTuple):
    """The selected events, in the order in which they were found."""

    n: Int64
    capacity: int
    event: Int64
    category: Int64
    m_t: Float64
    m_ll: Float64
    pt_ll: Float64
    delta_phi_ll: Float64
    met: Float64
    pt_h: Float64
    """Of the leptons and the missing momentum."""
    pt1: Float64
    pt2: Float64
    n_jets: Int64
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


class Reconstructed(NamedTuple):
    """A selected event, GeV."""

    category: int
    m_t: float
    n_jets: int
    m_jj: float
    weight: float


@scalar
def pair_of(leptons):
    """Return the pair of the leptons in the first two places."""
    first, second = 0, 1
    if leptons.pt[1] > leptons.pt[0]:
        first, second = 1, 0
    p = bare_pair(leptons, 0, 1)
    delta_phi = abs(p4.delta_phi(leptons.phi[0], leptons.phi[1]))
    return LeptonPair(first, second, leptons.pt[first], leptons.pt[second], p, p4.mass(p), delta_phi)


@scalar
def of_two_flavours(leptons):
    """Whether the leptons in the first two places are an electron and a muon of opposite charges."""
    return leptons.kind[0] != leptons.kind[1] and leptons.charge[0] + leptons.charge[1] == 0


@scalar
def write(event, shift, pair, met, found, weights, out):
    """Fill a selected event and return its place among them, -1 in variations.

    *weights* are its weight and the variations, as integers.
    """
    pt_ll = p4.pt(pair.p)
    met_pt = p4.pt(met)
    sums.fill_varied(out.histograms, M_T, found.category, found.m_t, shift, weights)
    sums.fill_varied(out.histograms, M_LL, found.category, pair.mass, shift, weights)
    sums.fill_varied(out.histograms, PT_LL, found.category, pt_ll, shift, weights)
    sums.fill_varied(out.histograms, DELTA_PHI_LL, found.category, pair.delta_phi, shift, weights)
    sums.fill_varied(out.histograms, MET, found.category, met_pt, shift, weights)
    sums.fill_varied(out.histograms, N_JETS, found.category, found.n_jets, shift, weights)
    place = -1
    if shift == 0:
        place = take(out.selected.n, 0)
        if place < out.selected.capacity:
            out.selected.event[place] = event
            out.selected.category[place] = found.category
            out.selected.m_t[place] = found.m_t
            out.selected.m_ll[place] = pair.mass
            out.selected.pt_ll[place] = pt_ll
            out.selected.delta_phi_ll[place] = pair.delta_phi
            out.selected.met[place] = met_pt
            out.selected.pt_h[place] = p4.pt(p4.plus(pair.p, met))
            out.selected.pt1[place] = pair.pt1
            out.selected.pt2[place] = pair.pt2
            out.selected.n_jets[place] = found.n_jets
            out.selected.m_jj[place] = found.m_jj
            out.selected.weight[place] = found.weight
    return place
