"""ADL query 7: the scalar sum of the pt of jets above 30 GeV that are not within ΔR < 0.4 of a lepton above 10 GeV."""

from typing import NamedTuple

from gpuhiggs.language import Float32, Histogram, Offsets, Positive, each, fill, p4, regular, scalar


class Objects(NamedTuple):
    offsets: Offsets
    pt: Float32
    eta: Float32
    phi: Float32


class Inputs(NamedTuple):
    Jet: Objects
    Electron: Objects
    Muon: Objects


class Cuts(NamedTuple):
    jet_pt_min: Positive = 30.0
    lepton_pt_min: Positive = 10.0
    dr_min: Positive = 0.4


class Out(NamedTuple):
    ht: Histogram = regular(100, 15.0, 200.0, "sum of jet $p_T$ [GeV]")


@scalar
def is_clean(jets, jet, event, leptons, cuts):
    for lepton in each(leptons, event):
        if leptons.pt[lepton] > cuts.lepton_pt_min:
            dr2 = p4.delta_r2(jets.eta[jet], jets.phi[jet], leptons.eta[lepton], leptons.phi[lepton])
            if dr2 < cuts.dr_min * cuts.dr_min:
                return False
    return True


@scalar
def body(event, inputs, cuts, weight, out):
    jets = inputs.Jet
    ht = 0.0
    for jet in each(jets, event):
        if (
            jets.pt[jet] > cuts.jet_pt_min
            and is_clean(jets, jet, event, inputs.Electron, cuts)
            and is_clean(jets, jet, event, inputs.Muon, cuts)
        ):
            ht += jets.pt[jet]
    fill(out.ht, ht, weight)
