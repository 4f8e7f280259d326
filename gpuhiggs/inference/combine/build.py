"""From datacards to a workspace, with Combine's conventions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from gpuhiggs.errors import InputError
from gpuhiggs.inference.combine.card import Card, Systematic
from gpuhiggs.inference.combine.channels import Builder
from gpuhiggs.inference.combine.parse import parse
from gpuhiggs.inference.combine.templates import TemplateFiles
from gpuhiggs.inference.expressions import parse as parse_expression
from gpuhiggs.inference.model import Channel, ParameterSetting, Workspace
from gpuhiggs.inference.modifiers import Formula

FLAT_BOUNDS = (-1.0, 1.0)
"""Range of the parameter of an lnU or shapeU, as in Combine."""
TRUNCATED = 7.0
"""Range of the parameter of a trG in its widths, as in Combine."""


def read(
    *paths: Path,
    pois: Sequence[str] = ("r",),
    signals: Mapping[str, Sequence[str]] | None = None,
    mass: str | None = None,
    labels: Sequence[str] = (),
) -> Workspace:
    """Read datacards into one workspace; parameters of the same name are one, channels of the same name an error.

    Parameters
    ----------
    paths
        One card or more.
    pois
        Parameters of interest. ``r`` (or ``mu``) scales every signal; ``r_X`` those whose process is X, begins with
        ``X_`` or ends with ``_X``; ``r_*`` stands for one for each signal process.
    signals
        Or, for each, patterns of the processes, or CHANNEL/PROCESS, that it scales.
    mass
        What $MASS stands for; if None it is that of the only template there is.
    labels
        New names, one for each card, empty to keep its channels': the channel of a card with one is called so, those
        of another begin with it (``LABEL_``), as after Combine's combineCards.

    Raises
    ------
    InputError
        A card is not understood, a template is missing, a signal is scaled by nothing.
    """
    cards = [parse(path) for path in paths]
    pois, signals = _each(cards, pois, signals or {})
    channels: list[Channel] = []
    settings: dict[str, ParameterSetting] = {}
    groups: dict[str, tuple[str, ...]] = {}
    for card, label in zip(cards, labels or [""] * len(cards), strict=True):
        built = Builder(card, TemplateFiles(card, mass), pois, signals, label)
        channels += [_in_place(card, partial(built.channel, name)) for name in card.observed]
        for name, setting in _settings(card).items():
            if settings.setdefault(name, setting) != setting:
                msg = f"{card.source}: {name!r} is declared otherwise in another card: {setting} and {settings[name]}"
                raise InputError(msg)
        for group, members in card.groups.items():
            groups[group] = tuple(dict.fromkeys((*groups.get(group, ()), *members)))
    named = {modifier.parameter for c in channels for s in c.samples for modifier in s.modifiers}
    named |= {
        name
        for c in channels
        for s in c.samples
        for m in s.modifiers
        if isinstance(m, Formula)
        for name in parse_expression(m.expression).variables
    }
    return _in_place(
        cards[0],
        lambda: Workspace(
            poi=pois[0],
            pois=tuple(pois[1:]),
            channels=tuple(channels),
            parameters=tuple(setting for name, setting in settings.items() if name in named),
            groups={group: tuple(m for m in members if m in named) for group, members in groups.items()},
        ),
    )


Made = TypeVar("Made")


def _in_place(card: Card, make: Callable[[], Made]) -> Made:
    """Make something; an error of it begins with the card's name."""
    try:
        return make()
    except InputError as error:
        if str(card.source) in str(error):
            raise
        msg = f"{card.source}: {error}"
        raise InputError(msg) from error


def _each(
    cards: Sequence[Card], pois: Sequence[str], signals: Mapping[str, Sequence[str]]
) -> tuple[list[str], dict[str, Sequence[str]]]:
    """Put a parameter for each signal process in the place of ``r_*``."""
    found, patterns = [], dict(signals)
    for poi in pois:
        if not poi.endswith("_*"):
            found.append(poi)
            continue
        for process in dict.fromkeys(c.process for card in cards for c in card.columns if c.number <= 0):
            found.append(poi[:-1] + process)
            patterns[found[-1]] = (process,)
    return found, patterns


def _settings(card: Card) -> dict[str, ParameterSetting]:
    found: dict[str, ParameterSetting] = {}
    for systematic in card.systematics:
        name, is_fixed = systematic.name, systematic.is_fixed or systematic.name in card.frozen
        if systematic.kind in ("lnU", "shapeU"):
            found[name] = ParameterSetting(name=name, bounds=FLAT_BOUNDS, flat=True, fixed=is_fixed)
        elif systematic.kind == "trG":
            found[name] = ParameterSetting(
                name=name, center=0.0, width=1.0, bounds=_truncation(systematic), fixed=is_fixed
            )
        elif is_fixed:
            found[name] = ParameterSetting(name=name, fixed=True)
    for rate in card.rates:
        if rate.expression is None:
            found[rate.name] = ParameterSetting(
                name=rate.name, initial=rate.value, bounds=rate.bounds, fixed=rate.name in card.frozen
            )
    for name, free in card.free.items():
        is_fixed = free.is_fixed or name in card.frozen
        if free.width is None:
            found[name] = ParameterSetting(name=name, initial=free.value, bounds=free.bounds, fixed=is_fixed)
        else:
            found[name] = ParameterSetting(
                name=name, center=free.value, width=free.width, bounds=free.bounds, fixed=is_fixed
            )
    return found


def _truncation(systematic: Systematic) -> tuple[float, float]:
    """Return the range of a trG's parameter: seven widths, less where 1 + effect·θ would fall below zero."""
    effects = [float(effect) for effect in systematic.effects if effect is not None]
    low = max([-TRUNCATED, *(-1.0 / effect for effect in effects if effect > 0.0)])
    return low, min([TRUNCATED, *(-1.0 / effect for effect in effects if effect < 0.0)])
