from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate.isolation import surroundings
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.photons import is_prompt_photon, jet_chance, jets_as_photons, reconstruct_photons

N = 4000


def reconstruct(record: Any) -> Collection:
    around = surroundings(record, np.zeros(record.n_events, dtype=int), underlying_event=True)
    index = np.arange(len(record))
    z = np.zeros(record.n_events)
    visible = record.select(record.is_final)
    return reconstruct_photons(visible, record, around, z, z, index, np.random.default_rng(1))


def test_photons_of_a_higgs_boson(particles: Any, made: Any) -> None:
    event = [made(25, 0.0, 0.0, 0.0, 125.0, status=-22), made(22, 60.0, 0.5, 0.1, mother=1)]
    photons = reconstruct(particles([event] * N))
    assert len(photons) / N == pytest.approx(0.95, abs=0.015)  # efficiency of the Delphes card
    assert photons["genPartFlav"].all()
    assert photons["pt"].mean() == pytest.approx(60.0, rel=0.002)
    pull = (photons["pt"] * np.cosh(0.5) - 60 * np.cosh(0.5)) / photons["energyErr"]
    assert pull.std() == pytest.approx(1.0, abs=0.05)
    sharp = photons["r9"] > 0.94
    assert photons["pt"][sharp].std() < 0.8 * photons["pt"][~sharp].std()
    for point, efficiency in (("WP80", 0.8), ("WP90", 0.9)):
        assert photons[f"mvaID_{point}"].mean() == pytest.approx(efficiency, abs=0.025)
    assert photons["isScEtaEB"].all()
    assert not photons["isScEtaEE"].any()
    assert photons["electronVeto"].mean() > 0.99


def test_photons_of_hadrons_look_worse(particles: Any, made: Any) -> None:
    event = [made(111, 60.0, 2.0, 0.1, 0.1, status=-91), made(22, 55.0, 2.0, 0.1, mother=1), made(211, 30.0, 2.1, 0.2)]
    photons = reconstruct(particles([event] * N))
    assert not photons["genPartFlav"].any()
    assert photons["mvaID_WP90"].mean() < 0.2
    assert photons["pfRelIso03_chg"].mean() == pytest.approx(30 / 55, rel=0.05)
    assert photons["isScEtaEE"].all()


def test_near_photons_are_one_deposit(particles: Any, made: Any) -> None:
    event = [made(111, 60.0, 0.0, 0.1, 0.1, status=-91), made(22, 35.0, mother=1), made(22, 25.0, 0.01, mother=1)]
    photons = reconstruct(particles([event] * 500))
    assert np.diff(photons.offsets).max() == 1
    assert photons["pt"].mean() == pytest.approx(60.0, rel=0.01)


def test_electrons_are_photons_that_fail_the_veto(particles: Any, made: Any) -> None:
    photons = reconstruct(particles([[made(11, 60.0, 0.5)]] * N))
    assert photons["electronVeto"].mean() == pytest.approx(0.02, abs=0.01)
    assert photons["pixelSeed"].mean() == pytest.approx(0.97, abs=0.01)
    assert set(photons["genPartFlav"]) == {11}


def test_a_jet_is_taken_in_proportion_to_its_chance(particles: Any, made: Any) -> None:
    pt, eta, phi = np.array([80.0, 50.0, 20.0, 40.0]), np.array([0.0, 1.0, -1.0, 3.0]), np.array([0.0, 1.0, 2.0, 3.0])
    fields = {"pt": np.tile(pt, N), "eta": np.tile(eta, N), "phi": np.tile(phi, N)}
    jets = Collection(N, np.repeat(np.arange(N), 4), fields)
    record = particles([[made(21, 80.0, status=-23), made(22, 80.0, mother=1)]] * N)
    hard = record.select(is_prompt_photon(record, record))
    found, weight = jets_as_photons(jets, hard, np.random.default_rng(1))
    chance = jet_chance(pt)
    np.testing.assert_allclose(weight, chance[1] + chance[2])  # not the photon's own, nor the forward one
    assert len(found.event) == N
    assert np.mean(found.eta == 1.0) == pytest.approx(chance[1] / (chance[1] + chance[2]), abs=0.03)


def test_without_a_jet_the_event_has_no_weight() -> None:
    from gpuhiggs.simulate.particles import Particles

    jets = Collection(2, np.zeros(0, dtype=int), {name: np.zeros(0) for name in ("pt", "eta", "phi")})
    empty = {name: np.zeros(0, dtype=int) for name in Particles.__dataclass_fields__ if name != "offsets"}
    found, weight = jets_as_photons(jets, Particles(offsets=np.zeros(3, dtype=int), **empty), np.random.default_rng(1))
    assert len(found.event) == 0
    assert not weight.any()
