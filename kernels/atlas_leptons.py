"""ATLAS leptons of the open data, in what the releases of 2020 and 2025 store of them."""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from . import real
from .language import Bool, Float32, Int32, Int64, each, scalar
from .met import recoiled
from .pairs import place
from .shifts import ELECTRON, MUON, moved_pt, moves


class AtlasLeptons(NamedTuple):
    """Electrons and muons: GeV, mm."""

    offsets: Int64
    pt: Float32
    eta: Float32
    phi: Float32
    e: Float32
    charge: Int32
    kind: Int32
    """11 for an electron, 13 for a muon."""
    z0: Float32
    d0: Float32
    sigma_d0: Float32
    """σ(d0), or d0/σ(d0) itself: the selection says which."""
    ptcone30: Float32
    etcone20: Float32
    tight_id: Bool
    tight_iso: Bool
    trigger_matched: Bool


@scalar
def lepton_pt(leptons, i, shift, tables):
    """Return the transverse momentum of a lepton in a variation."""
    return moved_pt(leptons, i, shift, tables, ELECTRON if leptons.kind[i] == 11 else MUON)


@scalar
def propagated_leptons(met, leptons, event, shift, tables):
    """Return the missing momentum with what a shift does to the leptons taken into it."""
    if moves(tables, shift, ELECTRON | MUON):
        for i in each(leptons, event):
            met = recoiled(met, leptons.pt[i], lepton_pt(leptons, i, shift, tables), leptons.phi[i])
    return met


@scalar
def is_prompt(leptons, i, stored_significance, d0_max, z0_max):
    """Whether a lepton comes from the primary vertex: |d0|/σ(d0) and |z0 sin θ| below their limits."""
    if stored_significance == 1:
        near = abs(leptons.sigma_d0[i]) < d0_max
    else:
        near = abs(leptons.d0[i]) < d0_max * leptons.sigma_d0[i]
    return near and abs(leptons.z0[i]) < z0_max * real.cosh(leptons.eta[i])  # sin θ = 1/cosh η


@scalar
def place_lepton(leptons, n, source, i, pt):
    """Write lepton *i* of *source* in place *n*; a shift of its pt scales its energy as well."""
    e = source.e[i] * (pt / source.pt[i])
    p = p4.from_pt_eta_phi_e(pt, source.eta[i], source.phi[i], e)
    leptons.kind[n] = source.kind[i]
    leptons.entry[n] = i
    place(leptons, n, source.charge[i], pt, source.eta[i], source.phi[i], p, p, -1)
