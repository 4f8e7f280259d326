"""However the work is cut and delivered: the same sums."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs import engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import books, inspection
from gpuhiggs.engine.books import Progress
from gpuhiggs.engine.tally import FileInfo, Tally
from gpuhiggs.engine.work import Mapper, Work, serially
from gpuhiggs.read import ColumnCache
from tests.engine.datasets import Configure, Events, Writer, data, entries, shuffled, simulation, twice


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
