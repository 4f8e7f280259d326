"""The folder of a run: what was asked for, what came out, and the proof of it.

``config.yaml`` is the full configuration, ``digest.txt`` the SHA-256 of the accumulators, ``results.json`` every
number, ``histograms.root`` and ``histograms.json`` (UHI) the histograms in events expected, ``systematics.json`` (UHI)
what they are at ±1 σ of each varied parameter, ``templates.json`` (UHI) the same by category, as the ROOT file has it
under ``process_parameterUp``, ``performance.json`` how long it took. Each file is written under
a temporary name and renamed: the numbers before the figures, and ``report.html`` last, so that a folder with one is
complete.
"""

from __future__ import annotations

import errno
import importlib.metadata
import json
import math
import os
import platform
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hist
import uproot
import yaml
from uhi.io.json import default as uhi_default

from .. import blinding, normalisation
from ..config import RunConfig
from ..engine.tally import Tally
from ..errors import InputError, RunError

CONFIG, RESULTS, REPORT, WORKSPACE = "config.yaml", "results.json", "report.html", "workspace.json"
HISTOGRAMS, SYSTEMATICS, PERFORMANCE = "histograms.json", "systematics.json", "performance.json"
TEMPLATES = "templates.json"
UNBLINDING = "unblinding.json"
"""What was unblinded, and when: kept when a run is made again, so that the first time stays known."""
SKIM = "skim"
"""The folder of the skims."""
FIGURES, NUMBERS = "figures", "numbers"
"""Folders of a page's figures and of the numbers behind them."""
_PACKAGES = ("gpuhiggs", "numpy", "numba", "uproot", "awkward", "hist", "distributed")


def create(folder: Path, overwrite: bool) -> None:
    """Make the folder of a run.

    Raises
    ------
    InputError
        If it cannot be written, or has a result already and *overwrite* is false.
    """
    if (folder / RESULTS).exists() and not overwrite:
        msg = f"{folder}: has a result already; choose another --output, or --overwrite"
        raise InputError(msg)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for path in _earlier(folder):
            path.unlink(missing_ok=True)  # nothing of an earlier result may pass for part of this one
    except OSError as error:
        msg = f"{folder}: cannot be written: {error.strerror or error}"
        raise InputError(msg) from error


def _earlier(folder: Path) -> Iterator[Path]:
    """Yield what an earlier result may have left."""
    yield from (folder / name for name in (RESULTS, REPORT, WORKSPACE, SYSTEMATICS, TEMPLATES, PERFORMANCE))
    yield from (path for suffix in ("pdf", "png") for path in (folder / FIGURES).glob(f"*.{suffix}"))
    yield from (path for suffix in ("json", "csv", "yaml") for path in (folder / NUMBERS).glob(f"*.{suffix}"))


def write(path: Path, writer: Callable[[Path], None]) -> None:
    """Let *writer* make a file under a temporary name, and rename it.

    Raises
    ------
    RunError
        If it cannot be written; nothing is left behind then.
    """
    temporary = path.with_name(f".{path.stem}-{os.getpid()}{path.suffix}")
    try:
        writer(temporary)
        temporary.replace(path)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or error
        msg = f"{path}: cannot be written: {reason}"
        raise RunError(msg) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    write(path, lambda temporary: _ignore(temporary.write_text(text, encoding="utf-8")))


def _ignore(_: object) -> None:
    pass


def write_config(folder: Path, config: RunConfig) -> None:
    """Keep the full configuration: ``gpuhiggs run`` makes the same result from it again."""
    raw = config.model_dump(mode="json", by_alias=True, exclude_defaults=False, exclude_unset=True)
    write_text(folder / CONFIG, yaml.safe_dump(raw, sort_keys=False, allow_unicode=True))


Histograms = dict[str, dict[str, "hist.Hist[Any]"]]
"""By name and process."""


def write_histograms(folder: Path, histograms: Histograms, templates: Histograms) -> None:
    """Write every histogram as ROOT, one TH1 a category, and as JSON in the UHI schema.

    Varied *templates* stand beside the nominal in the ROOT file, as ``process_parameterUp``, where they have an entry.
    """

    def root(path: Path) -> None:
        with uproot.recreate(path) as file:
            for name, by_process in histograms.items():
                for process, histogram in [*by_process.items(), *templates.get(name, {}).items()]:
                    for category in histogram.axes[0]:
                        one: Any = histogram[{"category": category}]
                        if process in by_process or one.view(flow=True).any():
                            file[f"{name}/{process}/{category.replace(' ', '_')}"] = one

    write(folder / "histograms.root", root)
    write_text(folder / HISTOGRAMS, json.dumps(histograms, default=uhi_default))
    if templates:
        write_text(folder / TEMPLATES, json.dumps(templates, default=uhi_default))


def unblinded(folder: Path, config: RunConfig) -> dict[str, Any]:
    """Return what results say of blinding; keep what is unblinded now beside them.

    Raises
    ------
    RunError
        If an earlier note cannot be read, or the new one not be written.
    """
    path = folder / UNBLINDING
    try:
        before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    except (OSError, ValueError) as error:
        msg = f"{path}: what was unblinded before cannot be read: {error}"
        raise RunError(msg) from error
    found = blinding.report(config, before)
    if found["unblinded"] != before:
        write_text(path, json.dumps(found["unblinded"], indent=1) + "\n")
    return found


def summary(config: RunConfig, tally: Tally, histograms: dict[str, dict[str, hist.Hist[Any]]]) -> dict[str, Any]:
    """Return every number of a run as plain JSON values."""
    scales = normalisation.scales(config, tally)
    datasets = {}
    for dataset in config.datasets:
        factor, weights, reason = scales[dataset.name]
        complete = [info for info in tally.complete if info.dataset == dataset.name]
        datasets[dataset.name] = {
            "process": dataset.process,
            "kind": dataset.kind,
            "files": len(dataset.files),
            "files_complete": len(complete),
            "events": sum(info.entries for info in complete),
            "events_over_capacity": int(tally.counts.sums[dataset.name, "errors"].to_float()[1]) if complete else 0,
            "sum_of_weights": weights,
            "scale": factor,
            "normalised_to": reason,
            "cutflow": None if factor is None else normalisation.cutflow(config, tally, [(dataset.name, factor)]),
        }
    first = next(iter(histograms.values()), {})
    return {
        "title": config.title,
        "selection": config.selection.channel,
        "reference": config.selection.reference,
        "luminosity": normalisation.normalised_to(config, tally),
        "luminosity_processed": {
            stream: {"recorded": part.recorded, "certified": part.certified, "sections_unknown": len(part.unknown)}
            for stream, part in normalisation.processed(config, tally).items()
        },
        "digest": tally.counts.digest(),
        "datasets": datasets,
        "cutflow": {
            process: normalisation.cutflow(config, tally, parts)
            for process, parts in normalisation.contributions(config, tally).items()
        },
        "yields": {process: yields(histogram) for process, histogram in first.items()},
        "warnings": warnings(config, tally, datasets),
        "failures": [failure._asdict() for failure in tally.failures],
        "versions": {package: importlib.metadata.version(package) for package in _PACKAGES},
        "platform": f"Python {platform.python_version()}, {platform.platform()}",
    }


def warnings(config: RunConfig, tally: Tally, datasets: dict[str, Any]) -> list[str]:
    """Say what a reader of the numbers has to know: what is missing, and what was taken for granted."""
    found = normalisation.incomplete(config, tally)
    for name, dataset in datasets.items():
        if n := dataset["events_over_capacity"]:
            found.append(f"{name}: {n} events have more leptons or photons than the kernel has room for")
        notes = Counter(note for info in tally.complete if info.dataset == name for note in info.notes)
        found.extend(
            f"{name}: {note} (in {n} of {dataset['files_complete']} files)" for note, n in sorted(notes.items())
        )
    streams = {dataset.primary_dataset for dataset in config.datasets if dataset.kind == "data"}
    unused = [name for name in config.selection.triggers if name not in streams]
    if streams and unused:
        found.append(
            f"no data of {', '.join(unused)}: simulation takes their triggers, and data leave out what these would have"
        )
    return found


def yields(histogram: hist.Hist[Any]) -> dict[str, dict[str, float | None]]:
    """Return the content of each category, flow bins included, with its statistical error; None: it is withheld."""
    found: dict[str, dict[str, float | None]] = {}
    for category in histogram.axes[0]:
        view: Any = histogram.view(flow=True)[histogram.axes[0].index(category)]
        value, error = float(view.value.sum()), float(view.variance.sum()) ** 0.5
        withheld = math.isnan(value)
        found[category] = {"value": None if withheld else value, "error": None if withheld else error}
    return found


def write_results(
    folder: Path,
    config: RunConfig,
    results: dict[str, Any],
    histograms: Histograms,
    systematics: Histograms,
    templates: Histograms,
) -> None:
    """Write everything of a run but its figures and its page; ``results.json`` last."""
    write_config(folder, config)
    write_histograms(folder, histograms, templates)
    if systematics:
        write_text(folder / SYSTEMATICS, json.dumps(systematics, default=uhi_default))
    write_text(folder / "digest.txt", results["digest"] + "\n")
    write_text(folder / RESULTS, json.dumps(results, indent=1))
