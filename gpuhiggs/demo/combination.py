"""The channels of the demo together: a joint likelihood, strengths by production and decay, couplings.

``combination/results.json`` holds

``fit``
    μ of all channels together, ``expected`` and ``observed``, as a run's own results have it;
``channels``
    μ of each channel, its decay and folder;
``strengths``
    one a production and decay, from the joint fit: values, errors, correlation;
``models``
    by name (``kappa-vf`` …) what ``gpuhiggs combine --json`` writes; ``plane`` is that of κ_V and κ_F.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from .. import inference
from ..errors import GpuhiggsError, InputError
from ..inference.joining import join
from ..interpret import combine, joint_results, plane, prepare
from ..interpret.measurements import Measurements
from ..report import run_folder
from ..report.strength import interval

MODELS = ("mu", "mu-production", "mu-decay", "kappa-vf", "kappa-loops", "kappa-resolved")
PLANE_POINTS = 41
POI = "mu"


def run(folder: Path, names: list[str], luminosity: float, console: Console) -> None:
    """Combine the runs *names* in *folder*; write, and print what a reader looks for first.

    Raises
    ------
    InputError, RunError
        If a joint fit cannot be made or does not converge.
    """
    place = folder / "combination"
    run_folder.create(place, overwrite=True)
    joint = joint_results.joint([folder / name for name in names])
    fitted = joint_results.fit(joint)
    inputs = joint_results.as_measurements(joint, fitted)
    results: dict[str, Any] = {
        "title": joint.runs[0].results["title"],
        "luminosity": luminosity,
        "fit": together(folder, names),
        "channels": {
            run.folder.name: {"decay": run.decay, "folder": f"../{run.folder.name}", "mu": run.fit["parameters"][POI]}
            for run in joint.runs
        },
        "strengths": _strengths(inputs),
        "models": {},
        "warnings": [],
    }
    for model in MODELS:
        try:
            results["models"][model] = combine(model, [inputs], budget=False).to_json()
            if model == "kappa-vf":
                results["plane"] = _plane(inputs)
        except GpuhiggsError as error:  # such as a model that one channel alone cannot tell anything of
            results["warnings"].append(f"{model}: {error}")
    run_folder.write_text(place / run_folder.WORKSPACE, joint.workspace.model_dump_json(indent=1))
    run_folder.write_text(place / run_folder.RESULTS, json.dumps(results, indent=1))
    summary = {key: results[key] for key in ("title", "luminosity", "channels", "fit")}
    run_folder.write_text(folder / run_folder.RESULTS, json.dumps(summary, indent=1))
    tell(console, results, place)


def together(folder: Path, names: list[str]) -> dict[str, Any]:
    """Fit one signal strength to all channels."""
    workspace = join({name: inference.load_workspace(folder / name / run_folder.WORKSPACE) for name in names})
    flat = inference.flatten(workspace)
    found = {}
    for part, data in (("expected", inference.asimov(flat)), ("observed", inference.observed(flat, workspace))):
        fit = inference.fit(flat, data, minos=[POI])
        form: dict[str, Any] = fit.to_json()
        form["parameters"] = {POI: form["parameters"][POI]}
        form |= {"discovery": None, "problems": []}
        try:
            form["discovery"] = inference.discovery(flat, data, best=fit).to_json()
        except InputError as error:  # a bin without any background
            form["problems"].append(f"no significance: {error}")
        found[part] = form
    return found


def _strengths(inputs: Measurements) -> dict[str, Any]:
    return {
        "names": [entry.name for entry in inputs.entries],
        "parameters": {
            entry.name: {
                "value": entry.value,
                "error": 0.5 * (entry.minus + entry.plus),
                "minus": -entry.minus,
                "plus": entry.plus,
                "decay": entry.decay,
                "production": entry.production,
            }
            for entry in inputs.entries
        },
        "correlation": inputs.correlation.tolist(),
    }


def _plane(inputs: Measurements) -> dict[str, Any]:
    points = np.linspace(0.5, 1.5, PLANE_POINTS)
    problem = prepare("kappa-vf", [inputs])
    form: dict[str, Any] = plane(problem, "kappa_V", points, "kappa_F", points).to_json()
    return form


def tell(console: Console, results: dict[str, Any], place: Path) -> None:
    """Print strengths and couplings."""
    table = Table("", "observed", title="Signal strengths and couplings", title_justify="left")
    for name, channel in results["channels"].items():
        table.add_row(f"mu, {name}", interval(channel["mu"]))
    table.add_row("mu, all channels", interval(results["fit"]["observed"]["parameters"][POI]))
    for model in ("kappa-vf", "kappa-loops"):
        for name, estimate in results["models"].get(model, {"parameters": {}})["parameters"].items():
            if estimate["error"]:  # some couplings no channel of the demo knows of
                table.add_row(name, interval(estimate))
    console.print(table)
    for warning in results["warnings"]:
        console.print(f"[yellow]{warning}", highlight=False)
    console.print(f"Numbers: {place / run_folder.RESULTS}", soft_wrap=True)
