"""What a GPU does with the kernels: rates, bytes, the share of its copy bandwidth, overlap, identity.

    python -m bench.gpu [--device cuda] [--events 50000000] [--json bench/results/gpu.json] [--table]

Everything but ``--device cpu`` needs a GPU. It runs on a machine that has Python, NumPy, Numba, numba-cuda and CuPy and
nothing else, without a network: inputs are generated, only the kernels, ``backend``, ``columns`` and ``selftest`` are
imported. ``--device cpu`` is a dry run over memory of NumPy: it shows that the script works, and says nothing of a GPU.

Sections (``--only`` picks some): ``bandwidth``, ``channels`` (each channel at 2 % and 100 % preselected, columns
resident), ``variations`` (40 shifts and 100 weights against the nominal), ``bins`` (histograms in shared and in global
memory), ``overlap`` (from pinned host memory, copies beside kernels), ``identity`` (bit by bit against the CPU), and,
only if it is asked for, ``tune`` (blocks and registers).
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bench import nasty
from bench.channels import CASES
from gpuhiggs import backend
from gpuhiggs.backend import Call, Cpu, bytes_of
from gpuhiggs.backend.cuda import DEPTH, Cuda, Geometry
from gpuhiggs.columns import OFFSETS
from gpuhiggs.kernels import launch_cuda
from gpuhiggs.kernels.fill import LAUNCH_FILLS
from gpuhiggs.selftest import Case, all_cases, difference, run

BASE = 500_000
"""Events that are generated; more are the same again."""
MIXES = (0.02, 1.0)
"""Shares that are preselected: as in Drell-Yan, and all."""
SECTIONS = ("bandwidth", "channels", "variations", "bins", "overlap", "identity", "tune")

Row = dict[str, Any]


# --- events ----------------------------------------------------------------------------------------------------------


def tiled(columns: Any, times: int) -> Any:
    """Return the events so many times, one after the other."""
    collections = []
    for collection in columns:
        found = {}
        for name, values in collection._asdict().items():
            if name == OFFSETS:
                steps = values[-1] * np.arange(times, dtype=values.dtype)
                found[name] = np.concatenate([(steps[:, None] + values[:-1]).reshape(-1), [values[-1] * times]])
            else:
                found[name] = np.tile(values, times)
        collections.append(type(collection)(**found))
    return type(columns)(*collections)


@functools.lru_cache(maxsize=2)
def events_of(name: str, n_events: int, preselected: float) -> Any:
    """Return generated events of a channel."""
    base = CASES[name].make(min(n_events, BASE), preselected)
    return tiled(base, max(1, n_events // BASE))


def case_of(name: str) -> Case:
    """Return a channel with the numbers of its selection."""
    return next(case for case in all_cases() if case.name == name)


def call_of(case: Case, inputs: Any, n_events: int, capacity: int = 0, tables: Any = None) -> Call:
    """Return a call over all events, in launches as large as they may be."""
    ranges = tuple((first, min(first + LAUNCH_FILLS, n_events)) for first in range(0, n_events, LAUNCH_FILLS))
    if tables is None:
        tables = case.tables_for(n_events, np.random.default_rng(1))
    return Call(case.program, inputs, case.cuts, tables, case.out(capacity), ranges, case.shifts, n_events)


def bytes_read(name: str, preselected: float) -> dict[str, float]:
    """Return the bytes an event that the kernels look at, counted in an interpreter."""
    command = [sys.executable, "-m", "bench.touched", name, str(preselected), "2000"]
    done = subprocess.run(
        command, env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


# --- what is measured ------------------------------------------------------------------------------------------------


class Bench:
    """One device and what has been found out about it."""

    def __init__(self, device: Cuda, n_events: int, repeat: int) -> None:
        self.device, self.n_events, self.repeat = device, n_events, repeat
        self.copy_bandwidth = 0.0
        self.host_bandwidth = 0.0

    def bandwidth(self) -> Row:
        """Copy within device memory, and from and to pinned host memory: bytes a second, read and written."""
        card = self.device.card
        stream = card.stream()
        nbytes = min(2**32, card.free_bytes() // 4, 64 * self.n_events) // 256 * 256
        memory = card.allocate(2 * nbytes, stream)
        host = card.pinned(min(nbytes, 2**30))
        source, target = memory.address, memory.address + nbytes
        seconds = {
            "device": self._timed(stream, lambda: stream.copy(target, source, nbytes)),
            "host to device": self._timed(stream, lambda: stream.copy_in(source, host)),
            "device to host": self._timed(stream, lambda: stream.copy_out(host, source)),
        }
        self.copy_bandwidth = 2 * nbytes / statistics.median(seconds["device"])
        self.host_bandwidth = host.nbytes / statistics.median(seconds["host to device"])
        return {
            "copy_GB_per_s": self.copy_bandwidth / 1e9,
            "host_to_device_GB_per_s": self.host_bandwidth / 1e9,
            "device_to_host_GB_per_s": host.nbytes / statistics.median(seconds["device to host"]) / 1e9,
            "bytes": nbytes,
            "seconds": seconds,
        }

    def _timed(self, stream: Any, begin: Callable[[], None]) -> list[float]:
        found = []
        for _ in range(self.repeat + 2):  # two to warm up
            before = stream.mark()
            begin()
            after = stream.mark()
            stream.wait()
            found.append(stream.seconds(before, after))
        return found[2:]

    def kernels(self, call: Call) -> tuple[dict[str, list[float]], list[float]]:
        """Run a call repeatedly: seconds of each kernel, summed over its launches, and seconds by the host's clock."""
        by_name: dict[str, list[float]] = {}
        wall = []
        for number in range(self.repeat + 1):  # the first compiles and loads
            self.device.timed = {}
            began = time.perf_counter()
            for _ in self.device.launches(call):
                pass
            took = time.perf_counter() - began
            if number:
                wall.append(took)
                for name, seconds in self.device.timed.items():
                    by_name.setdefault(name, []).append(sum(seconds))
        self.device.timed = None
        return by_name, wall

    def channel(self, name: str, preselected: float) -> Row:
        """Time each kernel of a channel over resident columns."""
        case = case_of(name)
        columns = events_of(name, self.n_events, preselected)
        n = columns.events.run.size
        resident = self.device.upload(columns)
        call = call_of(case, resident, n)
        by_name, wall = self.kernels(call)
        touched = bytes_read(name, preselected)
        kernel = next(key for key in by_name if key.startswith("process"))
        nbytes = {"select": touched["select"] * n, kernel: touched["process"] * touched["listed"] * n}
        rows = {
            key: self._rate(n, nbytes.get(key, 0.0), by_name[key]) for key in ("select", kernel, "widen")
        }  # fmt: skip
        together = [sum(parts) for parts in zip(*(by_name[key] for key in rows), strict=True)]
        return {
            "channel": name,
            "preselected": preselected,
            "events": n,
            "launches": len(call.ranges),
            "resident_bytes": bytes_of(columns),
            "bytes_an_event": touched,
            "kernels": rows,
            "whole": self._rate(n, touched["both"] * n, together),
            "wall": self._rate(n, touched["both"] * n, wall),
        }

    def _rate(self, n: int, nbytes: float, seconds: list[float]) -> Row:
        median = statistics.median(seconds)
        return {
            "seconds": seconds,
            "median_s": median,
            "million_events_per_s": n / median / 1e6,
            "bytes_read": nbytes,
            "of_copy_bandwidth": nbytes / median / self.copy_bandwidth if self.copy_bandwidth else None,
        }

    def variations(self) -> Row:
        """Time 40 shifts and 100 weights against the nominal, 2 % preselected."""
        n = min(self.n_events, 10_000_000)
        columns = events_of("four_lepton", n, 0.02)
        n = columns.events.run.size
        resident = self.device.upload(columns)
        found = {}
        for name in ("four_lepton", "four_lepton_varied"):
            case = case_of(name)
            tables = case.tables_for(n, np.random.default_rng(1))
            tables = tables._replace(branches=self.device.upload(tables.branches))
            found[name], _ = self.kernels(call_of(case, resident, n, tables=tables))
        seconds = {
            name: statistics.median(map(sum, zip(*(kernels[k] for k in kernels if "copy" not in k), strict=True)))
            for name, kernels in found.items()
        }
        ratio = seconds["four_lepton_varied"] / seconds["four_lepton"]
        return {"events": n, "seconds": seconds, "ratio": ratio, "kernels": found}

    def bins(self) -> list[Row]:
        """Time histograms in shared memory against those in global memory, all events preselected."""
        rows = []
        try:
            for name in ("diphoton_atlas", "four_lepton_atlas", "dilepton_atlas"):
                columns = events_of(name, min(self.n_events, 10_000_000), 1.0)
                resident = self.device.upload(columns)
                n = columns.events.run.size
                for self.device.kernel in (launch_cuda.PROCESS, launch_cuda.PROCESS_SHARED):
                    by_name, _ = self.kernels(call_of(case_of(name), resident, n))
                    seconds = by_name[self.device.kernel]
                    rows.append({
                        "channel": name, "kernel": self.device.kernel, "events": n, "seconds": seconds,
                        "million_events_per_s": n / statistics.median(seconds) / 1e6,
                    })  # fmt: skip
        finally:
            self.device.kernel = None
        return rows

    def overlap(self, name: str) -> Row:
        """Process chunks from pinned host memory: how near is the whole to the slower of copying and computing."""
        columns = self.device.pinned(events_of(name, min(self.n_events, 2 * BASE), 0.02))
        n = columns.events.run.size
        n_chunks = max(3, self.n_events // n)
        case = case_of(name)
        calls = [call_of(case, columns, n) for _ in range(DEPTH)]
        by_name, _ = self.kernels(calls[0])  # alone, one after the other: what each takes by itself
        copying = statistics.median(by_name["copy in"]) * n_chunks
        computing = n_chunks * statistics.median(
            map(sum, zip(*(by_name[key] for key in by_name if "copy" not in key), strict=True))
        )
        seconds = []
        for _ in range(self.repeat):
            began = time.perf_counter()
            under_way: deque[Any] = deque()
            for number in range(n_chunks):
                if len(under_way) == DEPTH:
                    deque(under_way.popleft().results(), maxlen=0)
                under_way.append(self.device.submit(calls[number % DEPTH]))
            while under_way:
                deque(under_way.popleft().results(), maxlen=0)
            seconds.append(time.perf_counter() - began)
        whole = statistics.median(seconds)
        return {
            "channel": name,
            "events": n * n_chunks,
            "chunks": n_chunks,
            "bytes": bytes_of(columns) * n_chunks,
            "seconds": seconds,
            "copying_s": copying,
            "computing_s": computing,
            "of_the_slower": max(copying, computing) / whole,
            "million_events_per_s": n * n_chunks / whole / 1e6,
            "GB_per_s": bytes_of(columns) * n_chunks / whole / 1e9,
        }

    def identity(self, n_events: int) -> list[Row]:
        """Compare all that comes out with the CPU, bit by bit: spoiled events of each channel, and any bits at all."""
        rows = []
        for case in all_cases():
            name = case.name.removesuffix("_varied")
            size = BASE if case.branch_values == 0 else BASE // 10
            found, done = None, 0
            for seed in range(max(1, n_events // len(all_cases()) // size)):
                inputs = _any_events(case, name, min(size, n_events), seed)
                n = len(inputs[0]) if case.histograms is None else inputs.events.run.size
                found = difference(
                    run(Cpu(), call_of(case, inputs, n, capacity=n)),
                    run(self.device, call_of(case, inputs, n, capacity=n)),
                )
                done += n
                if found is not None:
                    break
            rows.append({"case": case.name, "events": done, "difference": None if found is None else str(found)})
        return rows

    def tune(self, name: str) -> list[Row]:
        """Time blocks a multiprocessor and registers a thread, with everything preselected."""
        columns = events_of(name, min(self.n_events, 5_000_000), 1.0)
        resident = self.device.upload(columns)
        n = columns.events.run.size
        rows = []
        for registers in (None, 64, 96, 128, 168):
            card = self.device.card if registers is None else _another_card(self.device.card, registers)
            for blocks in (1, 2, 4, 8, 16):
                other = Bench(Cuda(card, geometry=Geometry(blocks, blocks)), self.n_events, self.repeat)
                by_name, _ = other.kernels(call_of(case_of(name), resident, n))
                medians = {key: statistics.median(seconds) for key, seconds in by_name.items() if "copy" not in key}
                rows.append({"channel": name, "max_registers": registers, "blocks": blocks, "events": n, **medians})
        return rows


def _any_events(case: Case, name: str, n_events: int, seed: int) -> Any:
    from gpuhiggs.selftest.identity import inputs_of

    if case.histograms is None:
        return inputs_of(case, n_events, seed)
    return nasty.spoil(CASES[name].make(n_events, 0.3, seed=seed + 100), crowded_share=0.001, seed=seed)


def _another_card(card: Any, registers: int) -> Any:
    """Return the same GPU with another limit on registers; a dry run has none."""
    return type(card)(max_registers=registers) if hasattr(card, "binaries") else card


# --- the script ------------------------------------------------------------------------------------------------------


def open_bench(name: str, n_events: int, repeat: int) -> Bench:
    """Return a bench on a GPU, or on memory of NumPy for a dry run."""
    if name == "cuda":
        device = backend.open_device("cuda")
        assert isinstance(device, Cuda)
        return Bench(device, n_events, repeat)
    from tests.backend.fake_card import FakeCard

    return Bench(Cuda(FakeCard(limit=2**32)), n_events, repeat)


def gate(device: Cuda) -> Row:
    """Read the PTX of everything that has been loaded."""
    loaded = getattr(device.card, "binaries", {})
    return {
        f"{program.module.rpartition('.')[2]}.{name}": {
            "forbidden": launch_cuda.forbidden(binary.ptx),
            "assembler": [line.strip() for line in launch_cuda.link(binary.ptx)[1].splitlines() if "Used" in line],
        }
        for (program, name), binary in loaded.items()
    }


def sections(bench: Bench, chosen: list[str], channels: list[str], identity: int) -> Iterator[tuple[str, Any]]:
    """Measure, and yield what each section found."""
    if "bandwidth" in chosen or "channels" in chosen:
        yield "bandwidth", bench.bandwidth()
    if "channels" in chosen:
        yield "channels", [bench.channel(name, mix) for name in channels for mix in MIXES]
    if "variations" in chosen:
        yield "variations", bench.variations()
    if "bins" in chosen:
        yield "bins", bench.bins()
    if "overlap" in chosen:
        yield "overlap", bench.overlap(channels[0])
    if "identity" in chosen:
        yield "identity", bench.identity(identity)
    if "tune" in chosen:
        yield "tune", bench.tune(channels[0])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print as it goes, write JSON; return 1 if anything was not identical, or not allowed by the gate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--events", type=int, default=50_000_000)
    parser.add_argument("--identity-events", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--channels", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS[:-1]))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(arguments)
    result: Row = {"machine": backend.versions(), "device": given.device, "dry_run": given.device == "cpu"}
    for name, version in result["machine"].items():
        print(f"{name}: {version}", flush=True)
    bench = open_bench(given.device, given.events, given.repeat)
    for name, found in sections(bench, given.only, given.channels, given.identity_events):
        result[name] = found
        print(name, json.dumps(found, indent=1, default=str), flush=True)
        if given.json:  # what is measured is kept, whatever comes next
            given.json.write_text(json.dumps(result, indent=1) + "\n")
    result["gate"] = gate(bench.device)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")
    wrong = [row for row in result.get("identity", []) if row["difference"] is not None]
    refused = [name for name, row in result["gate"].items() if row["forbidden"]]
    print("identical" if not wrong else f"NOT identical: {wrong}", f"gate: {refused or 'clean'}", flush=True)
    return 1 if wrong or refused else 0


if __name__ == "__main__":
    sys.exit(main())
