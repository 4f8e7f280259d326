"""Decay angles: leptons made with known angles, in NumPy, are found to have them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.kernels.decay_angles import decay_angles
from gpuhiggs.kernels.four_vector import P4

COSINE = st.floats(-0.99, 0.99)
AZIMUTH = st.floats(-3.1, 3.1)


def boosted(p: np.ndarray, velocity: np.ndarray) -> np.ndarray:
    """(E, p) seen from where what is at rest moves with *velocity*."""
    gamma = 1 / math.sqrt(1 - velocity @ velocity)
    square = velocity @ velocity
    matrix = np.eye(4)
    matrix[0, 0] = gamma
    matrix[0, 1:] = matrix[1:, 0] = gamma * velocity
    matrix[1:, 1:] += (gamma - 1) * np.outer(velocity, velocity) / square
    return np.asarray(matrix @ p)


def decay(mass: float, cosine: float, azimuth: float, direction: float, momentum: float, energy: float) -> np.ndarray:
    """Two massless leptons, the negative one first, of a Z that moves along ±z; the angle is to that direction."""
    sine = math.sqrt(1 - cosine**2)
    unit = np.array([sine * math.cos(azimuth), sine * math.sin(azimuth), direction * cosine])
    pair = [mass / 2 * np.array([1.0, *(sign * unit)]) for sign in (1, -1)]
    return np.array([boosted(p, np.array([0, 0, direction * momentum / energy])) for p in pair])


@given(COSINE, COSINE, COSINE, AZIMUTH, AZIMUTH)
def test_angles(cos_star: float, cos_1: float, cos_2: float, phi: float, phi_1: float) -> None:
    """Z1 flies along z, the beam in the x-z plane; clockwise, that of Z1 is turned by Φ1 from it, that of Z2 by Φ more.

    The signs are those of the formulas, Φ ∝ q1·(n1 × n2) and Φ1 ∝ q1·(n1 × nsc), with the normals of fig. 1.
    """
    m, m1, m2 = 125.0, 91.0, 30.0
    e1 = (m * m + m1 * m1 - m2 * m2) / (2 * m)
    q = math.sqrt(e1 * e1 - m1 * m1)
    beam = np.array([math.sqrt(1 - cos_star**2), 0.0, cos_star])
    first = decay(m1, cos_1, -phi_1, 1.0, q, e1)
    second = decay(m2, cos_2, -phi_1 - phi, -1.0, q, m - e1)
    # Turn everything until the beam is along z.
    y = np.array([0.0, 1.0, 0.0])
    turn = np.stack([np.cross(y, beam), y, beam])
    leptons = np.concatenate([first, second])
    leptons[:, 1:] = leptons[:, 1:] @ turn.T
    leptons = np.array([boosted(p, np.array([0.0, 0.0, 0.7])) for p in leptons])  # along the beam: nothing changes
    found = decay_angles(*(P4(*map(float, (p[1], p[2], p[3], p[0]))) for p in leptons))
    assert found.cos_theta_star == pytest.approx(cos_star, abs=1e-9)
    assert found.cos_theta_1 == pytest.approx(cos_1, abs=1e-9)
    assert found.cos_theta_2 == pytest.approx(cos_2, abs=1e-9)
    for angle, expected in ((found.phi, phi), (found.phi_1, phi_1)):
        assert math.cos(angle) == pytest.approx(math.cos(expected), abs=1e-6)
        assert math.sin(angle) == pytest.approx(math.sin(expected), abs=1e-6)
