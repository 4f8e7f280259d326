"""The parameters of a model and the auxiliary measurements that constrain them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gpuhiggs.errors import InputError
from gpuhiggs.inference.expressions import parse
from gpuhiggs.inference.model import Channel, ParameterSetting, Workspace, modifiers_of
from gpuhiggs.inference.modifiers import (
    BinError,
    Formula,
    GammaCount,
    HistoSys,
    Lumi,
    NormFactor,
    NormSys,
    ShapeFactor,
    ShapeSys,
    StatError,
)

UNBOUNDED = (-math.inf, math.inf)
POSITIVE = (1e-10, 10.0)
"""Bounds of a per-bin factor, as in pyhf: a Gaussian factor of a bin of few MC events could otherwise turn negative."""


@dataclass(frozen=True)
class Gaussian:
    """An auxiliary measurement of the parameter itself: N(aux | θ, width); nominally aux = center."""

    center: float
    width: float


@dataclass(frozen=True)
class PoissonCount:
    """An auxiliary count: Poisson(aux | θ · events); nominally aux = θ · events, which need not be an integer."""

    events: float
    at: float = 1.0
    """The nominal θ."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model: where a fit starts, where it may go, what constrains it (None: the data alone)."""

    name: str
    kind: Literal["free", "nuisance", "lumi", "staterror", "binerror", "shapesys", "shapefactor", "gamma"]
    initial: float
    bounds: tuple[float, float] = UNBOUNDED
    fixed: bool = False
    poi: bool = False
    constraint: Gaussian | PoissonCount | None = None


def collect_parameters(workspace: Workspace) -> tuple[Parameter, ...]:
    """Return every parameter that the workspace's modifiers name: the one of interest first, then as they appear.

    Raises
    ------
    InputError
        One name is used for two kinds of parameter, a luminosity has no setting, a setting names no parameter, or a
        parameter starts outside its bounds.
    """
    found: dict[str, Parameter] = {}
    for channel in workspace.channels:
        for parameter in _declared(channel):
            known = found.setdefault(parameter.name, parameter)
            if known != parameter:
                msg = (
                    f"channel {channel.name!r}: {parameter.kind} parameter {parameter.name!r} is {known.kind} elsewhere"
                )
                raise InputError(msg)
    for setting in workspace.parameters:
        if setting.name not in found:
            msg = f"setting of parameter {setting.name!r}: no modifier names it; known: {sorted(found)}"
            raise InputError(msg)
        found[setting.name] = _with_setting(found[setting.name], setting)
    for parameter in found.values():
        _check(parameter)
    pois = [replace(found.pop(name), poi=True) for name in (workspace.poi, *workspace.pois)]
    return (*pois, *found.values())


def _declared(channel: Channel) -> Iterator[Parameter]:
    for sample in channel.samples:
        for modifier in sample.modifiers:
            name = modifier.parameter
            if isinstance(modifier, NormFactor):
                yield Parameter(name, "free", initial=1.0)
            elif isinstance(modifier, Formula):
                yield from (Parameter(variable, "free", initial=1.0) for variable in parse(name).variables)
            elif isinstance(modifier, NormSys | HistoSys):
                yield Parameter(name, "nuisance", initial=0.0, constraint=Gaussian(0.0, 1.0))
            elif isinstance(modifier, Lumi):
                yield Parameter(name, "lumi", initial=1.0, constraint=None)
            elif isinstance(modifier, GammaCount):
                start = 1.0 if modifier.events else 0.0
                count = PoissonCount(float(modifier.events or 1), at=start)
                yield Parameter(name, "gamma", start, (0.0, math.inf), constraint=count)
            elif isinstance(modifier, ShapeSys):
                yield from _shape_factors(sample.yields, modifier)
            elif isinstance(modifier, ShapeFactor):
                yield from (Parameter(f"{name}[{i}]", "shapefactor", 1.0, POSITIVE) for i in range(channel.n_bins))
    yield from _stat_factors(channel)
    yield from _bin_shifts(channel)


def _bin_shifts(channel: Channel) -> Iterator[Parameter]:
    """One shift per bin with an MC error."""
    found = [error for sample in channel.samples for error in modifiers_of(sample, BinError)]
    for name in dict.fromkeys(error.parameter for error in found):
        for index in range(channel.n_bins):
            if any(error.errors[index] > 0.0 for error in found if error.parameter == name):
                yield Parameter(f"{name}_bin{index}", "binerror", 0.0, constraint=Gaussian(0.0, 1.0))


def _shape_factors(yields: tuple[float, ...], shape: ShapeSys) -> Iterator[Parameter]:
    for index, (value, error) in enumerate(zip(yields, shape.errors, strict=True)):
        if value > 0.0 and error > 0.0:
            count = PoissonCount((value / error) ** 2)
            yield Parameter(f"{shape.parameter}[{index}]", "shapesys", 1.0, POSITIVE, constraint=count)


def _stat_factors(channel: Channel) -> Iterator[Parameter]:
    """One factor per bin with events and an error: a bin without either has none."""
    sums: dict[str, list[tuple[float, float]]] = {}
    for sample in channel.samples:
        for stat in modifiers_of(sample, StatError):
            bins = sums.setdefault(stat.parameter, [(0.0, 0.0)] * channel.n_bins)
            added = zip(bins, sample.yields, stat.errors, strict=True)
            sums[stat.parameter] = [
                (total + value, math.hypot(all_error, error)) for (total, all_error), value, error in added
            ]
    for name, bins in sums.items():
        for index, (total, error) in enumerate(bins):
            if total > 0.0 and error > 0.0:
                width = Gaussian(1.0, error / total)
                yield Parameter(f"{name}[{index}]", "staterror", 1.0, POSITIVE, constraint=width)


def _with_setting(parameter: Parameter, setting: ParameterSetting) -> Parameter:
    if (setting.center, setting.width) != (None, None):
        if parameter.kind not in ("lumi", "free") or setting.center is None or setting.width is None:
            msg = (
                f"setting of parameter {parameter.name!r} ({parameter.kind}): center and width, both, are for a lumi"
                " or an unconstrained parameter"
            )
            raise InputError(msg)
        parameter = replace(parameter, initial=setting.center, constraint=Gaussian(setting.center, setting.width))
    if setting.flat:
        if parameter.kind != "nuisance":
            msg = f"setting of parameter {parameter.name!r} ({parameter.kind}): only a nuisance can be made flat"
            raise InputError(msg)
        parameter = replace(parameter, constraint=None)
    return replace(
        parameter,
        initial=parameter.initial if setting.initial is None else setting.initial,
        bounds=parameter.bounds if setting.bounds is None else setting.bounds,
        fixed=setting.fixed,
    )


def _check(parameter: Parameter) -> None:
    if parameter.kind == "lumi" and parameter.constraint is None:
        msg = f"luminosity {parameter.name!r}: the workspace's parameters must set its center and width"
        raise InputError(msg)
    lower, upper = parameter.bounds
    if not lower <= parameter.initial <= upper or lower == upper:
        msg = f"parameter {parameter.name!r}: initial value {parameter.initial:g} is not within {parameter.bounds}"
        raise InputError(msg)
