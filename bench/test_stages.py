"""Micro-benchmarks: each stage of a run by itself, so that a slower commit is seen.

    pytest bench --benchmark-save=before       …and after a change:
    pytest bench --benchmark-compare

Groups are ``stage, device``. Beside the time stand figures that do not depend on the machine: events and bytes a call.
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
from gpuhiggs import config, preparation, processing
from gpuhiggs.histogram import Counts, to_hist
from gpuhiggs.kernels import launch
from gpuhiggs.read import opened

N_EVENTS = 100_000
MEANS = {"Muon": 1.3, "Electron": 0.2, "Jet": 1.7}
"""Objects of an event, as in CMS's data of 2012."""


@pytest.fixture(scope="session")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a file with the schema of the ADL benchmark, without any physics."""
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
    file = tmp_path_factory.mktemp("events") / "events.root"
    with uproot.recreate(file, compression=uproot.ZLIB(1)) as out:
        types = {name: ak.Array(values).type.content for name, values in branches.items()}
        out.mktree("Events", types).extend(branches)
    return file


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


@pytest.mark.parametrize("query", ["q1", "q5", "q8"])
def test_read(benchmark: Any, query: str, path: Path) -> None:
    prepared = _prepared(query, path)
    with opened(str(path), prepared.request.schema.trees) as events:
        resolved = events.resolve(prepared.request)
        columns = benchmark(events.read, resolved, 0, N_EVENTS)
    _noted(benchmark, "read, cpu", columns, N_EVENTS)


@pytest.mark.parametrize("channel", CASES)
@pytest.mark.parametrize("share", [0.02, 0.4])
def test_channel(benchmark: Any, channel: str, share: float) -> None:
    prepared = in_memory.prepare(CASES[channel].selection)
    columns = CASES[channel].make(N_EVENTS, share, 1)
    _noted(benchmark, "kernel, cpu", columns, N_EVENTS)
    processed = benchmark(in_memory.process, prepared, columns)
    assert processed.counts.sums


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
