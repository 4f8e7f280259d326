"""Transverse masses of a system of leptons and the missing momentum: the analyses have two definitions."""

from __future__ import annotations

from . import four_vector as p4
from . import real
from .language import scalar


@scalar
def root(square):
    """Return the square root; 0 where rounding makes the square negative."""
    if square < 0.0:
        return 0.0
    return real.sqrt(square)


@scalar
def transverse_mass(visible, met):
    """Return √(2 pT MET (1 - cos Δφ)), which takes the visible system as massless (latinos: mTH)."""
    return root(2.0 * (p4.pt(visible) * p4.pt(met) - (visible.px * met.px + visible.py * met.py)))


@scalar
def transverse_mass_with_mass(visible, met):
    """Return √(m² + 2 (ET MET - pT · MET)), ET² = m² + pT² of the visible system."""
    square = p4.mass_squared(visible)
    energy = root(square + visible.px * visible.px + visible.py * visible.py)
    return root(square + 2.0 * (energy * p4.pt(met) - (visible.px * met.px + visible.py * met.py)))
