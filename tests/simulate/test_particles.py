from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.simulate.particles import delta_r, pairs_within_events, sum_by


def test_kinematics(particles: Any, made: Any) -> None:
    record = particles([[made(13, 20.0, -1.3, 2.9, 0.1057)], []])
    assert record.n_events == 2
    assert len(record) == 3
    assert record.pt[1] == pytest.approx(20.0)
    assert record.eta[1] == pytest.approx(-1.3)
    assert record.phi[1] == pytest.approx(2.9)
    np.testing.assert_array_equal(record.event, [0, 0, 1])


def test_selection_keeps_events_and_places_in_the_record(particles: Any, made: Any) -> None:
    record = particles([[made(11, 5.0), made(13, 6.0)], [made(22, 7.0)], [made(-13, 8.0)]])
    muons = record.select(record.kind == 13)
    np.testing.assert_array_equal(muons.offsets, [0, 1, 1, 2])
    np.testing.assert_array_equal(muons.pdg_id, [13, -13])
    np.testing.assert_array_equal(record.pdg_id[muons.record], muons.pdg_id)
    assert muons.select(muons.pt > 100).n_events == 3


def test_pairs_are_those_of_two_nested_loops() -> None:
    random = np.random.default_rng(1)
    counts = random.integers(0, 5, 50)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    event = np.sort(random.integers(0, 50, 80))
    left, right = pairs_within_events(event, offsets)
    expected = [(i, j) for i, e in enumerate(event) for j in range(offsets[e], offsets[e + 1])]
    assert list(zip(left.tolist(), right.tolist(), strict=True)) == expected


def test_distance_goes_round_the_circle() -> None:
    distance = delta_r(np.array([0.3]), np.array([3.1]), np.array([-0.1]), np.array([-3.1]))
    assert distance[0] == pytest.approx(np.hypot(0.4, 2 * np.pi - 6.2))


def test_sums_of_nothing_are_zero() -> None:
    np.testing.assert_array_equal(sum_by(np.array([2, 0, 2]), np.array([1.0, 2.0, 4.0]), 4), [2.0, 0.0, 5.0, 0.0])
    np.testing.assert_array_equal(sum_by(np.zeros(0, dtype=int), np.zeros(0), 2), [0.0, 0.0])
