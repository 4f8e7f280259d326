"""ADL query 2: the pt of all jets."""

from typing import NamedTuple

from gpuhiggs.language import Float32, Histogram, Offsets, each, fill, regular, scalar


class Jet(NamedTuple):
    offsets: Offsets
    pt: Float32


class Inputs(NamedTuple):
    Jet: Jet


class Out(NamedTuple):
    jet_pt: Histogram = regular(100, 15.0, 60.0, "jet $p_T$ [GeV]")


@scalar
def body(event, inputs, weight, out):
    for jet in each(inputs.Jet, event):
        fill(out.jet_pt, inputs.Jet.pt[jet], weight)
