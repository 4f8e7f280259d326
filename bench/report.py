"""How long the full report of a finished run takes, and how large its page is.

    python -m bench.report FOLDER [--data NAME …] [--json FILE]

FOLDER is what ``gpuhiggs report`` takes. A process of its own makes the report, so that imports count; a
second one finds the kernels compiled. The second is what is held to 30 s and 5 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .throughput import machine


def measure(folder: Path, data: list[str]) -> dict[str, Any]:
    """Make the report once, in a process of its own."""
    with tempfile.TemporaryDirectory() as output:
        command = [sys.executable, "-m", "gpuhiggs", "report", str(folder), "--output", output]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run([*command, *(["--data", *data] if data else [])], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {
            "seconds": round(seconds, 1),
            "cpu_seconds": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
            "page_megabytes": round((Path(output) / "report.html").stat().st_size / 1e6, 2),
            "figures": len(list((Path(output) / "figures").glob("*.pdf"))),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    found = {
        "machine": machine(),
        "load_before": round(os.getloadavg()[0], 1),
        "data": arguments.data,
        "first": measure(arguments.folder, arguments.data),
        "second": measure(arguments.folder, arguments.data),
    }
    text = json.dumps(found, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
