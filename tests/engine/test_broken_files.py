"""Broken files among good ones: each counts whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from gpuhiggs import engine, normalisation
from gpuhiggs.engine import preparation, processing
from gpuhiggs.engine.tally import Partial, WorkItem
from gpuhiggs.engine.work import Lost, Mapper, Work, serially
from gpuhiggs.read import ColumnCache
from tests.engine.datasets import STEPS, Configure, Events, Writer, data, entries, shuffled, simulation, twice


def test_broken_files_among_good_ones(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    good = [write_nanoaod(tmp_path / f"good{i}.root", four_muon_events(20, i)) for i in (1, 2)]
    whole = good[0].read_bytes()
    (tmp_path / "cut.root").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.root").touch()
    write_nanoaod(tmp_path / "other.root", four_muon_events(5), tree="mini")
    no_muons = {name: values for name, values in four_muon_events(5).items() if name != "Muon"}
    write_nanoaod(tmp_path / "no_muons.root", no_muons)
    bad = [tmp_path / f"{name}.root" for name in ("cut", "empty", "missing", "other", "no_muons")]

    alone = engine.run(four_muon_config(simulation("mc", *good)))
    tally = engine.run(four_muon_config(simulation("mc", good[0], *bad, good[1]), simulation("bad", *bad)))
    assert tally.counts.digest() == alone.counts.digest()
    assert tally.complete == alone.complete
    errors = {failure.path: failure.error for failure in tally.failures if failure.dataset == "mc"}
    assert len(tally.failures) == 2 * len(bad)
    assert errors.keys() == {str(path) for path in bad}
    assert all(message.startswith(path) for path, message in errors.items())
    assert "truncated" in errors[str(bad[0])] or "cannot be read" in errors[str(bad[0])]
    assert errors[str(bad[2])] == f"{bad[2]}: no such file"
    assert errors[str(bad[3])] == f"{bad[3]}: no tree 'Events'; the file has: mini"
    assert errors[str(bad[4])].startswith(f"{bad[4]}: no branch Muon_pt in tree 'Events', which the column muons.pt")


@pytest.mark.parametrize("mapper", [serially, shuffled, twice])
def test_a_file_counts_whole_or_not_at_all(
    tmp_path: Path,
    four_muon_events: Events,
    write_nanoaod: Writer,
    four_muon_config: Configure,
    damage_second_basket: Callable[[Path, str], None],
    mapper: Mapper,
) -> None:
    good = write_nanoaod(tmp_path / "good.root", four_muon_events(20, 1), runs={"genEventSumw": [30.0]})
    part = write_nanoaod(
        tmp_path / "part.root", four_muon_events(50, 2), four_muon_events(50, 3), runs={"genEventSumw": [1000.0]}
    )
    damage_second_basket(part, "Muon_phi")
    settings = {"luminosity": 2.0, "chunk_size": 25}
    config = four_muon_config(simulation("mc", good, part, cross_section=3.0), **settings)
    tally = engine.run(config, mapper)
    alone = engine.run(four_muon_config(simulation("mc", good, cross_section=3.0), **settings))
    [failure] = tally.failures
    assert failure.path == str(part)
    assert (failure.start, failure.stop) in ((50, 75), (75, 100))
    assert failure.attempts == 3
    assert tally.counts.digest() == alone.counts.digest()
    assert [info.path for info in tally.complete] == [str(good)]
    assert ("mc", str(part)) not in tally.selected
    assert normalisation.scale(config, tally, config.datasets[0]).sum_of_weights == 30.0
    assert normalisation.scale(config, tally, config.datasets[0]).factor == pytest.approx(3.0 * 2000 / 30)


def test_zero_events(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    good = write_nanoaod(tmp_path / "good.root", four_muon_events(20, 1))
    empty = write_nanoaod(tmp_path / "none.root", four_muon_events(0))
    both = engine.run(four_muon_config(simulation("mc", good, empty)))
    alone = engine.run(four_muon_config(simulation("mc", good)))
    assert both.counts.digest() == alone.counts.digest()
    assert {Path(info.path).name: info.entries for info in both.complete} == {"good.root": 20, "none.root": 0}
    nothing = engine.run(four_muon_config(simulation("mc", empty)))
    assert entries(nothing, "mc") == [0] * len(STEPS)


def test_nasty_events_change_no_other_event(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    """NaN, infinite and negative pt, and an event with forty muons."""
    events = four_muon_events(20)
    clean = engine.run(four_muon_config(simulation("mc", write_nanoaod(tmp_path / "a.root", events))))
    muons = [events["Muon"][i].tolist() for i in range(20)]
    muons[0][0]["pt"] = np.nan
    muons[1][2]["pt"] = -15.0
    muons[2][0]["pt"] = np.inf
    muons[4] = muons[4] * 10
    types = {name: np.asarray(ak.flatten(events["Muon"][name])).dtype for name in events["Muon"].fields}
    rebuilt = {
        name: ak.values_astype(ak.Array([[muon[name] for muon in event] for event in muons]), kind)
        for name, kind in types.items()
    }
    nasty = write_nanoaod(tmp_path / "b.root", events | {"Muon": ak.zip(rebuilt)})
    tally = engine.run(four_muon_config(simulation("mc", nasty)))
    assert not tally.failures
    assert tally.counts.sums["mc", "errors"].low.tolist() == [0, 1]
    [before], [after] = clean.selected.values(), tally.selected.values()
    kept = ~np.isin(before["entry"], [0, 1, 2, 4])
    untouched = ~np.isin(after["entry"], [0, 1, 2, 4])
    for name, values in before.items():
        np.testing.assert_array_equal(after[name][untouched], values[kept], strict=True)
    assert not np.isin(after["entry"], [0, 1, 4]).any()


def test_an_error_nobody_thought_of_is_a_failure_of_its_file(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    paths = [write_nanoaod(tmp_path / f"{name}.root", four_muon_events(5)) for name in "ab"]
    plain = processing.process

    def out_of_memory(prepared: preparation.Prepared, item: WorkItem, cache: ColumnCache | None) -> Partial:
        if item.path == str(paths[0]):
            raise MemoryError
        return plain(prepared, item, cache)

    monkeypatch.setattr(processing, "process", out_of_memory)
    tally = engine.run(four_muon_config(data("d", "First", *paths)))
    assert [failure.error for failure in tally.failures] == [f"{paths[0]}: MemoryError: "]
    assert entries(tally, "d")[0] == 5


def test_results_that_never_come_are_failures(
    tmp_path: Path, four_muon_events: Events, write_nanoaod: Writer, four_muon_config: Configure
) -> None:
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(6))

    def forgetful(function: Any, queue: Work) -> Any:
        yield function(queue.take())
        yield function(queue.take())

    tally = engine.run(four_muon_config(data("d", "First", path), chunk_size=2), forgetful)
    assert [failure.error for failure in tally.failures] == [f"{path}: no result came back"]
    assert not tally.complete

    def losing(function: Any, queue: Work) -> Any:
        return (Lost(argument, "KilledWorker: gone") for argument in iter(queue.take, None))

    tally = engine.run(four_muon_config(data("d", "First", path)), losing)
    assert [(failure.error, failure.attempts) for failure in tally.failures] == [(f"{path}: KilledWorker: gone", 3)]
