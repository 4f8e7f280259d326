"""Cut and histogram again, columns in memory: ``python -m bench.session [--events N] [--device cpu] [--json FILE]``.

The four-lepton channel of CMS on generated events, 2 % of them preselected: the time of ``Session.run`` with a new cut,
from checking it to the histograms of hist; beside it the same with a thousand events, which is what does not depend on
their number.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

from bench import in_memory
from bench.channels import CASES
from gpuhiggs import backend, session
from gpuhiggs.engine.tally import FileInfo
from gpuhiggs.interactive import DATASET, configured


def opened(n_events: int, device: str) -> session.Session:
    """Return a session on generated events instead of files."""
    loaded = configured(
        in_memory.CMS, ["memory"], chunk_size=n_events, simulation=True, weight_unit=1.0, lumi_mask=None, unblind=False,
        device=device, overrides={},
    )  # fmt: skip
    info = FileInfo(DATASET, loaded.datasets[0].files[0], "generated", n_events, 1.0)
    request = session._prepared(loaded).request
    columns = CASES["four_lepton"].make(n_events, 0.02)
    return session.Session(loaded, request, [info], columns, backend.open_device(device), 1, spill=False)


def timed(n_events: int, device: str, repeat: int) -> dict[str, Any]:
    """Time runs with a cut that is another each time."""
    with opened(n_events, device) as events:
        events.run()
        wall, processor = [], []
        for number in range(repeat):
            began, used = time.perf_counter(), time.process_time()
            events.run(cuts={"zz": {"z1_mass_min": 12.0 + number}})
            wall.append(time.perf_counter() - began)
            processor.append(time.process_time() - used)
        return {
            "events": n_events,
            "bytes": events.nbytes,
            "median_ms": 1e3 * statistics.median(processor),
            "worst_ms": 1e3 * max(processor),
            "processor_s": processor,
            "wall_s": wall,
        }


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--device", choices=backend.DEVICES, default="cpu")
    parser.add_argument("--repeat", type=int, default=15)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result: dict[str, Any] = {"machine": backend.versions(), "device": given.device, "runs": []}
    for n in (1_000, given.events):
        row = timed(n, given.device, given.repeat)
        result["runs"].append(row)
        print(f"{n:>10} events: {row['median_ms']:.1f} ms of processor time, slowest {row['worst_ms']:.1f}")
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
