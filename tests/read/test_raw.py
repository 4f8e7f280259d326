"""Baskets as they stand in the file, and the kernel that makes columns of them: the same bits as reading gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs.kernels import launch
from gpuhiggs.read import bulk, native
from gpuhiggs.read.source import LocalSource
from gpuhiggs.read.ttree import described
from gpuhiggs.read.values import Raw

UNPACK = launch.Loop("gpuhiggs.kernels.unpack", "unpack_range", ("raw", "edges", "offsets", "n", "width", "values"))
CODECS = {"zlib": uproot.ZLIB(1), "lzma": uproot.LZMA(1), "none": None}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("raw")
    random = np.random.default_rng(1)
    for codec, compression in CODECS.items():
        with uproot.recreate(folder / codec, compression=compression) as file:
            types = {"b": "bool", "h": "int16", "x": "var * float32", "k": "var * bool", "d": "var * float64"}
            tree = file.mktree("Events", types)
            for n in (700, 1, 299):
                counts = random.poisson(1.3, n)
                raw = random.integers(0, 99, counts.sum())
                jagged = {name: ak.unflatten(raw.astype(kind), counts) for name, kind in (("x", "f4"), ("d", "f8"))}
                flags = ak.unflatten(raw > 50, counts)
                tree.extend(
                    {"b": random.random(n) < 0.5, "h": random.integers(0, 99, n, np.int16), "k": flags, **jagged}
                )
    return {codec: folder / codec for codec in CODECS}


def unpacked(found: Raw) -> np.ndarray:
    values = np.zeros(found.n, found.dtype)
    addresses = [np.uint64(one.ctypes.data) for one in (found.bytes, found.edges, found.begins)]
    launch.compiled_loop(UNPACK)(
        0, found.n, 0, *addresses, len(found.edges), found.width, np.uint64(values.ctypes.data)
    )  # fmt: skip
    return values


@pytest.mark.parametrize("short_cut", [True, False])
@pytest.mark.parametrize("codec", CODECS)
def test_the_same_bits(files: dict[str, Path], codec: str, short_cut: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not short_cut:
        monkeypatch.setattr(native, "works", lambda: frozenset())
    with uproot.open(files[codec]) as file:
        layouts = {one.name: layout for one in file["Events"].branches if (layout := described(one)) is not None}
    source = LocalSource(str(files[codec]))
    room: Callable[[int], np.ndarray] = lambda size: np.full(size, 0xEE, np.uint8)  # noqa: E731
    for start, stop in ((0, 1000), (3, 999), (700, 701), (5, 5)):
        expected = bulk.read(source, layouts, start, stop)
        found = bulk.read_raw(source, layouts, start, stop, room)
        for name, (content, offsets) in expected.items():
            assert unpacked(found[name]).tobytes() == content.tobytes(), name
            np.testing.assert_array_equal(found[name].offsets, offsets)
    source.close()
