from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate import isolation
from gpuhiggs.simulate.isolation import isolation_sums, surroundings


@pytest.fixture
def no_underlying_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_UNDERLYING_EVENT_CHARGED", 0.0)
    monkeypatch.setattr(isolation, "_UNDERLYING_EVENT_NEUTRAL", 0.0)


@pytest.mark.usefixtures("no_underlying_event")
def test_sum_of_what_is_in_the_cone(particles: Any, made: Any) -> None:
    inside = [
        made(211, 3.0, 0.1, 0.1),  # charged hadron at 0.14
        made(130, 2.0, -0.2, 0.0),  # neutral hadron at 0.2
        made(22, 1.0, 0.0, 0.35),  # photon at 0.35: only in the larger cone
    ]
    outside = [
        made(22, 0.4, 0.05, 0.0),  # neutral below threshold
        made(13, 9.0, 0.1, 0.0),  # leptons do not count
        made(211, 5.0, 0.5, 0.0),  # too far
        made(22, 4.0, 0.0, np.pi),  # opposite
    ]
    record = particles([[made(13, 20.0), *inside, *outside], [made(211, 50.0)]])
    around = surroundings(record, np.zeros(2, dtype=int))
    here = np.zeros(1)
    iso03, iso04 = isolation_sums(np.zeros(1, dtype=int), here, here, around, (0.3, 0.4), np.random.default_rng(1))
    assert iso03.charged[0] == pytest.approx(3.0)
    assert iso03.total[0] == pytest.approx(5.0)
    assert iso04.total[0] == pytest.approx(6.0)
    (vetoed,) = isolation_sums(np.zeros(1, dtype=int), here, here, around, (0.3,), np.random.default_rng(1), veto=0.25)
    assert vetoed.total[0] == pytest.approx(3.0), "a veto leaves charged particles alone"


@pytest.mark.usefixtures("no_underlying_event")
def test_pileup_fluctuates_around_nothing_and_never_below(particles: Any, made: Any) -> None:
    n = 20_000
    record = particles([[made(13, 20.0)]])
    around = surroundings(record, np.array([100]))
    event, here = np.zeros(n, dtype=int), np.zeros(n)
    (cone,) = isolation_sums(event, here, here, around, (0.3,), np.random.default_rng(1))
    iso = cone.total
    assert np.mean(iso == 0) == pytest.approx(0.5, abs=0.02)
    # half of a normal distribution of width 0.18 sqrt(100)
    assert iso[iso > 0].mean() == pytest.approx(1.8 * np.sqrt(2 / np.pi), rel=0.03)


def test_underlying_event_fills_the_cone(particles: Any, made: Any) -> None:
    n = 20_000
    around = surroundings(particles([[made(13, 20.0)]]), np.array([0]))
    event, here = np.zeros(n, dtype=int), np.zeros(n)
    (cone,) = isolation_sums(event, here, here, around, (0.3,), np.random.default_rng(1))
    assert cone.total.mean() == pytest.approx((1.65 + 0.3) * np.pi * 0.3**2, rel=0.03)
    assert cone.charged.mean() == pytest.approx(1.65 * np.pi * 0.3**2, rel=0.03)
    real = surroundings(particles([[made(13, 20.0)]]), np.array([0]), underlying_event=True)
    (cone,) = isolation_sums(event, here, here, real, (0.3,), np.random.default_rng(1))
    assert not cone.total.any(), "it is not drawn on top of Pythia's own"
