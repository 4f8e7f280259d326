"""The results of a run of the project's own, as measurements to combine.

A run that ended with a fit measures, in one decay, a signal strength for each production of its model, or one of all
its signal processes together. Their expected yields give the shares of the production modes. Several runs make one set
with their common uncertainties: see `joint_results`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

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
PREDICTION = ("theory_", "QCDscale_", "pdf_", "BR_", "THU_")
"""How uncertainties of the SM's cross sections and branching ratios are called, here and in the LHC's combinations."""


class Run(NamedTuple):
    """A finished run with a converged fit.

    Attributes
    ----------
    part
        ``observed``, or ``expected`` where the run has no data.
    fit
        That part of its results.
    groups
        Signal strength → the signal processes that it scales: those of the productions, or ``mu`` alone.
    """

    folder: Path
    results: dict[str, Any]
    config: dict[str, Any]
    part: str
    fit: dict[str, Any]
    decay: str
    groups: dict[str, list[str]]

    @property
    def theory_in_errors(self) -> bool:
        """Whether an uncertainty of normalisation acts on a signal process."""
        model = self.config["model"]
        return any(
            set(entry.get("processes") or ()) & set(model["signals"]) for entry in model.get("normalisations") or ()
        )

    @property
    def prediction(self) -> tuple[str, ...]:
        """Nuisance parameters of the SM's prediction: named as such, on signal processes only, in every channel.

        One that holds for some channels is how events divide among them: an uncertainty of the measurement.
        """
        model = self.config["model"]
        return tuple(
            entry["parameter"]
            for entry in model.get("normalisations") or ()
            if entry["parameter"].startswith(PREDICTION)
            and not entry.get("channels")
            and entry.get("processes")
            and {*entry["processes"]} <= {*model["signals"]}
        )

    @property
    def title(self) -> str:
        """What it is, in a line."""
        title = self.results.get("title") or self.folder.name
        return f"{title}, {self.results.get('luminosity') or 0:g} fb⁻¹ ({self.part})"

    def yields(self, strength: str) -> dict[str, float]:
        """Return the expected signal events that a strength scales, by production mode."""
        return _yields(self.results, self.groups[strength], self.folder)


def read_run(folder: Path) -> Run:
    """Read the folder of a finished run.

    The observed strength is taken; where a run has no data, the expected one.

    Raises
    ------
    InputError
        If the folder has no result, no converged fit, or its channel is unknown.
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
    groups = {"mu": list(model["signals"])}
    apart = fit.get("productions")
    if apart and apart["converged"] and apart["names"]:
        groups = {name: list(model["productions"][name]) for name in apart["names"]}
    return Run(folder, results, config, part, fit, _decay(results, folder), groups)


def load(folder: Path) -> Measurements:
    """Read the folder of a finished run as measurements: a strength for each production that its model has, or one.

    The SM prediction is taken at 13 TeV and 125.09 GeV. An uncertainty of normalisation on a signal process counts as
    theory: no nuisance comes on top then.

    Raises
    ------
    InputError
        As `read_run`, or if a process is unknown.
    """
    run = read_run(folder)
    apart = run.fit["productions"] if run.groups.keys() != {"mu"} else {"parameters": run.fit["parameters"]}
    entries = []
    for strength in run.groups:
        found, shares = apart["parameters"][strength], run.yields(strength)
        total = sum(shares.values())
        entries.append(
            {
                "name": f"{folder.name}_{run.decay}" + strength.removeprefix("mu"),
                "decay": run.decay,
                "production": {mode: value / total for mode, value in shares.items()},
                "value": found["value"],
                "minus": -found["minus"] if found.get("minus") else found["error"],
                "plus": found["plus"] if found.get("plus") else found["error"],
            }
        )
    return measurements([run], entries, apart.get("correlation", [[1.0]]))


def measurements(
    runs: Sequence[Run],
    entries: list[dict[str, Any]],
    correlation: Sequence[Sequence[float]],
    without: Sequence[str] = (),
) -> Measurements:
    """Return strengths that runs measure, of shape (N,) with their correlation (N, N), as a set to combine.

    *without* are the nuisance parameters of the SM's prediction that their errors do not contain.
    """
    events = dict.fromkeys(event for run in runs for event in _events(run.config, run.part, run.folder))
    content = {
        "title": " + ".join(run.title for run in runs),
        "source": ", ".join(str(run.folder) for run in runs),
        "sqrt_s": 13,
        "m_h": sm.M_H,
        "theory_in_errors": not without and any(run.theory_in_errors for run in runs),
        "events": list(events),
        "strengths": entries,
        "correlation": [list(row[: position + 1]) for position, row in enumerate(correlation)],
    }
    name = " + ".join(str(run.folder) for run in runs)
    notes: tuple[str, ...] = ()
    if without:
        held = ", ".join(without)
        notes = (f"{name}: fitted again with {held} held: the uncertainties of the prediction are those of all inputs",)
    return replace(read(name, content), notes=notes)


def _decay(results: dict[str, Any], folder: Path) -> str:
    channel = str(results.get("selection", ""))
    for part, decay in DECAYS.items():
        if part in channel.lower():
            return decay
    msg = f"{folder}: no scaling rule for the channel {channel!r}; known are names with {', '.join(DECAYS)}"
    raise InputError(msg)


def _yields(results: dict[str, Any], processes: list[str], folder: Path) -> dict[str, float]:
    """Return the expected events of signal processes by production mode."""
    found: dict[str, float] = {}
    for process in processes:
        lower = process.lower()
        mode = next((mode for prefix, mode in MODES.items() if re.match(rf"{prefix}(?![a-z])", lower)), None)
        mode = mode or next(
            (mode for prefix, mode in MODES.items() if len(prefix) > 1 and lower.startswith(prefix)), None
        )
        if mode is None:
            msg = f"{folder}: no scaling rule for the signal process {process!r}; known beginnings: {', '.join(MODES)}"
            raise InputError(msg)
        found[mode] = found.get(mode, 0.0) + sum(cell["value"] for cell in results["yields"][process].values())
    return found


def _events(config: dict[str, Any], part: str, folder: Path) -> list[str]:
    """Say which recorded events a run has: real data overlap with the experiment's publications of the same years."""
    own = f"run {folder.resolve()}"
    if part == "expected":
        return [own]
    if str(config["selection"].get("schema", "")).startswith("atlas-open-data"):
        return [own, "ATLAS 2015+2016"]  # what ATLAS has released of its 13 TeV data
    files = " ".join(file for dataset in config["datasets"] if dataset["kind"] == "data" for file in dataset["files"])
    return [own, *(f"CMS {year}" for year in ("2016", "2017", "2018") if f"Run{year}" in files)]
