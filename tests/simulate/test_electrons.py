from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate.electrons import reconstruct_electrons, supercluster_eta
from gpuhiggs.simulate.isolation import surroundings
from gpuhiggs.simulate.nanoaod import Collection


def reconstruct(record: Any) -> Collection:
    around = surroundings(record, np.zeros(record.n_events, dtype=int))
    z = np.zeros(record.n_events)
    return reconstruct_electrons(record, around, z, np.arange(len(record)), np.random.default_rng(1))


@pytest.mark.parametrize(
    ("pt", "eta", "found", "threshold", "identified"),
    [
        (8.0, 0.3, 0.95, 0.85216885, 0.70),
        (8.0, 2.0, 0.83, 0.86937630, 0.70),
        (40.0, 0.3, 0.95, 0.98248929, 0.95),
        (40.0, 1.2, 0.95, 0.96919225, 0.95),
        (40.0, -2.0, 0.83, 0.79349796, 0.85),
    ],
)
def test_efficiencies(
    particles: Any, made: Any, pt: float, eta: float, found: float, threshold: float, identified: float
) -> None:
    n = 10_000
    electrons = reconstruct(particles([[made(11, pt, eta, 0.5)] for _ in range(n)]))
    assert len(electrons) / n == pytest.approx(found, abs=0.015)
    # isolation is from the underlying event only: it costs the soft ones a little
    passed = electrons["mvaFall17V2Iso"] > threshold
    assert np.mean(passed) == pytest.approx(identified, abs=0.015)
    assert np.mean(electrons["mvaFall17V2Iso_WP90"]) == pytest.approx(0.90, abs=0.015)
    assert np.mean(electrons["mvaFall17V2Iso_WPL"]) == pytest.approx(0.98, abs=0.01)
    assert np.all(np.abs(electrons["mvaFall17V2Iso"]) <= 1)


def test_photons_in_the_deposit_are_measured_with_the_electron(particles: Any, made: Any) -> None:
    event = [made(-11, 30.0, 0.5, 0.0), made(22, 10.0, 0.5, 0.05), made(22, 10.0, 0.5, 0.5)]
    electrons = reconstruct(particles([event] * 2000))
    assert np.median(electrons["pt"]) == pytest.approx(40.0, rel=0.01)
    assert np.median(electrons["pfRelIso03_all"]) < 0.05


def test_a_jet_around_it_spoils_the_score(particles: Any, made: Any) -> None:
    event = [made(11, 30.0), made(211, 30.0, 0.1, 0.1)]
    electrons = reconstruct(particles([event] * 500))
    assert np.mean(electrons["mvaFall17V2Iso"] > 0.98248929) < 0.2


def test_supercluster_eta_is_seen_from_the_centre() -> None:
    eta = np.array([-2.2, -0.7, 0.0, 1.1, 2.4])
    np.testing.assert_allclose(supercluster_eta(eta, np.zeros(5)), eta, atol=1e-12)
    # a collision at z = 5 cm: barrel hit at z = 5 + 129 sinh(eta), endcap hit at r = (317 - 5) / sinh(eta)
    shifted = supercluster_eta(np.array([0.7, 2.2]), np.full(2, 5.0))
    barrel = np.arcsinh((5 + 129 * np.sinh(0.7)) / 129)
    endcap = np.arcsinh(317 / ((317 - 5) / np.sinh(2.2)))
    np.testing.assert_allclose(shifted, [barrel, endcap])
    # a mirror image sees the mirror image
    np.testing.assert_allclose(supercluster_eta(-eta, np.full(5, -5.0)), -supercluster_eta(eta, np.full(5, 5.0)))
