"""ATLAS jets of the open data: the ones that count, and b-tagged ones. Leptons are already taken out of them."""

from __future__ import annotations

from typing import NamedTuple

from .language import Float32, Int64, Positive, Real, each, scalar
from .shifts import JET, moved_pt


class AtlasJets(NamedTuple):
    """Anti-kt jets of R = 0.4, GeV."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    jvt: Float32
    """Jet vertex tagger: its score (2020), or 1 where it passes (2025)."""
    b_tag: Float32
    """MV2c10 (2020), or the quantile of the tagger (2025)."""


class AtlasJetCuts(NamedTuple):
    """Jets and b-tagged jets, GeV."""

    pt_min: Positive
    """Jets that are counted."""
    b_pt_min: Positive
    """Jets that may be b-tagged."""
    eta_max: Positive
    jvt_min: Real
    jvt_pt_max: Positive
    """Above it, and outside of the next, no vertex is asked for."""
    jvt_eta_max: Positive
    b_tag_min: Real


@scalar
def jet_pt(jets, jet, shift, tables):
    """Return the transverse momentum of a jet in a variation."""
    return moved_pt(jets, jet, shift, tables, JET)


@scalar
def count_jets(event, jets, cuts, shift, tables):
    """Return the numbers of jets and of b-tagged jets."""
    n_jets, n_b_jets = 0, 0
    for jet in each(jets, event):
        pt = jet_pt(jets, jet, shift, tables)
        eta = abs(jets.eta[jet])
        central = pt < cuts.jvt_pt_max and eta < cuts.jvt_eta_max
        if eta < cuts.eta_max and not (central and jets.jvt[jet] < cuts.jvt_min):
            if pt > cuts.pt_min:
                n_jets += 1
            if pt > cuts.b_pt_min and jets.b_tag[jet] > cuts.b_tag_min:
                n_b_jets += 1
    return n_jets, n_b_jets
