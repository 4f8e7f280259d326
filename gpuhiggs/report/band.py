"""The uncertainty band around the simulation: its statistics, the varied templates, luminosity and normalisations.

Parameters are independent of each other, and each moves all processes and bins together, as in the fit.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import hist
import numpy as np

from ..config import RunConfig
from ..config.fit import ModelConfig
from ..variations import systematics

Systematics = dict[str, dict[str, "hist.Hist[Any]"]]
"""Name → process → histogram with axes (parameter, side, variable): content at ±1 σ, summed over categories."""


class Band(NamedTuple):
    """Events, up and down from the expected ones, shape (bins,); what it is made of, in words."""

    up: np.ndarray
    down: np.ndarray
    statistical: np.ndarray
    sources: tuple[str, ...]


def templates(config: RunConfig, varied: Mapping[str, Mapping[str, hist.Hist[Any]]]) -> Systematics:
    """Return what varied histograms say of each parameter.

    Parameters
    ----------
    varied
        Name → process → histogram with axes (variation, category, variable).
    """
    if config.variations is None:
        return {}
    return {
        name: {process: _sides(config, histogram) for process, histogram in by_process.items()}
        for name, by_process in varied.items()
    }


def by_category(config: RunConfig, varied: Mapping[str, Mapping[str, hist.Hist[Any]]]) -> Systematics:
    """Return the same with categories: name → ``process_parameterUp`` → histogram with axes (category, variable)."""
    if config.variations is None:
        return {}
    return {name: systematics.templates(config.variations, by_process) for name, by_process in varied.items()}


def _sides(config: RunConfig, histogram: hist.Hist[Any]) -> hist.Hist[Any]:
    assert config.variations is not None
    axis = histogram.axes[2]
    summed = histogram.project("variation", axis.name)
    filled = dict(zip(summed.axes[0], summed.values(), strict=True))
    found = systematics.sides(config.variations, filled)
    result = hist.Hist(
        hist.axis.StrCategory(list(found), name="parameter", overflow=False),
        hist.axis.StrCategory(["up", "down"], name="side", overflow=False),
        axis,
        storage=hist.storage.Double(),
    )
    if found:
        result.values()[...] = np.array([[both.up, both.down] for both in found.values()])
    return result


def band(
    config: RunConfig,
    by_process: Mapping[str, hist.Hist[Any]],
    varied: Mapping[str, hist.Hist[Any]],
) -> Band:
    """Return the band around the sum of simulated processes.

    Parameters
    ----------
    by_process
        Of simulation only, axes (category, variable).
    varied
        Of the same histogram, by process; empty where nothing was varied.
    """
    summed = [histogram.project(histogram.axes[1].name) for histogram in by_process.values()]
    statistical = np.sqrt(np.sum([np.asarray(one.variances()) for one in summed], axis=0))
    shifts: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def add(parameter: str, up: np.ndarray, down: np.ndarray) -> None:
        before = shifts.get(parameter, (np.zeros_like(statistical), np.zeros_like(statistical)))
        shifts[parameter] = before[0] + up, before[1] + down

    for process, histogram in varied.items():
        if process in by_process:
            nominal = by_process[process].project(histogram.axes[2].name).values()
            for parameter, (up, down) in zip(histogram.axes[0], histogram.values(), strict=True):
                add(parameter, up - nominal, down - nominal)
    for process, histogram in by_process.items():
        for parameter, contents, up, down in _normalisations(config, process, histogram):
            add(parameter, contents * (up - 1), contents * (down - 1))
    up = [np.maximum(np.maximum(a, b), 0) for a, b in shifts.values()]
    down = [np.minimum(np.minimum(a, b), 0) for a, b in shifts.values()]
    return Band(
        np.sqrt(statistical**2 + np.sum(np.square(up), axis=0)),
        np.sqrt(statistical**2 + np.sum(np.square(down), axis=0)),
        statistical,
        ("statistics of the simulation", *(name.replace("_", " ") for name in shifts)),
    )


def _normalisations(
    config: RunConfig, process: str, histogram: hist.Hist[Any]
) -> list[tuple[str, np.ndarray, float, float]]:
    """Return what the model says of a process: parameter, the content that it scales, factors up and down."""
    model = config.model
    everything = histogram.project(histogram.axes[1].name).values()
    if config.nonprompt is not None and process == config.nonprompt.process:
        size = config.nonprompt.systematic
        return [(f"method of {process}", everything, 1 + size, 1 - size)]
    if model is None or process in _determined_by_data(model):
        return []
    size = model.luminosity_uncertainty
    found = [("luminosity", everything, 1 + size, 1 - size)]
    for entry in model.normalisations:
        if entry.processes is not None and process not in entry.processes:
            continue
        contents = everything if entry.channels is None else _of_channels(histogram, model, entry.channels)
        found.append((entry.parameter, contents, entry.up, entry.down or 1 / entry.up))
    return found


def _determined_by_data(model: ModelConfig) -> set[str]:
    """Return the backgrounds whose normalisation is a free parameter of the fit."""
    found = {name for entry in model.free for name in entry.processes}
    return found | set(model.smooth.processes if model.smooth else ())


def _of_channels(histogram: hist.Hist[Any], model: ModelConfig, channels: Sequence[str]) -> np.ndarray:
    """Return the content of the categories that channels of the model take."""
    patterns = [p.strip() for channel in channels for p in model.channels[channel].categories.split("|")]
    wanted = [any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns) for name in histogram.axes[0]]
    return np.asarray(histogram.values()[np.flatnonzero(wanted)].sum(axis=0))
