"""Jets that are taken for leptons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate.fake_leptons import CHANCE, FakeLeptons
from gpuhiggs.simulate.nanoaod import Collection

N = 4000


def _jets(per_event: list[int], eta: float = 0.5) -> Collection:
    event = np.repeat(np.arange(len(per_event)), per_event)
    n = len(event)
    phi = np.concatenate([np.linspace(-2.5, 2.5, k) for k in per_event]) if n else np.zeros(0)
    return Collection(len(per_event), event, {"pt": np.full(n, 30.0), "eta": np.full(n, eta), "phi": phi})


def _empty(fields: dict[str, Any], n_events: int) -> Collection:
    return Collection(n_events, np.zeros(0, np.int64), {name: np.zeros(0, kind) for name, kind in fields.items()})


MUON = {"pt": float, "charge": np.int32, "pfRelIso03_all": float, "sip3d": float, "isPFcand": bool}
ELECTRON = {"pt": float, "charge": np.int32, "pfRelIso03_all": float, "mvaFall17V2Iso": float, "cutBased": np.int32}


@pytest.mark.parametrize(("number", "ways"), [(1, [0, 1, 2, 4]), (2, [0, 0, 1, 6])])
def test_weight_is_the_chance_of_the_choice(particles: Any, number: int, ways: list[int]) -> None:
    jets = _jets([0, 1, 2, 4])
    fakes = FakeLeptons(jets, particles([[] for _ in range(4)]), number, np.random.default_rng(1))
    assert fakes.weight == pytest.approx(CHANCE**number * np.array(ways))
    made = fakes.with_muons(_empty(MUON, 4)), fakes.with_electrons(_empty(ELECTRON, 4))
    per_event = np.sum([np.bincount(one.event, minlength=4) for one in made], axis=0)
    assert per_event.tolist() == [number if n else 0 for n in ways]


def test_jets_of_genuine_leptons_and_forward_ones_are_left_alone(particles: Any, made: Any) -> None:
    near = particles([[made(13, 20.0, eta=0.5, phi=-2.5)]])
    assert FakeLeptons(_jets([1]), near, 1, np.random.default_rng(1)).weight.tolist() == [0.0]
    assert FakeLeptons(_jets([1], eta=2.45), particles([[]]), 1, np.random.default_rng(1)).weight.tolist() == [0.0]


def test_what_they_look_like(particles: Any) -> None:
    fakes = FakeLeptons(_jets([2] * N), particles([[] for _ in range(N)]), 1, np.random.default_rng(3))
    muons, electrons = fakes.with_muons(_empty(MUON, N)), fakes.with_electrons(_empty(ELECTRON, N))
    assert len(muons) + len(electrons) == N
    assert abs(len(muons) - N / 2) < 4 * np.sqrt(N / 4)
    assert 0.7 * 30 < muons["pt"].mean() < 0.8 * 30
    assert abs(muons["charge"].mean()) < 0.1
    assert 0.1 < (muons["pfRelIso03_all"] < 0.35).mean() < 0.3, "the rate that methods are to find"
    assert 0.05 < (electrons["mvaFall17V2Iso"] > 0.98).mean() < 0.3
    assert muons["charge"].dtype == np.int32
