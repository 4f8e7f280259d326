"""The field's eight ADL queries (iris-hep/adl-benchmarks-index), against compiled RDataFrame and coffea.

    python -m bench.adl FILE [--queries 1,2,5] [--threads N] [--peers rdataframe,coffea] [--json OUT]

FILE is a TTree, RNTuple or Parquet with the schema of CMS's ``Run2012B_SingleMu.root``; peers read TTrees only. The
queries are channels as any user writes one (``bench/adl_queries``). Those asked take turns (A B A B …), the file in the
page cache; a query's first run, which compiles or loads, is reported apart, as is RDataFrame's compilation. Counts are
compared bin by bin.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import gpuhiggs
from bench import adl_peers
from bench.throughput import machine

QUERIES = Path(__file__).with_name("adl_queries")
EDGE = 1e-6
"""Entries, as a part of all, that may lie in the neighbouring bin: where rounding differs just at an edge."""

Side = Callable[[str, int], tuple[float, adl_peers.Counts]]


def ours(threads: int) -> Side:
    """Return a function that runs a query with gpuhiggs."""

    def run(path: str, query: int) -> tuple[float, adl_peers.Counts]:
        began = time.perf_counter()
        result = gpuhiggs.run(QUERIES / f"q{query}.py", path, threads=threads)
        seconds = time.perf_counter() - began
        counts = {name: np.asarray(found.values(flow=True)).tolist() for name, found in result.histograms.items()}
        return seconds, counts

    return run


def axes(query: int) -> dict[str, list[float]]:
    """Return the edges of each histogram of a query."""
    from gpuhiggs import channel_file

    found = channel_file.load(QUERIES / f"q{query}.py").axes()
    return {name: np.linspace(axis.low, axis.high, axis.bins + 1).tolist() for name, axis in found.items()}


def difference(one: adl_peers.Counts, other: adl_peers.Counts) -> float:
    """Return the part of all entries that two answers have in different bins, flow bins included."""
    parts = []
    for name, counts in one.items():
        apart = float(np.abs(np.asarray(counts) - np.asarray(other[name])).sum()) / 2
        parts.append(apart / max(1.0, float(np.sum(counts))))
    return max(parts)


def measure(path: str, query: int, sides: dict[str, Side], repeat: int) -> dict[str, Any]:
    """Run a query with all sides in turns."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    counts: dict[str, adl_peers.Counts] = {}
    for _ in range(repeat + 1):
        for name, side in sides.items():
            taken, counts[name] = side(path, query)
            seconds[name].append(taken)
    histograms = [
        {"name": name, "edges": edges, "counts": counts["gpuhiggs"][name]} for name, edges in axes(query).items()
    ]
    peers = {
        name: {
            "seconds": times[1:],
            "ratio": statistics.median(times[1:]) / statistics.median(seconds["gpuhiggs"][1:]),
            "difference": difference(counts["gpuhiggs"], counts[name]),
        }
        for name, times in seconds.items()
        if name != "gpuhiggs"
    }
    for name in peers:
        apart = difference(counts["gpuhiggs"], counts[name])
        if apart > EDGE:
            print(f"query {query}: {apart:.2e} of the entries lie elsewhere than with {name}")
    own = seconds["gpuhiggs"]
    return {"seconds": own[1:], "stages": {"first_use": own[0]}, "histograms": histograms, "peers": peers}


def report(result: dict[str, Any]) -> None:
    """Print a table."""
    peers = list(next(iter(result["queries"].values()))["peers"])
    print("query  seconds  Mevents/s  " + "  ".join(f"{name} / gpuhiggs" for name in peers))
    for query, row in result["queries"].items():
        median = statistics.median(row["seconds"])
        ratios = "  ".join(f"{row['peers'][name]['ratio']:{len(name) + 11}.2f}" for name in peers)
        print(f"{query:>5}  {median:7.4f}  {result['events'] / median / 1e6:9.1f}  {ratios}")
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
    peers = [name for name in sides if name != "gpuhiggs"]
    ratios = {name: [row["peers"][name]["ratio"] for row in queries.values()] for name in peers}
    result = {
        "machine": machine(),
        "versions": {name: importlib.metadata.version(name) for name in ("gpuhiggs", "uproot", "awkward", "numba")},
        "file": Path(arguments.file).name,
        "bytes": Path(arguments.file).stat().st_size,
        "threads": arguments.threads,
        "events": int(sum(next(iter(queries.values()))["histograms"][0]["counts"])),
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
