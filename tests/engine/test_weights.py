"""Weights of events: negative, too large, of data, of files that do not know their sum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gpuhiggs import engine
from gpuhiggs.engine.tally import Failure
from tests.engine.datasets import FOUR_LEPTONS, TRIGGER, Configure, Events, Writer, data, entries, simulation, weights


def test_negative_weights(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    events = four_muon_events(8)
    events["genWeight"] = np.array([2, -1, 0.5, 8, -4, 1, 1, 8], np.float32)
    path = write_nanoaod(tmp_path / "a.root", events, runs={"genEventSumw": [15.5]})
    tally = engine.run(four_muon_config(simulation("mc", path, cross_section=2.0), luminosity=3.0))
    sums, squares = weights(tally, "mc")
    assert sums[TRIGGER] == 15.5
    assert squares[TRIGGER] == 4 + 1 + 0.25 + 64 + 16 + 1 + 1 + 64
    assert sums[FOUR_LEPTONS] == -0.5  # events 3 and 7 have three muons
    assert squares[FOUR_LEPTONS] == 23.25


@pytest.mark.parametrize(
    ("bad", "unit"), [(2048.0, 1.0), (-2048.0, 1.0), (2048.0, 1024.0), (-np.inf, 1.0), (np.nan, 1.0), (np.nan, 1024.0)]
)
def test_weights_that_are_too_large_for_their_unit(
    tmp_path: Path,
    four_muon_events: Events,
    write_nanoaod: Writer,
    four_muon_config: Configure,
    bad: float,
    unit: float,
) -> None:
    events = four_muon_events(10)
    events["genWeight"][4] = bad * unit
    broken = write_nanoaod(tmp_path / "bad.root", events, runs={"genEventSumw": [1.0]})
    good = write_nanoaod(tmp_path / "good.root", four_muon_events(6), runs={"genEventSumw": [6.0]})
    tally = engine.run(four_muon_config(simulation("mc", good, broken, weight_unit=unit)))
    [failure] = tally.failures
    assert failure == Failure(
        "mc", str(broken), 0, 10,
        f"{broken}: 1 of the events 0 to 10 have no finite weight below {2048 * unit:g}; set weight_unit of mc to a "
        f"larger power of two (now {unit:g}), unless the weights are NaN",
    )  # fmt: skip
    assert [info.path for info in tally.complete] == [str(good)]
    assert entries(tally, "mc")[0] == 6


def test_the_weight_unit_changes_no_sum(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    events = four_muon_events(10)
    events["genWeight"][:] = np.array([225892.45, -225892.45] * 5, np.float32)
    path = write_nanoaod(tmp_path / "a.root", events)
    for unit in (2.0**7, 2.0**20):
        tally = engine.run(four_muon_config(simulation("mc", path, weight_unit=unit)))
        sums, squares = weights(tally, "mc")
        assert not tally.failures
        assert sums[0] == 0
        assert sums[FOUR_LEPTONS] * unit == 2 * np.float64(np.float32(225892.45))  # events 3 and 7 have three muons
        assert squares[0] * unit**2 == pytest.approx(10 * np.float64(np.float32(225892.45)) ** 2, rel=1e-10)


def test_data_count_one_whatever_the_file_says(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    events = four_muon_events(10)
    events["genWeight"][:] = np.nan
    tally = engine.run(four_muon_config(data("d", "First", write_nanoaod(tmp_path / "a.root", events))))
    np.testing.assert_array_equal(weights(tally, "d")[0], entries(tally, "d"))


def test_a_file_without_sum_of_weights(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(4))
    tally = engine.run(four_muon_config(simulation("mc", path, cross_section=1.0), luminosity=1.0))
    assert [failure.error for failure in tally.failures] == [
        f"{path}: no sum of weights in the file; give sum_of_weights of the dataset mc"
    ]
    tally = engine.run(four_muon_config(simulation("mc", path, cross_section=1.0, sum_of_weights=4.0), luminosity=1.0))
    assert not tally.failures


def test_a_file_whose_sum_of_weights_is_negative(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    """It is refused before any of its events is read."""
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(4), runs={"genEventSumw": [-3.0]})
    tally = engine.run(four_muon_config(simulation("mc", path, cross_section=1.0), luminosity=1.0))
    [failure] = tally.failures
    assert (failure.start, failure.stop) == (0, 0)
    assert failure.error == f"{path}: its sum of generator weights is -3.0: no cross section can be scaled to it"
    assert not engine.run(four_muon_config(simulation("mc", path, cross_section=None))).failures
