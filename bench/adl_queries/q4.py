"""ADL query 4: the missing transverse momentum of events with at least two jets of pt > 40 GeV."""

from typing import NamedTuple

from gpuhiggs.language import Float32, Histogram, Offsets, Positive, each, fill, regular, scalar


class Jet(NamedTuple):
    offsets: Offsets
    pt: Float32


class Met(NamedTuple):
    pt: Float32


class Inputs(NamedTuple):
    Jet: Jet
    MET: Met


class Cuts(NamedTuple):
    pt_min: Positive = 40.0


class Out(NamedTuple):
    met: Histogram = regular(100, 0.0, 2000.0, r"$E_T^{miss}$ [GeV]")


@scalar
def body(event, inputs, cuts, weight, out):
    n = 0
    for jet in each(inputs.Jet, event):
        if inputs.Jet.pt[jet] > cuts.pt_min:
            n += 1
    if n >= 2:
        fill(out.met, inputs.MET.pt[event], weight)
