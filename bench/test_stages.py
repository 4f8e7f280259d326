"""Micro-benchmarks: each stage of a run by itself, so that a slower commit is seen.

    pytest bench --benchmark-save=before       …and after a change:
    pytest bench --benchmark-compare --benchmark-compare-fail=median:10%

Groups are ``stage, device``; what runs on a GPU is ``bench.gpu``'s. Beside the time stand figures that do not depend on
the machine: events and bytes a call (``extra_info`` of the JSON). ``-m nightly`` adds the channels left out here: most
of the time would go into compiling them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from bench import generate, in_memory
from bench.adl import QUERIES
from bench.channels import CASES
from gpuhiggs import config
from gpuhiggs.engine import preparation, processing, sparse
from gpuhiggs.histogram import Counts, to_hist
from gpuhiggs.kernels import launch
from gpuhiggs.read import ColumnCache, EventFile, opened

N_EVENTS = 100_000
UNPACK = launch.Loop("gpuhiggs.kernels.unpack", "unpack_range", ("raw", "edges", "offsets", "n", "width", "values"))

MEANS = {"Muon": 1.3, "Electron": 0.2, "Jet": 1.7}
"""Objects of an event, as in CMS's data of 2012."""


CODECS = {"zlib": uproot.ZLIB(1), "zstd": uproot.ZSTD(5), "lz4": uproot.LZ4(4), "lzma": uproot.LZMA(2)}
QUICK = ("four_lepton", "four_lepton_atlas")
"""The channels that are timed by default."""

pytestmark = pytest.mark.benchmark(max_time=0.5, min_rounds=5, warmup=True, warmup_iterations=1)


@pytest.fixture(scope="session")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write files with the schema of the ADL benchmark, without any physics, one a codec."""
    random = np.random.default_rng(1)
    branches: dict[str, Any] = {
        "MET_pt": random.exponential(25, N_EVENTS).astype(np.float32),
        "MET_phi": random.uniform(-3.14, 3.14, N_EVENTS).astype(np.float32),
    }
    for name, mean in MEANS.items():
        counts = random.poisson(mean, N_EVENTS)
        n = int(counts.sum())
        columns = {
            "pt": random.exponential(25, n) + 3,
            "eta": random.normal(0, 1.5, n),
            "phi": random.uniform(-3.14, 3.14, n),
            "mass": random.uniform(0.1, 5, n),
            "btag": random.uniform(0, 1, n),
        }
        jagged = {field: ak.unflatten(values.astype(np.float32), counts) for field, values in columns.items()}
        jagged["charge"] = ak.unflatten(random.choice(np.array([-1, 1], np.int32), n), counts)
        branches[name] = ak.zip(jagged)
    types = {name: ak.Array(values).type.content for name, values in branches.items()}
    folder = tmp_path_factory.mktemp("events")
    for codec, compression in CODECS.items():
        with uproot.recreate(folder / f"{codec}.root", compression=compression) as out:
            out.mktree("Events", types).extend(branches)
    return {codec: folder / f"{codec}.root" for codec in CODECS}


@pytest.fixture(scope="session")
def path(paths: dict[str, Path]) -> Path:
    """Return one of the files."""
    return paths["zlib"]


def _prepared(query: str, path: Path) -> preparation.Prepared:
    dataset = {"name": "events", "process": "events", "kind": "data", "files": [str(path)]}
    raw = {"selection": str(QUERIES / f"{query}.py"), "datasets": [dataset], "lumi_mask": None}
    return preparation.prepare(config.build(raw, path).model_dump_json(by_alias=True), "events")


def _bytes(columns: Any) -> int:
    return sum(array.nbytes for collection in columns for array in collection)


def _noted(benchmark: Any, group: str, columns: Any, events: int) -> None:
    benchmark.group = group
    benchmark.extra_info |= {"events": events, "bytes": _bytes(columns)}


@pytest.mark.parametrize("query", [f"q{i}" for i in range(1, 9)])
def test_query(benchmark: Any, query: str, path: Path) -> None:
    prepared = _prepared(query, path)
    with opened(str(path), prepared.request.schema.trees) as events:
        columns = events.read(events.resolve(prepared.request), 0, N_EVENTS)
    _noted(benchmark, "kernel, cpu", columns, N_EVENTS)
    counts, _ = benchmark(processing.run_kernel, prepared, columns, N_EVENTS)
    assert counts.sums


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("query", ["q1", "q5"])
def test_read(benchmark: Any, query: str, codec: str, paths: dict[str, Path]) -> None:
    prepared = _prepared(query, paths[codec])
    with opened(str(paths[codec]), prepared.request.schema.trees) as events:
        resolved = events.resolve(prepared.request)
        columns = benchmark(events.read, resolved, 0, N_EVENTS)
    _noted(benchmark, "read, cpu", columns, N_EVENTS)


def test_read_from_the_cache(benchmark: Any, path: Path, tmp_path: Path) -> None:
    prepared = _prepared("q5", path)
    with EventFile(str(path), ("Events",), cache=ColumnCache(tmp_path)) as events:
        resolved = events.resolve(prepared.request)
        events.read(resolved, 0, N_EVENTS)
        columns = benchmark(events.read, resolved, 0, N_EVENTS)
    _noted(benchmark, "read from the cache, cpu", columns, N_EVENTS)


def test_open(benchmark: Any, path: Path) -> None:
    benchmark.group = "open, cpu"

    def open_and_close() -> int:
        with EventFile(str(path), ("Events",)) as events:
            return events.entries

    assert benchmark(open_and_close) == N_EVENTS


def test_unpack(benchmark: Any) -> None:
    """Bytes swapped as a GPU does it, a value at a time."""
    raw, values, zero = np.zeros(N_EVENTS, ">f4"), np.zeros(N_EVENTS, np.float32), np.zeros(1, np.int64)
    unpack = launch.compiled_loop(UNPACK)
    addresses = [np.uint64(one.ctypes.data) for one in (raw, zero, zero)]
    benchmark.group = "unpack, cpu"
    benchmark.extra_info |= {"values": N_EVENTS, "bytes": raw.nbytes}
    benchmark(unpack, 0, N_EVENTS, 0, *addresses, 1, 4, np.uint64(values.ctypes.data))


@pytest.mark.parametrize("share", [0.02, 0.4])
@pytest.mark.parametrize(
    "channel", [pytest.param(one, marks=() if one in QUICK else pytest.mark.nightly) for one in CASES]
)
def test_channel(benchmark: Any, channel: str, share: float) -> None:
    prepared = in_memory.prepare(CASES[channel].selection)
    columns = CASES[channel].make(N_EVENTS, share, 1)
    _noted(benchmark, "kernel, cpu", columns, N_EVENTS)
    processed = benchmark(in_memory.process, prepared, columns)
    assert processed.counts.sums


def test_send(benchmark: Any) -> None:
    """Sums of a work item as bytes, as they travel from a worker."""
    prepared = in_memory.prepare(in_memory.CMS)
    counts = in_memory.process(prepared, generate.four_lepton(100, 0.4, seed=1)).counts
    benchmark.group = "send, cpu"
    benchmark.extra_info |= {"bytes": len(sparse.pack(counts))}
    assert benchmark(lambda: sparse.unpack(sparse.pack(counts))).sums.keys() == counts.sums.keys()


def test_merge(benchmark: Any) -> None:
    """Adding up the sums of two work items."""
    prepared = in_memory.prepare(in_memory.CMS)
    counts = in_memory.process(prepared, generate.four_lepton(100, 0.4, seed=1)).counts
    benchmark.group = "merge, cpu"
    assert benchmark(Counts.__add__, counts, counts).sums.keys() == counts.sums.keys()


def test_read_out(benchmark: Any) -> None:
    """From sums to a ``hist.Hist``."""
    prepared = in_memory.prepare(in_memory.CMS)
    counts = in_memory.process(prepared, generate.four_lepton(100, 0.4, seed=1)).counts
    benchmark.group = "read out, cpu"
    assert benchmark(to_hist, counts, [(in_memory.DATASET, 1.0)], prepared.specs[0]).ndim == 2


def test_load(benchmark: Any) -> None:
    """Which sources a program reaches: asked once a process, before compiled code is taken from the cache."""
    program = in_memory.prepare(in_memory.CMS).channel.program
    benchmark.group = "load, cpu"
    assert benchmark(launch.source_hash.__wrapped__, program)
