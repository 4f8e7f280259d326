"""The measurement that ends a run: the configured model, fitted to what is expected and to what is observed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import hist
import numpy as np

from .. import backgrounds, channels, inference
from ..config import RunConfig
from ..config.fit import ModelConfig
from ..errors import ConfigError, InputError
from ..inference import smooth_background
from ..inference.joining import with_strengths
from ..inference.smoothing import Treated, Treatment, treat
from . import workspace
from .workspace import POI

SCAN_POINTS = 31


class Strengths(NamedTuple):
    """A fit with a signal strength for each production: their names, and the fit."""

    names: tuple[str, ...]
    fit: inference.FitResult

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: the strengths alone, and the correlation of those that a converged fit determines."""
        form = self.fit.to_json()
        parameters: Any = form["parameters"]
        determined = [name for name in self.names if name in self.fit.free and self.fit.converged]
        places = [self.fit.free.index(name) for name in determined]
        covariance = self.fit.covariance[np.ix_(places, places)]
        errors = np.sqrt(np.diag(covariance))
        return {
            "parameters": {name: parameters[name] for name in self.names},
            "names": determined,
            "correlation": (covariance / np.outer(errors, errors)).tolist(),
            "converged": form["converged"],
            "notes": form["notes"],
        }


class Part(NamedTuple):
    """What one data set says of the model; a scan or test that cannot be made is None, and *problems* say why."""

    fit: inference.FitResult
    scan: inference.ScanResult | None
    discovery: inference.DiscoveryResult | None
    problems: tuple[str, ...]
    productions: Strengths | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            **self.fit.to_json(),
            "scan": None if self.scan is None else self.scan.to_json(),
            "discovery": None if self.discovery is None else self.discovery.to_json(),
            "problems": list(self.problems),
            **({} if self.productions is None else {"productions": self.productions.to_json()}),
        }


class Measurement(NamedTuple):
    """The model, what it makes of the Asimov data set and, where there are data, of these."""

    workspace: inference.Workspace
    parts: dict[str, Part]
    """``expected``, and ``observed`` where there are data; ``control`` instead while the signal regions are blind."""
    treated: tuple[Treated, ...] = ()
    """What was done to varied templates."""

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
    model = config.divided_model
    if model is None:
        return
    specs = {spec.name: spec for spec in channels.find(config.selection.channel).histograms(config.selection)}
    taken: dict[str, str] = {}
    for channel, region in model.channels.items():
        spec = specs[model.histogram_of(channel)]
        workspace.positions(spec.axis.to_hist().edges, model.edges_of(channel), spec.name)
        for category in workspace.matching(spec.categories, channel, region.categories):
            other = taken.setdefault(category, channel)
            if other != channel:
                msg = f"model.channels: {category!r} is in {other} and in {channel}"
                raise ConfigError(msg)
    categories = specs[model.histogram].categories
    if model.left_out is not None:
        taken |= dict.fromkeys(workspace.matching(categories, "left_out", model.left_out), "left_out")
    if left := [category for category in categories if category not in taken]:
        msg = f"model.channels: no channel takes {', '.join(left)}; left_out says so of those that none should"
        raise ConfigError(msg)
    _check_names(config, model)


def _check_names(config: RunConfig, model: ModelConfig) -> None:
    """Refuse uncertainties and free factors of what is not there."""
    processes = {dataset.process for dataset in config.datasets if dataset.kind == "simulation"}
    processes |= set() if config.nonprompt is None else {config.nonprompt.process}
    entries: list[tuple[str, Sequence[str] | None, Sequence[str] | None]] = [
        *((f"normalisations: {entry.parameter}", entry.processes, entry.channels) for entry in model.normalisations),
        *((f"free: {entry.parameter}", entry.processes, entry.channels) for entry in model.free),
    ]
    if model.smooth is not None:
        entries.append(("smooth", model.smooth.processes, None))
    for place, of_processes, of_channels in entries:
        for what, names, known in (("process", of_processes, processes), ("channel", of_channels, model.channels)):
            if unknown := [name for name in names or () if name not in known]:
                msg = f"model.{place}: unknown {what} {', '.join(unknown)}"
                raise ConfigError(msg)


def measure(
    config: RunConfig,
    histograms: dict[str, dict[str, hist.Hist[Any]]],
    varied: dict[str, dict[str, hist.Hist[Any]]] | None = None,
    estimated: backgrounds.Estimate | None = None,
) -> Measurement:
    """Fit the configured model.

    Parameters
    ----------
    histograms
        By name and process, a background from data among them.
    varied
        The histograms with variations, whose uncertainties the model takes.
    estimated
        The background from data, whose uncertainties the model takes.

    Raises
    ------
    ConfigError
        If the model does not fit the histograms.
    InputError
        If the templates cannot be fitted: no events, data where nothing is expected.
    """
    model = config.divided_model
    if model is None:
        msg = "the configuration has no model"
        raise ConfigError(msg)
    made, treated = _treated(model, workspace.build(config, model, histograms, varied, estimated))
    flat = inference.flatten(made)
    parts = {"expected": _part(flat, inference.asimov(flat))}
    if made.channels[0].observed is not None:
        parts["observed"] = _part(flat, inference.observed(flat, made))
    elif (control := _control(config, model, histograms, made)) is not None:
        parts["control"] = control
    if model.productions:
        strength = {process: name for name, group in model.productions.items() for process in group}
        apart = with_strengths(made, strength)
        for name, part in parts.items():
            if name == "control":
                continue
            parts[name] = part._replace(productions=_strengths(apart, observed=name == "observed"))
    return Measurement(made, parts, treated)


def _treated(model: ModelConfig, made: inference.Workspace) -> tuple[inference.Workspace, tuple[Treated, ...]]:
    """Treat the varied templates as configured; the shapes of a smooth background are none."""
    if model.treatment is None:
        return made, ()
    return treat(made, Treatment(**model.treatment.model_dump()), leave=(smooth_background.NAME,))


def _control(
    config: RunConfig, model: ModelConfig, histograms: workspace.Histograms, made: inference.Workspace
) -> Part | None:
    """Fit the regions and bins in which data are not withheld; None where there are none, or nothing to find there."""
    counts = {
        channel: [None if np.isnan(count) else float(count) for count in data.values()]
        for channel, data in workspace.observed(config, model, histograms).items()
    }
    if not counts:
        return None
    try:
        shown = inference.restricted(made, counts)
    except InputError:  # every bin is withheld, or nothing in the others is free
        return None
    flat = inference.flatten(shown)
    return Part(inference.fit(flat, inference.observed(flat, shown)), None, None, ())


def _strengths(apart: inference.Workspace, *, observed: bool) -> Strengths:
    """Fit a signal strength for each production."""
    flat = inference.flatten(apart)
    data = inference.observed(flat, apart) if observed else inference.asimov(flat)
    names = (apart.poi, *apart.pois)
    return Strengths(names, inference.fit(flat, data, minos=names))


def _part(flat: inference.FlatModel, data: inference.Data) -> Part:
    """Fit, scan and test; a bin without any background, say, forbids the test but neither fit nor scan."""
    fit = inference.fit(flat, data, minos=[POI])
    if not fit.converged:
        return Part(fit, None, None, ("no scan, no significance: the fit did not converge",))
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
