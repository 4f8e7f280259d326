"""Production tags of a CMS diphoton event, in the order of flashgg's stageOneCustomize.py.

That analysis tags with trained scores; here each tag is its preselection, and the bins are those of STXS 1.2.
"""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from . import real
from .diphoton_out import Pair, pt_of
from .four_vector import P4
from .jets import JetSystem
from .language import Positive, Real, Whole, scalar
from .pairs import dressed_pair, is_z

CATEGORIES = (
    "ttH-leptonic", "ZH-leptonic", "WH-leptonic", "ttH-hadronic", "VH-MET",
    "VBF boosted", "VBF low mjj low pTHjj", "VBF low mjj high pTHjj", "VBF high mjj low pTHjj",
    "VBF high mjj high pTHjj", "VH-hadronic",
    "ggF 0j low pT", "ggF 0j high pT",
    "ggF 1j low pT", "ggF 1j medium pT", "ggF 1j high pT",
    "ggF 2j low pT", "ggF 2j medium pT", "ggF 2j high pT",
    "ggF boosted 1", "ggF boosted 2", "ggF boosted 3", "ggF boosted 4",
)  # fmt: skip
TTH_LEPTONIC, ZH_LEPTONIC, WH_LEPTONIC, TTH_HADRONIC, VH_MET, VBF, VBF_LOW, VBF_HIGH = 0, 1, 2, 3, 4, 5, 6, 8
VH_HADRONIC, GGF_0J, GGF_1J, GGF_2J, GGF_BOOSTED = 10, 11, 13, 16, 19


class Tagging(NamedTuple):
    """Leptons that tag."""

    dr_min: Positive
    """From each photon."""


class CategoryCuts(NamedTuple):
    """Production tags, GeV."""

    tth_leptonic_jets_min: Whole
    tth_leptonic_b_jets_min: Whole
    tth_hadronic_jets_min: Whole
    tth_hadronic_b_jets_min: Whole
    zh_mass_min: Positive
    zh_mass_max: Positive
    wh_lepton_pt_min: Positive
    met_min: Positive
    met_delta_phi_min: Positive
    """Between the pair of photons and the missing momentum."""
    jet_photon_id_min: Real
    """Of both photons, in the tags by two jets."""
    vbf_m_jj_min: Positive
    vbf_m_jj_high: Positive
    vbf_leading_jet_pt_min: Positive
    vbf_pt_hjj_high: Positive
    vh_m_jj_min: Positive
    vh_m_jj_max: Positive
    vh_jet_eta_max: Positive
    pt_0j_high: Positive
    pt_medium: Positive
    """Limits in the pt of the pair with one jet and more."""
    pt_high: Positive
    pt_boosted_1: Positive
    pt_boosted_2: Positive
    pt_boosted_3: Positive
    pt_boosted_4: Positive


class Event(NamedTuple):
    """What the tags look at."""

    pair: Pair
    min_id: float
    """The lower score of the two photons."""
    jets: JetSystem
    met: P4


@scalar
def has_z(leptons, n, cuts):
    """Whether two leptons make a Z."""
    for a in range(n):
        for b in range(a + 1, n):
            if is_z(leptons, a, b):
                m = p4.mass(dressed_pair(leptons, a, b))
                if m > cuts.zh_mass_min and m < cuts.zh_mass_max:
                    return True
    return False


@scalar
def has_hard_lepton(leptons, n, pt_min):
    """Whether a lepton is above a threshold."""
    for lepton in range(n):  # noqa: SIM110 - kernels have no generators
        if leptons.pt[lepton] > pt_min:
            return True
    return False


@scalar
def recoils_against_met(event, cuts):
    """Whether the pair of photons is opposite to large missing momentum."""
    if not p4.pt(event.met) > cuts.met_min:
        return False
    phi = real.atan2(event.pair.py, event.pair.px)
    return abs(p4.delta_phi(phi, real.atan2(event.met.py, event.met.px))) > cuts.met_delta_phi_min


@scalar
def two_jet_tag(event, pt, cuts):
    """Return the VBF or hadronic VH tag, or -1."""
    jets = event.jets
    if jets.n < 2 or not event.min_id > cuts.jet_photon_id_min:
        return -1
    if jets.mass > cuts.vbf_m_jj_min and jets.pt1 > cuts.vbf_leading_jet_pt_min:
        if pt > cuts.pt_boosted_1:
            return VBF
        pt_hjj = p4.pt(P4(event.pair.px + jets.px, event.pair.py + jets.py, 0.0, 0.0))
        block = VBF_HIGH if jets.mass > cuts.vbf_m_jj_high else VBF_LOW
        return block + (1 if pt_hjj > cuts.vbf_pt_hjj_high else 0)
    if (
        jets.mass > cuts.vh_m_jj_min
        and jets.mass < cuts.vh_m_jj_max
        and abs(jets.eta1) < cuts.vh_jet_eta_max
        and abs(jets.eta2) < cuts.vh_jet_eta_max
    ):
        return VH_HADRONIC
    return -1


@scalar
def ggf_tag(n_jets, pt, cuts):
    """Return the gluon fusion tag, by jets and pt."""
    if pt > cuts.pt_boosted_1:
        above = 1 if pt > cuts.pt_boosted_2 else 0
        above += 1 if pt > cuts.pt_boosted_3 else 0
        above += 1 if pt > cuts.pt_boosted_4 else 0
        return GGF_BOOSTED + above
    if n_jets == 0:
        return GGF_0J + (1 if pt > cuts.pt_0j_high else 0)
    above = 1 if pt > cuts.pt_medium else 0
    above += 1 if pt > cuts.pt_high else 0
    return (GGF_1J if n_jets == 1 else GGF_2J) + above


@scalar
def tag(event, leptons, n_leptons, cuts):
    """Return the production tag as an index into CATEGORIES."""
    jets = event.jets
    if n_leptons >= 1 and jets.n >= cuts.tth_leptonic_jets_min and jets.n_b >= cuts.tth_leptonic_b_jets_min:
        return TTH_LEPTONIC
    if has_z(leptons, n_leptons, cuts):
        return ZH_LEPTONIC
    if has_hard_lepton(leptons, n_leptons, cuts.wh_lepton_pt_min):
        return WH_LEPTONIC
    if n_leptons == 0 and jets.n >= cuts.tth_hadronic_jets_min and jets.n_b >= cuts.tth_hadronic_b_jets_min:
        return TTH_HADRONIC
    if recoils_against_met(event, cuts):
        return VH_MET
    pt = pt_of(event.pair)
    tagged = two_jet_tag(event, pt, cuts)
    return tagged if tagged >= 0 else ggf_tag(jets.n, pt, cuts)
