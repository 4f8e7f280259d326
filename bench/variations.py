"""Cost of systematic variations: 40 shifts, 100 weights and 10 histograms, per preselected event on one core.

    python -m bench.variations [--events 50000] [--repeat 7] [--json bench/results/variations.json]

The 4ℓ and WW channels on generated events, 40 % of them preselected, columns in memory; beside it the same with the
nominal alone. In WW all ten histograms are filled with every variation; in 4ℓ four are, six are N-1. CPU time of the
thread, median and slowest: other jobs may share the machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import in_memory
from bench.channels import CASES
from bench.throughput import machine
from gpuhiggs import config, variations
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation, processing

PRESELECTED = 0.4
SHIFTS: dict[str, Any] = {
    "met": {"object": "met", "size": 0.1},
    **{f"m{i}": {"object": "muon", "size": i / 500} for i in range(1, 6)},
    **{
        f"e{i}": {"object": "electron", "size": {"abs_eta": [0, 1.479, 2.5], "values": [i / 500, 0.02]}}
        for i in range(1, 6)
    },
    **{f"j{i}": {"object": "jet", "size": {"pt": [0, 50, 1000], "values": [0.05, i / 100]}} for i in range(1, 10)},
}
"""Twenty, up and down: electrons in regions of |η|, muons, jets in bins of pt, missing momentum."""
SETS = {"pdf": {"branch": "LHEPdfWeight", "members": "1-99", "reference": 0, "combine": "hessian", "sums": None}}
"""A hundred weights."""


def prepare(declared: dict[str, Any] | None, selection: str = in_memory.CMS) -> preparation.Prepared:
    """Return a channel with some variations."""
    dataset = {"name": "events", "process": "events", "kind": "simulation", "files": ["memory"], "cross_section": None}
    raw = {"selection": config.shipped_selection(selection), "datasets": [dataset], "variations": declared}
    return preparation.prepare(config.validate(RunConfig, raw, "bench").model_dump_json(by_alias=True), "events")


def timed(made: preparation.Prepared, columns: Any, n: int, branches: Any, repeat: int) -> tuple[list[float], str]:
    """Return the CPU seconds of each repeat, and the digest."""
    seconds, digest = [], ""
    for _ in range(repeat + 1):  # the first call compiles
        began = time.thread_time()
        digest = processing.run_kernel(made, columns, n, branches)[0].digest()
        seconds.append(time.thread_time() - began)
    return seconds[1:], digest


def channel_cases(channel: str, n: int) -> tuple[Any, dict[str, tuple[preparation.Prepared, Any]]]:
    """Return a channel's columns, and what it is run with: the nominal alone, shifts, shifts and weights."""
    case = CASES[channel]
    made = prepare(None, case.selection)
    histograms = [spec.name for spec in made.specs][:10]
    weights = np.random.default_rng(1).normal(1, 0.1, 100 * n).astype(np.float32)
    shifts = prepare({"shifts": SHIFTS, "histograms": histograms}, case.selection)
    both = prepare({"shifts": SHIFTS, "sets": SETS, "histograms": histograms}, case.selection)
    return case.make(n, PRESELECTED, 1), {
        "nominal": (made, None),
        "40 shifts": (shifts, None),
        "40 shifts, 100 weights": (both, variations.branches([weights], [100])),
    }


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    n = arguments.events
    result: dict[str, Any] = {"machine": machine(), "events": n, "preselected": PRESELECTED, "cases": {}}
    for channel in ("four_lepton", "dilepton"):
        columns, cases = channel_cases(channel, n)
        for name, (made, branches) in cases.items():
            seconds, digest = timed(made, columns, n, branches, arguments.repeat)
            row = {
                "seconds": seconds,
                "median_us_per_preselected_event": statistics.median(seconds) / (n * PRESELECTED) * 1e6,
                "worst_us_per_preselected_event": max(seconds) / (n * PRESELECTED) * 1e6,
                "digest": digest,
            }
            result["cases"][f"{channel}: {name}"] = row
            print(
                f"{channel:12} {name:24} {row['median_us_per_preselected_event']:6.2f} µs a preselected event, "
                f"slowest {row['worst_us_per_preselected_event']:.2f}"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
