"""The ZZ algorithm of the CMS H→4ℓ analyses: two pairs out of the selected leptons, the cuts on them, the best one.

Order and cuts as in CJLST/ZZAnalysis, ZZFiller.py; of several candidates the one whose Z1 is nearest to the Z mass is
kept, then the one with the larger scalar pt sum of the Z2 leptons: that code's own rule where it computes no matrix
elements.
"""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from . import real
from .language import Column, Positive, scalar
from .pairs import bare_pair, dressed_pair, off_shell

CUTS = ("z1_mass", "z2_mass", "ghost", "qcd", "pt", "smart", "m4l")
"""The cuts on a candidate in their order: bit i of a candidate's mask says that it passes the i-th."""

ALL_CUTS = 127
FULL = 7
"""Row of :class:`Best` for candidates that pass every cut; row i < 7 is for those that pass every cut but the i-th."""


class ZZCuts(NamedTuple):
    """Z candidates and ZZ candidates, GeV."""

    z_mass_min: Positive
    z_mass_max: Positive
    z1_mass_min: Positive
    dr_min: Positive
    m_ll_min: Positive
    leading_pt_min: Positive
    subleading_pt_min: Positive
    m4l_min: Positive


class Candidate(NamedTuple):
    """One ZZ candidate: the cuts that it passes, and their variables in the order of CUTS."""

    mask: int
    m_z1: float
    m_z2: float
    min_dr: float
    min_m_ll: float
    leading_pt: float
    alternative_m_z2: float
    m4l: float
    pt_z2: float
    pt4l: float


class Best(NamedTuple):
    """The best candidate so far for each row, in scratch memory of 8 places."""

    distance: Column
    """|m_Z1 - m_Z|; 1e9 where there is none."""
    pt_z2: Column
    value: Column
    """Row i < 7: the variable of cut i."""


@scalar
def pair_cuts(leptons, a, b, min_dr2, min_m2):
    """Return the running minima of ΔR² and of the opposite-sign mass² without FSR, with the pair (a, b) included."""
    dr2 = p4.delta_r2(leptons.eta[a], leptons.phi[a], leptons.eta[b], leptons.phi[b])
    if dr2 < min_dr2:
        min_dr2 = dr2
    if leptons.charge[a] + leptons.charge[b] == 0:
        m2 = p4.mass_squared(bare_pair(leptons, a, b))
        if m2 < min_m2:
            min_m2 = m2
    return min_dr2, min_m2


@scalar
def alternative(leptons, i, j, k, l, cuts, m_z1):  # noqa: E741
    """Return whether the other pairing of four like-flavoured leptons spoils (i, j)(k, l), and its smaller partner.

    The other pairing spoils a candidate if its first Z is nearer to the Z mass and its second below the mass window.
    """
    if leptons.charge[i] + leptons.charge[k] == 0:
        za = p4.mass(dressed_pair(leptons, i, k))
        zb = p4.mass(dressed_pair(leptons, j, l))
    else:
        za = p4.mass(dressed_pair(leptons, i, l))
        zb = p4.mass(dressed_pair(leptons, j, k))
    if off_shell(zb) < off_shell(za):
        za, zb = zb, za
    return off_shell(za) < off_shell(m_z1) and zb < cuts.z_mass_min, zb


@scalar
def candidate(leptons, i, j, k, l, cuts):  # noqa: E741
    """Return the ZZ candidate of the pairs (i, j) and (k, l), each of one flavour and opposite charges."""
    first = dressed_pair(leptons, i, j)
    second = dressed_pair(leptons, k, l)
    m_z1 = p4.mass(first)
    m_z2 = p4.mass(second)
    pt_z2 = leptons.pt[k] + leptons.pt[l]
    if off_shell(m_z2) < off_shell(m_z1):
        m_z1, m_z2 = m_z2, m_z1
        pt_z2 = leptons.pt[i] + leptons.pt[j]

    min_dr2, min_m2 = 1e18, 1e18
    min_dr2, min_m2 = pair_cuts(leptons, i, j, min_dr2, min_m2)
    min_dr2, min_m2 = pair_cuts(leptons, i, k, min_dr2, min_m2)
    min_dr2, min_m2 = pair_cuts(leptons, i, l, min_dr2, min_m2)
    min_dr2, min_m2 = pair_cuts(leptons, j, k, min_dr2, min_m2)
    min_dr2, min_m2 = pair_cuts(leptons, j, l, min_dr2, min_m2)
    min_dr2, min_m2 = pair_cuts(leptons, k, l, min_dr2, min_m2)

    leading, subleading = 0.0, 0.0
    for lepton in (i, j, k, l):
        pt = leptons.pt[lepton]
        if pt > leading:
            leading, subleading = pt, leading
        elif pt > subleading:
            subleading = pt

    spoiled, alternative_m_z2 = False, -1.0
    if leptons.kind[i] == leptons.kind[k]:
        spoiled, alternative_m_z2 = alternative(leptons, i, j, k, l, cuts, m_z1)

    four = p4.plus(first, second)
    m4l = p4.mass(four)
    mask = 0
    if m_z1 > cuts.z1_mass_min and m_z1 > cuts.z_mass_min and m_z1 < cuts.z_mass_max:
        mask |= 1
    if m_z2 > cuts.z_mass_min and m_z2 < cuts.z_mass_max:
        mask |= 2
    if min_dr2 > cuts.dr_min * cuts.dr_min:
        mask |= 4
    min_m_ll = 0.0 if min_m2 < 0.0 else real.sqrt(min_m2)
    if min_m_ll > cuts.m_ll_min:
        mask |= 8
    if leading > cuts.leading_pt_min and subleading > cuts.subleading_pt_min:
        mask |= 16
    if not spoiled:
        mask |= 32
    if m4l > cuts.m4l_min:
        mask |= 64
    return Candidate(mask, m_z1, m_z2, real.sqrt(min_dr2), min_m_ll, leading, alternative_m_z2, m4l, pt_z2, p4.pt(four))


@scalar
def passed_in_order(mask):
    """Return how many of CUTS, in their order, a mask passes before the first that it fails."""
    n = 0
    while n < 7 and (mask >> n) & 1 == 1:
        n += 1
    return n


@scalar
def is_better(best, row, found):
    """Whether a candidate beats the best so far in a row."""
    distance = off_shell(found.m_z1)
    return distance < best.distance[row] or (distance == best.distance[row] and found.pt_z2 > best.pt_z2[row])


@scalar
def keep(best, row, found, value):
    """Make a candidate the best so far in a row."""
    best.distance[row] = off_shell(found.m_z1)
    best.pt_z2[row] = found.pt_z2
    best.value[row] = value


@scalar
def keep_n_minus_one(best, found):
    """Enter a candidate into the rows of the cuts that it may fail."""
    missing = ALL_CUTS ^ found.mask
    if missing & (missing - 1) != 0:
        return  # it fails two cuts or more
    for row in range(7):
        if (missing == 0 or missing == 1 << row) and is_better(best, row, found):
            value = found.m4l
            if row == 0:
                value = found.m_z1
            elif row == 1:
                value = found.m_z2
            elif row == 2:
                value = found.min_dr
            elif row == 3:
                value = found.min_m_ll
            elif row == 4:
                value = found.leading_pt
            elif row == 5:
                value = found.alternative_m_z2
            keep(best, row, found, value)
