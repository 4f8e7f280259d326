"""ADL query 1: the missing transverse momentum of all events."""

from typing import NamedTuple

from gpuhiggs.language import Float32, Histogram, fill, regular, scalar


class Met(NamedTuple):
    pt: Float32


class Inputs(NamedTuple):
    MET: Met


class Out(NamedTuple):
    met: Histogram = regular(100, 0.0, 2000.0, r"$E_T^{miss}$ [GeV]")


@scalar
def body(event, inputs, weight, out):
    fill(out.met, inputs.MET.pt[event], weight)
