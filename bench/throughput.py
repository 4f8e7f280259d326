"""Event rate of a channel's kernel on one core, with its columns in memory.

    python -m bench.throughput [--events 1000000] [--repeat 7] [--json bench/results/throughput-cpu.json]

Two mixes of generated events (``bench/channels.py``): 2 % and 40 % of them pass the preselection, and of these 70 %
hold real Z bosons, or a pair that belongs together. Compilation, or loading from the cache, is timed apart. All times
are processor time, of which there is one thread; the median and the slowest of the repeats are given.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import in_memory
from bench.channels import CASES
from gpuhiggs import channels
from gpuhiggs.engine import preparation, processing
from gpuhiggs.kernels import launch_cuda

MIXES = (0.02, 0.40)

_START = """
import time
began = time.process_time()
from gpuhiggs import channels
from gpuhiggs.kernels import launch
program = channels.find({channel!r}).program
program.namespace()
imported = time.process_time()
launch.compiled(program)
print(imported - began, time.process_time() - imported)
"""


def start_up(channel: str) -> dict[str, float]:
    """Time a cold compile and the load in a second process, each in a process of its own."""
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold_compile_s", "cached_load_s"):
            done = subprocess.run(
                [sys.executable, "-c", _START.format(channel=channel)],
                env={**os.environ, "GPUHIGGS_CACHE": cache},
                capture_output=True,
                text=True,
                check=True,
            )
            found["import_s"], found[name] = map(float, done.stdout.split())
    return found


def ptx_seconds(channel: str) -> float:
    """Time the compilation of a channel's CUDA kernels to PTX."""
    began = time.process_time()
    for function, argument_types in launch_cuda.device_functions(channels.find(channel).program).values():
        launch_cuda.ptx(function, argument_types)
    return time.process_time() - began


def rate(channel: str, n_events: int, preselected: float, repeat: int) -> dict[str, Any]:
    """Time the kernel over generated events."""
    case = CASES[channel]
    prepared = in_memory.prepare(case.selection)
    columns = case.make(n_events, preselected)
    counts, selected = processing.run_kernel(prepared, columns, n_events)  # the first call warms up
    seconds = [timed(prepared, columns, n_events) for _ in range(repeat)]
    return {
        "selection": case.selection,
        "preselected": preselected,
        "events": n_events,
        "selected": len(selected["event"]),
        "seconds": seconds,
        "median_million_events_per_s": n_events / statistics.median(seconds) / 1e6,
        "worst_million_events_per_s": n_events / max(seconds) / 1e6,
        "digest": counts.digest(),
    }


def timed(prepared: preparation.Prepared, columns: Any, n_events: int) -> float:
    """Return the processor time that a kernel takes for its events."""
    began = time.process_time()
    processing.run_kernel(prepared, columns, n_events)
    return time.process_time() - began


def machine() -> dict[str, Any]:
    """Describe where the numbers were taken."""
    model = next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), "unknown")
    packages = ("gpuhiggs", "numba", "llvmlite", "numpy")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--channels", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "start_up": {}, "rates": []}
    print(result["machine"])
    for channel in arguments.channels:
        times = start_up(channel)
        times["ptx_s"] = ptx_seconds(channel)
        result["start_up"][channel] = times
        print(channel, {name: round(value, 2) for name, value in times.items()})
        for mix in MIXES:
            row = rate(channel, arguments.events, mix, arguments.repeat)
            result["rates"].append(row)
            print(
                f"{channel:30} {mix:4.0%} preselected: {row['median_million_events_per_s']:.2f} million events/s "
                f"(slowest {row['worst_million_events_per_s']:.2f})"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
