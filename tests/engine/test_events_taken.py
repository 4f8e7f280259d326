"""Which events of which file are taken: primary data sets, filters, luminosity masks; what is refused first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuhiggs import engine
from gpuhiggs.engine.work import Work
from gpuhiggs.errors import ConfigError
from tests.engine.datasets import FILTERS, TRIGGER, Configure, Events, Writer, data, entries, simulation


def test_overlapping_primary_datasets_count_an_event_once(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    everything = four_muon_events(64)
    generator = np.random.default_rng(5)
    a, b = everything["HLT_A"], everything["HLT_B"]
    a[:], b[:] = generator.random(64) < 0.5, generator.random(64) < 0.5

    def recorded(name: str, fired: np.ndarray) -> Path:
        return write_nanoaod(tmp_path / name, {branch: values[fired] for branch, values in everything.items()})

    first, second, mc = recorded("a.root", a), recorded("b.root", b), recorded("all.root", a == a)
    config = four_muon_config(data("1", "First", first), data("2", "Second", second), simulation("mc", mc))
    tally = engine.run(config)
    assert entries(tally, "1")[TRIGGER] == np.count_nonzero(a)
    assert entries(tally, "2")[TRIGGER] == np.count_nonzero(b & ~a) < np.count_nonzero(b)
    assert entries(tally, "mc")[TRIGGER] == np.count_nonzero(a | b) < 64
    found = [np.flatnonzero(a)[tally.selected["1", str(first)]["entry"]]]
    found.append(np.flatnonzero(b)[tally.selected["2", str(second)]["entry"]])
    union = np.concatenate(found)
    np.testing.assert_array_equal(np.sort(union), tally.selected["mc", str(mc)]["entry"])

    order = {"triggers": {"Second": ["HLT_B"], "First": ["HLT_A"]}}
    tally = engine.run(four_muon_config(data("1", "First", first), data("2", "Second", second), selection=order))
    assert entries(tally, "1")[TRIGGER] == np.count_nonzero(a & ~b)
    assert entries(tally, "2")[TRIGGER] == np.count_nonzero(b)


def test_an_era_without_one_of_the_paths(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    """Its events cannot be in the primary dataset of that path, so none is vetoed for it."""
    events = four_muon_events(10)
    del events["HLT_A"]
    path = write_nanoaod(tmp_path / "a.root", events)
    twin = write_nanoaod(tmp_path / "b.root", events)
    tally = engine.run(four_muon_config(data("2", "Second", path), simulation("mc", twin)))
    assert entries(tally, "2")[TRIGGER] == entries(tally, "mc")[TRIGGER] == 10


def test_data_without_any_path_of_their_own_are_refused(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    events = four_muon_events(10)
    del events["HLT_A"]
    path = write_nanoaod(tmp_path / "a.root", events)
    tally = engine.run(four_muon_config(data("1", "First", path)))
    assert [one.error for one in tally.failures] == [f"{path}: none of the trigger paths of First is in the file"]


def test_filters(tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure) -> None:
    events = four_muon_events(10)
    events["Flag_good"][:3] = False
    path = write_nanoaod(tmp_path / "a.root", events)
    twin = write_nanoaod(tmp_path / "b.root", events)
    tally = engine.run(four_muon_config(data("d", "First", path), simulation("mc", twin)))
    assert entries(tally, "d")[FILTERS] == entries(tally, "mc")[FILTERS] == 7


def test_the_lumi_mask_holds_for_data_only(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(20))  # run 1, sections 1 to 20
    mask = tmp_path / "mask.json"
    mask.write_text(json.dumps({"1": [[2, 5], [18, 30]], "2": [[1, 100]]}))
    twin = write_nanoaod(tmp_path / "b.root", four_muon_events(20))
    tally = engine.run(four_muon_config(data("d", "First", path), simulation("mc", twin), lumi_mask=str(mask)))
    assert entries(tally, "d")[:2] == [20, 7]
    assert entries(tally, "mc")[:2] == [20, 20]
    assert set(tally.selected["d", str(path)]["entry"]) <= {1, 2, 3, 4, 17, 18, 19}


def test_a_file_under_two_names_is_refused(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(5))
    other = tmp_path / "b.root"
    other.symlink_to(path)
    with pytest.raises(ConfigError, match="are the same file"):
        engine.run(four_muon_config(data("1", "First", path), data("2", "Second", other)))


def test_a_lumi_mask_without_the_run(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    other = four_muon_events(10)
    other["run"][:] = 7
    paths = [write_nanoaod(tmp_path / "a.root", four_muon_events(20)), write_nanoaod(tmp_path / "b.root", other)]
    mask = tmp_path / "mask.json"
    mask.write_text(json.dumps({"7": [[1, 100]]}))
    tally = engine.run(four_muon_config(data("d", "First", *paths), lumi_mask=str(mask)))
    assert not tally.failures
    assert entries(tally, "d")[:2] == [30, 10]
    assert tally.selected["d", str(paths[0])]["entry"].size == 0


def test_a_golden_json_on_real_runs(
    shared: Path, tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    mask = shared / "data/golden_json/Cert_314472-325175_13TeV_Legacy2018_Collisions18_JSON.txt"
    events = four_muon_events(3)
    events["run"] = np.array([315267, 315267, 194075], np.uint32)
    events["luminosityBlock"] = np.array([205, 999_999, 48], np.uint32)
    path = write_nanoaod(tmp_path / "a.root", events)
    tally = engine.run(four_muon_config(data("d", "First", path), lumi_mask=str(mask)))
    assert entries(tally, "d")[:2] == [3, 1]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"selection": {"channel": "x"}}, "unknown channel 'x'"),
        ({"selection": {"cuts": {}}}, "cuts: muon is missing"),
        ({"lumi_mask": "none.json"}, "lumi_mask none.json: No such file or directory"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_first(
    four_muon_config: Configure, settings: dict[str, Any], message: str
) -> None:
    def mapper(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
        pytest.fail("a file was looked at")

    with pytest.raises(ConfigError, match=message):
        engine.run(four_muon_config(data("d", "First", Path("none.root")), **settings), mapper)
