"""ADL query 5: the missing transverse momentum of events with an opposite-charge muon pair of 60 to 120 GeV."""

from typing import NamedTuple

from gpuhiggs.language import Float32, Histogram, Int32, Offsets, Positive, after, each, fill, p4, regular, scalar


class Muon(NamedTuple):
    offsets: Offsets
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    charge: Int32


class Met(NamedTuple):
    pt: Float32


class Inputs(NamedTuple):
    Muon: Muon
    MET: Met


class Cuts(NamedTuple):
    mass_min: Positive = 60.0
    mass_max: Positive = 120.0


class Out(NamedTuple):
    met: Histogram = regular(100, 0.0, 2000.0, r"$E_T^{miss}$ [GeV]")


@scalar
def momentum(muons, i):
    return p4.from_pt_eta_phi_mass(muons.pt[i], muons.eta[i], muons.phi[i], muons.mass[i])


@scalar
def has_pair(event, muons, cuts):
    for i in each(muons, event):
        for j in after(muons, event, i):
            if muons.charge[i] != muons.charge[j]:
                mass = p4.mass(p4.plus(momentum(muons, i), momentum(muons, j)))
                if mass > cuts.mass_min and mass < cuts.mass_max:
                    return True
    return False


@scalar
def body(event, inputs, cuts, weight, out):
    if has_pair(event, inputs.Muon, cuts):
        fill(out.met, inputs.MET.pt[event], weight)
