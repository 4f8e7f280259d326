"""The engine: the same sums however the work is cut and delivered, and files that are not all as they should be."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs import channels, engine, normalisation
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import books, inspection, preparation, processing, sparse
from gpuhiggs.engine.books import Progress
from gpuhiggs.engine.tally import Failure, FileInfo, Partial, Tally, WorkItem
from gpuhiggs.engine.work import Lost, Mapper, Work, serially
from gpuhiggs.errors import ConfigError
from gpuhiggs.histogram import Counts, sum_of_squares, sum_of_weights
from gpuhiggs.read import ColumnCache

Branches = dict[str, Any]
Events = Callable[..., Branches]
Writer = Callable[..., Path]
Configure = Callable[..., RunConfig]


def simulation(name: str, *files: Path, **settings: Any) -> dict[str, Any]:
    dataset = {"name": name, "process": name, "kind": "simulation", "files": [str(path) for path in files]}
    return {**dataset, "cross_section": None, **settings}


def data(name: str, primary: str, *files: Path) -> dict[str, Any]:
    dataset = {"name": name, "process": "data", "kind": "data", "files": [str(path) for path in files]}
    return {**dataset, "primary_dataset": primary}


STEPS = channels.find("four_lepton").steps
CERTIFIED, FILTERS, TRIGGER, FOUR_LEPTONS = (
    STEPS.index(name) for name in ("certified", "filters", "trigger", "four_leptons")
)


def entries(tally: Tally, dataset: str) -> list[int]:
    """Events after each step of the cutflow."""
    return [int(n) for n in tally.counts.sums[dataset, "cutflow"].low[:, 0]]


def weights(tally: Tally, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Σw and Σw² after each step of the cutflow, in the dataset's weight unit."""
    wide = tally.counts.sums[dataset, "cutflow"]
    sums = sum_of_weights(type(wide)(wide.high[:, 1], wide.low[:, 1]))
    return sums, sum_of_squares(type(wide)(wide.high[:, 2:], wide.low[:, 2:]))


# --- however it is cut and delivered -------------------------------------------------------------------------------


def shuffled(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
    while True:
        results = [function(argument) for argument in iter(queue.take, None)]
        if not results:
            return
        random.Random(1).shuffle(results)
        yield from results


def twice(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
    for argument in iter(queue.take, None):
        yield function(argument)
        yield function(argument)


@pytest.fixture(scope="module")
def three_files(
    tmp_path_factory: pytest.TempPathFactory,
    four_muon_events: Events,
    write_nanoaod: Writer,
    four_muon_config: Configure,
) -> Callable[..., RunConfig]:
    """Simulation in two files with weights of both signs, and data in one."""
    folder = tmp_path_factory.mktemp("three")
    generator = np.random.default_rng(3)
    paths = []
    for i, n in enumerate((40, 7, 23)):
        events = four_muon_events(n, i)
        events["genWeight"] = generator.normal(1, 2, n).astype(np.float32)
        paths.append(write_nanoaod(folder / f"{i}.root", events))

    def configure(**settings: Any) -> RunConfig:
        return four_muon_config(simulation("mc", *paths[:2]), data("data", "First", paths[2]), **settings)

    return configure


@pytest.fixture(scope="module")
def reference(three_files: Configure) -> Tally:
    return engine.run(three_files())


def test_the_reference_selects_events_of_both_signs(reference: Tally) -> None:
    assert entries(reference, "mc")[:5] == [47, 47, 47, 47, 36]
    assert entries(reference, "data")[:5] == [23, 23, 23, 23, 18]
    assert entries(reference, "mc")[-1] > 20
    selected = np.concatenate([found["weight"] for (name, _), found in reference.selected.items() if name == "mc"])
    assert (selected < 0).any()
    assert len(selected) == entries(reference, "mc")[-1]


@pytest.mark.parametrize(("chunk_size", "mapper"), [(3, serially), (10, shuffled), (11, twice), (39, serially)])
def test_one_digest(reference: Tally, three_files: Configure, chunk_size: int, mapper: Mapper) -> None:
    tally = engine.run(three_files(chunk_size=chunk_size), mapper)
    assert tally.counts.digest() == reference.counts.digest()
    assert [info._replace(cuts=()) for info in tally.complete] == [
        info._replace(cuts=()) for info in reference.complete
    ]
    assert not tally.failures
    assert tally.selected.keys() == reference.selected.keys()
    for key, found in tally.selected.items():
        for name, values in found.items():
            np.testing.assert_array_equal(values, reference.selected[key][name], strict=True)


def test_another_weight_gives_another_digest(
    reference: Tally, three_files: Configure, four_muon_events: Events, write_nanoaod: Writer, tmp_path: Path
) -> None:
    config = three_files()
    events = four_muon_events(40, 0)
    events["genWeight"] = np.random.default_rng(3).normal(1, 2, 40).astype(np.float32)
    events["genWeight"][0] = np.nextafter(events["genWeight"][0], np.float32(9))
    changed = write_nanoaod(tmp_path / "a.root", events)
    [mc, other] = config.datasets
    mc = mc.model_copy(update={"files": (str(changed), mc.files[1])})
    tally = engine.run(config.model_copy(update={"datasets": (mc, other)}))
    assert tally.counts.digest() != reference.counts.digest()
    assert entries(tally, "mc") == entries(reference, "mc")


def test_progress(three_files: Configure) -> None:
    seen: list[Progress] = []
    engine.run(three_files(chunk_size=10), progress=seen.append)
    assert (seen[-1].events_done, seen[-1].events) == (70, 70)
    assert (seen[-1].files_done, seen[-1].files, seen[-1].files_failed) == (3, 3, 0)
    assert seen == sorted(seen, key=lambda progress: (progress.files_done, progress.events_done))
    assert len(seen) == 8 + 3
    assert seen[-1].remaining == 0.0


@given(st.integers(0, 10**12), st.integers(1, 2**24))
def test_work_items_cover_a_file_once(entries: int, chunk_size: int) -> None:
    chunk_size = max(chunk_size, entries // 1000)
    items = inspection.work_items(FileInfo("d", "p", "u", entries, None), chunk_size)
    assert items[0].start == 0
    assert items[-1].stop == entries
    assert all(a.stop == b.start for a, b in itertools.pairwise(items))
    sizes = [item.stop - item.start for item in items]
    assert max(sizes) <= chunk_size
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 0 or len(items) == 1


def test_a_column_cache_changes_no_bit(three_files: Configure, tmp_path: Path) -> None:
    config = three_files(chunk_size=10)
    plain = engine.run(config)
    for _ in range(2):
        cached = engine.run(config, cache=ColumnCache(tmp_path / "cache"))
        assert cached.counts.digest() == plain.counts.digest()
        assert cached.complete == plain.complete


# --- weights -------------------------------------------------------------------------------------------------------


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


# --- broken files among good ones ----------------------------------------------------------------------------------


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


# --- which events of which file ------------------------------------------------------------------------------------


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


# --- before any file is opened -------------------------------------------------------------------------------------


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


# --- the tally -----------------------------------------------------------------------------------------------------

INFO = FileInfo("d", "p", "u", 10, None)
ITEMS = [WorkItem("d", "p", 0, 5), WorkItem("d", "p", 5, 10)]


def partial(item: WorkItem) -> Partial:
    counts = Counts()
    counts.add("d", "n", np.array([item.stop]))
    return Partial(item, sparse.pack(counts), {"entry": np.array([item.start])}, 0.0)


def failure(item: WorkItem) -> Failure:
    return Failure(item.dataset, item.path, item.start, item.stop, "broken")


@pytest.mark.parametrize(
    ("results", "complete", "failed"),
    [
        ([partial(ITEMS[0]), partial(ITEMS[1])], True, 0),
        ([partial(ITEMS[1]), partial(ITEMS[1]), partial(ITEMS[0]), partial(ITEMS[0])], True, 0),
        ([partial(ITEMS[0])], False, 0),
        ([partial(ITEMS[0]), failure(ITEMS[1])], False, 1),
        ([failure(ITEMS[0]), partial(ITEMS[0]), partial(ITEMS[1])], False, 1),
        ([failure(ITEMS[0]), failure(ITEMS[0])], False, 1),
        ([failure(ITEMS[0]), failure(ITEMS[1])], False, 2),
        ([partial(ITEMS[0]), partial(ITEMS[1]), failure(ITEMS[1])], True, 0),
    ],
)
def test_tally(results: list[Partial | Failure], complete: bool, failed: int) -> None:
    tally = Tally()
    tally.expect(INFO, ITEMS)
    for result in results:
        tally.add(result)
    assert tally.complete == ([INFO] if complete else [])
    assert len(tally.failures) == failed
    assert [wide.low.tolist() for wide in tally.counts.sums.values()] == ([[15]] if complete else [])
    assert {key: found["entry"].tolist() for key, found in tally.selected.items()} == (
        {("d", "p"): [0, 5]} if complete else {}
    )


def pieces(item: WorkItem, toss: Callable[[], bool]) -> list[WorkItem]:
    """An item, or the halves of it, or both, to any depth."""
    found = [item] if toss() else []
    halves = [half for half in books.halves(item) if isinstance(half, WorkItem)]
    if len(halves) > 1 and (not found or toss()):
        found += [piece for half in halves for piece in pieces(half, toss)]
    return found or [item]


@given(st.data())
def test_each_event_counts_once_however_stragglers_are_split(data: st.DataObject) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(books, "SPLIT_AT_LEAST", 2)
        items = [WorkItem("d", "p", start, start + 16) for start in range(0, 48, 16)]
        results = [piece for item in items for piece in pieces(item, lambda: data.draw(st.booleans()))]
    results += data.draw(st.lists(st.sampled_from(results), max_size=5))
    tally = Tally()
    tally.expect(FileInfo("d", "p", "u", 48, None), items)
    for item in data.draw(st.permutations(results)):
        counts = Counts()
        counts.add("d", "n", np.bincount(np.arange(item.start, item.stop), minlength=48))
        tally.add(Partial(item, sparse.pack(counts), {"entry": np.arange(item.start, item.stop)}, 0.0))
    assert tally.counts.sums["d", "n"].low.tolist() == [1] * 48
    assert tally.selected["d", "p"]["entry"].tolist() == list(range(48))
    assert tally.events == 48


def in_pieces(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
    """Split whatever can be split, now and then twice; do the whole as well, sometimes first."""
    dice = random.Random(2)
    for argument in iter(queue.take, None):
        parts = [
            part for half in queue.split(argument) for part in (queue.split(half) if dice.random() < 0.5 else [half])
        ]
        parts.insert(dice.randrange(len(parts) + 1), argument)
        yield from map(function, parts)


def test_one_digest_with_stragglers_split(
    reference: Tally, three_files: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "SPLIT_AT_LEAST", 2)
    tally = engine.run(three_files(chunk_size=11), in_pieces)
    assert tally.counts.digest() == reference.counts.digest()
    for key, found in tally.selected.items():
        for name, values in found.items():
            np.testing.assert_array_equal(values, reference.selected[key][name], strict=True)
