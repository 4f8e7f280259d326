"""Cost of calibrations: jet energy scale, resolution and their variations, per preselected event on one core.

    python -m bench.calibrations [--events 20000] [--repeat 7] [--json FILE]

The four-lepton channel on generated events, 40 % of them preselected, columns in memory. Each jet goes through a
compound correction, a resolution, its scale factor and hashed smearing, as the files of CMS have them (small ones of
their shape, ``tests/calibrations/payloads.py``); eleven sources of the scale and the resolution vary, up and down. CPU
time of the thread: calibrating, and the channel's kernel with these shifts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench import in_memory
from bench.channels import CASES
from bench.throughput import machine
from gpuhiggs import config
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation, processing
from gpuhiggs.read.values import Values
from tests.calibrations import payloads

PRESELECTED = 0.4
SOURCES = 11


def prepare(folder: Path) -> preparation.Prepared:
    """Return the channel with calibrated jets, in twenty-four shifts."""
    calibrations = {"jet": payloads.declared(folder)["jet"]}
    varied = payloads.varied(folder)["shifts"]
    source = varied["CMS_scale_j"]
    content = json.loads((folder / "jets.json").read_text())
    [one] = [entry for entry in content["corrections"] if entry["name"] == source["correction"]["name"]]
    shifts = {"resolution": varied["CMS_res_j"]}
    for i in range(SOURCES):  # formulas that differ: what is equal would be found once
        text = json.dumps(one | {"name": f"source{i}"}).replace("0.08-", f"0.0{i + 1}-")
        content["corrections"].append(json.loads(text))
        shifts[f"source{i}"] = {"object": "jet", "correction": source["correction"] | {"name": f"source{i}"}}
    (folder / "jets.json").write_text(json.dumps(content))
    dataset = {"name": in_memory.DATASET, "process": "x", "kind": "simulation", "files": ["m"], "cross_section": None}
    raw = {
        "selection": config.shipped_selection(in_memory.CMS), "datasets": [dataset], "calibrations": calibrations,
        "variations": {"shifts": shifts},
    }  # fmt: skip
    made = config.validate(RunConfig, raw, "bench").model_dump_json(by_alias=True)
    return preparation.prepare(made, in_memory.DATASET)


def branches(columns: Any, n: int) -> dict[str, Values]:
    """Return random contents of the branches that the calibration asks for."""
    rng = np.random.default_rng(1)
    offsets = columns.jets.offsets
    size = int(offsets[-1])

    def jets(low: float, high: float) -> Values:
        return Values(rng.uniform(low, high, size).astype(np.float32), offsets)

    return {
        "Jet_rawFactor": jets(0, 0.1), "Jet_area": jets(0.4, 0.6), "GenJet_pt": jets(10, 100),
        "Jet_btagDeepFlavB": jets(0, 1), "Jet_genJetIdx": Values(rng.integers(-1, 2, size), offsets),
        "Jet_hadronFlavour": Values(rng.choice([0, 4, 5], size), offsets),
        "fixedGridRhoFastjetAll": Values(rng.uniform(5, 40, n).astype(np.float32), None),
        "event": Values(np.arange(n, dtype=np.uint64), None),
    }  # fmt: skip


def main() -> None:
    """Measure, print, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    n = arguments.events
    columns = CASES["four_lepton"].make(n, PRESELECTED, 1)
    taken: dict[str, list[float]] = {"calibrating": [], "kernel": []}
    with tempfile.TemporaryDirectory() as folder:
        made = prepare(Path(folder))
        found = branches(columns, n)
        for _ in range(arguments.repeat + 1):  # the first round compiles
            began = time.thread_time()
            ready, calibrated, objects = processing._calibrated(made, columns, found, n, "memory")
            extras = processing._extras(ready, calibrated, found, objects, n, "memory")
            middle = time.thread_time()
            processing.run_kernel(ready, calibrated, n, extras)
            taken["calibrating"].append(middle - began)
            taken["kernel"].append(time.thread_time() - middle)
    per_event = {name: [s / (n * PRESELECTED) * 1e6 for s in seconds[1:]] for name, seconds in taken.items()}
    result = {
        "machine": machine(), "events": n, "preselected": PRESELECTED, "shifts": 2 * (SOURCES + 1),
        "jets_per_event": int(columns.jets.offsets[-1]) / n, "us_per_preselected_event": per_event,
    }  # fmt: skip
    for name, values in per_event.items():
        print(f"{name:12} {statistics.median(values):6.2f} µs a preselected event, slowest {max(values):.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
