"""A card's channels: their samples with what modifies them.

A template's variation is split as Combine does it (`ShapeTools.getExtraNorm`): the change of the integral is an
asymmetric log-normal, left out where it is under 1e-3 on both sides, and the change of the shape morphs the template at
constant integral and stops at zero.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence

import numpy as np

from gpuhiggs.errors import InputError
from gpuhiggs.inference.combine.card import SHAPES, Card, Column, Rate, Systematic
from gpuhiggs.inference.combine.templates import Template, TemplateFiles
from gpuhiggs.inference.expressions import parse as parse_expression
from gpuhiggs.inference.model import Channel, Sample
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

ALL_SIGNALS = ("r", "mu")
"""Names of a parameter of interest that scales every signal."""
SAME_INTEGRAL = 1e-3
"""Relative changes of the integral that Combine ignores."""
SAME_RATE = 0.01
"""Relative difference of a card's rate from its template's that Combine accepts."""


class Builder:
    """Makes the channels of one card."""

    def __init__(
        self,
        card: Card,
        files: TemplateFiles,
        pois: Sequence[str],
        signals: Mapping[str, Sequence[str]],
        label: str = "",
    ) -> None:
        self.card = card
        self.files = files
        self.label = label
        self.scales = {poi: signals.get(poi) or _patterns(poi) for poi in pois}
        if unknown := set(signals) - set(pois):
            msg = f"signals of {', '.join(sorted(unknown))}: not among the parameters of interest {', '.join(pois)}"
            raise InputError(msg)

    def named(self, channel: str) -> str:
        """Return what a channel of the card is called in the workspace."""
        if not self.label:
            return channel
        return self.label if len(self.card.observed) == 1 else f"{self.label}_{channel}"

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
        return Channel(name=self.named(name), samples=samples, observed=tuple(counts), edges=edges)

    def _counts(self, name: str, data: Template | None) -> list[float]:
        observation = self.card.observed[name]
        if data is None:
            if observation < 0.0:
                msg = (
                    f"{self.card.source}: channel {name!r}: observation {observation:g}, and no data_obs in its shapes"
                )
                raise InputError(msg)
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
        if column.rate < 0.0 or total == column.rate == 0.0:
            return template
        if column.rate > 0.0 and abs(total - column.rate) > SAME_RATE * max(1.0, column.rate):
            msg = (
                f"{self.card.where(self.card.rate_line)}: rate {column.rate:g} of {column.process!r} in"
                f" {column.channel!r}, but its template has {total:g} events; -1 takes these"
            )
            raise InputError(msg)
        scale = column.rate / total if total else 1.0
        return Template(template.values * scale, template.errors * scale, template.edges)

    def _modifiers(self, k: int, column: Column, nominal: Template) -> list[Modifier]:
        found: list[Modifier] = []
        if column.number <= 0:
            found += [NormFactor(parameter=poi) for poi in self._pois_of(column)]
        for rate in self.card.rates:
            if fnmatch.fnmatchcase(column.channel, rate.channel) and fnmatch.fnmatchcase(column.process, rate.process):
                found.append(self._rate(rate))
        for systematic in self.card.systematics:
            effect = systematic.effects[k]
            if effect is not None:
                found += self._effect(systematic, effect, column, nominal)
        return found

    def _pois_of(self, column: Column) -> list[str]:
        names = (column.process, f"{self.named(column.channel)}/{column.process}")
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
        formulas = {r.name: r for r in self.card.rates if r.expression is not None}
        known = self.card.parameters | set(self.scales)
        if unknown := [name for name in rate.arguments if name not in known]:
            msg = (
                f"{self.card.where(rate.line)}: rateParam {rate.name!r} of {', '.join(unknown)}, which is no parameter"
            )
            raise InputError(msg)
        expression = rate.expression
        for _ in range(10):  # formulas of formulas
            before = expression
            for name, other in formulas.items():
                expression = expression.replace(f"({name})", f"({other.expression})")
            if expression == before:
                break
        try:
            parse_expression(expression)
        except InputError as error:
            msg = f"{self.card.where(rate.line)}: rateParam {rate.name!r}: {error}"
            raise InputError(msg) from error
        return Formula(expression=expression)

    def _effect(self, systematic: Systematic, effect: str, column: Column, nominal: Template) -> list[Modifier]:
        name = systematic.name
        place = f"{self.card.where(systematic.line)}: {column.process!r} in {column.channel!r}"
        if systematic.kind == "gmN":
            total = float(nominal.values.sum())
            wanted = float(effect) * (systematic.events or 1)
            if abs(wanted - total) > 0.05 * max(total, 1e-300) and systematic.events:
                msg = f"{place}: gmN {name!r} says {wanted:g} = {effect} · {systematic.events}, the rate is {total:g}"
                raise InputError(msg)
            return [GammaCount(parameter=name, events=systematic.events)]
        if systematic.kind == "trG":
            return [Formula(expression=f"1 + {float(effect)!r}*{name}")]
        is_shape = systematic.kind in SHAPES
        if systematic.kind == "shape?":
            is_shape = self.files.has(column.channel, column.process, systematic.template_name)
        parts = effect.split("/")
        if is_shape:
            if len(parts) > 1:
                msg = f"{place}: {name!r} has templates, so {effect!r} should be one number, their size in σ"
                raise InputError(msg)
            return self._shape(systematic, float(effect), column, nominal, place)
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
            try:
                side = self.files.find(column.channel, column.process, systematic.template_name + word)
            except InputError as error:
                msg = f"{place}: shape {name!r} has no {word.lower()} variation: {error}"
                raise InputError(msg) from error
            assert side is not None
            integral, n = float(side.values.sum()), len(nominal.values)
            if len(side.values) != n or side.edges != original.edges:
                msg = f"{place}: {name}{word} has {len(side.values)} bins, expected the {n} of the nominal template"
                raise InputError(msg)
            if not integral > 0.0:
                msg = f"{place}: {name}{word} has {integral:g} events, expected some"
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
            found[column.process] = [BinError(parameter=f"prop_bin{self.named(name)}", errors=shared)]
            if own.any():
                parameter = f"prop_bin{self.named(name)}_{column.process}"
                found[column.process].append(ShapeSys(parameter=parameter, errors=tuple(own.tolist())))
        return found


def _patterns(poi: str) -> tuple[str, ...]:
    if poi in ALL_SIGNALS:
        return ("*",)
    process = poi.split("_", 1)[-1]
    return (process, f"{process}_*", f"*_{process}")
