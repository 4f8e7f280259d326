"""The configuration of a run: one YAML file, read into frozen models that refuse what they do not know.

A configuration names a *selection*, the cuts and binnings of a channel: one of the package's, or a YAML file of the
user's own. Any part of it can be overridden, and the whole is written next to the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ..errors import ConfigError
from . import calibrations as calibration_config
from .calibrations import CalibrationConfig
from .cluster import ClusterConfig, ExecutionConfig
from .file_list import absolute, expand
from .fit import ModelConfig
from .frozen import Model, read_yaml, validate
from .selection import (
    AxisConfig,
    BlindConfig,
    ClassifierConfig,
    SelectionConfig,
    merge,
    shipped_selection,
    shipped_selections,
)
from .selection import read as read_selection
from .variations import VariationsConfig

__all__ = [
    "AxisConfig",
    "BlindConfig",
    "ClassifierConfig",
    "DatasetConfig",
    "Model",
    "NonPromptConfig",
    "ProcessStyle",
    "RunConfig",
    "SelectionConfig",
    "build",
    "load",
    "read_yaml",
    "shipped_selection",
    "shipped_selections",
    "validate",
    "with_execution",
]


class DatasetConfig(Model):
    """One dataset."""

    name: str = Field(pattern=r"^[A-Za-z0-9_.+-]+$")
    process: str = Field(pattern=r"^[A-Za-z0-9_.+-]+$")
    """Datasets of the same process are drawn and fitted as one."""
    kind: Literal["data", "simulation"]
    files: tuple[str, ...] = Field(min_length=1)
    primary_dataset: str | None = None
    """Of data: whose triggers it was recorded with."""
    luminosity_table: str | None = None
    """Of data of a prescaled trigger: luminosity by section, ``brilcalc lumi --byls --hltpath``, prescales included."""
    cross_section: float | None = Field(default=None, gt=0)
    """Of simulation, in pb, branching ratio and k-factor included; null: its sums of generator weights are shown."""
    sum_of_weights: float | None = Field(default=None)
    """Of simulation: Σ generator weights of all its files, for formats whose files do not say."""
    weight_unit: float = Field(default=1.0, gt=0)
    """W0: a power of two near the size of the generator weights, in whose unit they are summed."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if math.frexp(self.weight_unit)[0] != 0.5:
            msg = f"weight_unit must be a power of two, got {self.weight_unit}"
            raise ValueError(msg)
        if self.kind == "data" and (self.cross_section is not None or self.sum_of_weights is not None):
            msg = "data have no cross_section and no sum_of_weights: they are never scaled"
            raise ValueError(msg)
        if self.kind == "simulation" and self.luminosity_table is not None:
            msg = "simulation has no luminosity_table: it is normalised to that of the data"
            raise ValueError(msg)
        if self.kind == "simulation" and "cross_section" not in self.model_fields_set:
            msg = "simulation needs a cross_section in pb, or `cross_section: null` to leave it unnormalised"
            raise ValueError(msg)
        if self.sum_of_weights is not None and not self.sum_of_weights > 0:
            msg = f"sum_of_weights must be positive, got {self.sum_of_weights}"
            raise ValueError(msg)
        if twice := {path for path in self.files if self.files.count(path) > 1}:
            msg = f"files listed twice: {', '.join(sorted(twice))}"
            raise ValueError(msg)
        return self


class NonPromptConfig(Model):
    """The background of objects that are not what they are selected as, from control regions of data."""

    process: str = Field(pattern=r"^[A-Za-z0-9_.+-]+$")
    """What it is called in histograms, figures and the model."""
    prompt: tuple[str, ...] = Field(min_length=1)
    """Simulated processes whose objects are genuine: what control regions hold of them is subtracted."""
    systematic: float = Field(gt=0, lt=1)
    """Relative uncertainty of the prediction beside that of statistics: of the method and of what the fakes are."""
    method: Literal["combined", "opposite-sign", "same-sign"] = "combined"
    """In four leptons: which of the two methods is believed."""
    electroweak: tuple[str, ...] = ()
    """Simulated processes with one genuine lepton, subtracted where rates are measured beside the prompt ones; left out
    everywhere else, where what they have of fakes is the prediction's."""
    measured_in: str | None = None
    """Process of data in which rates are measured, such as those of prescaled triggers; left out everywhere else. All
    data if not given."""
    measured_luminosity: float | None = Field(default=None, gt=0)
    """What these data correspond to in fb⁻¹, prescales included; else what ``luminosity_tables`` say, or all."""


class ProcessStyle(Model):
    """How a process is drawn."""

    label: str
    color: str | None = None


class RunConfig(Model):
    """A whole run."""

    selection: SelectionConfig
    datasets: tuple[DatasetConfig, ...] = Field(min_length=1)
    luminosity: float | None = Field(default=None, gt=0)
    """Integrated luminosity in fb⁻¹ that simulation is normalised to."""
    luminosity_table: str | None = None
    """Luminosity by section, the CSV of ``brilcalc lumi --byls``: simulation is normalised to what was processed."""
    lumi_mask: str | None = None
    """Certified luminosity sections, the experiment's JSON."""
    chunk_size: int = Field(default=2**20, ge=1, le=2**24)
    """Events of a work item, at most."""
    chunk_memory: int = Field(default=1024, ge=1)
    """MiB that the columns of a work item may take; a worker needs about twice as much and 400 MiB."""
    execution: ExecutionConfig = ExecutionConfig()
    cluster: ClusterConfig | None = None
    """A batch system to run on; null: this machine, or what the command line says."""
    redirectors: tuple[str, ...] = ()
    """Where to ask for files with logical names (``/store/…``), in this order: ``root://…``."""
    processes: dict[str, ProcessStyle] = Field(default_factory=dict)
    calibrations: dict[str, CalibrationConfig] = Field(default_factory=dict)
    """What is found of objects, or of the event, before the channel's kernel sees them."""
    variations: VariationsConfig | None = None
    """Systematic variations; none if not given."""
    nonprompt: NonPromptConfig | None = None
    """The background of fakes from data; none if not given."""
    model: ModelConfig | None = None
    """The fit that ends the run; none if not given."""
    skim: tuple[Literal["parquet", "root"], ...] = ()
    """Formats in which the selected events are written, a file a dataset; none: they are not."""
    unblind: bool = False
    """Whether data are shown and fitted where the selection has its signal (``selection.blind``)."""
    title: str = ""
    """What figures say beside the experiment's name, such as "CMS Open Data"."""
    sqrt_s: float | None = Field(default=None, gt=0)
    """Centre-of-mass energy in TeV, which figures say too."""

    @property
    def divided_model(self) -> ModelConfig | None:
        """The model with its channels divided by the selection's classifier, where there is one."""
        classifier = self.selection.classifier
        return self.model and self.model.divided(1 if classifier is None else 1 + len(classifier.boundaries))

    @model_validator(mode="after")
    def _check(self) -> Self:
        calibration_config.check(self.calibrations)
        names = [dataset.name for dataset in self.datasets]
        if twice := {name for name in names if names.count(name) > 1}:
            msg = f"datasets named twice: {', '.join(sorted(twice))}"
            raise ValueError(msg)
        if self.luminosity_table is not None and not any(dataset.kind == "data" for dataset in self.datasets):
            msg = "luminosity_table: there are no data whose luminosity it could tell"
            raise ValueError(msg)
        no_luminosity = self.luminosity is None and self.luminosity_table is None
        if no_luminosity and any(dataset.cross_section for dataset in self.datasets):
            msg = "luminosity (fb⁻¹) is needed: a dataset has a cross_section"
            raise ValueError(msg)
        if "lumi_mask" not in self.model_fields_set and any(dataset.kind == "data" for dataset in self.datasets):
            msg = "lumi_mask is needed: there are data; `lumi_mask: null` takes every luminosity section"
            raise ValueError(msg)
        kinds = {(dataset.process, dataset.kind) for dataset in self.datasets}
        if both := {process for process, kind in kinds if (process, "data") in kinds and kind == "simulation"}:
            msg = f"processes with data and simulation: {', '.join(sorted(both))}"
            raise ValueError(msg)
        simulated = [dataset for dataset in self.datasets if dataset.kind == "simulation"]
        unnormalised = [dataset.name for dataset in simulated if dataset.cross_section is None]
        if unnormalised and (self.model is not None or len(unnormalised) < len(simulated)):
            msg = f"no cross_section: {', '.join(unnormalised)}; a model, or other simulation beside them, needs one"
            raise ValueError(msg)
        if self.model is not None:
            known_processes = {dataset.process for dataset in self.datasets if dataset.kind == "simulation"}
            if unknown := [name for name in self.model.signals if name not in known_processes]:
                there_is = ", ".join(sorted(known_processes))
                msg = f"model.signals: no simulation of {', '.join(unknown)}; there is {there_is}"
                raise ValueError(msg)
            if strange := [name for name in self.model.histograms if name not in self.selection.histograms]:
                known_histograms = ", ".join(self.selection.histograms)
                msg = f"model.histogram: unknown {strange[0]!r}; known: {known_histograms}"
                raise ValueError(msg)
        for dataset in self.datasets:
            known = self.selection.triggers
            if dataset.kind == "data" and known and dataset.primary_dataset not in known:
                primary = dataset.primary_dataset
                msg = f"{dataset.name}: primary_dataset is {primary!r}, expected one of {', '.join(known)}"
                raise ValueError(msg)
        return self


# --- loading -------------------------------------------------------------------------------------------------------


Expand = Callable[[dict[str, Any], Path], dict[str, Any]]
"""Replaces what a configuration takes from elsewhere: :func:`gpuhiggs.catalogue.expand`."""


def load(path: Path, channel: Path | None = None, expansion: Expand = lambda raw, path: raw) -> RunConfig:
    """Read a configuration; paths in it are relative to its folder.

    Parameters
    ----------
    channel
        A channel in a file of the user's own, which takes the place of the selection.
    expansion
        What to do first; ``gpuhiggs.catalogue.expand`` lets datasets be named instead of spelled out.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key or value in it is wrong.
    """
    raw = read_yaml(path)
    return build(expansion(raw if channel is None else {**raw, "selection": str(channel.resolve())}, path), path)


def build(raw: dict[str, Any], path: Path) -> RunConfig:
    """Build a configuration from what a file at *path* would say.

    Raises
    ------
    ConfigError
        If a key or value in it is wrong.
    """
    if isinstance(raw.get("selection"), str):
        raw["selection"] = read_selection(raw["selection"], path)
    if "overrides" in raw:
        overrides = raw.pop("overrides")
        if not isinstance(overrides, dict):
            msg = f"{path}: overrides: expected a mapping of keys of the selection, got {overrides!r}"
            raise ConfigError(msg)
        raw["selection"] = merge(raw.get("selection", {}), overrides)
    classifier = chosen.get("classifier") if isinstance(chosen := raw.get("selection"), dict) else None
    if isinstance(classifier, dict) and isinstance(classifier.get("file"), str):
        classifier["file"] = absolute(classifier["file"], path.parent)
    datasets = raw.get("datasets")
    for dataset in datasets if isinstance(datasets, list) else []:
        files = dataset.get("files") if isinstance(dataset, dict) else None
        entries = [files] if isinstance(files, str) else files
        if isinstance(entries, list) and all(isinstance(entry, str) for entry in entries):
            dataset["files"] = expand(entries, path.parent)
        if isinstance(dataset, dict) and isinstance(dataset.get("luminosity_table"), str):
            dataset["luminosity_table"] = absolute(dataset["luminosity_table"], path.parent)
    for key in {"calibrations", "variations"} & set(raw):
        raw[key] = _with_places(raw[key], path.parent)
    for key in ("lumi_mask", "luminosity_table"):
        if isinstance(raw.get(key), str):
            raw[key] = absolute(raw[key], path.parent)
    return validate(RunConfig, raw, str(path))


def _with_places(tree: Any, folder: Path) -> Any:
    """Return a tree of mappings whose corrections' files are relative to a folder no more."""
    if not isinstance(tree, dict):
        return tree
    found = {key: _with_places(value, folder) for key, value in tree.items()}
    correction = found.get("correction")
    if isinstance(correction, dict) and isinstance(correction.get("file"), str):
        found["correction"] = {**correction, "file": absolute(correction["file"], folder)}
    return found


def with_execution(config: RunConfig, changed: Mapping[str, Any]) -> RunConfig:
    """Replace what the command line says of how a run is carried out.

    Raises
    ------
    ConfigError
        If a value is none of those possible.
    """
    execution = validate(ExecutionConfig, config.execution.model_dump() | dict(changed), "command line")
    return config.model_copy(update={"execution": execution})
