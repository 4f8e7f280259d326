"""The selection of a channel: every cut and every binning; the package's own, or a file of the user's.

A selection may name another one as its ``base``, and say only what differs.
"""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import Field, model_validator

from .. import channel_file
from ..errors import ConfigError, choices
from ..histogram import Axis
from .file_list import absolute
from .frozen import Model, read_yaml


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


def shipped_selections() -> list[str]:
    """Return the names of the selections that come with the package."""
    folder = resources.files("gpuhiggs.channels")
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def shipped_selection(name: str) -> dict[str, Any]:
    """Return a selection of the package as a mapping to start from."""
    return read(name, Path(name))


def read(name: str, path: Path, bases: tuple[str, ...] = ()) -> dict[str, Any]:
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
            said = choices(name, [*known, "or a path that ends in .yaml or .py"])
            msg = f"{path}: unknown selection {name!r}; {said}"
            raise ConfigError(msg)
        raw = yaml.safe_load((resources.files("gpuhiggs.channels") / f"{name}.yaml").read_text("utf-8"))
    base = raw.pop("base", None)
    if name in bases:
        msg = f"{path}: base: {' is based on '.join((*bases, name))}"
        raise ConfigError(msg)
    return raw if base is None else merge(read(str(base), path, (*bases, name)), raw)


def merge(base: Any, overrides: Any) -> Any:
    """Replace parts of a tree of mappings, ``triggers`` as a whole; keys are checked when the model is built."""
    if not isinstance(overrides, dict) or not isinstance(base, dict):
        return overrides
    changed = {key: _replace(key, base.get(key), value) for key, value in overrides.items()}
    return {**base, **changed}


def _replace(key: str, base: Any, value: Any) -> Any:
    """Replace the triggers, and each histogram's axis, whole: parts of two of them make no sense together."""
    if key == "triggers" or not isinstance(base, dict) or not isinstance(value, dict):
        return value
    return {**base, **value} if key == "histograms" else merge(base, value)
