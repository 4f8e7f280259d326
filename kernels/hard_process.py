"""What a generator says of the four leptons of its hard process: their mass, and whether they are of one flavour.

K-factors of qq̄ → ZZ and gg → ZZ depend on both. Leptons are the electrons, muons and taus of GenPart whose statusFlags
say isHardProcess (bit 7: cmssw, GenStatusFlags), before they radiate.
"""

from __future__ import annotations

from typing import NamedTuple

from gpuhiggs.kernels import fill as sums  # noqa: F401 (what launch's driver expects of a program)
from gpuhiggs.kernels import four_vector as p4
from gpuhiggs.kernels.language import Float32, Int32, Int64, Offsets, Sums, WrittenFloat64, each, scalar
from gpuhiggs.kernels.rows import GATES, STEPS, gate, generator_weight, preselect  # noqa: F401 (parts of the program)

IS_HARD_PROCESS = 1 << 7
LEPTONS = 4
NONE = -1.0
"""Where an event has not four such leptons."""


class Particles(NamedTuple):
    """GenPart."""

    offsets: Offsets
    pdg_id: Int32
    status_flags: Int32
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32


class Inputs(NamedTuple):
    """What is read."""

    particles: Particles


class Cuts(NamedTuple):
    """Nothing can be configured."""

    unused: int


class Tables(NamedTuple):
    """Nothing is looked up."""

    unused: Int64


class Out(NamedTuple):
    """What comes out, an event each."""

    errors: Sums
    mass: WrittenFloat64
    """GeV."""
    same_flavour: WrittenFloat64
    """1 of 4e, 4μ, 4τ; 0 of others."""


@scalar
def is_lepton(kind):
    """Whether a pdg_id is that of an electron, muon or tau."""
    kind = abs(kind)
    return kind == 11 or kind == 13 or kind == 15


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Add up the leptons of one event."""
    particles = inputs.particles
    total = p4.P4(0.0, 0.0, 0.0, 0.0)
    n, flavour, same = 0, 0, 1.0
    for i in each(particles, event):
        if (particles.status_flags[i] & IS_HARD_PROCESS) == 0 or not is_lepton(particles.pdg_id[i]):
            continue
        kind = abs(particles.pdg_id[i])
        if n > 0 and kind != flavour:
            same = 0.0
        flavour = kind
        n += 1
        one = p4.from_pt_eta_phi_mass(particles.pt[i], particles.eta[i], particles.phi[i], particles.mass[i])
        total = p4.plus(total, one)
    out.mass[event] = p4.mass(total) if n == LEPTONS else NONE
    out.same_flavour[event] = same if n == LEPTONS else NONE
