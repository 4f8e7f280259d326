"""The field's eight ADL queries (iris-hep/adl-benchmarks-index), against compiled RDataFrame and coffea.

    python bench/adl.py FILE [--queries 1,2,5] [--threads N] [--peers rdataframe,coffea] [--json OUT]

FILE is a TTree, RNTuple or Parquet with the schema of CMS's ``Run2012B_SingleMu.root``; peers read TTrees only. The
queries are channels as any user writes one (``bench/adl_queries``). Those asked take turns (A B A B …), the file in the
page cache; a query's first run, which compiles or loads, is reported apart, as is RDataFrame's compilation. Counts are
compared bin by bin. Stages are processor seconds of one pass over the file: reading, and the kernel with its sums.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as a script too

import gpuhiggs
from bench import adl_peers
from bench.throughput import machine
from gpuhiggs import channel_file, config
from gpuhiggs.engine import preparation, processing
from gpuhiggs.read import opened

QUERIES = Path(__file__).with_name("adl_queries")
CHUNK = 1 << 20
"""Events that are read and processed at a time."""
EDGE = 1e-6
"""Entries, as a part of all, that may lie in the neighbouring bin: where rounding differs just at an edge."""

Side = Callable[[str, int], adl_peers.Taken]


def ours(threads: int) -> Side:
    """Return a function that runs a query with gpuhiggs."""

    def run(path: str, query: int) -> adl_peers.Taken:
        began, cpu_began = time.perf_counter(), time.process_time()
        result = gpuhiggs.run(QUERIES / f"q{query}.py", path, threads=threads)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        counts = {name: np.asarray(found.values(flow=True)).tolist() for name, found in result.histograms.items()}
        return adl_peers.Taken(wall, cpu, counts)

    return run


def axes(query: int) -> dict[str, list[float]]:
    """Return the edges of each histogram of a query."""
    found = channel_file.load(QUERIES / f"q{query}.py").axes()
    return {name: np.linspace(axis.low, axis.high, axis.bins + 1).tolist() for name, axis in found.items()}


def stages(path: str, query: int) -> dict[str, float]:
    """Return what reading and the kernel take of a processor, chunk by chunk; compiled and opened before."""
    dataset = {"name": "file", "process": "file", "kind": "data", "files": [path]}
    raw = {"selection": str(QUERIES / f"q{query}.py"), "datasets": [dataset], "lumi_mask": None}
    prepared = preparation.prepare(config.build(raw, Path(path)).model_dump_json(by_alias=True), "file")
    taken = {"read": 0.0, "kernel": 0.0}
    with opened(path, prepared.request.schema.trees) as events:
        resolved = events.resolve(prepared.request)
        for start in range(0, events.entries, CHUNK):
            stop = min(start + CHUNK, events.entries)
            began = time.process_time()
            columns = events.read(resolved, start, stop)
            read = time.process_time()
            processing.run_kernel(prepared, columns, stop - start)
            taken["read"] += read - began
            taken["kernel"] += time.process_time() - read
    return taken


def difference(one: adl_peers.Counts, other: adl_peers.Counts) -> float:
    """Return the part of all entries that two answers have in different bins, flow bins included."""
    parts = []
    for name, counts in one.items():
        apart = float(np.abs(np.asarray(counts) - np.asarray(other[name])).sum()) / 2
        parts.append(apart / max(1.0, float(np.sum(counts))))
    return max(parts)


def measure(path: str, query: int, sides: dict[str, Side], repeat: int) -> dict[str, Any]:
    """Run a query with all sides in turns."""
    taken: dict[str, list[adl_peers.Taken]] = {name: [] for name in sides}
    for _ in range(repeat + 1):
        for name, side in sides.items():
            taken[name].append(side(path, query))
    own = taken.pop("gpuhiggs")
    histograms = [{"name": name, "edges": edges, "counts": own[-1].counts[name]} for name, edges in axes(query).items()]
    peers = {}
    for name, runs in taken.items():
        apart = difference(own[-1].counts, runs[-1].counts)
        if apart > EDGE:
            print(f"query {query}: {apart:.2e} of the entries lie elsewhere than with {name}")
        wall, cpu = (median(runs, clock) / median(own, clock) for clock in ("wall", "cpu"))
        peers[name] = {**times(runs), "difference": apart, "wall_ratio": wall, "cpu_ratio": cpu}
    return {
        **times(own),
        "stages": {"first_use": own[0].wall, **stages(path, query)},
        "histograms": histograms,
        "peers": peers,
    }


def times(runs: list[adl_peers.Taken]) -> dict[str, list[float]]:
    """Return what the runs took, but for the first."""
    return {"seconds": [one.wall for one in runs[1:]], "cpu_seconds": [one.cpu for one in runs[1:]]}


def median(runs: list[adl_peers.Taken], clock: str) -> float:
    """Return the median time of the runs, but for the first."""
    return float(statistics.median(getattr(one, clock) for one in runs[1:]))


def report(result: dict[str, Any]) -> None:
    """Print a table: ratios of CPU times, which other jobs on the machine disturb least."""
    peers = list(result["geometric_mean"])
    print("query  seconds  CPU seconds  Mevents/s  " + "  ".join(f"{name} / gpuhiggs" for name in peers))
    for query, row in result["queries"].items():
        wall, cpu = (statistics.median(row[clock]) for clock in ("seconds", "cpu_seconds"))
        ratios = "  ".join(f"{row['peers'][name]['cpu_ratio']:{len(name) + 11}.2f}" for name in peers)
        print(f"{query:>5}  {wall:7.4f}  {cpu:11.4f}  {result['events'] / cpu / 1e6:9.1f}  {ratios}")
    for name in peers:
        print(f"{name}: geometric mean {result['geometric_mean'][name]:.2f}, least {result['least'][name]:.2f}")


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--queries", default="1,2,3,4,5,6,7,8")
    parser.add_argument("--device", choices=("cpu",), default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--peers", default="", help="rdataframe, coffea")
    parser.add_argument("--root", help="folder of ROOT's package, where it is in another environment")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    sides: dict[str, Any] = {"gpuhiggs": ours(arguments.threads)}
    for name in filter(None, arguments.peers.split(",")):
        if name == "rdataframe":
            sides[name] = adl_peers.RDataFrame(adl_peers.root_folder(arguments.root), arguments.threads)
        elif name == "coffea":
            sides[name] = adl_peers.Coffea(arguments.threads)
        else:
            parser.error(f"unknown peer {name!r}: rdataframe, coffea")
    queries = {
        query: measure(arguments.file, int(query), sides, arguments.repeat) for query in arguments.queries.split(",")
    }
    with opened(arguments.file, ("Events",)) as file:
        events = file.entries
    peers = [name for name in sides if name != "gpuhiggs"]
    ratios = {name: [row["peers"][name]["cpu_ratio"] for row in queries.values()] for name in peers}
    result = {
        "machine": machine(),
        "versions": {name: importlib.metadata.version(name) for name in ("gpuhiggs", "uproot", "awkward", "numba")},
        "file": Path(arguments.file).name,
        "bytes": Path(arguments.file).stat().st_size,
        "threads": arguments.threads,
        "events": events,
        "compile_seconds": {name: sides[name].compile_seconds for name in peers},
        "geometric_mean": {name: statistics.geometric_mean(values) for name, values in ratios.items()},
        "least": {name: min(values) for name, values in ratios.items()},
        "queries": queries,
    }
    report(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
