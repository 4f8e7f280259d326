"""From datacards to a workspace, with Combine's conventions.

A template's variation is split as Combine does it (`ShapeTools.getExtraNorm`): the change of the integral is an
asymmetric log-normal, left out where it is under 1e-3 on both sides, and the change of the shape morphs the template at
constant integral and stops at zero.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gpuhiggs.errors import InputError
from gpuhiggs.inference.combine.card import SHAPES, Card, Column, Rate, Systematic, parse
from gpuhiggs.inference.combine.templates import Template, TemplateFiles
from gpuhiggs.inference.model import Channel, ParameterSetting, Sample, Workspace
from gpuhiggs.inference.modifiers import (
    BinError,
    Formula,
    GammaCount,
    HistoSys,
    Modifier,
    NormFactor,
    NormSys,
    ShapeSys,
)

FLAT_BOUNDS = (-1.0, 1.0)
"""Range of the parameter of an lnU or shapeU, as in Combine."""
ALL_SIGNALS = ("r", "mu")
"""Names of a parameter of interest that scales every signal."""
SAME_INTEGRAL = 1e-3
"""Relative changes of the integral that Combine ignores."""


def read(
    *paths: Path,
    pois: Sequence[str] = ("r",),
    signals: Mapping[str, Sequence[str]] | None = None,
    mass: str | None = None,
) -> Workspace:
    """Read datacards into one workspace; parameters of the same name are one, channels of the same name an error.

    Parameters
    ----------
    paths
        One card or more.
    pois
        Parameters of interest. ``r`` (or ``mu``) scales every signal; ``r_X`` those whose process is X, begins with
        ``X_`` or ends with ``_X``.
    signals
        Or, for each, patterns of the processes, or CHANNEL/PROCESS, that it scales.
    mass
        What $MASS stands for; if None it is that of the only template there is.

    Raises
    ------
    InputError
        A card is not understood, a template is missing, a signal is scaled by nothing.
    """
    channels: list[Channel] = []
    settings: dict[str, ParameterSetting] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for path in paths:
        card = parse(path)
        built = _Builder(card, TemplateFiles(card, mass), pois, signals or {})
        channels += [built.channel(name) for name in card.observed]
        settings |= _settings(card)
        for group, members in card.groups.items():
            groups[group] = (*groups.get(group, ()), *members)
    named = {modifier.parameter for c in channels for s in c.samples for modifier in s.modifiers}
    variables = {
        name for c in channels for s in c.samples for m in s.modifiers if isinstance(m, Formula) for name in _names(m)
    }
    return Workspace(
        poi=pois[0],
        pois=tuple(pois[1:]),
        channels=tuple(channels),
        parameters=tuple(setting for name, setting in settings.items() if name in named | variables),
        groups={group: tuple(m for m in members if m in named | variables) for group, members in groups.items()},
    )


def _names(formula: Formula) -> tuple[str, ...]:
    from gpuhiggs.inference.expressions import parse as parse_expression

    return parse_expression(formula.expression).variables


def _settings(card: Card) -> dict[str, ParameterSetting]:
    found: dict[str, ParameterSetting] = {}
    for systematic in card.systematics:
        is_fixed = systematic.is_fixed or systematic.name in card.frozen
        if systematic.kind in ("lnU", "shapeU"):
            found[systematic.name] = ParameterSetting(
                name=systematic.name, bounds=FLAT_BOUNDS, flat=True, fixed=is_fixed
            )
        elif is_fixed:
            found[systematic.name] = ParameterSetting(name=systematic.name, fixed=True)
    for rate in card.rates:
        if rate.expression is None:
            found[rate.name] = ParameterSetting(
                name=rate.name, initial=rate.value, bounds=rate.bounds, fixed=rate.name in card.frozen
            )
    for name, (center, width) in card.normals.items():
        found[name] = ParameterSetting(name=name, center=center, width=width, fixed=name in card.frozen)
    return found


class _Builder:
    """Makes the channels of one card."""

    def __init__(
        self, card: Card, files: TemplateFiles, pois: Sequence[str], signals: Mapping[str, Sequence[str]]
    ) -> None:
        self.card = card
        self.files = files
        self.scales = {poi: signals.get(poi) or _patterns(poi) for poi in pois}
        if unknown := set(signals) - set(pois):
            msg = f"signals of {', '.join(sorted(unknown))}: not among the parameters of interest {', '.join(pois)}"
            raise InputError(msg)

    def channel(self, name: str) -> Channel:
        """Make one channel."""
        columns = [(k, column) for k, column in enumerate(self.card.columns) if column.channel == name]
        data = self.files.find(name, "data_obs")
        counts = self._counts(name, data)
        templates = {column.process: self._nominal(column, len(counts)) for _, column in columns}
        mc = self._mc_statistics(name, columns, templates)
        samples = tuple(
            Sample(
                name=column.process,
                yields=tuple(templates[column.process].values.tolist()),
                modifiers=(*self._modifiers(k, column, templates[column.process]), *mc.get(column.process, ())),
                crop=True,
            )
            for k, column in columns
        )
        edges = None if data is None else data.edges
        return Channel(name=name, samples=samples, observed=tuple(counts), edges=edges)

    def _counts(self, name: str, data: Template | None) -> list[float]:
        observation = self.card.observed[name]
        if data is None:
            return [observation]
        total = float(data.values.sum())
        if observation >= 0.0 and abs(total - observation) > 0.5 + 1e-6 * total:
            msg = f"{self.card.source}: channel {name!r}: observation {observation:g}, but data_obs has {total:g}"
            raise InputError(msg)
        rounded = np.rint(data.values)  # float32 and sums of weights 1 are counts up to rounding
        counts: list[float] = np.where(
            np.abs(data.values - rounded) < 1e-5 * (1.0 + rounded), rounded, data.values
        ).tolist()
        return counts

    def _nominal(self, column: Column, n_bins: int) -> Template:
        template = self.files.find(column.channel, column.process)
        if template is None:
            if column.rate < 0.0:
                msg = f"{self.card.source}: {column.process!r} in {column.channel!r} has rate -1 and no template"
                raise InputError(msg)
            return Template(np.array([column.rate]), np.zeros(1), None)
        if len(template.values) != n_bins:
            msg = (
                f"{self.card.source}: {column.process!r} in {column.channel!r} has {len(template.values)} bins,"
                f" data_obs {n_bins}"
            )
            raise InputError(msg)
        total = float(template.values.sum())
        if column.rate < 0.0 or total == 0.0:
            return template
        scale = column.rate / total
        return Template(template.values * scale, template.errors * scale, template.edges)

    def _modifiers(self, k: int, column: Column, nominal: Template) -> list[Modifier]:
        found: list[Modifier] = []
        place = f"{self.card.source}: {column.process!r} in {column.channel!r}"
        if column.number <= 0:
            found += [NormFactor(parameter=poi) for poi in self._pois_of(column)]
        for rate in self.card.rates:
            if fnmatch.fnmatchcase(column.channel, rate.channel) and fnmatch.fnmatchcase(column.process, rate.process):
                found.append(self._rate(rate))
        for systematic in self.card.systematics:
            effect = systematic.effects[k]
            if effect is not None:
                found += self._effect(systematic, effect, column, nominal, place)
        return found

    def _pois_of(self, column: Column) -> list[str]:
        names = (column.process, f"{column.channel}/{column.process}")
        found = [
            poi
            for poi, patterns in self.scales.items()
            if any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)
        ]
        if not found:
            msg = (
                f"{self.card.source}: signal {column.process!r} in {column.channel!r} is scaled by no parameter of"
                f" interest; these are {', '.join(f'{poi} of {list(p)}' for poi, p in self.scales.items())}"
            )
            raise InputError(msg)
        return found

    def _rate(self, rate: Rate) -> Modifier:
        if rate.expression is None:
            return NormFactor(parameter=rate.name)
        expression = rate.expression
        formulas = {r.name: r.expression for r in self.card.rates if r.expression is not None}
        for _ in range(10):
            before = expression
            for name, value in {**self.card.constants, **formulas}.items():
                expression = expression.replace(f"({name})", f"({value})")
            if expression == before:
                break
        return Formula(expression=expression)

    def _effect(
        self, systematic: Systematic, effect: str, column: Column, nominal: Template, place: str
    ) -> list[Modifier]:
        name = systematic.name
        if systematic.kind == "gmN":
            total = float(nominal.values.sum())
            wanted = float(effect) * (systematic.events or 1)
            if abs(wanted - total) > 0.05 * max(total, 1e-300) and systematic.events:
                msg = f"{place}: gmN {name!r} says {wanted:g} = {effect} · {systematic.events}, the rate is {total:g}"
                raise InputError(msg)
            return [GammaCount(parameter=name, events=systematic.events)]
        is_shape = systematic.kind in SHAPES
        if systematic.kind == "shape?":
            is_shape = self.files.has(column.channel, column.process, name)
        if is_shape:
            return self._shape(systematic, float(effect), column, nominal, place)
        parts = effect.split("/")
        up = float(parts[-1])
        down = float(parts[0]) if len(parts) == 2 else 1.0 / up
        interpolation = "combine" if len(parts) == 2 else "code1"
        return [NormSys(parameter=name, up=up, down=down, interpolation=interpolation)]  # type: ignore[arg-type]

    def _shape(
        self, systematic: Systematic, scale: float, column: Column, nominal: Template, place: str
    ) -> list[Modifier]:
        name, original = systematic.name, self.files.find(column.channel, column.process)
        if original is None:
            msg = f"{place}: shape {name!r} of a process without a template"
            raise InputError(msg)
        norm, total = float(original.values.sum()), float(nominal.values.sum())
        if norm == 0.0:
            return []
        sides, kappas = [], []
        for word in ("Up", "Down"):
            side = self.files.find(column.channel, column.process, name + word)
            assert side is not None
            integral = float(side.values.sum())
            if len(side.values) != len(nominal.values) or not integral > 0.0:
                msg = f"{place}: {name}{word} has {len(side.values)} bins and integral {integral:g}"
                raise InputError(msg)
            kappas.append(integral / norm)
            sides.append(tuple((side.values * (total / integral)).tolist()))
        found: list[Modifier] = [HistoSys(parameter=name, up=sides[0], down=sides[1], scale=scale)]
        if any(abs(kappa - 1.0) >= SAME_INTEGRAL for kappa in kappas):
            up, down = (kappa**scale for kappa in kappas)
            found.append(NormSys(parameter=name, up=up, down=down, interpolation="combine"))
        return found

    def _mc_statistics(
        self, name: str, columns: Sequence[tuple[int, Column]], templates: Mapping[str, Template]
    ) -> dict[str, list[Modifier]]:
        """Return the MC-statistics modifiers of each process: one shift a bin, or a factor a process in thin bins."""
        rules = [rule for rule in self.card.mc_statistics if fnmatch.fnmatchcase(name, rule[0])]
        if not rules or rules[-1][1] < 0.0:
            return {}
        _, threshold, with_signal = rules[-1]
        counted = [templates[c.process] for _, c in columns if with_signal or c.number > 0]
        counted = counted or [templates[c.process] for _, c in columns]
        total = np.sum([t.values for t in counted], axis=0)
        variance = np.sum([t.errors**2 for t in counted], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            is_thin = np.where(variance > 0.0, total**2 / variance, np.inf) <= threshold
        found: dict[str, list[Modifier]] = {}
        for _, column in columns:
            template = templates[column.process]
            shared = tuple(np.where(is_thin, 0.0, template.errors).tolist())
            own = np.where(is_thin & (template.values > 0.0), template.errors, 0.0)
            found[column.process] = [BinError(parameter=f"prop_bin{name}", errors=shared)]
            if own.any():
                parameter = f"prop_bin{name}_{column.process}"
                found[column.process].append(ShapeSys(parameter=parameter, errors=tuple(own.tolist())))
        return found


def _patterns(poi: str) -> tuple[str, ...]:
    if poi in ALL_SIGNALS:
        return ("*",)
    process = poi.split("_", 1)[-1]
    return (process, f"{process}_*", f"*_{process}")
