"""Pseudo-data from samples made by hand: no Pythia needed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from gpuhiggs.errors import FileError, InputError
from gpuhiggs.simulate import SimulatedSample, draw_pseudo_data, find_process
from gpuhiggs.simulate.nanoaod import Collection, Events, writing

MakeSample = Callable[..., SimulatedSample]


@pytest.fixture
def make_sample(tmp_path: Path) -> MakeSample:
    """A function from a process and its weights to a sample; ``MET_pt`` numbers its events."""

    def make(process: str, weights: np.ndarray, first: int = 0) -> SimulatedSample:
        n = len(weights)
        number = first + np.arange(n, dtype=np.float64)
        counts = np.arange(n) % 4
        event = np.repeat(np.arange(n), counts)
        muons: dict[str, NDArray[Any]] = {
            "pt": np.repeat(number, counts),
            "charge": np.ones(len(event), dtype=np.int32),
            "genPartIdx": np.zeros(len(event), dtype=np.int32),
        }
        events: Events = {
            "run": np.ones(n, dtype=np.uint32),
            "luminosityBlock": np.ones(n, dtype=np.uint32),
            "event": np.arange(n, dtype=np.uint64),
            "genWeight": weights,
            "Pileup_nTrueInt": np.ones(n),
            "PV_npvsGood": np.ones(n, dtype=np.int32),
            "HLT_IsoMu24": number % 2 == 0,
            "MET_pt": number,
            "Muon": Collection(n, event, muons),
            "GenPart": Collection(n, np.arange(n), {"pt": number}),
        }
        path = tmp_path / f"{process}.root"
        with writing(path) as writer:
            writer.extend(events)
        return SimulatedSample(process, path, n, find_process(process).cross_section, float(weights.sum()))

    return make


def read(path: Path) -> ak.Array:
    with uproot.open(path) as file:
        return file["Events"].arrays()


def test_data_look_like_data(make_sample: MakeSample, tmp_path: Path) -> None:
    samples = [make_sample("ggH_4l", np.ones(2000)), make_sample("qqZZ_4l", np.ones(30_000), first=100_000)]
    data = draw_pseudo_data(samples, 100.0, tmp_path / "data.root", seed=1)
    events = read(data.path)
    assert len(events) == data.events
    branches = ["run", "luminosityBlock", "event", "PV_npvsGood", "HLT_IsoMu24", "MET_pt", "nMuon"]
    assert sorted(events.fields) == sorted([*branches, "Muon_pt", "Muon_charge"])
    with uproot.open(data.path) as file:
        assert file["Runs"].keys() == ["run"]
        assert set(file.keys(cycle=False)) == {"Events", "Runs", "LuminosityBlocks"}
        assert file["LuminosityBlocks"].num_entries == -(-data.events // 1000)
    np.testing.assert_array_equal(events.event, np.arange(1, data.events + 1))
    # every event is whole
    assert ak.all(events.Muon_pt == events.MET_pt)
    np.testing.assert_array_equal(events.nMuon, ak.to_numpy(events.MET_pt).astype(int) % 4)
    np.testing.assert_array_equal(events.HLT_IsoMu24, ak.to_numpy(events.MET_pt) % 2 == 0)
    # signal and background are mixed: the first half has its share of the signal
    signal = ak.to_numpy(events.MET_pt) < 100_000
    half = len(signal) // 2
    share = signal.sum() / 2
    assert abs(signal[:half].sum() - share) < 4 * np.sqrt(share / 2)


def test_truth_is_beside_the_data(make_sample: MakeSample, tmp_path: Path) -> None:
    samples = [make_sample("ggH_4l", np.ones(3000)), make_sample("qqZZ_4l", np.ones(30_000), first=100_000)]
    data = draw_pseudo_data(samples, 138.0, tmp_path / "data.root", seed=5, mu=1.5)
    assert data.truth == tmp_path / "data.root.truth.json"
    truth = json.loads(data.truth.read_text())
    assert (truth["mu"], truth["seed"], truth["luminosity_fb"]) == (1.5, 5, 138.0)
    # 1.5 x 6.07 fb x 138 /fb and 153 fb x 138 /fb
    assert truth["processes"]["ggH_4l"]["expected"] == pytest.approx(1256.5, rel=1e-3)
    assert truth["processes"]["qqZZ_4l"]["expected"] == pytest.approx(21122, rel=1e-3)
    number = ak.to_numpy(read(data.path).MET_pt)
    assert np.sum(number < 100_000) == truth["processes"]["ggH_4l"]["drawn"]
    assert len(np.unique(number)) == data.events, "no event is taken twice"


def test_numbers_are_poisson(make_sample: MakeSample, tmp_path: Path) -> None:
    sample = make_sample("ggH_4l", np.ones(200))
    luminosity = 20.0 / (1000 * sample.cross_section)
    drawn = np.array(
        [draw_pseudo_data([sample], luminosity, tmp_path / "data.root", seed=seed).events for seed in range(40)]
    )
    assert drawn.mean() == pytest.approx(20.0, abs=4 * np.sqrt(20 / 40))
    assert drawn.var(ddof=1) == pytest.approx(20.0, rel=4 * np.sqrt(2 / 39))


def test_events_are_drawn_by_weight(make_sample: MakeSample, tmp_path: Path) -> None:
    weights = np.where(np.arange(20_000) % 2 == 0, 3.0, 1.0)
    sample = make_sample("ggH_4l", weights)
    luminosity = 800.0 / (1000 * sample.cross_section)
    data = draw_pseudo_data([sample], luminosity, tmp_path / "data.root", seed=1)
    heavy = np.mean(ak.to_numpy(read(data.path).MET_pt) % 2 == 0)
    assert heavy == pytest.approx(0.75, abs=4 * np.sqrt(0.75 * 0.25 / 800))


def test_the_same_seed_draws_the_same(make_sample: MakeSample, tmp_path: Path) -> None:
    sample = make_sample("ggH_4l", np.ones(2000))
    one, two, other = (
        read(draw_pseudo_data([sample], 100.0, tmp_path / f"{name}.root", seed=seed).path)
        for name, seed in (("one", 1), ("two", 1), ("other", 2))
    )
    assert ak.array_equal(one, two)
    assert ak.to_list(one.MET_pt) != ak.to_list(other.MET_pt)


def test_no_event_at_all_is_a_valid_file(make_sample: MakeSample, tmp_path: Path) -> None:
    data = draw_pseudo_data([make_sample("ggH_4l", np.ones(100))], 138.0, tmp_path / "data.root", seed=1, mu=0.0)
    assert data.events == 0
    events = read(data.path)
    assert len(events) == 0
    assert "Muon_pt" in events.fields


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"luminosity_fb": 0.0}, "luminosity is 0.0 /fb, expected a positive number"),
        ({"luminosity_fb": -1.0}, "luminosity is -1.0 /fb"),
        ({"luminosity_fb": float("nan")}, "luminosity is nan /fb"),
        ({"mu": -0.5}, "mu is -0.5"),
        ({"seed": -1}, "seed is -1"),
        ({"samples": []}, "no sample was given"),
        ({"luminosity_fb": 1e6}, r"pseudo-data needs \d+ events of ggH_4l, but .*ggH_4l.root has 100"),
    ],
)
def test_wrong_input(make_sample: MakeSample, tmp_path: Path, changes: dict[str, object], message: str) -> None:
    arguments = {"samples": [make_sample("ggH_4l", np.ones(100))], "luminosity_fb": 1.0, "seed": 1, **changes}
    with pytest.raises(InputError, match=message):
        draw_pseudo_data(path=tmp_path / "data.root", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "data.root").exists()


def test_a_process_twice_or_negative_weights_are_refused(make_sample: MakeSample, tmp_path: Path) -> None:
    sample = make_sample("ggH_4l", np.ones(100))
    with pytest.raises(InputError, match="twice in ggH_4l, ggH_4l"):
        draw_pseudo_data([sample, sample], 1.0, tmp_path / "data.root", seed=1)
    with pytest.raises(InputError, match="negative weight"):
        draw_pseudo_data([make_sample("VBF_4l", -np.ones(100))], 1.0, tmp_path / "data.root", seed=1)


def test_an_absent_folder_is_named(make_sample: MakeSample, tmp_path: Path) -> None:
    with pytest.raises(FileError, match="absent"):
        draw_pseudo_data([make_sample("ggH_4l", np.ones(100))], 1.0, tmp_path / "absent" / "data.root", seed=1)


def test_a_process_of_too_many_events_is_drawn_again_and_again(make_sample: MakeSample, tmp_path: Path) -> None:
    """Counts in bins are Poisson ones around what the sample expects there."""
    few = make_sample("ggH_4l", np.array([1.0, 2.0, 3.0, 4.0]))
    with pytest.raises(InputError, match="has 4"):
        draw_pseudo_data([few], 138.0, tmp_path / "data.root", seed=1)
    data = draw_pseudo_data([few], 138.0, tmp_path / "data.root", seed=1, repeated=["ggH_4l"])
    counts = np.bincount(read(data.path).MET_pt.to_numpy().astype(int), minlength=4)
    expected = few.cross_section * 138e3 * np.array([0.1, 0.2, 0.3, 0.4])
    assert np.sum((counts - expected) ** 2 / expected) < 4 + 5 * np.sqrt(8)


def test_only_what_is_recorded_is_drawn(make_sample: MakeSample, tmp_path: Path) -> None:
    sample = make_sample("ggH_4l", np.ones(2000))

    def first_half(events: ak.Array) -> np.ndarray:
        return np.asarray(ak.to_numpy(events.MET_pt) < 1000)

    def doubled(events: ak.Array, random: np.random.Generator) -> ak.Array:
        return ak.with_field(events, 2 * events.MET_pt, "MET_pt")

    data = draw_pseudo_data(
        [sample], 138.0, tmp_path / "data.root", seed=1, recorded=first_half, changed={"ggH_4l": doubled}
    )
    truth = json.loads(data.truth.read_text())["processes"]["ggH_4l"]
    assert truth["recorded"] == pytest.approx(truth["expected"] / 2)
    assert abs(truth["drawn"] - truth["recorded"]) < 5 * np.sqrt(truth["recorded"])
    assert np.max(read(data.path).MET_pt) > 1900
