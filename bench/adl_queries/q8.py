"""ADL query 8: the transverse mass of the missing momentum and the hardest lepton outside of the best Z candidate.

In events with three light leptons and among them a pair of the same flavour and opposite charges.
"""

from typing import NamedTuple

from gpuhiggs.language import (
    Float32,
    Histogram,
    Int32,
    Offsets,
    Positive,
    after,
    each,
    fill,
    p4,
    real,
    regular,
    scalar,
    size,
)


class Lepton(NamedTuple):
    offsets: Offsets
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    charge: Int32


class Met(NamedTuple):
    pt: Float32
    phi: Float32


class Inputs(NamedTuple):
    Electron: Lepton
    Muon: Lepton
    MET: Met


class Cuts(NamedTuple):
    z_mass: Positive = 91.2


class Out(NamedTuple):
    transverse_mass: Histogram = regular(100, 15.0, 250.0, "$m_T$ [GeV]")


class Pair(NamedTuple):
    distance: float
    i: int
    j: int


class Hardest(NamedTuple):
    pt: float
    phi: float


@scalar
def momentum(leptons, i):
    return p4.from_pt_eta_phi_mass(leptons.pt[i], leptons.eta[i], leptons.phi[i], leptons.mass[i])


@scalar
def best_pair(event, leptons, z_mass):
    best = Pair(-1.0, -1, -1)
    for i in each(leptons, event):
        for j in after(leptons, event, i):
            if leptons.charge[i] != leptons.charge[j]:
                distance = abs(p4.mass(p4.plus(momentum(leptons, i), momentum(leptons, j))) - z_mass)
                if best.distance < 0.0 or distance < best.distance:
                    best = Pair(distance, i, j)
    return best


@scalar
def hardest(event, leptons, pair, found):
    for i in each(leptons, event):
        if i != pair.i and i != pair.j and leptons.pt[i] > found.pt:
            found = Hardest(leptons.pt[i], leptons.phi[i])
    return found


@scalar
def body(event, inputs, cuts, weight, out):
    if size(inputs.Electron, event) + size(inputs.Muon, event) < 3:
        return
    electrons = best_pair(event, inputs.Electron, cuts.z_mass)
    muons = best_pair(event, inputs.Muon, cuts.z_mass)
    if electrons.distance < 0.0 and muons.distance < 0.0:
        return
    if muons.distance < 0.0 or (electrons.distance >= 0.0 and electrons.distance <= muons.distance):
        muons = Pair(-1.0, -1, -1)
    else:
        electrons = Pair(-1.0, -1, -1)
    lepton = hardest(event, inputs.Muon, muons, hardest(event, inputs.Electron, electrons, Hardest(-1.0, 0.0)))
    cosine = real.cos(p4.delta_phi(lepton.phi, inputs.MET.phi[event]))
    square = 2.0 * lepton.pt * inputs.MET.pt[event] * (1.0 - cosine)
    fill(out.transverse_mass, real.sqrt(square if square > 0.0 else 0.0), weight)
