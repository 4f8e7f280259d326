"""Fits of coupling models to published measurements: every model on both experiments, and a plane of 200 x 200 points.

    python -m bench.combine [--json bench/results/combine.json]

Held to: the complete set of models on both experiments in 60 s on two cores, a plane in 10 s. The set is every κ model,
2HDM, hMSSM, singlet, MCHM, and each SMEFT operator alone, linear and quadratic, on ATLAS and on CMS. Linear algebra
runs on one thread: the matrices are small.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from bench.throughput import machine
from gpuhiggs.interpret import MODELS, combine, models, operators, plane, prepare, published

LEFT_OUT = ("stxs", "smeft-linear", "smeft-quadratic")


def timed(call: Callable[[], Any]) -> dict[str, float]:
    """Return seconds of wall and processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return {"wall": round(time.perf_counter() - wall, 3), "cpu": round(time.process_time() - cpu, 3)}


def every_model() -> dict[str, dict[str, float]]:
    """Time each model on each experiment."""
    found = {}
    for name in ("atlas-run2", "cms-run2"):
        inputs = [published(name)]
        for model in MODELS:
            if model not in LEFT_OUT:
                found[f"{model} {name}"] = timed(lambda m=model, i=inputs: combine(m, i))  # type: ignore[misc]
        view = [published(name, "stxs" if "smeft-linear" in models.VIEWS else "strengths")]
        for quadratic in (False, True):
            order = "quadratic" if quadratic else "linear"
            found[f"smeft-{order}, each operator, {name}"] = timed(
                lambda v=view, q=quadratic: operators.one_at_a_time(v, quadratic=q)  # type: ignore[misc]
            )
    return found


def planes() -> dict[str, dict[str, float]]:
    """Time a 2HDM plane for one and for both experiments."""
    found = {}
    x, y = np.linspace(-0.9, 0.9, 200), np.geomspace(0.1, 60.0, 200)
    for names in (("atlas-run2",), ("atlas-run2", "cms-run2")):
        problem = prepare("2hdm-II", [published(name) for name in names])
        found[" + ".join(names)] = timed(lambda p=problem: plane(p, "cos_beta_alpha", x, "tan_beta", y))  # type: ignore[misc]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    combine("kappa-effective", [published("atlas-run2")])  # reads the tables
    each = every_model()
    total = {key: round(sum(entry[key] for entry in each.values()), 2) for key in ("wall", "cpu")}
    slowest = max(each, key=lambda name: each[name]["cpu"])
    result = {
        "machine": {**machine(), "load": round(os.getloadavg()[0], 1)},
        "note": "other jobs shared the machine: see the load; wall times suffer, processor times hardly",
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__},
        "every_model": {"total": total, "goal_wall": 60.0, "slowest": slowest, "each": each},
        "plane_200x200": {"goal_wall": 10.0, **planes()},
    }
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
