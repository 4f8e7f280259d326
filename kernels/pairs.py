"""Pairs of leptons: the Z candidates that a four-lepton analysis is made of."""

from __future__ import annotations

from typing import NamedTuple

from .four_vector import P4
from .language import Column, scalar

Z_MASS = 91.1876
"""GeV; PDG, Review of Particle Physics 2022, and the value that the CMS H→4ℓ analyses use."""

CAPACITY = 16
"""Selected leptons that an event may have; one with more is counted as an error, never cut short."""


class P4Columns(NamedTuple):
    """Components of one four-vector a lepton, GeV."""

    px: Column
    py: Column
    pz: Column
    e: Column


class Leptons(NamedTuple):
    """The selected leptons of one event, in scratch memory of CAPACITY places."""

    kind: Column
    """11 for an electron, 13 for a muon."""
    entry: Column
    """Where it is in its collection."""
    charge: Column
    pt: Column
    eta: Column
    phi: Column
    bare: P4Columns
    """Four-vectors without FSR photon."""
    dressed: P4Columns
    """... and with it, where one belongs to the lepton."""
    photon: Column
    """Index of the FSR photon, or -1."""


@scalar
def dressed_pair(leptons, i, j):
    """Return the four-vector of two leptons and their FSR photons."""
    p = leptons.dressed
    return P4(p.px[i] + p.px[j], p.py[i] + p.py[j], p.pz[i] + p.pz[j], p.e[i] + p.e[j])


@scalar
def bare_pair(leptons, i, j):
    """Return the four-vector of two leptons alone."""
    p = leptons.bare
    return P4(p.px[i] + p.px[j], p.py[i] + p.py[j], p.pz[i] + p.pz[j], p.e[i] + p.e[j])


@scalar
def is_z(leptons, i, j):
    """Whether two leptons have the same flavour and opposite charges."""
    return leptons.kind[i] == leptons.kind[j] and leptons.charge[i] + leptons.charge[j] == 0


@scalar
def off_shell(m):
    """Return the distance of a mass from the Z's."""
    return abs(m - Z_MASS)


@scalar
def place(leptons, n, charge, pt, eta, phi, bare, dressed, photon):
    """Write the kinematics of the lepton in place *n*; the caller has asked for room."""
    leptons.charge[n] = charge
    leptons.pt[n] = pt
    leptons.eta[n] = eta
    leptons.phi[n] = phi
    leptons.bare.px[n] = bare.px
    leptons.bare.py[n] = bare.py
    leptons.bare.pz[n] = bare.pz
    leptons.bare.e[n] = bare.e
    leptons.dressed.px[n] = dressed.px
    leptons.dressed.py[n] = dressed.py
    leptons.dressed.pz[n] = dressed.pz
    leptons.dressed.e[n] = dressed.e
    leptons.photon[n] = photon


@scalar
def move(leptons, source, target):
    """Copy a lepton from one place to another."""
    b, d = leptons.bare, leptons.dressed
    leptons.kind[target] = leptons.kind[source]
    leptons.entry[target] = leptons.entry[source]
    bare = P4(b.px[source], b.py[source], b.pz[source], b.e[source])
    dressed = P4(d.px[source], d.py[source], d.pz[source], d.e[source])
    charge, pt, eta, phi = leptons.charge[source], leptons.pt[source], leptons.eta[source], leptons.phi[source]
    place(leptons, target, charge, pt, eta, phi, bare, dressed, leptons.photon[source])
