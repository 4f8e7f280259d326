"""The declaration of a binned statistical model: channels, samples and what modifies them.

The terms and formulas are HistFactory's (Cranmer et al., CERN-OPEN-2012-016). A channel's bin b expects

    ν_b(θ) = Σ_s  Π_k factor_{s,k,b}(θ) · (yield_{s,b} + Σ_h shift_{s,h,b}(θ))

where `HistoSys` is a shift and everything else a factor; `BinError` shifts the whole bin. A declaration
is checked when it is made: what is accepted here can be evaluated.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import numpy as np
from pydantic import Field, ValidationError, model_validator

from gpuhiggs.errors import InputError
from gpuhiggs.inference.expressions import parse
from gpuhiggs.inference.modifiers import (
    BinError,
    Declaration,
    Formula,
    HistoSys,
    Modifier,
    NormFactor,
    NormSys,
    ShapeSys,
    StatError,
    Yields,
)


class Sample(Declaration):
    """A process in a channel: its nominal yields per bin and what modifies them."""

    name: str
    yields: Yields
    modifiers: tuple[Modifier, ...] = ()
    crop: bool = False
    """Whether a shifted template ends at zero, as in Combine; HistFactory's may become negative."""


class Channel(Declaration):
    """A region with its bins: samples and, where known, the observed counts and the bin edges (for display)."""

    name: str
    samples: tuple[Sample, ...]
    observed: Yields | None = None
    edges: Yields | None = None

    @property
    def n_bins(self) -> int:
        """Number of bins, that of the first sample."""
        return len(self.samples[0].yields) if self.samples else 0

    @model_validator(mode="after")
    def _check(self) -> Channel:
        if self.n_bins == 0:
            msg = f"channel {self.name!r}: no samples, or a first sample without bins"
            raise InputError(msg)
        _refuse_duplicates((sample.name for sample in self.samples), f"channel {self.name!r}: sample")
        for sample in self.samples:
            _check_sample(sample, self.n_bins, f"channel {self.name!r}, sample {sample.name!r}")
        if self.edges is not None and (len(self.edges) != self.n_bins + 1 or np.any(np.diff(self.edges) <= 0.0)):
            msg = (
                f"channel {self.name!r}: edges must rise and be {self.n_bins + 1} for {self.n_bins} bins: {self.edges}"
            )
            raise InputError(msg)
        self._check_counts()
        return self

    def _check_counts(self) -> None:
        total = np.sum([sample.yields for sample in self.samples], axis=0)
        where = f"channel {self.name!r}"
        _check_bins(total, self.n_bins, f"{where}, expected events of all samples", lowest=0.0)
        if self.observed is not None:
            _check_bins(self.observed, self.n_bins, f"{where}, observed events", lowest=0.0)
            for index in np.flatnonzero((total == 0.0) & (np.asarray(self.observed) > 0.0)).tolist():
                msg = f"{where}, bin {index}: {self.observed[index]:g} events observed, but no sample expects any there"
                raise InputError(msg)


class ParameterSetting(Declaration):
    """What the declaration says of one parameter beyond its modifiers; absent values keep the modifier's own.

    `center` and `width` belong to a `Lumi` parameter, which has no default for them, and give a normal constraint to an
    unconstrained one; `flat` takes a nuisance's normal constraint away, as Combine's lnU and shapeU. A name with an
    index, `staterror_4mu[3]`, speaks of one bin's factor.
    """

    name: str
    initial: float | None = None
    bounds: tuple[float, float] | None = None
    fixed: bool = False
    center: float | None = None
    width: Annotated[float, Field(gt=0.0)] | None = None
    flat: bool = False


class Correlation(Declaration):
    """A partial correlation of the auxiliary measurements of two normally constrained parameters."""

    parameters: tuple[str, str]
    coefficient: Annotated[float, Field(gt=-1.0, lt=1.0)]


class Workspace(Declaration):
    """A complete declaration: channels with their data, the parameter of interest, settings of parameters.

    Its JSON form is `model_dump_json()`, read back by `load_workspace`.
    """

    format: Literal["gpuhiggs-workspace-1"] = "gpuhiggs-workspace-1"
    poi: str
    pois: tuple[str, ...] = ()
    """More parameters of interest, after the first."""
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)]
    parameters: tuple[ParameterSetting, ...] = ()
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Names of groups and their parameters, for budgets and freezing; a trailing ``*`` stands for anything."""
    correlations: tuple[Correlation, ...] = ()

    @property
    def n_bins(self) -> int:
        """Number of bins of all channels together."""
        return sum(channel.n_bins for channel in self.channels)

    def blocks(self) -> Iterator[tuple[Channel, Sample]]:
        """Every (channel, sample), in the order of the flat layout."""
        return ((channel, sample) for channel in self.channels for sample in channel.samples)

    def _per_bin_names(self) -> Iterator[str]:
        for channel in self.channels:
            yield from {stat.parameter for sample in channel.samples for stat in modifiers_of(sample, StatError)}
            yield from {error.parameter for sample in channel.samples for error in modifiers_of(sample, BinError)}
            yield from (shape.parameter for sample in channel.samples for shape in modifiers_of(sample, ShapeSys))

    @model_validator(mode="after")
    def _check(self) -> Workspace:
        _refuse_duplicates((channel.name for channel in self.channels), "channel")
        _refuse_duplicates((setting.name for setting in self.parameters), "setting of parameter")
        _refuse_duplicates(self._per_bin_names(), "per-bin factors are of one channel (shapesys: one sample), but")
        movable = {
            name
            for _, sample in self.blocks()
            if any(sample.yields)
            for modifier in sample.modifiers
            for name in _factors(modifier)
        }
        for poi in (self.poi, *self.pois):
            if poi not in movable:
                msg = (
                    f"no expected yield depends on the parameter of interest {poi!r};"
                    f" normfactors of samples with events: {sorted(movable)}"
                )
                raise InputError(msg)
        _refuse_duplicates((self.poi, *self.pois), "parameter of interest")
        return self


def _factors(modifier: Modifier) -> tuple[str, ...]:
    if isinstance(modifier, Formula):
        return parse(modifier.expression).variables
    return (modifier.parameter,) if isinstance(modifier, NormFactor) else ()


def load_workspace(path: Path) -> Workspace:
    """Read a workspace from its JSON form.

    Raises
    ------
    InputError
        The file is missing, is no JSON, or declares something that cannot be evaluated; each problem with its place.
    """
    try:
        return Workspace.model_validate_json(path.read_bytes())
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise InputError(msg) from error
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        msg = f"{path}: not a gpuhiggs workspace: " + "; ".join(lines)
        raise InputError(msg) from error
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error


M = TypeVar("M", bound=Declaration)


def modifiers_of(sample: Sample, kind: type[M]) -> list[M]:
    """Return the modifiers of one kind."""
    return [modifier for modifier in sample.modifiers if isinstance(modifier, kind)]


def _check_sample(sample: Sample, n_bins: int, where: str) -> None:
    _check_bins(sample.yields, n_bins, f"{where}, yields")
    _refuse_duplicates((f"{modifier.type} {modifier.parameter}" for modifier in sample.modifiers), f"{where}: modifier")
    for modifier in sample.modifiers:
        place = f"{where}, {modifier.type} {modifier.parameter!r}"
        if isinstance(modifier, NormSys):
            for side, factor in (("up", modifier.up), ("down", modifier.down)):
                if not (math.isfinite(factor) and factor > 0.0):
                    msg = f"{place}: {side} must be a positive factor, 1 for no change: {factor}"
                    raise InputError(msg)
        elif isinstance(modifier, Formula):
            parse(modifier.expression)
        elif isinstance(modifier, HistoSys):
            _check_bins(modifier.up, n_bins, f"{place}, up")
            _check_bins(modifier.down, n_bins, f"{place}, down")
        elif isinstance(modifier, StatError | BinError | ShapeSys):
            _check_bins(modifier.errors, n_bins, f"{place}, errors", lowest=0.0)


def _check_bins(values: Iterable[float], n_bins: int, what: str, lowest: float = -math.inf) -> None:
    array = np.asarray(tuple(values))
    if len(array) != n_bins:
        msg = f"{what}: {len(array)} values for {n_bins} bins"
        raise InputError(msg)
    for index in np.flatnonzero(~np.isfinite(array) | (array < lowest)).tolist():
        wanted = "a finite number" if lowest == -math.inf else f"a finite number >= {lowest:g}"
        msg = f"{what}, bin {index}: {array[index]}, expected {wanted}"
        raise InputError(msg)


def _refuse_duplicates(names: Iterable[str], what: str) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            msg = f"{what} {name!r} is given {count} times"
            raise InputError(msg)
