"""ADL query 3: the pt of jets with |eta| < 1."""

from typing import NamedTuple

from gpuhiggs.language import Float32, Histogram, Offsets, Positive, each, fill_if, regular, scalar


class Jet(NamedTuple):
    offsets: Offsets
    pt: Float32
    eta: Float32


class Inputs(NamedTuple):
    Jet: Jet


class Cuts(NamedTuple):
    eta_max: Positive = 1.0


class Out(NamedTuple):
    jet_pt: Histogram = regular(100, 15.0, 60.0, "jet $p_T$ [GeV]")


@scalar
def body(event, inputs, cuts, weight, out):
    for jet in each(inputs.Jet, event):
        fill_if(abs(inputs.Jet.eta[jet]) < cuts.eta_max, out.jet_pt, inputs.Jet.pt[jet], weight)
