"""The matrix elements behind the weights by jets, against their limits."""

from __future__ import annotations

import numpy as np
import pytest

from bench.diphoton_jet import beam, flat_phase_space, product, radiated


def test_phase_space_is_massless_and_at_rest() -> None:
    momenta = flat_phase_space(np.full(1000, 200.0**2), 3, np.random.default_rng(1))
    assert np.allclose(product(momenta, momenta), 0, atol=1e-8 * 200**2)
    assert np.allclose(momenta.sum(axis=1), [200, 0, 0, 0], atol=1e-9 * 200)


def test_two_photons_are_the_textbook_s() -> None:
    """q q̄ → γγ goes with 2 (t/u + u/t)."""
    s = np.full(1000, 100.0**2)
    momenta = flat_phase_space(s, 2, np.random.default_rng(2))
    t, u = (-2 * product(beam(s, 1), momenta[:, k]) for k in range(2))
    bosons = [momenta[:, k] for k in range(2)]
    found = radiated([product(beam(s, 1), k) for k in bosons], [product(beam(s, -1), k) for k in bosons])
    assert found == pytest.approx(2 * (t / u + u / t), rel=1e-9)


def test_a_soft_boson_factorises() -> None:
    """|M(3)|² → |M(2)|² · s / ((p₁·k)(p₂·k)), the eikonal factor without couplings."""
    s = np.full(1000, 100.0**2)
    pair = flat_phase_space(s, 2, np.random.default_rng(3))
    soft = 1e-7 * flat_phase_space(s, 2, np.random.default_rng(4))[:, 0]
    ends = beam(s, 1), beam(s, -1)
    two = [[product(end, pair[:, k]) for k in range(2)] for end in ends]
    three = [[*products, product(end, soft)] for products, end in zip(two, ends, strict=True)]
    eikonal = s / (three[0][2] * three[1][2])
    assert s * radiated(*three) == pytest.approx(radiated(*two) * eikonal, rel=1e-5)
