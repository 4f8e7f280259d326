"""The measurement that ends a run: the configured model, fitted to what is expected and to what is observed."""

from __future__ import annotations

import fnmatch
import itertools
from typing import Any, NamedTuple

import hist
import numpy as np

from . import inference
from .config import ModelConfig, RunConfig
from .errors import ConfigError

SCAN_POINTS = 31
POI = "mu"


class Measurement(NamedTuple):
    """Fits, scans and significances, of the Asimov data set and, where there are data, of these."""

    workspace: inference.Workspace
    expected: inference.FitResult
    expected_scan: inference.ScanResult
    expected_discovery: inference.DiscoveryResult
    observed: inference.FitResult | None
    observed_scan: inference.ScanResult | None
    observed_discovery: inference.DiscoveryResult | None

    def to_json(self) -> dict[str, Any]:
        """Return the ``fit`` part of ``results.json``."""
        parts = {
            "expected": (self.expected, self.expected_scan, self.expected_discovery),
            "observed": (self.observed, self.observed_scan, self.observed_discovery),
        }
        return {
            name: {**fit.to_json(), "scan": scan.to_json(), "discovery": discovery.to_json()}
            for name, (fit, scan, discovery) in parts.items()
            if fit is not None and scan is not None and discovery is not None
        }


def measure(config: RunConfig, histograms: dict[str, dict[str, hist.Hist[Any]]]) -> Measurement:
    """Fit the configured model.

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
    workspace = build(config, model, histograms[model.histogram])
    flat = inference.flatten(workspace)
    asimov = inference.asimov(flat)
    expected = inference.fit(flat, asimov, minos=[POI])
    parts: list[Any] = [
        expected,
        _scan(flat, asimov, expected),
        inference.discovery(flat, asimov, best=expected),
    ]
    if workspace.channels[0].observed is not None:
        data = inference.observed(flat, workspace)
        observed = inference.fit(flat, data, minos=[POI])
        parts += [observed, _scan(flat, data, observed), inference.discovery(flat, data, best=observed)]
    else:
        parts += [None, None, None]
    return Measurement(workspace, *parts)


def _scan(flat: inference.FlatModel, data: inference.Data, best: inference.FitResult) -> inference.ScanResult:
    """Scan four standard deviations around the best value, down to 0 at the lowest."""
    mu = best.parameters[POI]
    low = max(0.0, mu.value - 4 * mu.error)
    values = np.linspace(low, mu.value + 4 * mu.error, SCAN_POINTS)
    return inference.profile_scan(flat, data, POI, values, best=best)


def build(config: RunConfig, model: ModelConfig, by_process: dict[str, hist.Hist[Any]]) -> inference.Workspace:
    """Build the workspace of a model from the histogram of each process."""
    data = {dataset.process for dataset in config.datasets if dataset.kind == "data"}
    templates: dict[str, dict[str, hist.Hist[Any]]] = {}
    observed: dict[str, hist.Hist[Any]] = {}
    for channel, pattern in model.channels.items():
        summed = {name: _rebinned(_sum(h, channel, pattern), model) for name, h in by_process.items()}
        # A process without any event in the window of a channel plays no part in it.
        templates[channel] = {name: h for name, h in summed.items() if name not in data and np.any(h.values())}
        for name, h in summed.items():
            if name in data:
                observed[channel] = observed[channel] + h if channel in observed else h
    return inference.build_workspace(
        templates,
        signals=model.signals,
        poi=POI,
        luminosity=inference.Luminosity(uncertainty=model.luminosity_uncertainty),
        normalisations=[
            inference.Normalisation(samples=entry.processes, **entry.model_dump(exclude={"processes"}))
            for entry in model.normalisations
        ],
        observed=observed or None,
    )


def _sum(histogram: hist.Hist[Any], channel: str, pattern: str) -> hist.Hist[Any]:
    """Add up the categories that match a pattern."""
    categories = [name for name in histogram.axes[0] if fnmatch.fnmatchcase(name, pattern)]
    if not categories:
        known = ", ".join(histogram.axes[0])
        msg = f"model.channels: no category matches {pattern!r} of {channel}; there are {known}"
        raise ConfigError(msg)
    total: Any = hist.Hist(histogram.axes[1], storage=hist.storage.Weight())
    for name in categories:
        total += histogram[{"category": name}]
    return total  # type: ignore[no-any-return]


def _rebinned(histogram: hist.Hist[Any], model: ModelConfig) -> hist.Hist[Any]:
    """Merge bins into those of the model."""
    edges = histogram.axes[0].edges
    positions = [int(np.argmin(abs(edges - edge))) for edge in model.edges]
    for edge, position in zip(model.edges, positions, strict=True):
        if abs(edges[position] - edge) > 1e-6 * abs(edges[-1] - edges[0]):
            msg = f"model.edges: {edge:g} is no edge of {model.histogram}; the nearest is {edges[position]:g}"
            raise ConfigError(msg)
    if any(b <= a for a, b in itertools.pairwise(positions)):
        msg = f"model.edges must rise, got {list(model.edges)}"
        raise ConfigError(msg)
    axis = hist.axis.Variable(list(model.edges), name=histogram.axes[0].name, underflow=False, overflow=False)
    merged = hist.Hist(axis, storage=hist.storage.Weight())
    view: Any = merged.view()
    for field, values in (("value", histogram.values()), ("variance", histogram.variances())):
        view[field] = np.add.reduceat(np.append(np.asarray(values), 0.0), positions)[:-1]
    return merged
