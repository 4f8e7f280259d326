"""From a run's histograms to its workspace: the regions of the configured model, their templates, what is uncertain."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import hist
import numpy as np

from .. import backgrounds, inference
from ..config import RunConfig
from ..config.fit import ModelConfig
from ..errors import ConfigError
from ..inference import smooth_background
from ..variations import systematics

POI = "mu"

Histograms = Mapping[str, Mapping[str, "hist.Hist[Any]"]]
"""Name → process → histogram."""
Templates = dict[str, dict[str, "hist.Hist[Any]"]]
"""Channel → process → histogram."""


def build(
    config: RunConfig,
    model: ModelConfig,
    histograms: Histograms,
    varied: Histograms | None = None,
    estimated: backgrounds.Estimate | None = None,
) -> inference.Workspace:
    """Build the workspace of a model from the histograms of each process, and the same with variations.

    It has no observed counts where data are withheld in any bin.

    Raises
    ------
    ConfigError
        If the model does not fit the histograms.
    InputError
        If there are no templates to fit: no events.
    """
    data = _data(config)
    templates: Templates = {}
    for channel in model.channels:
        by_process = histograms[model.histogram_of(channel)]
        summed = {name: region(h, model, channel) for name, h in by_process.items() if name not in data}
        # A process without any event in the window of a channel plays no part in it.
        templates[channel] = {name: h for name, h in summed.items() if np.any(h.values())}
    counted = observed(config, model, histograms)
    if any(np.isnan(h.values()).any() for h in counted.values()):
        counted = {}
    shapes = _shapes(config, model, templates, varied)
    if model.smooth is not None:
        templates = smooth_background.merge(templates, model.smooth.processes, model.smooth.degree, counted or None)
    workspace = inference.build_workspace(
        templates,
        signals=[name for name in model.signals if any(name in by_process for by_process in templates.values())],
        poi=POI,
        luminosity=inference.Luminosity(
            uncertainty=model.luminosity_uncertainty, samples=_constrained(config, templates, None)
        ),
        normalisations=[
            *(
                inference.Normalisation(
                    samples=_constrained(config, templates, entry.processes), **entry.model_dump(exclude={"processes"})
                )
                for entry in model.normalisations
            ),
            *_of_estimate(model, templates, estimated),
        ],
        shapes=shapes,
        observed=counted or None,
    )
    if model.smooth is not None:
        workspace = smooth_background.attach(workspace, model.smooth.degree)
    return _with_free(workspace, model)


def _data(config: RunConfig) -> set[str]:
    return {dataset.process for dataset in config.datasets if dataset.kind == "data"}


def observed(config: RunConfig, model: ModelConfig, histograms: Histograms) -> dict[str, hist.Hist[Any]]:
    """Return the data in each channel of the model: none, where there are no data; NaN where they are withheld."""
    found: dict[str, hist.Hist[Any]] = {}
    for channel in model.channels:
        by_process = histograms[model.histogram_of(channel)]
        for name in sorted(_data(config) & set(by_process)):
            h = region(by_process[name], model, channel)
            found[channel] = found[channel] + h if channel in found else h
    return found


def _of_estimate(
    model: ModelConfig, templates: Templates, estimated: backgrounds.Estimate | None
) -> list[inference.Normalisation]:
    """Return the uncertainties of a background from data, in each channel by how much of it they change there."""
    found = []
    for channel in model.channels:
        if estimated is None or estimated.process not in templates[channel]:
            continue
        histogram = estimated.templates[model.histogram_of(channel)]
        total = float(templates[channel][estimated.process].values().sum())
        for one in estimated.uncertainties:
            changed = histogram.copy()
            for row, category in enumerate(histogram.axes[0]):
                changed.view(flow=True)[row] *= one.relative.get(category, 0.0)
            size = float(region(changed, model, channel).values().sum())
            if size > 0.0 and total > 0.0:
                found.append(
                    inference.Normalisation(
                        parameter=one.parameter,
                        up=1.0 + size / total,
                        samples=(estimated.process,),
                        channels=(channel,),
                    )
                )
    return found


def _constrained(config: RunConfig, templates: Templates, processes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the samples among *processes* (None: all) whose normalisation is not the data's alone."""
    there = {name for by_process in templates.values() for name in by_process} - {smooth_background.NAME}
    if processes is None and config.nonprompt is not None:
        there -= {config.nonprompt.process}
    return tuple(sorted(there if processes is None else there & set(processes)))


def _with_free(workspace: inference.Workspace, model: ModelConfig) -> inference.Workspace:
    """Give the backgrounds that control regions determine their free factors."""
    used: list[str] = []

    def scaled(channel: str, sample: inference.Sample) -> inference.Sample:
        names = [
            entry.parameter
            for entry in model.free
            if sample.name in entry.processes and (entry.channels is None or channel in entry.channels)
        ]
        used.extend(names)
        more = tuple(inference.NormFactor(parameter=name) for name in names)
        return sample.model_copy(update={"modifiers": sample.modifiers + more})

    channels = tuple(
        channel.model_copy(update={"samples": tuple(scaled(channel.name, sample) for sample in channel.samples)})
        for channel in workspace.channels
    )
    settings = tuple(inference.ParameterSetting(name=name, bounds=(0.0, 100.0)) for name in dict.fromkeys(used))
    return workspace.model_copy(update={"channels": channels, "parameters": workspace.parameters + settings})


def _shapes(
    config: RunConfig, model: ModelConfig, templates: Templates, varied: Histograms | None
) -> dict[str, tuple[Templates, Templates]]:
    """Return up and down templates by parameter, of the channels and processes that it changes."""
    found: dict[str, tuple[Templates, Templates]] = {}
    if config.variations is None or not varied:
        return {}
    smooth = () if model.smooth is None else model.smooth.processes
    for channel, by_process in templates.items():
        for process, nominal in by_process.items():
            histogram = varied.get(model.histogram_of(channel), {}).get(process)
            if histogram is None or process in smooth:
                continue
            values = {
                name: region(_weighted(histogram[{"variation": name}]), model, channel).values()
                for name in histogram.axes["variation"]
            }
            for parameter, both in systematics.sides(config.variations, values).items():
                if np.array_equal(both.up, values["nominal"]) and np.array_equal(both.down, values["nominal"]):
                    continue
                for side, content in zip(found.setdefault(parameter, ({}, {})), both, strict=True):
                    template = hist.Hist(nominal.axes[0], storage=hist.storage.Weight())
                    template.view().value = content
                    side.setdefault(channel, {})[process] = template
    return dict(found)


def _weighted(histogram: Any) -> hist.Hist[Any]:
    """Return the same contents with the storage of the nominal histograms."""
    weighted = hist.Hist(*histogram.axes, storage=hist.storage.Weight())
    weighted.view(flow=True).value = histogram.view(flow=True)
    return weighted


def region(histogram: hist.Hist[Any], model: ModelConfig, channel: str) -> hist.Hist[Any]:
    """Return the histogram of a channel of the model: its categories added up, its bins merged."""
    total: Any = hist.Hist(histogram.axes[1], storage=hist.storage.Weight())
    for name in matching(list(histogram.axes[0]), channel, model.channels[channel].categories):
        total += histogram[{"category": name}]
    edges = model.edges_of(channel)
    places = positions(total.axes[0].edges, edges, model.histogram_of(channel))
    axis = hist.axis.Variable(list(edges), name=total.axes[0].name, underflow=False, overflow=False)
    merged = hist.Hist(axis, storage=hist.storage.Weight())
    view: Any = merged.view()
    for field, values in (("value", total.values()), ("variance", total.variances())):
        view[field] = np.add.reduceat(np.append(np.asarray(values), 0.0), places)[:-1]
    return merged


def matching(categories: Sequence[str], channel: str, patterns: str) -> list[str]:
    """Return the categories that match one of the patterns, which ``|`` divides.

    Raises
    ------
    ConfigError
        If there are none.
    """
    several = [pattern.strip() for pattern in patterns.split("|")]
    found = [name for name in categories if any(fnmatch.fnmatchcase(name, pattern) for pattern in several)]
    if not found:
        msg = f"model.channels: no category matches {patterns!r} of {channel}; there are {', '.join(categories)}"
        raise ConfigError(msg)
    return found


def positions(edges: np.ndarray, wanted: Sequence[float], histogram: str) -> list[int]:
    """Find a model's edges among those of its histogram.

    Raises
    ------
    ConfigError
        If one is none of them, or they do not rise.
    """
    found = [int(np.argmin(abs(edges - edge))) for edge in wanted]
    for edge, position in zip(wanted, found, strict=True):
        if abs(edges[position] - edge) > 1e-6 * abs(edges[-1] - edges[0]):
            msg = f"model.edges: {edge:g} is no edge of {histogram}; the nearest is {edges[position]:g}"
            raise ConfigError(msg)
    if any(b <= a for a, b in itertools.pairwise(found)):
        msg = f"model.edges must rise, got {list(wanted)}"
        raise ConfigError(msg)
    return found
