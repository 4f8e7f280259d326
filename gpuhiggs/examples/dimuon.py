"""Invariant mass of opposite-sign muon pairs in NanoAOD."""

from typing import NamedTuple

from gpuhiggs.language import Float32, Histogram, Int32, Offsets, Positive, after, each, fill, p4, regular, scalar


class Muon(NamedTuple):  # columns: the branches Muon_pt, Muon_eta, …
    offsets: Offsets
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    charge: Int32


class Inputs(NamedTuple):  # what is read
    Muon: Muon


class Cuts(NamedTuple):  # what can be configured, with defaults
    pt_min: Positive = 5.0


class Out(NamedTuple):  # what is filled
    mass: Histogram = regular(100, 0.0, 200.0, r"$m_{\mu\mu}$ [GeV]")


@scalar
def momentum(muons, i):
    return p4.from_pt_eta_phi_mass(muons.pt[i], muons.eta[i], muons.phi[i], muons.mass[i])


@scalar
def body(event, inputs, cuts, weight, out):
    muons = inputs.Muon
    for i in each(muons, event):
        for j in after(muons, event, i):
            hard = muons.pt[i] > cuts.pt_min and muons.pt[j] > cuts.pt_min
            if hard and muons.charge[i] != muons.charge[j]:
                fill(out.mass, p4.mass(p4.plus(momentum(muons, i), momentum(muons, j))), weight)
