"""Production categories of a CMS four-lepton event, in the order of CJLST/ZZAnalysis, Category.cc (categoryMor18).

Where that code asks a matrix-element discriminant of two jets, here their mass decides, at the limits that STXS 1.2 has
for VBF and hadronic VH (LHCHXSWG; CMSSW HTXS). Its VBF-1jet has nothing but a discriminant and is left out.
"""

from __future__ import annotations

from typing import NamedTuple

from .language import Positive, scalar

CATEGORIES = ("VBF-2jet", "VH-hadronic", "VH-leptonic", "ttH-hadronic", "ttH-leptonic", "VH-MET", "untagged")
VBF, VH_HADRONIC, VH_LEPTONIC, TTH_HADRONIC, TTH_LEPTONIC, VH_MET, UNTAGGED = range(len(CATEGORIES))


class CategoryCuts(NamedTuple):
    """Production categories, GeV."""

    vbf_m_jj_min: Positive
    """Of the two hardest jets, as the next."""
    vh_m_jj_min: Positive
    vh_m_jj_max: Positive
    met_min: Positive


@scalar
def two_jet_category(jets, cuts):
    """Return the category of an event without a further lepton by its two hardest jets, or -1."""
    few = jets.n == 2 or jets.n == 3
    many = jets.n >= 4 and jets.n_b == 0
    if ((few and jets.n_b <= 1) or many) and jets.mass > cuts.vbf_m_jj_min:
        return VBF
    if (few or many) and jets.mass > cuts.vh_m_jj_min and jets.mass < cuts.vh_m_jj_max:
        return VH_HADRONIC
    return -1


@scalar
def categorise(n_extra_leptons, n_extra_z, jets, met, cuts):
    """Return the production category as an index into CATEGORIES."""
    if n_extra_leptons == 0:
        found = two_jet_category(jets, cuts)
        if found >= 0:
            return found
    if (jets.n <= 3 and jets.n_b == 0 and (n_extra_leptons == 1 or n_extra_z >= 1)) or (
        jets.n == 0 and n_extra_leptons >= 1
    ):
        return VH_LEPTONIC
    if jets.n >= 4 and jets.n_b >= 1 and n_extra_leptons == 0:
        return TTH_HADRONIC
    if n_extra_leptons >= 1:
        return TTH_LEPTONIC
    if jets.n <= 1 and met > cuts.met_min:
        return VH_MET
    return UNTAGGED
