"""The chosen vertex and jets of pile-up, on events made by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate.electrons import supercluster_eta
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.pileup_jets import with_pileup_jets
from gpuhiggs.simulate.vertex import choose_vertex, eta_from_vertex

N = 4000


@pytest.mark.parametrize(("tracks", "wrong"), [([], 0.5), ([20.0], 0.5 / math.e), ([200.0], 0.0)])
def test_the_vertex_is_right_where_tracks_point_to_it(
    particles: Any, made: Any, tracks: list[float], wrong: float
) -> None:
    record = particles([[made(22, 60.0, 0.5), *(made(211, pt, 1.0) for pt in tracks)]] * N)
    z = np.full(N, 1.0)
    chosen = choose_vertex(record.select(record.is_final), z, np.random.default_rng(1))
    assert np.mean(chosen != z) == pytest.approx(wrong, abs=4 * np.sqrt(0.25 / N))


def test_leptons_always_point_to_the_vertex(particles: Any, made: Any) -> None:
    record = particles([[made(13, 10.0, 0.5)]] * N)
    chosen = choose_vertex(record.select(record.is_final), np.zeros(N), np.random.default_rng(1))
    assert not chosen.any()


def test_direction_from_the_right_vertex_is_the_true_one() -> None:
    random = np.random.default_rng(1)
    eta, z = random.uniform(-2.5, 2.5, 1000), random.normal(0.0, 3.5, 1000)
    back = eta_from_vertex(supercluster_eta(eta, z), z)
    np.testing.assert_allclose(back, eta, atol=1e-12)
    # straight up in the barrel, seen from 10 cm away: tan of the angle is 10/129
    assert eta_from_vertex(np.array([0.0]), np.array([-10.0]))[0] == pytest.approx(np.arcsinh(10 / 129))


def test_jets_of_pile_up() -> None:
    jets = Collection(N, np.arange(N), {"pt": np.full(N, 40.0), "puId": np.full(N, 7, dtype=np.int32)})
    found = with_pileup_jets(jets, np.full(N, 32), np.random.default_rng(1))
    of_pileup = found["puId"] != 7
    assert of_pileup.sum() == pytest.approx(0.02 * 32 * N, rel=0.1)
    hard = found["pt"][of_pileup] > 30.0
    assert hard.mean() == pytest.approx(2.0**-5, abs=0.01)
    for event in range(10):
        pt = found["pt"][found.event == event]
        assert np.all(np.diff(pt) <= 0)
    assert found["puId"].dtype == np.int32
