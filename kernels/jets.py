"""Jets: the ones that count for a production category."""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from .language import Float32, Int32, Int64, Positive, Real, Whole, each, scalar


class Jets(NamedTuple):
    """AK4 jets, GeV."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    id: Int32
    pile_up_id: Int32
    b_tag: Float32


class JetCuts(NamedTuple):
    """Jets and b-tagged jets."""

    pt_min: Positive
    eta_max: Positive
    id_mask: Whole
    """Bits of the jet identification of which one must be set: 2 is tight."""
    pile_up_id_mask: Whole
    """The same for the pile-up identification; NanoAOD v8 and v9 of 2016 number its bits the other way round."""
    pile_up_id_pt_max: Positive
    dr_min: Positive
    b_tag_min: Real
    b_eta_max: Positive


@scalar
def is_jet(jets, jet, cuts):
    """Whether a jet passes kinematics and identification."""
    return (
        jets.pt[jet] > cuts.pt_min
        and abs(jets.eta[jet]) < cuts.eta_max
        and (jets.id[jet] & cuts.id_mask) != 0
        and (jets.pt[jet] >= cuts.pile_up_id_pt_max or (jets.pile_up_id[jet] & cuts.pile_up_id_mask) != 0)
    )


@scalar
def is_clean(jets, jet, cuts, leptons, n_leptons, fsr):
    """Whether a jet is apart from every selected lepton and its FSR photon."""
    dr2_min = cuts.dr_min * cuts.dr_min
    for lepton in range(n_leptons):
        if not p4.delta_r2(jets.eta[jet], jets.phi[jet], leptons.eta[lepton], leptons.phi[lepton]) > dr2_min:
            return False
        photon = leptons.photon[lepton]
        if photon >= 0 and not p4.delta_r2(jets.eta[jet], jets.phi[jet], fsr.eta[photon], fsr.phi[photon]) > dr2_min:
            return False
    return True


@scalar
def count_jets(event, jets, cuts, leptons, n_leptons, fsr):
    """Return the numbers of jets and of b-tagged jets."""
    n_jets = 0
    n_b_jets = 0
    for jet in each(jets, event):
        if is_jet(jets, jet, cuts) and is_clean(jets, jet, cuts, leptons, n_leptons, fsr):
            n_jets += 1
            if jets.b_tag[jet] > cuts.b_tag_min and abs(jets.eta[jet]) < cuts.b_eta_max:
                n_b_jets += 1
    return n_jets, n_b_jets
