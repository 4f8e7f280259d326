from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate import isolation
from gpuhiggs.simulate.fsr_photons import reconstruct_fsr_photons
from gpuhiggs.simulate.isolation import surroundings
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Ints


@pytest.fixture(autouse=True)
def _no_underlying_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_UNDERLYING_EVENT_CHARGED", 0.0)
    monkeypatch.setattr(isolation, "_UNDERLYING_EVENT_NEUTRAL", 0.0)


def muons_at(*places: tuple[int, float, float]) -> Collection:
    """Muons at (event, eta, phi), in one more event than the last."""
    event, eta, phi = (np.array(column) for column in zip(*places, strict=True))
    return Collection(int(event.max()) + 1, event, {"pt": np.full(len(event), 40.0), "eta": eta, "phi": phi})


def reconstruct(record: Any, muons: Collection) -> tuple[Collection, Ints]:
    around = surroundings(record, np.zeros(record.n_events, dtype=int))
    return reconstruct_fsr_photons(record, muons, around, np.random.default_rng(3))


def test_each_photon_goes_to_its_nearest_muon(particles: Any, made: Any) -> None:
    n = 400
    record = particles([[made(22, 20.0, 0.0, 0.30), made(22, 12.0, 0.0, 0.9)]] * n)
    muons = muons_at(*[(event, 0.0, phi) for event in range(n) for phi in (0.0, 1.0)])
    photons, best = reconstruct(record, muons)
    assert len(photons) / (2 * n) == pytest.approx(0.95, abs=0.03)
    nearest = np.where(photons["phi"] < 0.6, 0, 1)
    np.testing.assert_array_equal(photons["muonIdx"], nearest)
    distance = np.where(nearest == 0, 0.30, 0.10)
    np.testing.assert_allclose(photons["dROverEt2"], distance / photons["pt"] ** 2)
    # a muon's best photon is one that names the muon
    for muon in np.flatnonzero(best >= 0):
        photon = photons.offsets[muons.event[muon]] + best[muon]
        assert photons["muonIdx"][photon] == muon - muons.offsets[muons.event[muon]]
    assert np.sum(best >= 0) == len(photons)


def test_of_two_photons_the_best_has_the_least_distance_over_et2(particles: Any, made: Any) -> None:
    record = particles([[made(22, 30.0, 0.0, 0.4), made(22, 5.0, 0.0, -0.1)]] * 100)
    muons = muons_at(*[(event, 0.0, 0.0) for event in range(100)])
    photons, best = reconstruct(record, muons)
    both = np.diff(photons.offsets) == 2
    assert np.all(best[both] == 0), "0.4 / 30² is less than 0.1 / 5², and the harder photon comes first"


def test_far_soft_and_surrounded_photons_are_not_kept(particles: Any, made: Any) -> None:
    jet = [made(211, 50.0, 1.5, 0.05)]
    far, soft, surrounded = made(22, 20.0, 0.6, 0.0), made(22, 1.2, 0.0, 0.1), made(22, 10.0, 1.5, 0.1)
    muons = muons_at(*[(event, eta, 0.0) for event in range(50) for eta in (0.0, 1.5)])
    photons, best = reconstruct(particles([[far, soft, surrounded, *jet]] * 50), muons)
    assert len(photons) == 0
    np.testing.assert_array_equal(best, -1)


def test_without_muons_there_are_none(particles: Any, made: Any) -> None:
    nothing = Collection(1, np.zeros(0, dtype=int), {name: np.zeros(0) for name in ("pt", "eta", "phi")})
    photons, best = reconstruct(particles([[made(22, 20.0)]]), nothing)
    assert len(photons) == 0
    assert len(best) == 0
