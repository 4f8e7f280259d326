"""ADL query 6: pt and largest b-tag of the trijet whose mass is closest to 172.5 GeV, in events with three jets."""

from typing import NamedTuple

from gpuhiggs.language import (
    Float32,
    Histogram,
    Offsets,
    Positive,
    after,
    each,
    fill,
    local,
    p4,
    regular,
    scalar,
    size,
)

ROOM = 32
"""Jets of an event whose momenta are kept; those of more jets are computed again each time."""


class Jet(NamedTuple):
    offsets: Offsets
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    btag: Float32


class Inputs(NamedTuple):
    Jet: Jet


class Cuts(NamedTuple):
    mass: Positive = 172.5


class Out(NamedTuple):
    trijet_pt: Histogram = regular(100, 15.0, 40.0, "trijet $p_T$ [GeV]")
    b_tag: Histogram = regular(100, 0.0, 1.0, "largest b-tag in the trijet")


@scalar
def computed(jets, i):
    return p4.from_pt_eta_phi_mass(jets.pt[i], jets.eta[i], jets.phi[i], jets.mass[i])


@scalar
def momentum(jets, i, kept, place):
    if place >= ROOM:
        return computed(jets, i)
    return p4.P4(kept[4 * place], kept[4 * place + 1], kept[4 * place + 2], kept[4 * place + 3])


@scalar
def keep(jets, event, kept):
    for i in each(jets, event):
        place = i - jets.offsets[event]
        if place < ROOM:
            p = computed(jets, i)
            kept[4 * place], kept[4 * place + 1] = p.px, p.py
            kept[4 * place + 2], kept[4 * place + 3] = p.pz, p.e


@scalar
def body(event, inputs, cuts, weight, out):
    jets = inputs.Jet
    if size(jets, event) < 3:
        return
    kept = local(128)
    keep(jets, event, kept)
    first = jets.offsets[event]
    nearest, pt, b_tag = -1.0, 0.0, 0.0
    for i in each(jets, event):
        a = momentum(jets, i, kept, i - first)
        for j in after(jets, event, i):
            ab = p4.plus(a, momentum(jets, j, kept, j - first))
            for k in after(jets, event, j):
                trijet = p4.plus(ab, momentum(jets, k, kept, k - first))
                distance = abs(p4.mass(trijet) - cuts.mass)
                if nearest < 0.0 or distance < nearest:
                    nearest, pt = distance, p4.pt(trijet)
                    larger = jets.btag[i] if jets.btag[i] > jets.btag[j] else jets.btag[j]
                    b_tag = larger if larger > jets.btag[k] else jets.btag[k]
    fill(out.trijet_pt, pt, weight)
    fill(out.b_tag, b_tag, weight)
