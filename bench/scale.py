"""What it costs to keep the books: scheduler, client and ledger per work item, and their memory as items add up.

    python -m bench.scale [--items 100000] [--cases nominal variations] [--json bench/results/scale.json]
    python -m bench.scale --scaling [--json bench/results/scaling.json]

The work items stand for real ones: a worker gives back the sums of a real one at once, packed as they travel, of the
four-lepton channel with the nominal alone and with 40 shifts and 100 weights. Client and scheduler are one process,
whose processor time is divided by the items; so is the wall time inside commits to the ledger, fsync included. Its
memory is read as the items add up. The ledger lies in the folder for temporary files, which must be on a disk.

With ``--scaling`` each item runs the kernel over events in memory instead, on one worker and on two in turns: about a
minute, most of it measured.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench import generate, in_memory, variations
from bench.throughput import machine
from gpuhiggs import cluster
from gpuhiggs.config.cluster import ExecutionConfig
from gpuhiggs.engine import processing, sparse
from gpuhiggs.engine.books import Books
from gpuhiggs.engine.ledger import Batch, Ledger
from gpuhiggs.engine.tally import FileInfo, ListedFile, Partial, WorkItem
from gpuhiggs.engine.work import Work
from gpuhiggs.kernels import four_lepton
from gpuhiggs.variations import branches

ITEMS_PER_FILE = 10
EVENTS = 50_000
"""Of an item: 20,000 items stand for 10⁹ events."""
ALL = {"shifts": variations.SHIFTS, "sets": variations.SETS, "histograms": list(four_lepton.HISTOGRAMS[:10])}


class Simulated(NamedTuple):
    """Stands for :class:`gpuhiggs.engine.Job`: every item gives the sums that lie in a file."""

    sums: str

    def step(self, task: ListedFile | WorkItem) -> FileInfo | Partial:
        """Do what a worker would, at once."""
        if isinstance(task, WorkItem):
            return Partial(task, _content(self.sums), {}, 0.001)
        cuts = tuple(range(0, EVENTS * ITEMS_PER_FILE + 1, EVENTS))
        return FileInfo(task.dataset, task.path, task.path, cuts[-1], 1.0, (), cuts, (("LZMA", 10**8, 10**9),))


@functools.cache
def _content(path: str) -> bytes:
    return Path(path).read_bytes()


def real_sums(declared: dict[str, Any] | None, n: int = 20_000) -> bytes:
    """Return the packed sums of a work item of which 40 % of *n* events are preselected: its cells are well filled."""
    weights = np.random.default_rng(1).normal(1, 0.1, 100 * n).astype(np.float32)
    extra = branches([weights], [100]) if declared else None
    made = variations.prepare(declared)
    return sparse.pack(processing.run_kernel(made, generate.four_lepton(n, 0.4), n, extra)[0])


class TimedLedger(Ledger):
    """A ledger that knows how long it took."""

    seconds = 0.0

    def commit(self, batch: Batch) -> Path:
        """Commit, timed by the clock."""
        began = time.perf_counter()
        path = super().commit(batch)
        self.seconds += time.perf_counter() - began
        return path


def resident() -> int:
    """Return the memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run(items: int, workers: int, sums: Path, folder: Path) -> dict[str, Any]:
    """Take *items* simulated items through cluster, books and ledger; return what it took."""
    files = [ListedFile("events", f"root://site//store/{n:06}.root") for n in range(items // ITEMS_PER_FILE)]
    memory, ledger = [], TimedLedger(folder)
    with ledger, cluster.local(workers) as client:
        mapper = cluster.mapper(client)
        books = Books(files, _items, ExecutionConfig(), ledger, {"events": "bench"})
        for _ in mapper(Simulated(str(sums)).step, _first(files)):
            pass  # workers have imported what they need
        began, cpu, done = time.perf_counter(), time.process_time(), 0
        for result in mapper(Simulated(str(sums)).step, books.work):
            books.take(result)
            books.progress()
            done += isinstance(result, Partial)
            if isinstance(result, Partial) and (done in (100, 1000) or done % max(1, items // 20) == 0):
                memory.append([done, resident()])
        tally = books.finish()
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    assert len(tally.complete) == len(files)
    return {
        "items": items,
        "workers": workers,
        "bytes_of_an_item": sums.stat().st_size,
        "wall_ms_per_item": 1e3 * wall / items,
        "cpu_ms_per_item_of_client_and_scheduler": 1e3 * cpu / items,
        "commit_ms_per_item": 1e3 * ledger.seconds / items,
        "ledger_bytes": sum(path.stat().st_size for path in folder.glob("batch-*")),
        "memory_by_items": memory,
    }


def _items(info: FileInfo) -> list[WorkItem]:
    return [WorkItem(info.dataset, info.path, start, start + EVENTS) for start in info.cuts[:-1]]


def _first(files: list[ListedFile]) -> Work:
    work = Work()
    for file in files[:8]:
        work.put(file)
    return work


class Computing(NamedTuple):
    """Runs the four-lepton kernel over the events of a file, which each worker loads once."""

    columns: str

    def step(self, task: int) -> int:
        """Process them; the number of the item makes no difference."""
        prepared, columns = _in_memory(self.columns)
        processing.run_kernel(prepared, columns, columns.events.run.size)
        return task


@functools.cache
def _in_memory(path: str) -> tuple[Any, Any]:
    return in_memory.prepare(in_memory.CMS), in_memory.load(four_lepton.Inputs, Path(path))


def scaling(items: int, events: int, rounds: int) -> dict[str, Any]:
    """Return events a second on one worker and on two, in turns; both clusters are there all the time, one idle."""
    with tempfile.TemporaryDirectory() as place, cluster.local(1) as one, cluster.local(2) as two:
        step = Computing(f"{place}/columns.npz").step
        in_memory.save(generate.four_lepton(events, 0.4), Path(place) / "columns.npz")
        mappers = {1: cluster.mapper(one), 2: cluster.mapper(two)}
        for client in (one, two):
            client.run(step, 0)  # loads, compiles
        print(f"{events} events made and loaded; load {os.getloadavg()[0]:.1f}", flush=True)
        rates: dict[int, list[float]] = {1: [], 2: []}
        for round_ in range(rounds):
            for workers, mapper in mappers.items():
                began = time.perf_counter()
                list(mapper(step, _numbers(items)))
                rates[workers].append(items * events / (time.perf_counter() - began))
            found = {workers: round(rate[-1]) for workers, rate in rates.items()}
            print(f"round {round_ + 1}: events/s by workers {found}; load {os.getloadavg()[0]:.1f}", flush=True)
    gains = [both / alone for alone, both in zip(*rates.values(), strict=True)]
    return {"items": items, "events": events, "rates": rates, "gains": gains, "gain": statistics.median(gains)}


def _numbers(n: int) -> Work:
    work = Work()
    for number in range(n):
        work.put(number)
    return work


CASES: dict[str, Any] = {"nominal": None, "variations": ALL}


def cases(names: list[str], items: int, workers: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield a name and what it took for each kind of sums."""
    for name in names:
        declared = CASES[name]
        with tempfile.TemporaryDirectory() as place:
            sums = Path(place) / "sums"
            sums.write_bytes(real_sums(declared))
            yield name, run(items, workers, sums, Path(place) / "ledger")


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--events", type=int, default=500_000, help="of an item, with --scaling")
    parser.add_argument("--rounds", type=int, default=5, help="with --scaling")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "load": os.getloadavg()}
    if arguments.scaling:
        result["scaling"] = scaling(40, arguments.events, arguments.rounds)
        print(f"2 workers / 1 worker, median of pairs: {result['scaling']['gain']:.2f}")
    else:
        result["cases"] = {}
        for name, row in cases(arguments.cases, arguments.items, arguments.workers):
            result["cases"][name] = row
            first, last = (row["memory_by_items"][i][1] / 2**20 for i in (0, -1))
            milliseconds = ", ".join(f"{key.replace('_', ' ')} {row[key]:.2f}" for key in row if "ms_per" in key)
            ledger = row["ledger_bytes"] / 2**20
            print(f"{name}: {milliseconds}; ledger {ledger:.1f} MiB; memory {first:.0f} to {last:.0f} MiB")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
