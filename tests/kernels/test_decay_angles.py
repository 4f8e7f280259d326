"""Decay angles against matrices of Lorentz transformations, and what they may not depend on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gpuhiggs.kernels.decay_angles import decay_angles
from gpuhiggs.kernels.four_vector import P4


def boost_matrix(p: np.ndarray) -> np.ndarray:
    """The transformation to the rest frame of *p* = (e, x, y, z)."""
    beta = p[1:] / p[0]
    gamma = 1 / math.sqrt(1 - beta @ beta)
    matrix = np.eye(4)
    matrix[0, 0] = gamma
    matrix[0, 1:] = matrix[1:, 0] = -gamma * beta
    matrix[1:, 1:] += (gamma - 1) * np.outer(beta, beta) / (beta @ beta)
    return matrix


def unit(v: np.ndarray) -> np.ndarray:
    return np.asarray(v / np.linalg.norm(v))


def expected(leptons: np.ndarray) -> list[float]:
    """arXiv:1208.4018, eq. 2 ff., written with normals of decay planes."""
    z1, z2 = leptons[0] + leptons[1], leptons[2] + leptons[3]
    rest = boost_matrix(z1 + z2)
    at_rest = [rest @ p for p in leptons]
    q1 = (rest @ z1)[1:]
    n1 = unit(np.cross(at_rest[0][1:], at_rest[1][1:]))
    n2 = unit(np.cross(at_rest[2][1:], at_rest[3][1:]))
    nsc = unit(np.cross([0, 0, 1], q1))
    phi = np.sign(q1 @ np.cross(n1, n2)) * math.acos(np.clip(-n1 @ n2, -1, 1))
    phi1 = np.sign(q1 @ np.cross(n1, nsc)) * math.acos(np.clip(n1 @ nsc, -1, 1))
    b1, b2 = boost_matrix(z1), boost_matrix(z2)
    cos1 = -unit((b1 @ z2)[1:]) @ unit((b1 @ leptons[0])[1:])
    cos2 = -unit((b2 @ z1)[1:]) @ unit((b2 @ leptons[2])[1:])
    return [unit(q1)[2], cos1, cos2, phi, phi1]


def random_leptons(random: Any) -> np.ndarray:
    momenta = random.normal(size=(4, 3)) * random.uniform(5, 60, (4, 1))
    return np.concatenate([np.linalg.norm(momenta, axis=1, keepdims=True), momenta], axis=1)


def angles(leptons: np.ndarray) -> list[float]:
    return [float(x) for x in decay_angles(*(P4(p[1], p[2], p[3], p[0]) for p in leptons))]


def test_against_matrices() -> None:
    random = np.random.default_rng(3)
    for _ in range(200):
        leptons = random_leptons(random)
        want = expected(leptons)
        want[3] = -want[3]  # sign: the normal of Z2 is turned round before the angle is taken
        np.testing.assert_allclose(angles(leptons), want, atol=1e-9)


def test_they_do_not_depend_on_the_frame() -> None:
    random = np.random.default_rng(4)
    for _ in range(50):
        leptons = random_leptons(random)
        along = boost_matrix(np.array([50.0, 0.0, 0.0, random.uniform(-30, 30)]))
        turn = np.eye(4)
        turn[1:3, 1:3] = [[0.6, -0.8], [0.8, 0.6]]
        moved = leptons @ along.T @ turn.T
        # a boost along the beam moves Z1's direction seen from the Higgs boson at rest only by rounding
        higgs = leptons.sum(axis=0)
        if np.hypot(*higgs[1:3]) < 1e-3:
            np.testing.assert_allclose(angles(moved), angles(leptons), atol=1e-9)
        np.testing.assert_allclose(angles(leptons @ turn.T), angles(leptons), atol=1e-9)
        np.testing.assert_allclose(angles(moved)[1:4], angles(leptons)[1:4], atol=1e-9)


def test_leptons_at_rest_do_not_break_it() -> None:
    zero = P4(0.0, 0.0, 0.0, 0.0)
    assert decay_angles(zero, zero, zero, zero) == (0.0, 0.0, 0.0, 0.0, 0.0)
    p = P4(0.0, 0.0, 10.0, 10.0)
    assert all(math.isfinite(x) for x in decay_angles(p, p, p, p))


@pytest.mark.usefixtures("pythia")
def test_a_scalar_decays_the_same_in_all_directions(higgs_leptons: np.ndarray) -> None:
    """In Pythia's H → ZZ* → 4ℓ the angle of production is flat, that of decay follows spin 1: sin² on the whole."""
    found = np.array([angles(event) for event in higgs_leptons])
    n = len(found)
    for column in (0, 4):
        scaled = (found[:, column] + (1 if column == 0 else math.pi)) / (2 if column == 0 else 2 * math.pi)
        assert abs(scaled.mean() - 0.5) < 4 * math.sqrt(1 / 12 / n)
    assert abs((found[:, 1] ** 2).mean() - 1 / 3) > 0.01


@pytest.fixture(scope="module")
def pythia() -> None:
    pytest.importorskip("pythia8mc", reason="pythia8mc is not installed: pip install 'gpuhiggs[demo]'")


@pytest.fixture(scope="module")
def higgs_leptons(pythia: None) -> np.ndarray:
    """Leptons of 1,500 decays, (e, x, y, z), by Z and charge."""
    from gpuhiggs.simulate import find_process
    from gpuhiggs.simulate.blocks import Block
    from gpuhiggs.simulate.generate import generate

    record = generate(find_process("ggH_4l"), Block("ggH_4l", 9, 0, 0, 1500)).particles
    lepton = ((record.kind == 11) | (record.kind == 13)) & (np.abs(record.status) == 23)
    place = np.flatnonzero(lepton)
    mother = record.mother[place]
    mass = record.mass[mother]
    order = np.lexsort((-record.pdg_id[place], mother, -mass, record.event[place]))
    chosen = place[order]
    momenta = np.stack([record.energy, record.px, record.py, record.pz], axis=-1)[chosen]
    return momenta.reshape(-1, 4, 4)
