from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate.isolation import surroundings
from gpuhiggs.simulate.muons import reconstruct_muons
from gpuhiggs.simulate.nanoaod import Collection


def reconstruct(record: Any, seed: int = 1) -> Collection:
    around = surroundings(record, np.zeros(record.n_events, dtype=int))
    return reconstruct_muons(record, around, np.arange(len(record)), np.random.default_rng(seed))


def test_muons_are_found_with_their_efficiency_and_resolution(particles: Any, made: Any) -> None:
    n = 20_000
    record = particles([[made(-13, 40.0, 1.2, 0.5, 0.1057)] for _ in range(n)])
    muons = reconstruct(record)
    assert len(muons) / n == pytest.approx(0.99, abs=0.005)
    assert muons["pt"].std() / 40.0 == pytest.approx(np.hypot(0.015, 1.5e-4 * 40), rel=0.03)
    assert set(muons["charge"]) == {1}
    assert np.mean(muons["isPFcand"]) == pytest.approx(0.95, abs=0.01)
    assert np.all(muons["looseId"] | ~muons["mediumId"])
    assert np.all(muons["mediumId"] | ~muons["tightId"])
    np.testing.assert_array_equal(record.pdg_id[muons["genPartIdx"]], -13)


def test_isolation_is_relative(particles: Any, made: Any) -> None:
    jet = [made(211, 30.0, 0.05, 0.05), made(22, 10.0, -0.05, 0.1)]
    muons = reconstruct(particles([[made(13, 20.0), *jet]] * 50))
    assert np.median(muons["pfRelIso03_all"]) == pytest.approx(2.0, rel=0.1)
    assert np.all(muons["pfRelIso04_all"] >= 1.5)


def test_muons_outside_the_detector_are_lost(particles: Any, made: Any) -> None:
    muons = reconstruct(particles([[made(13, 40.0, 2.45), made(13, 2.0), made(13, 40.0, 3.0), made(11, 40.0)]] * 100))
    assert len(muons) == 0


def test_muons_are_ordered_by_pt_within_their_event(particles: Any, made: Any) -> None:
    muons = reconstruct(particles([[made(13, 10.0), made(-13, 60.0)], [], [made(13, 30.0)]] * 200))
    assert np.all(np.diff(muons.event) >= 0)
    same = np.diff(muons.event) == 0
    assert np.all(np.diff(muons["pt"])[same] <= 0)
    assert muons.n_events == 600
