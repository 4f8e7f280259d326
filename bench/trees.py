"""The tree kernel against XGBoost's own predict, per core: ``python -m bench.trees``.

200 trees of depth 6 on 20 inputs, and smaller and larger models; A B A B in one process, CPU time of one thread.
"""

from __future__ import annotations

import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from gpuhiggs.classify.tables import tables
from gpuhiggs.classify.xgboost import read_xgboost
from gpuhiggs.kernels import classifier_rows, launch

N_EVENTS, N_INPUTS, REPEATS = 50_000, 20, 7
MODELS = {"50 trees, depth 3": (50, 3), "200 trees, depth 6": (200, 6), "500 trees, depth 8": (500, 8)}
RESULT = Path(__file__).parent / "results" / "trees.json"


def ours(path: Path, values: np.ndarray) -> tuple[Callable[[], Any], np.ndarray]:
    """Return a call of the kernel on resident rows, and where its margins go."""
    rows = values.astype(np.float64).reshape(-1)
    out = classifier_rows.Out(np.zeros(1, np.int64), np.empty(len(values)))
    arguments = [
        launch.record(type(value), value)
        for value in (
            classifier_rows.Inputs(rows),
            classifier_rows.Cuts(1),
            classifier_rows.Tables(tables(read_xgboost(path))),
            out,
        )
    ]
    program = launch.Program(classifier_rows.__name__)
    return lambda: launch.run(program, arguments, 0, len(values)), out.values


def measure(n_trees: int, depth: int, folder: Path) -> dict[str, float]:
    """Train a model, compare the margins, and time both."""
    import xgboost

    random = np.random.default_rng(1)
    values: np.ndarray = random.normal(size=(N_EVENTS, N_INPUTS)).astype(np.float32)
    score = values[:, 0] * values[:, 1] + np.sin(2 * values[:, 2]) + 0.2 * values[:, 3:].sum(axis=1)
    labels = score + random.normal(size=N_EVENTS) > 0
    model: Any = xgboost.XGBClassifier(n_estimators=n_trees, max_depth=depth, learning_rate=0.1, n_jobs=1)
    model.fit(values, labels)
    path = folder / "model.json"
    model.save_model(path)
    booster: Any = model.get_booster()
    booster.set_param({"nthread": 1})
    run, margins = ours(path, values)
    theirs = booster.inplace_predict(values, predict_type="margin")
    run()
    assert (margins == theirs).all(), "margins differ"
    times: dict[str, list[float]] = {"gpuhiggs": [], "xgboost": []}
    calls: dict[str, Callable[[], Any]] = {
        "gpuhiggs": run,
        "xgboost": lambda: booster.inplace_predict(values, predict_type="margin"),
    }
    for _ in range(REPEATS):
        for name, call in calls.items():
            before = time.process_time()
            call()
            times[name].append((time.process_time() - before) / N_EVENTS * 1e6)
    medians = {f"{name}, us/event": round(statistics.median(values), 3) for name, values in times.items()}
    return {**medians, "ratio": round(medians["xgboost, us/event"] / medians["gpuhiggs, us/event"], 2)}


def main() -> None:
    """Measure all models."""
    with tempfile.TemporaryDirectory() as folder:
        rates = {name: measure(*shape, Path(folder)) for name, shape in MODELS.items()}
    result = {
        "what": "margins of binary:logistic models, float32, equal bit for bit; median of CPU times on one core",
        "machine": {"processor": platform.processor() or platform.machine(), "shared with other jobs": True},
        "versions": {package: version(package) for package in ("xgboost", "numba", "numpy")},
        "events": N_EVENTS,
        "inputs": N_INPUTS,
        "models": rates,
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    assert rates["200 trees, depth 6"]["ratio"] >= 1.0


if __name__ == "__main__":
    main()
