"""``gpuhiggs train``: from a configuration to a model file, the boundaries to use it with, and a report."""

from __future__ import annotations

import fnmatch
import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from rich import get_console

from .. import channels, engine, normalisation
from .. import config as configuration
from ..classify import Classifier, boundaries, quality, write
from ..classify.training import Events, Trained, TrainingConfig, digest, folds, train
from ..config import ClassifierConfig, RunConfig
from ..errors import ConfigError, InputError, RunError
from . import page, run_folder, training_figures
from .workforce import mapping

MODEL, REPORT, SNIPPET = "model.json", "training.json", "classifier.yaml"


def load(path: Path) -> tuple[TrainingConfig, RunConfig]:
    """Read the configuration of a training and that of the analysis that it names.

    Raises
    ------
    ConfigError
        If a file cannot be read, a key or value is wrong, or a process or feature is unknown.
    """
    config = configuration.validate(TrainingConfig, configuration.read_yaml(path), str(path))
    analysis = configuration.load(path.parent / config.analysis)
    processes = {dataset.process for dataset in analysis.datasets if dataset.kind == "simulation"}
    wanted = {process for group in config.classes.values() for process in group}
    if unknown := sorted(wanted - processes):
        msg = (
            f"{path}: classes: {', '.join(unknown)} unknown; {config.analysis} simulates {', '.join(sorted(processes))}"
        )
        raise ConfigError(msg)
    _categories(config, analysis)
    features = channels.find(analysis.selection.channel).features
    wanted_features = (*config.inputs, *([config.resolution] if config.resolution else []))
    if unknown := [name for name in wanted_features if name not in features]:
        known = ", ".join(features) or "nothing"
        msg = f"{path}: inputs: {', '.join(unknown)} unknown; the channel {analysis.selection.channel} has {known}"
        raise ConfigError(msg)
    datasets = tuple(d for d in analysis.datasets if d.kind == "simulation" and d.process in wanted)
    selection = analysis.selection.model_copy(update={"classifier": ClassifierConfig(record=True)})
    return config, analysis.model_copy(update={"datasets": datasets, "selection": selection, "model": None})


def _categories(config: TrainingConfig, analysis: RunConfig) -> list[int] | None:
    """Return which categories are trained on, by their place; None for all of them."""
    if config.categories is None:
        return None
    channel = channels.find(analysis.selection.channel)
    names = channel.categories(channel.histograms(analysis.selection)[0].name)
    found = [place for place, name in enumerate(names) if fnmatch.fnmatchcase(name, config.categories)]
    if not found or "final_state" in channel.program.namespace().Selected._fields:
        msg = f"categories: {config.categories!r} is none of {', '.join(names)}, or the channel tells them otherwise"
        raise ConfigError(msg)
    return found


def run(config: TrainingConfig, analysis: RunConfig, folder: Path, *, workers: int, overwrite: bool) -> int:
    """Select the events, train, look at the result, and write all into *folder*; return the exit status.

    Raises
    ------
    InputError
        If the events cannot be trained on, or the folder is in use.
    RunError
        If a file could not be processed: a training on a part of the events is not the one asked for.
    """
    if (folder / MODEL).exists() and not overwrite:
        msg = f"{folder}: has a model already; give another --output, or --overwrite"
        raise InputError(msg)
    run_folder.create(folder, overwrite)
    console = get_console()
    events, files = select(config, analysis, workers)
    console.print(f"{len(events.weight)} events", soft_wrap=True)
    trained = train(events, config)
    model = with_origin(trained.model, config, files)
    results = evaluate(config, events, trained)
    results["training_sha256"] = digest(events, config)
    write(model, folder / MODEL)
    run_folder.write_text(folder / REPORT, json.dumps(results, indent=2) + "\n")
    snippet = {"classifier": {"file": str((folder / MODEL).resolve()), "boundaries": results["boundaries"]}}
    run_folder.write_text(folder / SNIPPET, yaml.safe_dump(snippet, sort_keys=False))
    shown = page.publish(
        folder, training_figures.head(config), training_figures.sections(config, events, trained, results)
    )
    area = results["auc"]
    console.print(f"AUC {area['value']:.4f} ± {area['error']:.4f}; report: {shown}", soft_wrap=True)
    return 0


def with_origin(model: Classifier, config: TrainingConfig, files: list[str]) -> Classifier:
    """Return a model that says what it was trained with, and on which files, by their unique identifiers."""
    origin = {**model.training, "config": config.model_dump(mode="json"), "files": files}
    return model.model_copy(update={"training": origin})


def select(config: TrainingConfig, analysis: RunConfig, workers: int) -> tuple[Events, list[str]]:
    """Run the selection and gather the features of its events, and the unique identifiers of their files.

    Raises
    ------
    RunError
        If a file could not be processed.
    """
    with mapping(workers) as mapper:
        tally = engine.run(analysis, mapper)
    if lost := normalisation.incomplete(analysis, tally):
        msg = "training: " + "; ".join(lost + [failure.error for failure in tally.failures])
        raise RunError(msg)
    wanted = _categories(config, analysis)
    label = {process: k for k, group in enumerate(config.classes.values()) for process in group}
    scales = normalisation.scales(analysis, tally)
    process = {dataset.name: dataset.process for dataset in analysis.datasets}
    parts = []
    for (name, _), found in sorted(tally.selected.items()):
        n = len(found["weight"])
        mass = found[config.mass] if config.mass else np.zeros(n)
        inside = np.ones(n, dtype=bool) if config.window is None else _within(mass, config.window)
        if wanted is not None:
            inside &= np.isin(found["category"], wanted)
        values = np.stack([found[feature] for feature in config.inputs], axis=-1).astype(np.float64)
        labels = np.full(n, label[process[name]])
        width = found[config.resolution] if config.resolution else np.ones(n)
        weight = found["weight"] * (scales[name].factor or 0.0)
        parts.append(Events(values, labels, weight, mass, labels, width).take(inside))
    values, labels, weight, mass, _, width = (np.concatenate(column) for column in zip(*parts, strict=True))
    events = Events(values, labels, weight, mass, folds(len(labels), config.folds, config.seed), width)
    return events, sorted(info.uuid for info in tally.complete)


def _within(mass: Any, limits: tuple[float, float]) -> Any:
    return (mass >= limits[0]) & (mass < limits[1])


def evaluate(config: TrainingConfig, events: Events, trained: Trained) -> dict[str, Any]:
    """Return all numbers of the report; the scores are those of models that have not seen the event."""
    score = trained.unseen[:, 0]
    signal = events.label == 0
    curve = quality.roc(score, signal, events.weight, config.seed)
    peak = np.ones(len(score), dtype=bool) if config.peak is None else _within(events.mass, config.peak)
    s, b = peak & signal, peak & ~signal
    division = boundaries.divide(score[s], events.weight[s], score[b], events.weight[b], config.parts)
    results: dict[str, Any] = {
        "events": {name: int(np.sum(events.label == k)) for k, name in enumerate(config.classes)},
        "expected": {name: float(events.weight[events.label == k].sum()) for k, name in enumerate(config.classes)},
        "negative": float(np.mean(events.weight < 0)),
        "auc": curve.area._asdict(),
        "auc_seen": quality.auc(trained.seen[:, 0], signal, events.weight),
        "roc": {"background": curve.background.tolist(), "signal": curve.signal.tolist(), "band": curve.band.tolist()},
        "overtraining": _overtraining(config, events, trained),
        "importance": _importance(config, trained.model, events, signal),
        "calibration": quality.calibration(score, signal, _balanced(events, signal)),
        "boundaries": list(division.boundaries),
        "q0": division.q0,
        "q0_undivided": division.q0_undivided,
    }
    if len(config.classes) > 2:
        results |= _of_classes(config, events, trained)
    if config.mass is not None:
        results["sculpting"] = quality.sculpting(events.mass[~signal], score[~signal], events.weight[~signal])
    return results


def _of_classes(config: TrainingConfig, events: Events, trained: Trained) -> dict[str, Any]:
    """Return how well each of several classes is told from all others, and what it is taken for."""
    areas = {
        name: quality.roc(trained.unseen[:, k], events.label == k, np.abs(events.weight), config.seed).area._asdict()
        for k, name in enumerate(config.classes)
    }
    shares = quality.confusion(trained.unseen, events.label, np.abs(events.weight))
    return {"auc_of_class": areas, "confusion": shares.tolist()}


def _importance(config: TrainingConfig, model: Classifier, events: Events, signal: Any) -> dict[str, Any]:
    found = quality.importance(model, events.values, signal, events.weight, config.seed)
    return {name: estimate._asdict() for name, estimate in found.items()}


def _overtraining(config: TrainingConfig, events: Events, trained: Trained) -> dict[str, Any]:
    found = {}
    for k, name in enumerate(config.classes):
        of_class = events.label == k
        weight = np.abs(events.weight[of_class])
        d, p = quality.kolmogorov_smirnov(trained.seen[of_class, 0], weight, trained.unseen[of_class, 0], weight)
        found[name] = {"distance": d, "p_value": p}
    return found


def _balanced(events: Events, signal: Any) -> Any:
    """Return weights with which signal and background count the same, as in training."""
    sums = {True: events.weight[signal].sum(), False: events.weight[~signal].sum()}
    return events.weight / np.where(signal, sums[True], sums[False])
