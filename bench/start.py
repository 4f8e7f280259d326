"""From the command to the first events: how long a run takes to begin, with a warm kernel cache.

    python -m bench.start CONFIG.yaml [--workers 2] [--repeat 5] [--json bench/results/start.json]

``gpuhiggs run CONFIG.yaml`` is started in a process of its own, and stopped when the first work item is back. Seconds
since the process was asked for, by the clock; beside them the processor time of the main process, which other jobs on
the machine change less. The first round warms up, and is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.throughput import machine

DRIVER = """
import contextlib, json, os, sys, time

def main(asked, config, folder, workers):
    from gpuhiggs.commands.application import app  # as the command does
    from gpuhiggs.commands import events
    from gpuhiggs import engine
    from gpuhiggs.report import process
    from gpuhiggs.engine.tally import Partial
    marks = {}
    def mark(what):
        marks[what] = [time.time() - asked, time.process_time()]
    mark("imported")
    run = engine.run
    def watched(loaded, mapper, *rest):
        mark("workers are there")
        def apply(function, work):
            mark("prepared")
            for result in mapper(function, work):
                yield result
                if isinstance(result, Partial):
                    mark("first item")
                    raise KeyboardInterrupt
        return run(loaded, apply, *rest)
    engine.run = watched
    with contextlib.suppress(SystemExit), contextlib.redirect_stdout(sys.stderr):
        app(["run", config, "--output", folder, "--workers", workers, "--overwrite"], standalone_mode=False)
    print(json.dumps(marks))

if __name__ == "__main__":
    main(float(sys.argv[1]), *sys.argv[2:])
"""


def once(config: Path, workers: int) -> dict[str, list[float]]:
    """Start a run; return seconds by the clock and of the processor up to each step."""
    with tempfile.TemporaryDirectory() as place:
        driver = Path(place) / "driver.py"
        driver.write_text(DRIVER)
        command = [sys.executable, str(driver), str(time.time()), str(config), f"{place}/run", str(workers)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, list[float]] = json.loads(done.stdout)
    if "first item" not in found:
        sys.exit(f"no work item came back: {done.stderr[-2000:]}")
    return found


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "load": os.getloadavg(), "workers": arguments.workers}
    rounds = [once(arguments.config, arguments.workers) for _ in range(arguments.repeat + 1)][1:]
    result["rounds"] = rounds
    for step in rounds[0]:
        clock, processor = ([found[step][i] for found in rounds] for i in (0, 1))
        print(
            f"{step:18} {statistics.median(clock):6.2f} s (slowest {max(clock):.2f}), "
            f"processor {statistics.median(processor):.2f} s"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
