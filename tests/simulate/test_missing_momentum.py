from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate.missing_momentum import reconstruct_missing_momentum
from gpuhiggs.simulate.particles import NEUTRINOS


def reconstruct(record: Any, n_pileup: int) -> tuple[np.ndarray, np.ndarray]:
    visible = record.select(record.is_final & ~np.isin(record.kind, NEUTRINOS))
    counts = np.full(record.n_events, n_pileup)
    met = reconstruct_missing_momentum(record, visible, counts, np.random.default_rng(1))
    return met["MET_pt"] * np.cos(met["MET_phi"]), met["MET_pt"] * np.sin(met["MET_phi"])


def test_without_noise_it_is_the_neutrinos(particles: Any, made: Any) -> None:
    px, py = reconstruct(particles([[made(14, 30.0, 1.0, 0.0), made(-12, 40.0, -2.0, np.pi / 2)]]), 0)
    assert px[0] == pytest.approx(30.0, rel=1e-5)
    assert py[0] == pytest.approx(40.0, rel=1e-5)


def test_noise_grows_with_pileup_and_activity(particles: Any, made: Any) -> None:
    px, py = reconstruct(particles([[made(211, 100.0)]] * 20_000), 32)
    expected = np.sqrt(3.5**2 * 32 + 0.6**2 * 100)
    assert px.std() == pytest.approx(expected, rel=0.02)
    assert py.std() == pytest.approx(expected, rel=0.02)
    assert abs(px.mean()) < 4 * expected / np.sqrt(20_000)
