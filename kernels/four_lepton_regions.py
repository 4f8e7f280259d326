"""Control regions of the four-lepton channel: a Z of two selected leptons beside relaxed ones that may fail.

*Z + ℓ*: one relaxed lepton beside the Z, for the rate at which such leptons are selected. *3P1F*, *2P2F*: a ZZ
candidate whose second pair, of opposite charges, has one or two leptons that fail. *SS*: a second pair of like charges,
selected or not; *SS 2F* where both fail. The leptons are as in :mod:`.leptons`: relaxed ones pass all but
identification and isolation. Methods as in CMS HIG-16-041 (JHEP 11 (2017) 047) and HIG-19-001; unlike there, either
pair may be the one nearer to the Z mass, as in the signal region.
"""

from __future__ import annotations

from typing import NamedTuple

from . import fill as sums
from . import four_vector as p4
from . import zz
from .four_lepton_out import COMMON, M4L, M_Z1, M_Z2, PT4L
from .four_lepton_tags import CATEGORIES
from .language import Positive, scalar
from .loose import cell, fill_combination, pair_of_cells
from .pairs import bare_pair, dressed_pair, is_z, off_shell

N_PRODUCTION = len(CATEGORIES)
"""Production categories of the channel."""

HISTOGRAMS = ("probe_pt", *(f"loose_{name}" for name in COMMON), "loose_production")
"""All but the first are read by cells: what is predicted, and the production category with the range of the score."""

REGIONS = ("3P1F", "2P2F", "SS", "SS 2F")
OS_1F, OS_2F, SS, SS_2F = range(len(REGIONS))

STATES = ("4mu", "4e", "2e2mu", "2mu2e")
"""Final states; the last two letters are the pair with the loose leptons."""

PROBES = tuple(
    f"{kind} {where} {what}"
    for kind in ("muon", "electron") for where in ("inner", "outer") for what in ("selected", "failing")
)  # fmt: skip
"""Categories of the pt of the lepton beside a Z."""


class RegionCuts(NamedTuple):
    """Control regions, GeV: filled where a run asks for them (``nonprompt``)."""

    probe_z_window: Positive
    """|m_Z - m_ℓℓ| of the Z beside which rates are measured."""
    probe_met_max: Positive
    muon_eta_split: Positive
    """|η| at which the rates have two regions."""
    electron_eta_split: Positive


class Loose(NamedTuple):
    """The best candidate with a loose pair (k, l) beside a selected pair."""

    distance: float
    """|m_Z1 - m_Z|; 1e9 where there is none."""
    i: int
    j: int
    k: int
    l: int  # noqa: E741
    zz: zz.Candidate


@scalar
def probe_of(leptons, n_selected, n, met, cuts, zz_cuts):
    """Return the place of the one lepton beside a Z of two selected leptons; -1 where there is no such event."""
    if n != 3 or n_selected < 2 or not met < cuts.probe_met_max:
        return -1
    probe, nearest = -1, cuts.probe_z_window
    for i in range(n_selected - 1):
        for j in range(i + 1, n_selected):
            if is_z(leptons, i, j):
                distance = off_shell(p4.mass(dressed_pair(leptons, i, j)))
                hard, soft = leptons.pt[i], leptons.pt[j]
                if soft > hard:
                    hard, soft = soft, hard
                passes = hard > zz_cuts.leading_pt_min and soft > zz_cuts.subleading_pt_min
                if passes and distance < nearest:
                    probe, nearest = 3 - i - j, distance
    if probe < 0:
        return -1
    for other in range(3):
        if other == probe:
            continue
        if (
            not p4.delta_r2(leptons.eta[probe], leptons.phi[probe], leptons.eta[other], leptons.phi[other])
            > zz_cuts.dr_min * zz_cuts.dr_min
        ):
            return -1
        if (
            leptons.charge[probe] + leptons.charge[other] == 0
            and not p4.mass_squared(bare_pair(leptons, probe, other)) > zz_cuts.m_ll_min * zz_cuts.m_ll_min
        ):
            return -1
    return probe


@scalar
def loose_candidate(leptons, n_selected, n, like_sign, cuts):
    """Return the best ZZ candidate of two selected leptons and a pair with a failing one, or of like charges."""
    best = Loose(1e9, 0, 0, 0, 0, zz.Candidate(0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    for i in range(n_selected - 1):
        for j in range(i + 1, n_selected):
            if not is_z(leptons, i, j):
                continue
            for k in range(n - 1):
                if k in (i, j):
                    continue
                for l in range(k + 1, n):  # noqa: E741
                    if l in (i, j) or leptons.kind[k] != leptons.kind[l]:
                        continue
                    same = leptons.charge[k] + leptons.charge[l] != 0
                    if same != (like_sign == 1) or (like_sign == 0 and l < n_selected):
                        continue
                    found = zz.candidate(leptons, i, j, k, l, cuts)
                    distance = off_shell(found.m_z1)
                    nearer = distance < best.distance or (distance == best.distance and found.pt_z2 > best.zz.pt_z2)
                    if found.mask == zz.ALL_CUTS and nearer:
                        best = Loose(distance, i, j, k, l, found)
    return best


@scalar
def state_of(leptons, first, loose):
    """Return the final state as an index into STATES, of a lepton of the selected pair and one of the loose pair."""
    if leptons.kind[first] == leptons.kind[loose]:
        return 0 if leptons.kind[first] == 13 else 1
    return 2 if leptons.kind[loose] == 13 else 3


@scalar
def cell_of(leptons, lepton, histograms, pt_axis, cuts):
    """Return the cell of a lepton in the rates of its flavour."""
    split = cuts.muon_eta_split if leptons.kind[lepton] == 13 else cuts.electron_eta_split
    return cell(histograms, pt_axis, leptons.pt[lepton], abs(leptons.eta[lepton]), split)


@scalar
def fill_probe(leptons, probe, selected, histograms, pt_axis, cuts, weight):
    """Count a lepton beside a Z by flavour, region in |η| and whether it is selected."""
    category = 0 if leptons.kind[probe] == 13 else 4
    split = cuts.muon_eta_split if leptons.kind[probe] == 13 else cuts.electron_eta_split
    category += 0 if abs(leptons.eta[probe]) < split else 2
    sums.fill(histograms, pt_axis, category + (0 if selected else 1), leptons.pt[probe], 0, weight)


@scalar
def fill_loose(leptons, n_selected, loose, like_sign, part, parts, histograms, first, cuts, weight):
    """Fill a candidate with a loose pair into its region: *first* is the number of the first region histogram.

    The histograms are, from there: the probes' pt; the channel's first ones by cells; the *part*, a production category
    and a range of the score, of so many *parts*, by cells.
    """
    k, l = loose.k, loose.l  # noqa: E741
    failing = (1 if k >= n_selected else 0) + (1 if l >= n_selected else 0)
    cell_k = cell_of(leptons, k, histograms, first, cuts)
    cell_l = cell_of(leptons, l, histograms, first, cuts)
    combination = pair_of_cells(cell_k, cell_l)
    if like_sign == 1:
        region = SS_2F if failing == 2 else SS
    elif failing == 2:
        region = OS_2F
    else:
        region = OS_1F
        combination = cell_l  # selected leptons come first
    category = region * len(STATES) + state_of(leptons, loose.i, k)
    found = loose.zz
    fill_combination(histograms, first + 1, category, combination, M4L, found.m4l, weight)
    fill_combination(histograms, first + 2, category, combination, M_Z1, found.m_z1, weight)
    fill_combination(histograms, first + 3, category, combination, M_Z2, found.m_z2, weight)
    fill_combination(histograms, first + 4, category, combination, PT4L, found.pt4l, weight)
    sums.fill(histograms, first + 5, category, combination * parts + part + 0.5, 0, weight)
