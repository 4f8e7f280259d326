"""Corrections: evaluations a second on one core, against correctionlib's vectorised evaluate.

    python -m bench.lookup [--payloads FOLDER] [--rows 1000000] [--repeat 9] [--json bench/results/lookup.json]

FOLDER holds CMS payloads (``2018_UL/electron.json``, …); without it the payloads written here are timed alone. Both get
the same NumPy arrays in memory and take turns (A B A B …); CPU time of the one thread, medians and slowest. ``kernel``
is what a channel pays: the lookups of inputs that are there already; ``arrays`` adds what Python's face does around it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import correctionlib
import numpy as np

from bench.throughput import machine
from gpuhiggs import corrections
from gpuhiggs.kernels import launch, lookup_rows


class Case(NamedTuple):
    """One correction and its inputs."""

    path: Path
    name: str
    fixed: dict[str, str]
    inputs: tuple[np.ndarray, ...]


def payload(folder: Path, n: int) -> list[Case]:
    """Write a jet energy scale, a b-tag shape and a smearing, and return their cases."""
    rng = np.random.default_rng(1)
    formula = {"nodetype": "formula", "parser": "TFormula"}
    scale = "max(0.0001,[0]+[1]/(pow(log10(x),2)+[2])+[3]*exp(-([4]*((log10(x)-[5])*(log10(x)-[5])))))"
    bins = [
        formula | {"expression": scale, "variables": ["pt"], "parameters": rng.uniform(0.1, 1.0, 6).tolist()}
        for _ in range(82)
    ]
    cubic = formula | {"expression": "[0]+x*([1]+x*([2]+x*[3]))", "variables": ["disc"]}
    shape = [cubic | {"parameters": rng.uniform(-1, 1, 4).tolist()} for _ in range(20)]
    eta_bins, disc_bins = {"n": 82, "low": -5.2, "high": 5.2}, {"n": 20, "low": 0.0, "high": 1.0}
    binning = {"nodetype": "binning", "flow": "clamp"}
    nodes = {
        "jet energy scale": binning | {"input": "eta", "edges": eta_bins, "content": bins},
        "b-tag shape": binning | {"input": "disc", "edges": disc_bins, "content": shape},
        "smearing": {"nodetype": "hashprng", "inputs": ["pt", "eta", "disc"], "distribution": "normal"},
    }  # fmt: skip
    variables = [{"name": name, "type": "real"} for name in ("pt", "eta", "disc")]
    entries = [
        {"name": name, "version": 1, "inputs": variables, "output": {"name": "out", "type": "real"}, "data": node}
        for name, node in nodes.items()
    ]
    path = folder / "payload.json"
    path.write_text(json.dumps({"schema_version": 2, "corrections": entries}))
    inputs = np.exp(rng.uniform(2.7, 6.0, n)), rng.uniform(-5.0, 5.0, n), rng.uniform(0.0, 1.0, n)
    return [Case(path, name, {}, inputs) for name in nodes]


def real(folder: Path, n: int) -> list[Case]:
    """Return cases of the scale factors and weights of 2018."""
    rng = np.random.default_rng(2)
    eta, pt = rng.uniform(-2.4, 2.4, n), np.exp(rng.uniform(3.0, 5.2, n))
    pu = rng.uniform(0.0, 99.0, n)
    electron = {"year": "2018", "ValType": "sf", "WorkingPoint": "wp90iso"}
    muon = {"year": "2018_UL", "ValType": "sf"}
    return [
        Case(folder / "electron.json", "UL-Electron-ID-SF", electron, (eta, pt)),
        Case(folder / "muon_Z.json", "NUM_TightID_DEN_TrackerMuons", muon, (np.abs(eta), pt)),
        Case(folder / "puWeights.json", "Collisions18_UltraLegacy_goldenJSON", {"weights": "nominal"}, (pu,)),
    ]


def seconds(run: Callable[[], object]) -> float:
    """Return the CPU time of one call."""
    began = time.thread_time()
    run()
    return time.thread_time() - began


def measure(case: Case, repeat: int) -> dict[str, Any]:
    """Time one case; the results are compared first."""
    ours = corrections.load(case.path)[case.name]
    compiled = ours.compile(**case.fixed)
    theirs = correctionlib.CorrectionSet.from_file(str(case.path))[case.name]
    rest = iter(case.inputs)
    arguments = [case.fixed[name] if name in case.fixed else next(rest) for name in ours.inputs]
    n = case.inputs[0].size
    out = lookup_rows.Out(np.zeros(1, np.int64), np.empty(n), np.empty(n, np.int64))
    records = [
        lookup_rows.Inputs(np.stack(case.inputs, axis=-1).reshape(-1)),
        lookup_rows.Cuts(compiled.root, len(case.inputs), int(compiled.tabulated)),
        lookup_rows.Tables(compiled.tables),
        out,
    ]
    prepared = [launch.record(type(value), value) for value in records]
    program = launch.Program(lookup_rows.__name__)
    ways: dict[str, Callable[[], object]] = {
        "kernel": lambda: launch.run(program, prepared, 0, n),
        "arrays": lambda: compiled.evaluate(*case.inputs),
        "correctionlib": lambda: theirs.evaluate(*arguments),
    }
    np.testing.assert_allclose(compiled.evaluate(*case.inputs), theirs.evaluate(*arguments), rtol=1e-12)
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeat + 1):
        for name, run in ways.items():
            times[name].append(seconds(run))
    kept = {name: values[1:] for name, values in times.items()}
    return {
        "correction": case.name,
        "rows": n,
        "median_s": {name: statistics.median(values) for name, values in kept.items()},
        "slowest_s": {name: max(values) for name, values in kept.items()},
        "evaluations_per_s": {name: n / statistics.median(values) for name, values in kept.items()},
    }


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--payloads", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine() | {"correctionlib": correctionlib.__version__}, "rows": []}
    print(result["machine"])
    print(
        f"{'million evaluations/s':40} {'kernel':>9} {'arrays':>9} {'correctionlib':>14} {'kernel/correctionlib':>21}"
    )
    with tempfile.TemporaryDirectory() as folder:
        cases = real(arguments.payloads / "2018_UL", arguments.rows) if arguments.payloads else []
        for case in [*cases, *payload(Path(folder), arguments.rows)]:
            row = measure(case, arguments.repeat)
            result["rows"].append(row)
            kernel, arrays, theirs = (
                row["evaluations_per_s"][name] / 1e6 for name in ("kernel", "arrays", "correctionlib")
            )
            print(f"{case.name:40} {kernel:9.1f} {arrays:9.1f} {theirs:14.1f} {kernel / theirs:21.1f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
