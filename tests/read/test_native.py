"""The short cut for many baskets gives what the long way gives, whatever is in the file, and leaves what is damaged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuhiggs.errors import FileError
from gpuhiggs.read import bulk, native
from gpuhiggs.read.baskets import Branch
from gpuhiggs.read.source import LocalSource
from gpuhiggs.read.ttree import described

CODECS = {"zlib": uproot.ZLIB(1), "lz4": uproot.LZ4(4), "zstd": uproot.ZSTD(5), "none": None}
KINDS = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("native")
    random = np.random.default_rng(1)
    for codec, compression in CODECS.items():
        with uproot.recreate(folder / codec, compression=compression) as file:
            tree = file.mktree("Events", {f"x{kind.replace('?', 'b')}": np.dtype(kind) for kind in KINDS})
            for n in (1000, 1, 300):
                raw = random.integers(0, 200, n)
                tree.extend({f"x{kind.replace('?', 'b')}": raw.astype(kind) for kind in KINDS})
    return {codec: folder / codec for codec in CODECS}


def branches(path: Path) -> dict[str, Branch]:
    with uproot.open(path) as file:
        found = {branch.name: described(branch) for branch in file["Events"].branches}
    return {name: branch for name, branch in found.items() if branch is not None}


def read(path: Path, wanted: dict[str, Branch], start: int, stop: int) -> dict[str, Any]:
    source = LocalSource(str(path))
    try:
        return {name: values.content for name, values in bulk.read(source, wanted, start, stop).items()}
    except FileError as error:
        return {"error": str(error)}
    finally:
        source.close()


def test_all_codecs_are_there() -> None:
    assert native.works() == {"ZL", "L4", "ZS"}


@pytest.mark.parametrize("codec", CODECS)
def test_nothing_is_left(files: dict[str, Path], codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = branches(files[codec])
    assert len(wanted) == len(KINDS)
    monkeypatch.setattr(native, "works", lambda: frozenset())
    ranges = [(0, 1301), (7, 1300), (999, 1001), (1000, 1001), (5, 6)]
    expected = [read(files[codec], wanted, *one) for one in ranges]
    monkeypatch.undo()
    monkeypatch.setattr(bulk, "header", None)  # the long way is closed
    for one, values in zip(ranges, expected, strict=True):
        found = read(files[codec], wanted, *one)
        assert "error" not in found
        for name in wanted:
            np.testing.assert_array_equal(found[name], values[name], strict=True)


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_short_cut_and_long_way_agree(files: dict[str, Path], tmp_path: Path, codec: str, data: st.DataObject) -> None:
    wanted = branches(files[codec])
    name = data.draw(st.sampled_from(sorted(wanted)))
    one = wanted[name]
    raw = bytearray(files[codec].read_bytes())
    number = data.draw(st.integers(0, 2))
    seek, length = int(one.seeks[number]), int(one.lengths[number])
    places = st.integers(0, min(length, 90 if data.draw(st.booleans()) else length) - 1)
    for at, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=3)):
        raw[seek + at] = value
    path = tmp_path / "mutated"
    path.write_bytes(raw)
    found = read(path, {name: one}, 0, 1301)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native, "works", lambda: frozenset())
        expected = read(path, {name: one}, 0, 1301)
    assert found.keys() == expected.keys()
    if "error" in found:
        assert found == expected
    else:
        np.testing.assert_array_equal(found[name], expected[name], strict=True)


@pytest.fixture(scope="module")
def jagged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write branches whose baskets have the offsets of their entries behind the values."""
    folder = tmp_path_factory.mktemp("jagged")
    for codec in ("zlib", "lz4", "zstd"):
        random = np.random.default_rng(2)
        with uproot.recreate(folder / codec, compression=CODECS[codec]) as file:
            tree = file.mktree("Events", {f"x{kind}": f"var * {np.dtype(kind).name}" for kind in ("f4", "i2", "f8")})
            for n in (1000, 300):
                counts = random.poisson(1.5, n)
                raw = random.integers(0, 30, counts.sum())
                tree.extend({f"x{kind}": ak.unflatten(raw.astype(kind), counts) for kind in ("f4", "i2", "f8")})
    return {codec: folder / codec for codec in ("zlib", "lz4", "zstd")}


@pytest.mark.parametrize("codec", ["zlib", "lz4", "zstd"])
def test_only_values_are_decompressed(jagged: dict[str, Path], codec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = branches(jagged[codec])
    monkeypatch.setattr(bulk, "header", None)  # the long way is closed
    with uproot.open(jagged[codec]) as file:
        for start, stop in ((0, 1300), (7, 1290), (999, 1001)):
            found = read(jagged[codec], wanted, start, stop)
            arrays = file["Events"].arrays(list(wanted), entry_start=start, entry_stop=stop)
            for name in wanted:
                np.testing.assert_array_equal(found[name], ak.to_numpy(ak.flatten(arrays[name], axis=None)))
    if codec == "zlib":  # the offsets are in the checksum, be they as they have to be or not
        raw = bytearray(jagged[codec].read_bytes())
        one = wanted["xf4"]
        raw[int(one.seeks[0] + one.lengths[0]) - 1] ^= 1  # of the checksum itself
        (jagged[codec].parent / "damaged").write_bytes(raw)
        monkeypatch.undo()
        assert "xf4, basket 0" in read(jagged[codec].parent / "damaged", wanted, 0, 10)["error"]


@pytest.mark.parametrize("codec", ["zlib", "lz4"])
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_never_wrong_numbers(jagged: dict[str, Path], tmp_path: Path, codec: str, data: st.DataObject) -> None:
    wanted = branches(jagged[codec])
    name = data.draw(st.sampled_from(["xf4", "xi2", "xf8"]))
    one = wanted[name]
    truth = read(jagged[codec], {name: one}, 0, 1300)[name]
    raw = bytearray(jagged[codec].read_bytes())
    seek, length = int(one.seeks[0]), int(one.lengths[0])
    for at, bit in data.draw(st.lists(st.tuples(st.integers(60, length - 1), st.integers(0, 7)), min_size=1)):
        raw[seek + at] ^= 1 << bit
    (tmp_path / "mutated").write_bytes(raw)
    found = read(tmp_path / "mutated", {name: one}, 0, 1300)
    if "error" not in found:
        np.testing.assert_array_equal(found[name], truth, strict=True)


WITHOUT = """
import sys
import numpy as np
from gpuhiggs.read import EventFile, codecs, native
if sys.argv[2] == "no symbols":
    codecs.WHERE.update(dict.fromkeys(codecs.WHERE, "none*.so"))
assert native.works() == frozenset()
with EventFile(sys.argv[1], ("Events",)) as events:
    print(int(events.values(["xi4"], 3, 1200)["xi4"].content.sum()))
"""


@pytest.mark.parametrize("why", ["no symbols", "no compiler"])
def test_without_it(files: dict[str, Path], why: str) -> None:
    environment = dict(os.environ) | ({"NUMBA_DISABLE_JIT": "1"} if why == "no compiler" else {})
    command = [sys.executable, "-c", WITHOUT, str(files["lz4"]), why]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    expected = read(files["lz4"], branches(files["lz4"]), 3, 1200)["xi4"].sum()
    assert done.stdout == f"{expected}\n", done.stderr
