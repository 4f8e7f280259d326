"""What control regions of failing objects cost: the kernel's rate without and with them, in turns, in one process.

    python -m bench.regions [--events 500000] [--repeat 7] [--json bench/results/regions.json]

Processor time of one thread over columns in memory; with regions the preselection lets more events pass.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from bench import in_memory
from bench.channels import CASES
from bench.throughput import MIXES, machine, timed

CHANNELS = ("four_lepton", "dilepton", "diphoton")


def compare(channel: str, n_events: int, preselected: float, repeat: int) -> dict[str, Any]:
    """Time both in turns: A B A B."""
    case = CASES[channel]
    columns = case.make(n_events, preselected)
    prepared = [in_memory.prepare(case.selection, regions=regions) for regions in (False, True)]
    seconds: list[list[float]] = [[], []]
    for turn in range(repeat + 1):
        for place, one in enumerate(prepared):
            spent = timed(one, columns, n_events)
            if turn:  # the first call warms up
                seconds[place].append(spent)
    rates = [n_events / statistics.median(times) / 1e6 for times in seconds]
    return {
        "channel": channel, "preselected": preselected, "events": n_events, "million_events_per_s_without": rates[0],
        "million_events_per_s_with": rates[1], "seconds_without": seconds[0], "seconds_with": seconds[1],
    }  # fmt: skip


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "rates": []}
    print(result["machine"])
    for channel in CHANNELS:
        for mix in MIXES:
            row = compare(channel, arguments.events, mix, arguments.repeat)
            result["rates"].append(row)
            print(
                f"{channel:12} {mix:4.0%} preselected: {row['million_events_per_s_without']:.2f} million events/s "
                f"without, {row['million_events_per_s_with']:.2f} with"
            )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
