"""The five angles of H → ZZ → 4ℓ.

Definitions: Gao et al., arXiv:1001.3396, figure 1, as Bolognesi et al., arXiv:1208.4018, and the CMS analyses have
them. Each Z is given by its leptons, the negative one first.
"""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from . import real
from .four_vector import P4
from .language import scalar


class DecayAngles(NamedTuple):
    """Cosines, and angles in -π to π."""

    cos_theta_star: float
    """Of Z1 with the beam, in the Higgs boson's rest frame."""
    cos_theta_1: float
    """Of the negative lepton of Z1 with the direction opposite to Z2, in the rest frame of Z1."""
    cos_theta_2: float
    phi: float
    """Between the decay planes of the two Z."""
    phi_1: float
    """Between the decay plane of Z1 and the plane of the beam and Z1."""


class Direction(NamedTuple):
    """A vector in space."""

    x: float
    y: float
    z: float


@scalar
def boosted(p, frame):
    """Return *p* in the rest frame of *frame*, which has a mass."""
    m2 = p4.mass_squared(frame)
    if not m2 > 0.0:
        return p
    m = real.sqrt(m2)
    dot = p.px * frame.px + p.py * frame.py + p.pz * frame.pz
    e = (p.e * frame.e - dot) / m
    factor = (p.e + e) / (m + frame.e)
    return P4(p.px - factor * frame.px, p.py - factor * frame.py, p.pz - factor * frame.pz, e)


@scalar
def cross(a, b):
    """Return the vector product of two momenta or directions, of which the first three entries count."""
    return Direction(a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@scalar
def dot(a, b):
    """Return the scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@scalar
def cosine(a, b):
    """Return the cosine of the angle between two vectors; 0 where one vanishes."""
    square = dot(a, a) * dot(b, b)
    if not square > 0.0:
        return 0.0
    cos = dot(a, b) / real.sqrt(square)
    if cos > 1.0:
        return 1.0
    return -1.0 if cos < -1.0 else cos


@scalar
def helicity_cosine(lepton, own, other):
    """Return the cosine of a lepton with the direction opposite to the *other* Z, in the rest frame of its *own*."""
    opposite = boosted(other, own)
    return -cosine(boosted(lepton, own), opposite)


@scalar
def between_planes(a, b, axis):
    """Return the signed angle from the plane of normal *a* to that of normal *b*, around *axis*."""
    return real.atan2(dot(axis, cross(a, b)) / real.sqrt(dot(axis, axis)), dot(a, b))


@scalar
def decay_angles(minus1, plus1, minus2, plus2):
    """Return the angles of two Z that decay to these leptons."""
    z1, z2 = p4.plus(minus1, plus1), p4.plus(minus2, plus2)
    higgs = p4.plus(z1, z2)
    z1_at_rest = boosted(z1, higgs)
    if not dot(z1_at_rest, z1_at_rest) > 0.0:
        return DecayAngles(0.0, 0.0, 0.0, 0.0, 0.0)
    beam = Direction(0.0, 0.0, 1.0)
    normal1 = cross(boosted(minus1, higgs), boosted(plus1, higgs))
    normal2 = cross(boosted(minus2, higgs), boosted(plus2, higgs))
    normal_beam = cross(beam, z1_at_rest)
    opposite2 = Direction(-normal2.x, -normal2.y, -normal2.z)
    return DecayAngles(
        cosine(z1_at_rest, beam),
        helicity_cosine(minus1, z1, z2),
        helicity_cosine(minus2, z2, z1),
        between_planes(normal1, opposite2, z1_at_rest),
        between_planes(normal1, normal_beam, z1_at_rest),
    )
