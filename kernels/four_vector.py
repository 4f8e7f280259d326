"""Four-vectors: what the field calls pt, eta, phi, mass, and the Cartesian components that add up."""

from __future__ import annotations

from typing import NamedTuple

from . import real
from .language import scalar

PI = 3.141592653589793
TWO_PI = 6.283185307179586


class P4(NamedTuple):
    """Momentum and energy in GeV."""

    px: float
    py: float
    pz: float
    e: float


@scalar
def from_pt_eta_phi_mass(pt, eta, phi, mass):
    """Return the four-vector of a particle."""
    sin_phi, cos_phi = real.sincos(phi)
    sinh_eta, cosh_eta = real.sinhcosh(eta)
    p = pt * cosh_eta
    return P4(pt * cos_phi, pt * sin_phi, pt * sinh_eta, real.sqrt(p * p + mass * mass))


@scalar
def from_pt_eta_phi_e(pt, eta, phi, e):
    """Return the four-vector of a particle whose energy is stored."""
    sin_phi, cos_phi = real.sincos(phi)
    sinh_eta, _ = real.sinhcosh(eta)
    return P4(pt * cos_phi, pt * sin_phi, pt * sinh_eta, e)


@scalar
def plus(a, b):
    """Return a + b."""
    return P4(a.px + b.px, a.py + b.py, a.pz + b.pz, a.e + b.e)


@scalar
def mass_squared(p):
    """Return the square of the invariant mass, which rounding may make negative."""
    return p.e * p.e - (p.px * p.px + p.py * p.py + p.pz * p.pz)


@scalar
def mass(p):
    """Return the invariant mass; 0 where rounding makes its square negative."""
    square = mass_squared(p)
    if square < 0.0:
        return 0.0
    return real.sqrt(square)


@scalar
def pt(p):
    """Return the transverse momentum."""
    return real.sqrt(p.px * p.px + p.py * p.py)


@scalar
def delta_phi(a, b):
    """Return a - b brought into (-π, π], for angles that are in this range themselves."""
    difference = a - b
    if difference > PI:
        return difference - TWO_PI
    if difference <= -PI:
        return difference + TWO_PI
    return difference


@scalar
def delta_r2(eta_a, phi_a, eta_b, phi_b):
    """Return ΔR² = Δη² + Δφ²."""
    d_eta = eta_a - eta_b
    d_phi = delta_phi(phi_a, phi_b)
    return d_eta * d_eta + d_phi * d_phi
