"""The configuration of a run: one YAML file, read into frozen models that refuse what they do not know.

A configuration names a *selection*, the cuts and binnings of a channel: one of the package's, or a YAML file of the
user's own. Any part of it can be overridden, and the whole is written next to the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from .. import channel_file
from ..errors import ConfigError
from ..histogram import Axis
from . import calibrations as calibration_config
from .calibrations import CalibrationConfig
from .cluster import ClusterConfig, ExecutionConfig
from .file_list import absolute, expand
from .fit import ModelConfig
from .frozen import Model as Model
from .variations import VariationsConfig

M = TypeVar("M", bound=BaseModel)


class AxisConfig(Model):
    """A binning: ``bins``, ``low`` and ``high``, or ``edges``."""

    label: str
    """What the axis shows, with its unit, as LaTeX that Matplotlib understands."""
    bins: int = Field(default=0, ge=0, le=10_000)
    low: float = 0.0
    high: float = 0.0
    edges: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.edges:
            if any(b <= a for a, b in zip(self.edges, self.edges[1:], strict=False)) or len(self.edges) < 2:
                msg = f"edges must rise, got {list(self.edges)}"
                raise ValueError(msg)
            if self.bins or self.low or self.high:
                msg = "give either edges, or bins, low and high"
                raise ValueError(msg)
        elif self.bins < 1 or not self.low < self.high or not math.isfinite(self.high - self.low):
            msg = f"needs edges, or bins ≥ 1 and low < high; got bins {self.bins}, low {self.low}, high {self.high}"
            raise ValueError(msg)
        return self

    def axis(self, name: str) -> Axis:
        """Return the axis for the kernels."""
        if self.edges:
            return Axis(name, self.label, len(self.edges) - 1, self.edges[0], self.edges[-1], self.edges)
        return Axis(name, self.label, self.bins, self.low, self.high)


class ClassifierConfig(Model):
    """A classifier inside the kernel, and the parts into which its score divides each category."""

    file: str | None = None
    """The model, JSON, or one of the package, ``shipped://NAME``; none where features are only recorded."""
    output: str | None = None
    """The score that counts; by default the model's first."""
    boundaries: tuple[float, ...] = Field(default=(), max_length=31)
    """Rising; the lowest part is 0."""
    record: bool = False
    """Keep the features of selected events: for training."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(b <= a for a, b in zip(self.boundaries, self.boundaries[1:], strict=False)):
            msg = f"boundaries must rise, got {list(self.boundaries)}"
            raise ValueError(msg)
        if self.file is None and (self.boundaries or self.output):
            msg = "boundaries and output need a file"
            raise ValueError(msg)
        return self


class BlindConfig(Model):
    """Where a selection has its signal: data are withheld there until ``unblind: true``."""

    categories: tuple[str, ...] = Field(min_length=1)
    """Patterns of the categories that hold signal; ``"*"``: all of them."""
    windows: dict[str, tuple[float, float]] = Field(default_factory=dict)
    """Histograms that resolve the signal, and where: data are shown outside. Others are withheld as a whole."""
    last_step: str
    """Last row of the cutflow that is shown: later ones would tell the number of events."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, (low, high) in self.windows.items():
            if not low < high:
                msg = f"windows.{name}: the lower end must be below the upper, got {low} and {high}"
                raise ValueError(msg)
        return self


class SelectionConfig(Model):
    """The selection of one channel: every cut and every binning."""

    channel: str
    schema_: str = Field(alias="schema")
    reference: str
    """Where the numbers come from."""
    cuts: dict[str, Any]
    histograms: dict[str, AxisConfig]
    triggers: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default_factory=dict)
    """Paths by primary dataset; an event in several data sets is taken from the first of them."""
    filters: tuple[str, ...] = ()
    """Data-quality filters that an event must all pass."""
    classifier: ClassifierConfig | None = None
    absent: tuple[str, ...] = ()
    """Collections that the files do not have and the selection does without: no objects, no missing momentum."""
    region_axes: dict[str, AxisConfig] = Field(default_factory=dict)
    """Axes of the control regions of failing objects: those in whose bins rates are measured."""
    blind: BlindConfig | None = None
    """Where the signal is; null: nothing is ever withheld."""


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
        raw["selection"] = _selection(raw["selection"], path)
    if "overrides" in raw:
        overrides = raw.pop("overrides")
        if not isinstance(overrides, dict):
            msg = f"{path}: overrides: expected a mapping of keys of the selection, got {overrides!r}"
            raise ConfigError(msg)
        raw["selection"] = _merge(raw.get("selection", {}), overrides)
    classifier = selection.get("classifier") if isinstance(selection := raw.get("selection"), dict) else None
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


def validate(model: type[M], raw: Mapping[str, Any], place: str) -> M:
    """Build a model, with errors that say where and what is known."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # A list whose entries are all wrong is reported as too short as well.
        found = error.errors()
        errors = [entry for entry in found if entry["type"] != "too_short" or not entry["input"]] or found
        raise ConfigError("\n".join(_explain(model, entry, place) for entry in errors)) from error


def _explain(model: type[BaseModel], error: Any, place: str) -> str:
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        key = error["loc"][-1]
        inner = _model_at(model, error["loc"][:-1])
        known = ", ".join(info.alias or name for name, info in inner.model_fields.items()) if inner else "?"
        section = ".".join(str(part) for part in error["loc"][:-1])
        return f"{place}: unknown key {key!r}" + (f" in {section}" if section else "") + f"; known: {known}"
    message = error["msg"].removeprefix("Value error, ")
    given = "" if error["type"] in ("missing", "value_error") else f", got {error['input']!r}"
    return f"{place}: {where}: {message}{given}" if where else f"{place}: {message}{given}"


def _model_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    """Follow an error's location to the model that refused the key."""
    found: Any = model
    for part in location:
        if isinstance(found, type) and issubclass(found, BaseModel):
            names = {info.alias or name: info.annotation for name, info in found.model_fields.items()}
            found = names.get(str(part))
        else:  # a place in a list, or the key of a mapping
            found = next((hint for hint in get_args(found) if isinstance(hint, type) and hint is not str), None)
        if isinstance(found, UnionType):
            found = next(hint for hint in get_args(found) if hint is not NoneType)
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


class _NoRepeats(yaml.SafeLoader):
    """YAML in which a key given twice is an error; YAML itself keeps the last and says nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                problem = f"the key {key!r} is given twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a mapping of keys, or raise ConfigError; a key that stands twice is an error."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=_NoRepeats)
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise ConfigError(msg) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path}: not YAML: {error}"
        raise ConfigError(msg) from error
    if not isinstance(raw, dict):
        msg = f"{path}: expected a mapping of keys, got {type(raw).__name__}"
        raise ConfigError(msg)
    return raw


def shipped_selections() -> list[str]:
    """Return the names of the selections that come with the package."""
    folder = resources.files("gpuhiggs.channels")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def shipped_selection(name: str) -> dict[str, Any]:
    """Return a selection of the package as a mapping to start from."""
    return _selection(name, Path(name))


def _selection(name: str, path: Path, bases: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return a selection by the name of a shipped one, or from the user's own file.

    A selection may name another one as its ``base``, and say only what differs.
    """
    if name.endswith(".py"):
        raw = channel_file.load(Path(absolute(name, path.parent))).selection()
    elif name.endswith((".yaml", ".yml")):
        name = absolute(name, path.parent)
        path = Path(name)
        raw = read_yaml(path)
    else:
        known = shipped_selections()
        if name not in known:
            msg = f"{path}: unknown selection {name!r}; known: {', '.join(known)}, or a path that ends in .yaml or .py"
            raise ConfigError(msg)
        raw = yaml.safe_load((resources.files("gpuhiggs.channels") / f"{name}.yaml").read_text("utf-8"))
    base = raw.pop("base", None)
    if name in bases:
        msg = f"{path}: base: {' is based on '.join((*bases, name))}"
        raise ConfigError(msg)
    return raw if base is None else _merge(_selection(str(base), path, (*bases, name)), raw)


def _merge(base: Any, overrides: Any) -> Any:
    """Replace parts of a tree of mappings, ``triggers`` as a whole; keys are checked when the model is built."""
    if not isinstance(overrides, dict) or not isinstance(base, dict):
        return overrides
    changed = {key: _replace(key, base.get(key), value) for key, value in overrides.items()}
    return {**base, **changed}


def _replace(key: str, base: Any, value: Any) -> Any:
    """Replace the triggers, and each histogram's axis, whole: parts of two of them make no sense together."""
    if key == "triggers" or not isinstance(base, dict) or not isinstance(value, dict):
        return value
    return {**base, **value} if key == "histograms" else _merge(base, value)
