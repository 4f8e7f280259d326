"""From counts to events expected: the factor of each dataset, applied when results are read out, never in a kernel.

Simulation is scaled by σ · L / Σw. Σw is the sum over the files that were completely processed, as the files' own
``Runs`` trees have it; or the sum that the configuration gives for all files of the dataset, which then must all be
there. Data are never scaled.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import hist
import numpy as np

from . import channels, variations
from .config import DatasetConfig, RunConfig
from .histogram import sum_of_squares, sum_of_weights, to_hist, to_varied_hist
from .tally import Tally

PB_PER_FB = 1000.0


class Scale(NamedTuple):
    """How the sums of a dataset become events."""

    factor: float | None
    """None: the dataset cannot be used."""
    sum_of_weights: float | None
    reason: str
    """Why it cannot be used, or what it is scaled to."""


def scale(config: RunConfig, tally: Tally, dataset: DatasetConfig) -> Scale:
    """Return the factor of one dataset."""
    complete = [info for info in tally.complete if info.dataset == dataset.name]
    if not complete:
        return Scale(None, None, "none of its files could be processed")
    if dataset.kind == "data":
        return Scale(1.0, None, "data")
    if dataset.cross_section is None or config.luminosity is None:
        return Scale(dataset.weight_unit, None, "sums of generator weights: no cross_section is given")
    sums = [info.sum_of_weights for info in complete if info.sum_of_weights is not None]
    if dataset.sum_of_weights is not None:
        if len(complete) < len(dataset.files):
            return Scale(None, None, f"its sum_of_weights is for {len(dataset.files)} files, {len(complete)} are there")
        total = dataset.sum_of_weights
    elif len(sums) == len(complete):
        total = math.fsum(sums)
    else:
        return Scale(None, None, "not all of its files say their sum of weights")
    if not total > 0:
        return Scale(None, total, f"its sum of weights is {total}, expected a positive one")
    luminosity = config.luminosity * PB_PER_FB
    return Scale(dataset.cross_section * luminosity / total * dataset.weight_unit, total, f"{config.luminosity} fb⁻¹")


def scales(config: RunConfig, tally: Tally) -> dict[str, Scale]:
    """Return the factor of every dataset."""
    return {dataset.name: scale(config, tally, dataset) for dataset in config.datasets}


def incomplete(config: RunConfig, tally: Tally) -> list[str]:
    """Say which datasets are not what the configuration asks for: a file is missing, or the normalisation."""
    missing = []
    for dataset in config.datasets:
        n = sum(1 for info in tally.complete if info.dataset == dataset.name)
        found = scale(config, tally, dataset)
        if found.factor is None:
            missing.append(f"{dataset.name}: {found.reason}")
        elif n < len(dataset.files):
            missing.append(f"{dataset.name}: {n} of {len(dataset.files)} files are processed")
    return missing


def contributions(config: RunConfig, tally: Tally) -> dict[str, list[tuple[str, float]]]:
    """Return for each process the usable datasets and their factors, in the configuration's order."""
    found: dict[str, list[tuple[str, float]]] = {}
    for dataset in config.datasets:
        factor = scale(config, tally, dataset).factor
        if factor is not None:
            found.setdefault(dataset.process, []).append((dataset.name, factor))
    return found


def histograms(config: RunConfig, tally: Tally) -> dict[str, dict[str, hist.Hist[Any]]]:
    """Return each histogram by name and process, in events expected."""
    specs = channels.find(config.selection.channel).histograms(config.selection)
    parts = contributions(config, tally)
    return {
        spec.name: {process: to_hist(tally.counts, datasets, spec) for process, datasets in parts.items()}
        for spec in specs
    }


def _member_factors(config: RunConfig, tally: Tally, dataset: DatasetConfig, filled: variations.Names) -> np.ndarray:
    """Return what each variation of a dataset is scaled by beside the nominal: members of sets by their own Σw."""
    factors = np.ones(len(filled.shifts) + len(filled.weights))
    complete = [info for info in tally.complete if info.dataset == dataset.name]
    place = {name: len(filled.shifts) + i for i, name in enumerate(filled.weights)}
    for name, one in (config.variations.sets if config.variations else {}).items():
        if one.sums is None or not variations.applies(one, dataset.process):
            continue
        weights = [1.0 if info.sum_of_weights is None else info.sum_of_weights for info in complete]
        averages = np.average([dict(info.averages)[one.sums] for info in complete], axis=0, weights=weights)
        for member in variations.ordered_members(one):
            factors[place[f"{name}[{member}]"]] = 1.0 / averages[member]
    return factors


def varied(config: RunConfig, tally: Tally) -> dict[str, dict[str, hist.Hist[Any]]]:
    """Return the histograms that have variations by name and process of simulation, in events expected.

    Their axes are variation (the nominal first, members of sets one by one), category and the histogram's own.
    """
    channel = channels.find(config.selection.channel)
    filled = variations.names(config.variations)
    parts = contributions(config, tally)
    by_name = {dataset.name: dataset for dataset in config.datasets}
    found: dict[str, dict[str, hist.Hist[Any]]] = {}
    for spec in variations.specs(config.variations, channel.histograms(config.selection), filled):
        if len(spec.shifts) + len(spec.weights) == 1:
            continue
        found[spec.name] = {
            process: to_varied_hist(
                tally.counts,
                [(name, factor * _member_factors(config, tally, by_name[name], filled)) for name, factor in datasets],
                spec,
            )
            for process, datasets in parts.items()
            if by_name[datasets[0][0]].kind == "simulation"
        }
    return found


def cutflow(config: RunConfig, tally: Tally, datasets: list[tuple[str, float]]) -> list[dict[str, Any]]:
    """Return the cutflow of datasets and their factors: entries, and events expected with their statistical error."""
    entries: Any = 0.0
    events: Any = 0.0
    variances: Any = 0.0
    for dataset, factor in datasets:
        wide = tally.counts.sums[dataset, "cutflow"]
        entries = entries + wide.to_float()[:, 0]
        events = events + factor * sum_of_weights(type(wide)(wide.high[:, 1], wide.low[:, 1]))
        variances = variances + factor**2 * sum_of_squares(type(wide)(wide.high[:, 2:], wide.low[:, 2:]))
    return [
        {"step": step, "entries": int(n), "events": float(w), "error": math.sqrt(v)}
        for step, n, w, v in zip(
            channels.find(config.selection.channel).steps, *np.atleast_1d(entries, events, variances), strict=True
        )
    ]
