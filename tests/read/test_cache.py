"""The column cache: the same bits as the source, however it was damaged, filled up, shared or outdated."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuhiggs.errors import ConfigError
from gpuhiggs.read import ColumnCache, EventFile, entry
from gpuhiggs.read.root_file import RootFile
from gpuhiggs.read.values import Values

ADL = "cms/SingleMu_Run2012B_data_1000ev.root"
NAMES = ("Muon_pt", "Muon_charge", "nMuon", "run", "event", "HLT_IsoMu24_eta2p1", "Jet_pt")


def read(
    path: Path, cache: ColumnCache | None, start: int = 0, stop: int = 1000, threads: int = 1
) -> dict[str, Values]:
    with EventFile(str(path), ("Events",), threads, cache) as events:
        return events.values(NAMES, start, stop)


def assert_same(found: dict[str, Values], expected: dict[str, Values]) -> None:
    assert found.keys() == expected.keys()
    for name, (content, offsets) in expected.items():
        np.testing.assert_array_equal(found[name].content, content, strict=True)
        assert (found[name].offsets is None) == (offsets is None)
        if offsets is not None:
            np.testing.assert_array_equal(found[name].offsets, offsets, strict=True)


@pytest.fixture
def no_source(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """A function after whose call no ROOT file can be opened."""

    def refuse(*_: Any) -> None:
        raise AssertionError

    return lambda: monkeypatch.setattr(RootFile, "__init__", refuse)


def entries(cache: ColumnCache, suffix: str = ".column") -> list[Path]:
    return sorted(cache.folder.glob(f"*/*{suffix}"))


def test_second_pass_does_not_open_the_source(shared: Path, tmp_path: Path, no_source: Callable[[], None]) -> None:
    path = shared / "data" / ADL
    expected = read(path, None)
    cache = ColumnCache(tmp_path / "c")
    assert_same(read(path, cache), expected)
    n = len(entries(cache))
    assert n == len(NAMES) + 2  # and the shapes of muons and jets
    with EventFile(str(path), ("Events",), cache=cache) as events:
        facts = [events.uuid, events.entries, events.table.volumes(NAMES), events.table.edges(NAMES).tolist()]
        assert events.table.sums("Runs", ("genEventSumw",)) is None
    no_source()
    for threads in (1, 3):
        assert_same(read(path, cache, threads=threads), expected)
    with EventFile(str(path), ("Events",), cache=cache) as events:
        assert facts == [events.uuid, events.entries, events.table.volumes(NAMES), events.table.edges(NAMES).tolist()]
        assert events.table.sums("Runs", ("genEventSumw",)) is None
    assert len(entries(cache)) == n
    [summary] = cache.summaries()
    assert summary.path == str(path)
    assert summary.entries == n + 4
    assert not entries(cache, ".tmp")


def test_another_range_is_another_entry(shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / ADL
    cache = ColumnCache(tmp_path / "c")
    for start, stop in ((0, 500), (500, 1000), (0, 500), (3, 3), (3, 3)):
        assert_same(read(path, cache, start, stop), read(path, None, start, stop))


def test_another_chunk_size_finds_what_is_there(shared: Path, tmp_path: Path, no_source: Callable[[], None]) -> None:
    path = shared / "data" / ADL
    cache = ColumnCache(tmp_path / "c")
    ranges = ((0, 1000), (100, 700), (399, 401), (400, 400), (0, 400), (250, 900), (0, 0), (1000, 1000))
    expected = [read(path, None, *one) for one in ranges]
    for one in ((400, 1000), (0, 400), (300, 500)):
        read(path, cache, *one)
    n = len(entries(cache))
    no_source()
    for one, values in zip(ranges, expected, strict=True):
        found = read(path, cache, *one)
        assert_same(found, values)
        assert found["Muon_pt"].offsets is found["Muon_charge"].offsets
    assert len(entries(cache)) == n


def test_a_damaged_piece_is_read_anew(shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / ADL
    cache = ColumnCache(tmp_path / "c")
    for one in ((0, 400), (400, 1000)):
        read(path, cache, *one)
    victim = max(cache.folder.glob("*/*-400-1000.column"), key=lambda one: one.stat().st_size)
    raw = bytearray(victim.read_bytes())
    raw[-1] ^= 1
    victim.unlink()
    victim.write_bytes(raw)
    assert_same(read(path, cache, 100, 900), read(path, None, 100, 900))
    assert not victim.exists()


def test_a_changed_source_is_read_anew(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> None:
    names, path, cache = ["Muon_pt", "run"], tmp_path / "a.root", ColumnCache(tmp_path / "c")
    found = []
    for seed in (0, 1):
        write_nanoaod(path, four_muon_events(50, seed))
        os.utime(path, (1e9, 1e9))  # as a copy that keeps times: the UUID tells them apart
        with EventFile(str(path), ("Events",), cache=cache) as events:
            found.append(events.values(names, 0, 50)["Muon_pt"].content)
        with EventFile(str(path), ("Events",)) as events:
            np.testing.assert_array_equal(found[-1], events.values(names, 0, 50)["Muon_pt"].content)
    assert found[0].tobytes() != found[1].tobytes()


def test_another_version_of_the_format(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shared / "data" / ADL
    cache = ColumnCache(tmp_path / "c")
    read(path, cache)
    monkeypatch.setattr("gpuhiggs.read.opening.VERSION", 99)
    read(path, cache)
    assert len({one.parent for one in entries(cache)}) == 2


@settings(max_examples=35, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_damaged_is_never_trusted(shared: Path, tmp_path: Path, data: st.DataObject) -> None:
    path, cache = shared / "data" / ADL, ColumnCache(tmp_path / "c")
    expected = read(path, None)
    read(path, cache)
    victim = data.draw(st.sampled_from([*entries(cache), *entries(cache, ".json")]), label="entry")
    raw = bytearray(victim.read_bytes())
    kind = data.draw(st.sampled_from(["flip", "cut", "grow", "swap", "empty"]))
    if kind == "flip":
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    elif kind == "grow":
        raw += b"\0"
    elif kind == "swap":
        raw = bytearray(data.draw(st.sampled_from(entries(cache))).read_bytes())
    else:
        raw.clear()
    victim.unlink()
    victim.write_bytes(raw)
    assert_same(read(path, cache), expected)
    assert_same(read(path, cache), expected)


def test_large_arrays_of_several_blocks(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    for values in (
        random.normal(size=300_000),
        np.zeros(1_000_000, np.float32),
        random.random(700_000) < 0.5,
        np.array([], np.uint8),
        np.arange(3, dtype=">i4"),
    ):
        size = entry.write(tmp_path / "e", {"a": 1}, values, {"more": 2})
        assert size == (tmp_path / "e").stat().st_size
        stored = entry.Stored(tmp_path / "e", {"a": 1})
        assert stored.header["more"] == 2
        found, tasks = stored.tasks()
        for task in tasks:
            task()
        np.testing.assert_array_equal(found, values)


# --- room ----------------------------------------------------------------------------------------------------------


def size_of(cache: ColumnCache) -> int:
    return sum(one.bytes for one in cache.summaries())


def test_what_was_used_last_stays(shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / ADL
    cache = ColumnCache(tmp_path / "c")
    for i, (start, stop) in enumerate(((0, 300), (300, 600), (600, 900))):
        read(path, cache, start, stop)
        for one in entries(cache):
            if one.stat().st_mtime > 1e8:
                os.utime(one, (1000 + i, 1000 + i))
    read(path, cache, 0, 300)  # the oldest, and now the one that was used last
    kept = {one for one in entries(cache) if one.stat().st_mtime > 1e8}
    last = sum(one.stat().st_size for one in (*kept, *entries(cache, ".json")))
    left = cache.prune(last)
    assert left == size_of(cache) <= last
    assert set(entries(cache)) == kept
    assert cache.prune(0) == 0
    assert not any(one.is_dir() for one in cache.folder.iterdir())


def test_the_cache_never_outgrows_its_capacity(shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / ADL
    capacity = 60_000
    cache = ColumnCache(tmp_path / "c", capacity)
    for start in range(0, 1000, 100):
        assert_same(read(path, cache, start, start + 100), read(path, None, start, start + 100))
        assert size_of(cache) <= capacity
    assert size_of(cache) > capacity / 4


def test_a_cache_that_cannot_be_used(shared: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = shared / "data" / ADL
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file/c: cannot be used as a column cache: Not a directory"):
        ColumnCache(tmp_path / "file" / "c")
    tiny = ColumnCache(tmp_path / "tiny", 10)
    assert_same(read(path, tiny), read(path, None))
    assert any("nothing is kept: " in message for message in caplog.messages)


def _work(folder: str, path: str, seed: int) -> bool:
    """Read ranges in another order than the others, in a cache that is too small for all."""
    random = np.random.default_rng(seed)
    cache = ColumnCache(folder, 200_000)
    for start in random.permutation(10).tolist() * 2:
        with EventFile(path, ("Events",), cache=cache) as events:
            found = events.values(NAMES, 100 * start, 100 * start + 100)
        with EventFile(path, ("Events",)) as events:
            assert_same(found, events.values(NAMES, 100 * start, 100 * start + 100))
    return True


def test_several_processes(shared: Path, tmp_path: Path) -> None:
    path = str(shared / "data" / ADL)
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert all(pool.starmap(_work, [(str(tmp_path / "c"), path, seed) for seed in range(3)]))
    cache = ColumnCache(tmp_path / "c")
    assert 0 < size_of(cache) < 220_000
    assert not entries(cache, ".tmp")
