"""Bulk reading against uproot's own arrays, branch by branch and bit by bit; and damaged files."""

from __future__ import annotations

import functools
import logging
import os
import resource
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuhiggs import channels, schema
from gpuhiggs.errors import FileError, InputError
from gpuhiggs.read import EventFile, Request, bulk
from gpuhiggs.read.baskets import Branch
from gpuhiggs.read.source import LocalSource
from gpuhiggs.read.ttree import TreeTable, described
from gpuhiggs.read.values import Values

CODECS = {
    "zlib": uproot.ZLIB(1),
    "lzma": uproot.LZMA(1),
    "lz4": uproot.LZ4(4),
    "zstd": uproot.ZSTD(5),
    "none": None,
}

FILES = {
    "cms/DYJetsToLL_UL17_100ev.root": ("Events", "Runs", "LuminosityBlocks"),
    "cms/DY_2018_40ev.root": ("Events",),
    "cms/DoubleMuon_Run2018A_data_40ev.root": ("Events",),
    "cms/EGamma_Run2022F_data_100ev.root": ("Events",),
    "cms/GJet_Run3_v11_100ev.root": ("Events", "LuminosityBlocks"),
    "cms/SingleMu_Run2012B_data_1000ev.root": ("Events",),
    "cms/TT_OpenData2015_200ev.root": ("Events",),
    "cms/TT_Run3_v12_200ev.root": ("Events",),
    "cms/ttH_HToGG_M125_2017_100ev.root": ("Events",),
    "cms/ttH_HToGG_M125_2017_photons_electrons_1000ev.root": ("Events",),
    "atlas/data_A.4lep.root": ("mini",),
    "atlas/data_B.4lep.root": ("mini",),
    "atlas/DAOD_PHYSLITE_Zee_100ev.root": ("CollectionTree",),
    "codecs/CMS_HEP_tutorial_ww.root": ("events",),
    **{f"codecs/uproot-HZZ-{codec}.root": ("events",) for codec in ("zlib", "lz4", "lzma", "zstd", "uncompressed")},
}
NOT_COVERED = 0.4
"""At most this part of a file's branches may be left to uproot: PHYSLITE has many that are no numbers."""


def layouts_of(tree: Any) -> dict[str, Branch]:
    found = {branch.name: described(branch) for branch in tree.branches}
    return {name: branch for name, branch in found.items() if branch is not None}


def read(path: Path, branches: dict[str, Branch], start: int, stop: int, threads: int = 1) -> dict[str, Values]:
    source = LocalSource(str(path))
    try:
        return bulk.read(source, branches, start, stop, threads)
    finally:
        source.close()


def assert_same(found: Values, array: ak.Array) -> None:
    layout = ak.to_packed(array).layout
    if found.offsets is None:
        expected = np.asarray(layout.data)
    else:
        expected = np.asarray(layout.content.data)
        np.testing.assert_array_equal(found.offsets, np.asarray(layout.offsets.data))
    assert found.content.dtype == expected.dtype
    assert found.content.dtype.isnative
    assert found.content.tobytes() == expected.tobytes()


@functools.cache
def opened(path: Path, name: str) -> tuple[Any, dict[str, Branch], Mapping[str, ak.Array]]:
    tree = uproot.open(path, object_cache=None, array_cache=None)[name]
    layouts = layouts_of(tree)
    arrays = tree.arrays(list(layouts), library="ak")
    return tree, layouts, {branch: arrays[branch] for branch in layouts}


# --- real files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("file", "name"), [(file, name) for file, names in FILES.items() for name in names])
def test_every_branch_equals_uproot(shared: Path, file: str, name: str) -> None:
    path = shared / "data" / file
    tree, layouts, arrays = opened(path, name)
    assert len(layouts) >= (1 - NOT_COVERED if "PHYSLITE" not in file else 0.3) * len(tree.branches)
    n = tree.num_entries
    random = np.random.default_rng(len(file))
    ranges = [(0, n), (0, 0), (n, n), *(sorted(random.integers(0, n + 1, 2).tolist()) for _ in range(3))]
    for threads, (start, stop) in enumerate(ranges, 1):
        found = read(path, layouts, start, stop, min(threads, 3))
        assert found.keys() == layouts.keys()
        for branch, values in found.items():
            assert_same(values, arrays[branch][start:stop])


def test_all_codecs_give_the_same_bits(shared: Path) -> None:
    found = []
    for codec in ("zlib", "lz4", "lzma", "zstd", "uncompressed"):
        path = shared / "data/codecs" / f"uproot-HZZ-{codec}.root"
        _, layouts, _ = opened(path, "events")
        values = read(path, layouts, 100, 2000)
        found.append({branch: one.content.tobytes() for branch, one in values.items()})
    assert all(one == found[0] for one in found)
    assert len(found[0]) > 40


# --- written files -------------------------------------------------------------------------------------------------


def some_branches(n: int, seed: int) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    counts = random.poisson(1.5, n)
    total = int(counts.sum())
    jagged = {
        "pt": random.exponential(30, total).astype(np.float32),
        "charge": random.integers(-1, 2, total).astype(np.int32),
        "tight": random.random(total) < 0.5,
        "id": random.integers(0, 256, total).astype(np.uint8),
        "mass": random.normal(size=total),
    }
    return {
        "run": random.integers(0, 2**32, n).astype(np.uint32),
        "event": random.integers(0, 2**63, n).astype(np.uint64),
        "weight": random.normal(size=n).astype(np.float32),
        "fired": random.random(n) < 0.5,
        "Muon": ak.zip({name: ak.unflatten(values, counts) for name, values in jagged.items()}),
    }


def write(path: Path, sizes: list[int], codec: str) -> Path:
    with uproot.recreate(path, compression=CODECS[codec]) as file:
        types = {name: ak.Array(values).type.content for name, values in some_branches(3, 0).items()}
        tree = file.mktree("Events", types)
        for seed, size in enumerate(sizes):
            tree.extend(some_branches(size, seed))
    return path


@pytest.mark.parametrize("codec", CODECS)
def test_ranges_over_several_baskets(tmp_path: Path, codec: str) -> None:
    path = write(tmp_path / "a.root", [100, 1, 57, 300, 2], codec)
    tree, layouts, arrays = opened(path, "Events")
    assert set(layouts) == set(tree.keys(recursive=False))
    edges = [0, 1, 50, 99, 100, 101, 102, 158, 300, 457, 458, 460]
    for start in edges:
        for stop in (stop for stop in edges if stop >= start):
            for branch, values in read(path, layouts, start, stop).items():
                assert_same(values, arrays[branch][start:stop])


def test_blocks_of_16_megabytes(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 1000, 3_000_000).astype(np.float64)
    for codec in ("zstd", "lz4", "zlib"):
        path = tmp_path / f"{codec}.root"
        with uproot.recreate(path, compression=CODECS[codec]) as file:
            file.mktree("Events", {"x": np.float64}).extend({"x": values})
        with uproot.open(path) as file:
            assert len(file["Events"]["x"].basket(0).block_compression_info) == 2
            layouts = layouts_of(file["Events"])
            [found] = read(path, layouts, 5, 2_999_999).values()
        np.testing.assert_array_equal(found.content, values[5:2_999_999], strict=True)


def test_many_tiny_baskets(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    values = np.arange(1000, dtype=np.int32)
    with uproot.recreate(path) as file:
        tree = file.mktree("Events", {"x": np.int32})
        for value in values:
            tree.extend({"x": np.array([value], np.int32)})
    with uproot.open(path) as file:
        layouts = layouts_of(file["Events"])
        [found] = read(path, layouts, 0, 1000, 2).values()
        [part] = read(path, layouts, 500, 502).values()
    np.testing.assert_array_equal(found.content, values, strict=True)
    np.testing.assert_array_equal(part.content, [500, 501])


def test_what_is_not_covered_goes_through_uproot(
    shared: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(shared / "data/cms/DY_2018_40ev.root")
    names = ["Muon_pt", "nMuon", "run"]
    with EventFile(path, ("Events",)) as events:
        expected = events.table.read(names, 3, 20, 1)
        monkeypatch.setattr(TreeTable, "branch", lambda *_: None)
        with caplog.at_level(logging.DEBUG, "gpuhiggs"), EventFile(path, ("Events",)) as others:
            found = others.table.read(names, 3, 20, 1)
    assert f"{path}: read by uproot's arrays(): Muon_pt, nMuon, run" in caplog.messages
    for name in names:
        np.testing.assert_array_equal(found[name].content, expected[name].content, strict=True)


# --- damaged files -------------------------------------------------------------------------------------------------


def basket_of(path: Path, branch: str, number: int) -> tuple[int, int, int]:
    """Where a basket begins, its payload begins, and it ends."""
    with uproot.open(path) as file:
        one = file["Events"][branch]
        seek, length = int(one.member("fBasketSeek")[number]), int(one.member("fBasketBytes")[number])
        return seek, seek + int(one.basket(number).member("fKeylen")), seek + length


def overwrite(path: Path, at: int, content: bytes) -> None:
    raw = bytearray(path.read_bytes())
    raw[at : at + len(content)] = content
    path.write_bytes(raw)


def error_of(path: Path, branch: str) -> str:
    with uproot.open(path) as file:
        layouts = layouts_of(file["Events"])
        with pytest.raises(FileError) as error:
            read(path, {branch: layouts[branch]}, 0, file["Events"].num_entries)
    prefix = f"{path}: branch "
    assert str(error.value).startswith(prefix)
    return str(error.value).removeprefix(prefix)


@pytest.mark.parametrize(
    ("codec", "at", "content", "message"),
    [
        ("zlib", 0, b"??", "no block of a known codec: b'??'"),
        ("zlib", 0, b"CS", "no block of a known codec: b'CS'"),
        ("zlib", 3, b"\xff\xff\xff", "no block of a known codec: b'ZL', 16777215 bytes"),
        ("zlib", 6, b"\x00\x00\x00", "its blocks hold 0 bytes, expected "),
        ("zlib", 6, b"\xff\xff\xff", "its blocks hold 16777215 bytes, expected "),
        ("zlib", -1, b"\x00", "DeflateError: "),
        ("lz4", 9, bytes(8), "the checksum of an LZ4 block disagrees"),
        ("lz4", 40, b"\x00\x01\x02", "the checksum of an LZ4 block disagrees"),
        ("lzma", -1, b"\x00", "LZMAError: "),
        ("lzma", 60, bytes(8), "LZMAError: "),
        ("zstd", 9, bytes(4), "ZstdError: "),
    ],
)
def test_a_damaged_block(tmp_path: Path, codec: str, at: int, content: bytes, message: str) -> None:
    path = write(tmp_path / "a.root", [300, 300], codec)
    _, payload, end = basket_of(path, "Muon_mass", 1)
    overwrite(path, payload + at if at >= 0 else end + at, content)
    assert error_of(path, "Muon_mass").startswith(f"Muon_mass, basket 1: {message}")


@pytest.mark.parametrize(
    ("at", "content", "message"),
    [
        (0, b"\x00\x00\x00\x05", "a key of "),
        (14, b"\x7f\xff", "a key of 32767 bytes"),
        (14, b"\x00\x05", "a key of 5 bytes"),
        (-9, b"\x00\x00\x00\x07", "7 entries, the tree says 300"),
        (-5, b"\x7f\x00\x00\x00", "bytes of values in "),
        (-5, b"\x00\x00\x00\x00", "bytes of values in "),
    ],
)
def test_a_damaged_key(tmp_path: Path, at: int, content: bytes, message: str) -> None:
    path = write(tmp_path / "a.root", [300, 300], "zlib")
    key, payload, _ = basket_of(path, "Muon_pt", 1)
    overwrite(path, key + at if at >= 0 else payload + at, content)
    found = error_of(path, "Muon_pt")
    assert found.startswith("Muon_pt, basket 1: ")
    assert message in found


def test_a_counter_that_disagrees(tmp_path: Path) -> None:
    path = write(tmp_path / "a.root", [300, 300], "none")
    _, payload, _ = basket_of(path, "nMuon", 1)
    overwrite(path, payload, b"\x00\x00\x03\x00")
    found = error_of(path, "Muon_pt")
    assert found.startswith("Muon_pt, basket 1: ")
    assert found.endswith("from the counter of its events")
    overwrite(path, payload, b"\xff\xff\xff\xff")
    assert error_of(path, "Muon_pt").startswith("nMuon: counts from ")


def test_a_file_that_ends_in_a_basket(tmp_path: Path) -> None:
    path = write(tmp_path / "a.root", [300, 300], "zlib")
    with uproot.open(path) as file:
        layouts = layouts_of(file["Events"])
        *_, stop = basket_of(path, "Muon_pt", 1)
        os.truncate(path, stop - 1)
        with pytest.raises(FileError, match=r"a\.root: branch Muon_pt: its basket 1 has \d+ bytes from byte "):
            read(path, {"Muon_pt": layouts["Muon_pt"]}, 0, 600)
        assert read(path, {"Muon_pt": layouts["Muon_pt"]}, 0, 300)["Muon_pt"].content.size > 0


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.root", [300], "zlib")
    with uproot.open(path) as file:
        layouts = layouts_of(file["Events"])
    source = LocalSource(str(path))
    os.truncate(path, int(layouts["run"].seeks[0]) + 60)
    with pytest.raises(FileError, match=r"branch run, basket 0: the file ends at byte "):
        bulk.read(source, {"run": layouts["run"]}, 0, 300)
    source.close()


REQUESTS = {
    "cms/SingleMu_Run2012B_data_1000ev.root": ("Events", None),
    "atlas/data_A.4lep.root": ("mini", None),
    "codecs/uproot-HZZ-lz4.root": ("events", 0.0),
    "codecs/uproot-HZZ-zstd.root": ("events", 0.0),
    "codecs/uproot-HZZ-lzma.root": ("events", 0.0),
    "codecs/uproot-HZZ-zlib.root": ("events", 0.0),
}
"""Files to damage."""


@pytest.mark.parametrize("file", REQUESTS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_files(shared: Path, tmp_path: Path, file: str, data: st.DataObject) -> None:
    """Bytes of baskets that the undamaged tree points to: an error that names the branch, or as many numbers."""
    whole = shared / "data" / file
    tree, layouts, arrays = opened(whole, REQUESTS[file][0])
    branch = data.draw(st.sampled_from(sorted(layouts)), label="branch")
    one = tree[branch]
    path = tmp_path / "mutated.root"
    raw = bytearray(whole.read_bytes())
    seek, length = (int(one.member(name)[0]) for name in ("fBasketSeek", "fBasketBytes"))
    within = st.integers(0, 100 if data.draw(st.booleans(), label="in the headers") else max(length - 1, 0))
    for at, value in data.draw(st.lists(st.tuples(within, st.integers(0, 255)), min_size=1, max_size=4)):
        raw[(seek + at) % len(raw)] = value
    path.write_bytes(raw)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    basket = one.basket(0)
    checked = "zstd" not in file and basket.uncompressed_bytes != basket.compressed_bytes and length > 0
    message, found = "", None
    try:
        found = read(path, {branch: layouts[branch]}, 0, tree.num_entries)[branch]
    except FileError as error:
        message = str(error)
    if found is None:
        assert message.startswith(f"{path}: branch ")
    elif checked:  # ROOT's ZSTD blocks and uncompressed baskets have no checksum
        assert_same(found, arrays[branch])
    else:
        assert found.content.size == ak.count(arrays[branch])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


NANOAOD = Request(
    channels.find("four_lepton").inputs, schema.load("nanoaod"), True, (),
    ("events.triggers", "events.filters", "electrons.bdt_wp90"),
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_bytes_anywhere(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path], data: st.DataObject
) -> None:
    """Through the public face, metadata damaged too: no crash, no hang, and no error of another kind."""
    path = tmp_path / "a.root"
    if not path.exists():
        write_nanoaod(path, four_muon_events(30), four_muon_events(20, 1))
    raw = bytearray(path.read_bytes())
    places = st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255))
    for at, value in data.draw(st.lists(places, min_size=1, max_size=8), label="bytes"):
        raw[at] = value
    mutated = tmp_path / "mutated.root"
    mutated.write_bytes(raw)
    message, columns = "", None
    try:
        with EventFile(str(mutated), ("Events",)) as events:
            columns = events.read(events.resolve(NANOAOD), 0, min(events.entries, 50))
    except InputError as error:
        message = str(error)
    if columns is None:
        assert str(mutated) in message
    else:
        assert columns.muons.offsets.size - 1 == columns.events.run.size
