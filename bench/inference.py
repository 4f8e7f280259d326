"""How long fits, toys and scans take, beside pyhf on the same models in the same run.

``python -m bench.inference --json bench/results/inference.json``; ``--large`` lets pyhf fit the
largest model too, which takes minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyhf

from bench.models import peak_on_continuum, three_channels
from gpuhiggs import inference

SIZES = {"31": (20, 10), "121": (80, 40), "301": (200, 100)}
"""Parameters → bins and nuisances."""
GOALS = {"31": 0.01, "121": 0.1, "301": 0.5}


def seconds(function: Callable[[], Any], repeat: int) -> dict[str, float]:
    """Return median, slowest and processor time of some calls, after one to warm up."""
    function()
    walls, processor = [], []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        walls.append(time.perf_counter() - wall)
        processor.append(time.process_time() - cpu)
    return {"median": float(np.median(walls)), "slowest": max(walls), "cpu": float(np.median(processor))}


def fit_with_pyhf(workspace: inference.Workspace) -> tuple[dict[str, Any], dict[str, float]]:
    """Fit once with pyhf, NumPy and iminuit, uncertainties included; return time and best values."""
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = pyhf.Workspace(inference.to_pyhf(workspace))
        model = spec.model(modifier_settings=inference.pyhf_settings(workspace))
        data = spec.data(model)
        began = time.perf_counter()
        best, nll = pyhf.infer.mle.fit(data, model, return_uncertainties=True, return_fitted_val=True)
        taken = time.perf_counter() - began
    values = dict(zip(model.config.par_names, np.asarray(best)[:, 0].tolist(), strict=True))
    return {"seconds": taken, "twice_nll": float(nll)}, values


def single(large: bool) -> dict[str, Any]:
    """One fit with its covariance."""
    found = {}
    for name, (n_bins, n_nuisances) in SIZES.items():
        workspace = peak_on_continuum(n_bins, n_nuisances)
        model = inference.flatten(workspace)
        assert len(model.parameters) == int(name)
        data = inference.observed(model, workspace)
        ours = inference.fit(model, data)
        row: dict[str, Any] = {
            "goal": GOALS[name],
            "newton": seconds(partial(inference.fit, model, data), 9),
            "iminuit": seconds(partial(inference.fit, model, data, minimiser="minuit"), 3),
            "converged": ours.converged,
        }
        row["newton_with_minos_of_mu"] = seconds(partial(inference.fit, model, data, minos=["mu"]), 5)
        theirs = inference.fit(model, data, minimiser="minuit")
        row["largest_difference_in_sigma"] = max(
            abs(e.value - theirs.parameters[n].value) / e.error for n, e in ours.parameters.items()
        )
        if large or name != "301":
            row["pyhf"], values = fit_with_pyhf(workspace)
            row["pyhf"]["mu_difference_in_sigma"] = (
                abs(values["mu"] - ours.parameters["mu"].value) / ours.parameters["mu"].error
            )
            row["pyhf"]["twice_nll_above_ours"] = row["pyhf"]["twice_nll"] - 2.0 * ours.nll
        found[name] = row
        print(name, json.dumps(row))
    return found


def toys(n: int = 10_000) -> dict[str, Any]:
    """Fits of toys of the model with 31 parameters."""
    model = inference.flatten(peak_on_continuum(*SIZES["31"]))
    began = time.perf_counter()
    drawn = inference.draw_toys(model, n, np.random.default_rng(1))
    drawing = time.perf_counter() - began
    inference.fit_toys(model, drawn[:10])
    began, cpu = time.perf_counter(), time.process_time()
    result = inference.fit_toys(model, drawn)
    row = {
        "n": n,
        "goal": 30.0,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "drawing": drawing,
        "converged": float(result.converged.mean()),
    }
    print("toys", json.dumps(row))
    return row


def grid(points: int = 40) -> dict[str, Any]:
    """Scan in two dimensions of three channels with 600 bins and 200 nuisances."""
    workspace = three_channels()
    model = inference.flatten(workspace)
    data = inference.observed(model, workspace)
    began = time.perf_counter()
    best = inference.fit(model, data)
    fitting = time.perf_counter() - began
    axes = [inference.grid_around(model, best, name, points) for name in model.pois]
    inference.profile_scan_2d(model, data, ("mu_ggH", "mu_VBF"), axes[0][:2], axes[1][:2], best=best)
    began, cpu = time.perf_counter(), time.process_time()
    scan = inference.profile_scan_2d(model, data, ("mu_ggH", "mu_VBF"), axes[0], axes[1], best=best)
    row: dict[str, Any] = {
        "points": points**2,
        "bins": model.n_bins,
        "parameters": len(model.parameters),
        "goal": 30.0,
        "seconds": time.perf_counter() - began,
        "cpu": time.process_time() - cpu,
        "fit": fitting,
        "converged": float(scan.converged.mean()),
        "lowest": float(scan.twice_nll.min()),
    }
    print("scan", json.dumps(row))
    began = time.perf_counter()
    row["impacts"] = {"n": len(inference.impacts(model, data, best=best)), "seconds": time.perf_counter() - began}
    print("impacts", json.dumps(row["impacts"]))
    return row


def first_fit() -> dict[str, float]:
    """Return how long the first fit of a process takes: it compiles, or loads what was compiled before."""
    began, cpu = time.perf_counter(), time.process_time()
    workspace = peak_on_continuum(4, 2)
    model = inference.flatten(workspace)
    inference.fit(model, inference.observed(model, workspace))
    return {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--large", action="store_true", help="pyhf on the model with 301 parameters too")
    arguments = parser.parse_args()
    first = first_fit()
    result = {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "model": next((line.split(":")[1].strip() for line in _cpuinfo() if line.startswith("model name")), ""),
            "cores": len(os.sched_getaffinity(0)),
            "load": os.getloadavg()[0],
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "numba", "iminuit", "pyhf")},
        },
        "first_fit": first,
        "single": single(arguments.large),
        "toys": toys(),
        "scan": grid(),
    }
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


if __name__ == "__main__":
    main()
