"""The results of a run of the project's own, as measurements to combine.

A run that ended with a fit measures one signal strength, of all its signal processes together in one decay. Their
expected yields give the shares of the production modes.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from ..errors import InputError
from . import sm
from .measurements import Measurements, read

DECAYS = {
    "four_lepton": "ZZ", "hzz": "ZZ", "4l": "ZZ",
    "diphoton": "gammagamma", "gamgam": "gammagamma", "hgg": "gammagamma",
    "dilepton": "WW", "hww": "WW", "ww": "WW",
}  # fmt: skip
"""What a channel measures, by a part of its name."""
MODES = {
    "ggh": "ggH", "ggf": "ggH", "gluglu": "ggH", "vbf": "VBF", "qqh": "VBF",
    "wh": "WH", "wplus": "WH", "wminus": "WH", "zh": "ZH", "vh": "VH",
    "tth": "ttH", "bbh": "bbH", "thq": "tHq", "thw": "tHW",
    "higgs": "inclusive", "signal": "inclusive", "h": "inclusive",
}  # fmt: skip
"""Production modes by the beginning of a process's name, in lower case."""


def load(folder: Path) -> Measurements:
    """Read the folder of a finished run.

    The observed strength is taken; where a run has no data, the expected one, and the title says so. The SM prediction
    is taken at 13 TeV and 125.09 GeV. An uncertainty of normalisation on a signal process counts as theory: no
    nuisance comes on top then.

    Raises
    ------
    InputError
        If the folder has no result, no converged fit, or its channel or processes are unknown.
    """
    try:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        msg = f"{folder}: not the folder of a finished run: {getattr(error, 'strerror', None) or error}"
        raise InputError(msg) from error
    part = "observed" if "observed" in results.get("fit", {}) else "expected"
    fit = results.get("fit", {}).get(part)
    if not fit or not fit.get("converged"):
        msg = f"{folder}: the run has no converged fit{': ' + results['fit_error'] if 'fit_error' in results else ''}"
        raise InputError(msg)
    model = config.get("model")
    if model is None or "mu" not in fit["parameters"]:
        msg = f"{folder}: the run measures no signal strength mu: it has {', '.join(fit['parameters'])}"
        raise InputError(msg)
    mu = fit["parameters"]["mu"]
    in_errors = any(
        set(entry.get("processes") or ()) & set(model["signals"]) for entry in model.get("normalisations") or ()
    )
    entry = {
        "name": f"{folder.name}_{_decay(results, folder)}",
        "decay": _decay(results, folder),
        "production": _shares(results, model["signals"], folder),
        "value": mu["value"],
        "minus": -mu["minus"] if mu.get("minus") else mu["error"],
        "plus": mu["plus"] if mu.get("plus") else mu["error"],
    }
    content = {
        "title": f"{results.get('title') or folder.name}, {results.get('luminosity') or 0:g} fb⁻¹ ({part})",
        "source": str(folder),
        "sqrt_s": 13,
        "m_h": sm.M_H,
        "theory_in_errors": in_errors,
        "events": _events(config, part, folder),
        "strengths": [entry],
        "correlation": [[1.0]],
    }
    return read(str(folder), content)


def _decay(results: dict[str, Any], folder: Path) -> str:
    channel = str(results.get("selection", ""))
    for part, decay in DECAYS.items():
        if part in channel.lower():
            return decay
    msg = f"{folder}: no scaling rule for the channel {channel!r}; known are names with {', '.join(DECAYS)}"
    raise InputError(msg)


def _shares(results: dict[str, Any], signals: list[str], folder: Path) -> dict[str, float]:
    """Return the share of each production mode in the expected signal."""
    found: dict[str, float] = {}
    for process in signals:
        lower = process.lower()
        mode = next((mode for prefix, mode in MODES.items() if re.match(rf"{prefix}(?![a-z])", lower)), None)
        mode = mode or next(
            (mode for prefix, mode in MODES.items() if len(prefix) > 1 and lower.startswith(prefix)), None
        )
        if mode is None:
            msg = f"{folder}: no scaling rule for the signal process {process!r}; known beginnings: {', '.join(MODES)}"
            raise InputError(msg)
        found[mode] = found.get(mode, 0.0) + sum(cell["value"] for cell in results["yields"][process].values())
    total = sum(found.values())
    return {mode: value / total for mode, value in found.items()}


def _events(config: dict[str, Any], part: str, folder: Path) -> list[str]:
    """Say which recorded events a run has: real data overlap with the experiment's publications of the same years."""
    own = f"run {folder.resolve()}"
    if part == "expected":
        return [own]
    if str(config["selection"].get("schema", "")).startswith("atlas-open-data"):
        return [own, "ATLAS 2015+2016"]  # what ATLAS has released of its 13 TeV data
    files = " ".join(file for dataset in config["datasets"] if dataset["kind"] == "data" for file in dataset["files"])
    return [own, *(f"CMS {year}" for year in ("2016", "2017", "2018") if f"Run{year}" in files)]
