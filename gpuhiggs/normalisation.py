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

from . import blinding, channels, variations
from .catalogue import lumi_mask, luminosity
from .config import DatasetConfig, RunConfig
from .engine.tally import Tally
from .errors import ConfigError
from .histogram import sum_of_squares, sum_of_weights, to_hist, to_varied_hist

PB_PER_FB = 1000.0


class Scale(NamedTuple):
    """How the sums of a dataset become events."""

    factor: float | None
    """None: the dataset cannot be used."""
    sum_of_weights: float | None
    reason: str
    """Why it cannot be used, or what it is scaled to."""


def processed(config: RunConfig, tally: Tally) -> dict[str, luminosity.Processed]:
    """Return the luminosity that was processed of each primary dataset that has a table of it."""
    mask = None if config.lumi_mask is None else lumi_mask.load(config.lumi_mask)
    tables: dict[str, str] = {}
    streams: dict[str, list[str]] = {}
    for dataset in config.datasets:
        table = dataset.luminosity_table or config.luminosity_table
        if dataset.kind == "data" and table is not None:
            stream = dataset.primary_dataset or "data"
            if tables.setdefault(stream, table) != table:
                msg = f"{dataset.name}: luminosity_table: {stream} has another one already, {tables[stream]}"
                raise ConfigError(msg)
            streams.setdefault(stream, []).append(dataset.name)
    return {
        stream: luminosity.processed(
            luminosity.load(tables[stream]), mask, [info.sections for info in tally.complete if info.dataset in names]
        )
        for stream, names in streams.items()
    }


def _unprescaled(config: RunConfig, found: dict[str, luminosity.Processed]) -> dict[str, luminosity.Processed]:
    """Leave out primary datasets with a table of their own: those are of prescaled triggers."""
    own = {dataset.primary_dataset or "data" for dataset in config.datasets if dataset.luminosity_table is not None}
    return {stream: part for stream, part in found.items() if stream not in own}


def normalised_to(config: RunConfig, tally: Tally) -> float | None:
    """Return the luminosity in fb⁻¹ that simulation is normalised to.

    With a luminosity_table it is what was processed of the data; of several primary datasets the one with the least.
    Prescaled triggers, whose datasets have tables of their own, do not count.
    """
    found = _unprescaled(config, processed(config, tally))
    return min(part.recorded for part in found.values()) if found else config.luminosity


def luminosity_of(config: RunConfig, tally: Tally, process: str) -> float | None:
    """Return the luminosity in fb⁻¹ of a process of data from prescaled triggers; None without tables of their own."""
    streams = {
        dataset.primary_dataset or "data"
        for dataset in config.datasets
        if dataset.process == process and dataset.luminosity_table is not None
    }
    found = [part.recorded for stream, part in processed(config, tally).items() if stream in streams]
    return math.fsum(found) if found else None


def luminosity_problems(config: RunConfig, tally: Tally) -> list[str]:
    """Say what is wrong with the luminosity: sections that the table lacks, primary datasets that are not equal."""
    found = processed(config, tally)
    problems = [
        f"{stream}: the luminosity of {len(part.unknown)} processed sections is not in its luminosity_table, "
        f"such as run {part.unknown[0][0]}, section {part.unknown[0][1]}"
        for stream, part in found.items()
        if part.unknown
    ]
    alike = _unprescaled(config, found)
    least, most = (f(part.recorded for part in alike.values()) if alike else 0.0 for f in (min, max))
    if most - least > 1e-6 * most:
        each = ", ".join(f"{stream} {part.recorded:.4g} fb⁻¹" for stream, part in alike.items())
        problems.append(f"the primary datasets were not processed alike: {each}")
    return problems + _outside_of_mask(config, tally)


def _outside_of_mask(config: RunConfig, tally: Tally) -> list[str]:
    """Say which datasets have no event in the luminosity mask: most likely it is that of other runs."""
    problems = []
    for dataset in config.datasets:
        key = dataset.name, "cutflow"
        if dataset.kind != "data" or config.lumi_mask is None or key not in tally.counts.sums:
            continue
        read, certified = tally.counts.sums[key].to_float()[:2, 0].tolist()
        if read and not certified:
            problems.append(
                f"{dataset.name}: none of its {read:.0f} events is in the luminosity mask {config.lumi_mask}"
            )
    return problems


def scale(config: RunConfig, tally: Tally, dataset: DatasetConfig) -> Scale:
    """Return the factor of one dataset."""
    return _scale(tally, dataset, normalised_to(config, tally))


def _scale(tally: Tally, dataset: DatasetConfig, fb: float | None) -> Scale:
    complete = [info for info in tally.complete if info.dataset == dataset.name]
    if not complete:
        return Scale(None, None, "none of its files could be processed")
    if dataset.kind == "data":
        return Scale(1.0, None, "data")
    if dataset.cross_section is None or fb is None:
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
    return Scale(dataset.cross_section * fb * PB_PER_FB / total * dataset.weight_unit, total, f"{fb:.6g} fb⁻¹")


def scales(config: RunConfig, tally: Tally) -> dict[str, Scale]:
    """Return the factor of every dataset."""
    fb = normalised_to(config, tally)
    return {dataset.name: _scale(tally, dataset, fb) for dataset in config.datasets}


def incomplete(config: RunConfig, tally: Tally) -> list[str]:
    """Say which datasets are not what the configuration asks for: a file is missing, or the normalisation."""
    missing = []
    found_scales = scales(config, tally)
    for dataset in config.datasets:
        n = sum(1 for info in tally.complete if info.dataset == dataset.name)
        found = found_scales[dataset.name]
        if found.factor is None:
            missing.append(f"{dataset.name}: {found.reason}")
        elif n < len(dataset.files) and not (dataset.kind == "data" and config.luminosity_table):
            missing.append(f"{dataset.name}: {n} of {len(dataset.files)} files are processed")
    return missing + luminosity_problems(config, tally)


def contributions(config: RunConfig, tally: Tally) -> dict[str, list[tuple[str, float]]]:
    """Return for each process the usable datasets and their factors, in the configuration's order."""
    found: dict[str, list[tuple[str, float]]] = {}
    factors = scales(config, tally)
    for dataset in config.datasets:
        factor = factors[dataset.name].factor
        if factor is not None:
            found.setdefault(dataset.process, []).append((dataset.name, factor))
    return found


def kind_of(config: RunConfig, process: str) -> str:
    """Return whether a process is data or simulation."""
    return next(dataset.kind for dataset in config.datasets if dataset.process == process)


def histograms(config: RunConfig, tally: Tally) -> dict[str, dict[str, hist.Hist[Any]]]:
    """Return each histogram by name and process, in events expected; NaN where data are withheld."""
    specs = channels.find(config.selection.channel).histograms(config.selection)
    parts = contributions(config, tally)
    found: dict[str, dict[str, hist.Hist[Any]]] = {}
    for spec in specs:
        found[spec.name] = {process: to_hist(tally.counts, datasets, spec) for process, datasets in parts.items()}
        for process, histogram in found[spec.name].items():
            if (blind := blinding.of(config, kind_of(config, process))) is not None:
                blinding.withhold(blind, spec, histogram)
    return found


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
    """Return the cutflow of datasets and their factors: entries, and events expected with their statistical error.

    Rows of data that are withheld have None for each of them.
    """
    entries: Any = 0.0
    events: Any = 0.0
    variances: Any = 0.0
    for dataset, factor in datasets:
        wide = tally.counts.sums[dataset, "cutflow"]
        entries = entries + wide.to_float()[:, 0]
        events = events + factor * sum_of_weights(type(wide)(wide.high[:, 1], wide.low[:, 1]))
        variances = variances + factor**2 * sum_of_squares(type(wide)(wide.high[:, 2:], wide.low[:, 2:]))
    steps = channels.find(config.selection.channel).steps
    kinds = {dataset.name: dataset.kind for dataset in config.datasets}
    blind = blinding.of(config, "data" if any(kinds[name] == "data" for name, _ in datasets) else "simulation")
    shown = len(steps) if blind is None else blinding.shown_steps(blind, steps)
    rows: list[dict[str, Any]] = [
        {"step": step, "entries": int(n), "events": float(w), "error": math.sqrt(v)}
        for step, n, w, v in zip(steps[:shown], *(x[:shown] for x in (entries, events, variances)), strict=True)
    ]
    return rows + [{"step": step, "entries": None, "events": None, "error": None} for step in steps[shown:]]
