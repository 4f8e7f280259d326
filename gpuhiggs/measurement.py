"""The measurement that ends a run: the configured model, fitted to what is expected and to what is observed."""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import hist
import numpy as np

from . import channels, inference, systematics
from .config import ModelConfig, RunConfig
from .errors import ConfigError, InputError

SCAN_POINTS = 31
POI = "mu"

Templates = dict[str, dict[str, "hist.Hist[Any]"]]
"""Channel → process → histogram."""


class Part(NamedTuple):
    """What one data set says of the model; a scan or test that cannot be made is None, and *problems* say why."""

    fit: inference.FitResult
    scan: inference.ScanResult | None
    discovery: inference.DiscoveryResult | None
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            **self.fit.to_json(),
            "scan": None if self.scan is None else self.scan.to_json(),
            "discovery": None if self.discovery is None else self.discovery.to_json(),
            "problems": list(self.problems),
        }


class Measurement(NamedTuple):
    """The model, what it makes of the Asimov data set and, where there are data, of these."""

    workspace: inference.Workspace
    parts: dict[str, Part]
    """``expected``, and ``observed`` where there are data; ``control`` instead while the signal regions are blind."""

    def to_json(self) -> dict[str, Any]:
        """Return the ``fit`` part of ``results.json``."""
        return {name: part.to_json() for name, part in self.parts.items()}


def check(config: RunConfig) -> None:
    """Check the model against the channel, before anything is processed.

    Raises
    ------
    ConfigError
        If its bins, categories or uncertainties do not fit; nothing if there is no model.
    """
    model = config.model
    if model is None:
        return
    specs = channels.find(config.selection.channel).histograms(config.selection)
    spec = next(spec for spec in specs if spec.name == model.histogram)
    _positions(spec.axis.to_hist().edges, model)
    taken: dict[str, str] = {}
    for channel, pattern in model.channels.items():
        for category in _matching(spec.categories, channel, pattern):
            other = taken.setdefault(category, channel)
            if other != channel:
                msg = f"model.channels: {category!r} is in {other} and in {channel}"
                raise ConfigError(msg)
    if left := [category for category in spec.categories if category not in taken]:
        msg = f"model.channels: no channel takes {', '.join(left)}"
        raise ConfigError(msg)
    processes = {dataset.process for dataset in config.datasets if dataset.kind == "simulation"}
    for entry in model.normalisations:
        for what, names, known in (
            ("process", entry.processes, processes),
            ("channel", entry.channels, model.channels),
        ):
            if unknown := [name for name in names or () if name not in known]:
                msg = f"model.normalisations: {entry.parameter}: unknown {what} {', '.join(unknown)}"
                raise ConfigError(msg)


def measure(
    config: RunConfig,
    histograms: dict[str, dict[str, hist.Hist[Any]]],
    varied: dict[str, dict[str, hist.Hist[Any]]] | None = None,
) -> Measurement:
    """Fit the configured model.

    Parameters
    ----------
    varied
        The histograms with variations, whose uncertainties the model takes.

    Raises
    ------
    ConfigError
        If the model does not fit the histograms.
    InputError
        If the templates cannot be fitted: no events, data where nothing is expected.
    """
    model = config.model
    if model is None:
        msg = "the configuration has no model"
        raise ConfigError(msg)
    by_process = histograms[model.histogram]
    workspace = build(config, model, by_process, (varied or {}).get(model.histogram))
    flat = inference.flatten(workspace)
    parts = {"expected": _part(flat, inference.asimov(flat))}
    if workspace.channels[0].observed is not None:
        parts["observed"] = _part(flat, inference.observed(flat, workspace))
    elif counts := {name: _shown(h) for name, h in _observed(config, model, by_process).items()}:
        try:
            control = inference.restricted(workspace, counts)
        except InputError:  # every bin is withheld, or nothing in the others is free: there is nothing to fit
            return Measurement(workspace, parts)
        shown = inference.flatten(control)
        parts["control"] = Part(inference.fit(shown, inference.observed(shown, control)), None, None, ())
    return Measurement(workspace, parts)


def _shown(histogram: hist.Hist[Any]) -> list[float | None]:
    """Return the counts of a data histogram, None where they are withheld."""
    return [None if np.isnan(count) else float(count) for count in histogram.values()]


def _part(flat: inference.FlatModel, data: inference.Data) -> Part:
    """Fit, scan and test; a bin without any background, say, forbids the test but neither fit nor scan."""
    fit = inference.fit(flat, data, minos=[POI])
    problems: list[str] = []
    scan: inference.ScanResult | None = None
    discovery: inference.DiscoveryResult | None = None
    try:
        scan = _scan(flat, data, fit)
    except InputError as error:
        problems.append(f"no scan: {error}")
    try:
        discovery = inference.discovery(flat, data, best=fit)
    except InputError as error:
        problems.append(f"no significance: {error}")
    return Part(fit, scan, discovery, tuple(problems))


def _scan(flat: inference.FlatModel, data: inference.Data, best: inference.FitResult) -> inference.ScanResult:
    """Scan four standard deviations around the best value, down to 0 at the lowest."""
    mu = best.parameters[POI]
    low = max(0.0, mu.value - 4 * mu.error)
    values = np.linspace(low, mu.value + 4 * mu.error, SCAN_POINTS)
    return inference.profile_scan(flat, data, POI, values, best=best)


def build(
    config: RunConfig,
    model: ModelConfig,
    by_process: dict[str, hist.Hist[Any]],
    varied: dict[str, hist.Hist[Any]] | None = None,
) -> inference.Workspace:
    """Build the workspace of a model from the histogram of each process, and the same with variations."""
    data = _data(config)
    templates: dict[str, dict[str, hist.Hist[Any]]] = {}
    for channel, pattern in model.channels.items():
        summed = {n: _rebinned(_sum(h, channel, pattern), model) for n, h in by_process.items() if n not in data}
        # A process without any event in the window of a channel plays no part in it.
        templates[channel] = {name: h for name, h in summed.items() if np.any(h.values())}
    observed = _observed(config, model, by_process)
    if any(np.isnan(h.values()).any() for h in observed.values()):
        observed = {}
    return inference.build_workspace(
        templates,
        signals=model.signals,
        poi=POI,
        luminosity=inference.Luminosity(uncertainty=model.luminosity_uncertainty),
        normalisations=[
            inference.Normalisation(samples=entry.processes, **entry.model_dump(exclude={"processes"}))
            for entry in model.normalisations
        ],
        shapes=_shapes(config, model, templates, varied),
        observed=observed or None,
    )


def _data(config: RunConfig) -> set[str]:
    return {dataset.process for dataset in config.datasets if dataset.kind == "data"}


def _observed(
    config: RunConfig, model: ModelConfig, by_process: dict[str, hist.Hist[Any]]
) -> dict[str, hist.Hist[Any]]:
    """Return the data in each channel of the model: none, where there are no data; NaN where they are withheld."""
    found: dict[str, hist.Hist[Any]] = {}
    for name in sorted(_data(config) & set(by_process)):
        for channel, pattern in model.channels.items():
            h = _rebinned(_sum(by_process[name], channel, pattern), model)
            found[channel] = found[channel] + h if channel in found else h
    return found


def _shapes(
    config: RunConfig,
    model: ModelConfig,
    templates: Templates,
    varied: dict[str, hist.Hist[Any]] | None,
) -> dict[str, tuple[Templates, Templates]]:
    """Return up and down templates by parameter, of the channels and processes that it changes."""
    found: dict[str, tuple[Templates, Templates]] = {}
    if config.variations is None or varied is None:
        return {}
    for channel, by_process in templates.items():
        for process, nominal in by_process.items():
            histogram = varied[process]
            filled = {
                name: _rebinned(
                    _sum(_weighted(histogram[{"variation": name}]), channel, model.channels[channel]), model
                )
                for name in histogram.axes["variation"]
            }
            values = {name: h.values() for name, h in filled.items()}
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


def _sum(histogram: hist.Hist[Any], channel: str, pattern: str) -> hist.Hist[Any]:
    """Add up the categories that match a pattern."""
    categories = _matching(list(histogram.axes[0]), channel, pattern)
    total: Any = hist.Hist(histogram.axes[1], storage=hist.storage.Weight())
    for name in categories:
        total += histogram[{"category": name}]
    return total  # type: ignore[no-any-return]


def _matching(categories: Sequence[str], channel: str, pattern: str) -> list[str]:
    found = [name for name in categories if fnmatch.fnmatchcase(name, pattern)]
    if not found:
        msg = f"model.channels: no category matches {pattern!r} of {channel}; there are {', '.join(categories)}"
        raise ConfigError(msg)
    return found


def _positions(edges: np.ndarray, model: ModelConfig) -> list[int]:
    """Find the model's edges among those of its histogram."""
    positions = [int(np.argmin(abs(edges - edge))) for edge in model.edges]
    for edge, position in zip(model.edges, positions, strict=True):
        if abs(edges[position] - edge) > 1e-6 * abs(edges[-1] - edges[0]):
            msg = f"model.edges: {edge:g} is no edge of {model.histogram}; the nearest is {edges[position]:g}"
            raise ConfigError(msg)
    if any(b <= a for a, b in itertools.pairwise(positions)):
        msg = f"model.edges must rise, got {list(model.edges)}"
        raise ConfigError(msg)
    return positions


def _rebinned(histogram: hist.Hist[Any], model: ModelConfig) -> hist.Hist[Any]:
    """Merge bins into those of the model."""
    positions = _positions(histogram.axes[0].edges, model)
    axis = hist.axis.Variable(list(model.edges), name=histogram.axes[0].name, underflow=False, overflow=False)
    merged = hist.Hist(axis, storage=hist.storage.Weight())
    view: Any = merged.view()
    for field, values in (("value", histogram.values()), ("variance", histogram.variances())):
        view[field] = np.add.reduceat(np.append(np.asarray(values), 0.0), positions)[:-1]
    return merged
