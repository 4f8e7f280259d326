"""The angles of X→ZZ→4ℓ, as S. Bolognesi et al., Phys. Rev. D 86 (2012) 095031 (arXiv:1208.4018), fig. 1, has them.

θ*: of Z1 to the beam in the rest frame of X; θ1, θ2: of the negative lepton of each Z, in its rest frame, to the
direction opposite to the other Z; Φ: between the decay planes of the Zs; Φ1: between that of Z1 and the plane of the
beam and Z1. The last two in the rest frame of X, in (-π, π]; of the others the cosine.
"""

from __future__ import annotations

from typing import NamedTuple

from . import four_vector as p4
from . import real
from .four_vector import P4
from .language import scalar
from .pairs import Z_MASS, dressed


class Angles(NamedTuple):
    """Two cosines of decay, one of production, and two azimuths in radians."""

    cos_theta_star: float
    cos_theta_1: float
    cos_theta_2: float
    phi: float
    phi_1: float


@scalar
def at_rest(p, frame):
    """Return *p* in the rest frame of *frame*, whose mass is positive."""
    m = p4.mass(frame)
    along = (p.px * frame.px + p.py * frame.py + p.pz * frame.pz) / m
    e = (p.e * frame.e) / m - along
    scale = (p.e + e) / (frame.e + m)
    return P4(p.px - scale * frame.px, p.py - scale * frame.py, p.pz - scale * frame.pz, e)


@scalar
def dot(a, b):
    """Return the product of two momenta."""
    return a.px * b.px + a.py * b.py + a.pz * b.pz


@scalar
def cross(a, b):
    """Return the vector product of two momenta, as a four-vector of energy 0."""
    return P4(a.py * b.pz - a.pz * b.py, a.pz * b.px - a.px * b.pz, a.px * b.py - a.py * b.px, 0.0)


@scalar
def cosine(a, b):
    """Return the cosine of the angle between two momenta, within [-1, 1]; NaN where one of them is 0."""
    value = dot(a, b) / real.sqrt(dot(a, a) * dot(b, b))
    return 1.0 if value > 1.0 else -1.0 if value < -1.0 else value


@scalar
def signed(angle, side):
    """Return an angle with the sign of *side*."""
    return -angle if side < 0.0 else angle


@scalar
def decay_angles(minus_1, plus_1, minus_2, plus_2):
    """Return the angles of four leptons: the negative and the positive one of Z1, and those of Z2."""
    z1, z2 = p4.plus(minus_1, plus_1), p4.plus(minus_2, plus_2)
    higgs = p4.plus(z1, z2)
    q1 = at_rest(z1, higgs)
    beam = P4(0.0, 0.0, 1.0, 0.0)
    normal_1 = cross(at_rest(minus_1, higgs), at_rest(plus_1, higgs))
    normal_2 = cross(at_rest(minus_2, higgs), at_rest(plus_2, higgs))
    normal_beam = cross(beam, q1)
    return Angles(
        cosine(q1, beam),
        -cosine(at_rest(z2, z1), at_rest(minus_1, z1)),
        -cosine(at_rest(z1, z2), at_rest(minus_2, z2)),
        signed(real.acos(-cosine(normal_1, normal_2)), dot(q1, cross(normal_1, normal_2))),
        signed(real.acos(cosine(normal_1, normal_beam)), dot(q1, cross(normal_1, normal_beam))),
    )


@scalar
def candidate_angles(leptons, i, j, k, l):  # noqa: E741
    """Return the angles of the ZZ candidate of the pairs (i, j) and (k, l), whichever of them is Z1."""
    if abs(p4.mass(p4.plus(dressed(leptons, k), dressed(leptons, l))) - Z_MASS) < abs(
        p4.mass(p4.plus(dressed(leptons, i), dressed(leptons, j))) - Z_MASS
    ):
        i, j, k, l = k, l, i, j  # noqa: E741
    if leptons.charge[i] > 0:
        i, j = j, i
    if leptons.charge[k] > 0:
        k, l = l, k  # noqa: E741
    return decay_angles(dressed(leptons, i), dressed(leptons, j), dressed(leptons, k), dressed(leptons, l))
