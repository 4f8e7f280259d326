"""``nuisance edit``: what a card changes in the lines above."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from gpuhiggs.inference.combine.card import Card, Systematic

KNOWN = (
    "add PROCESS CHANNEL NAME KIND VALUE, drop PROCESS CHANNEL NAME, rename [PROCESS CHANNEL] NAME NEW, "
    "changepdf NAME KIND, freeze NAME"
)
_LENGTHS = {"add": (5, 6), "drop": (3, 4), "rename": (2, 5), "changepdf": (2, 2), "freeze": (1, 2)}
_ALIKE = (("lnN", "lnU"), ("shape", "shape?", "shapeU"))


def edit(card: Card, words: Sequence[str], line: int) -> None:
    """Apply an edit; names, processes and channels are regular expressions, ``*`` stands for any.

    Raises
    ------
    ValueError
        It is not known here, has another number of words, or finds nothing (unless it says ``ifexists``).
    """
    action, rest = words[0], [word for word in words[1:] if word != "ifexists"]
    if action not in _LENGTHS:
        msg = f"nuisance edit {action}: known are {KNOWN}"
        raise ValueError(msg)
    least, most = _LENGTHS[action]
    if not least <= len(rest) <= most:
        msg = f"nuisance edit {action} with {len(rest)} words; known are {KNOWN}"
        raise ValueError(msg)
    found = {"add": _add, "drop": _drop, "rename": _rename, "changepdf": _change, "freeze": _freeze}[action](
        card, rest, line
    )
    if not found and "ifexists" not in words:
        msg = f"nuisance edit {' '.join(words)}: there is nothing of this name"
        raise ValueError(msg)


def _places(card: Card, process: str, channel: str) -> list[bool]:
    return [_matches(process, c.process) and _matches(channel, c.channel) for c in card.columns]


def _matches(pattern: str, name: str) -> bool:
    return pattern == "*" or re.fullmatch(pattern, name) is not None


def _add(card: Card, words: Sequence[str], line: int) -> bool:
    process, channel, name, kind, value, *options = words
    if kind not in ("lnN", "lnU", "shape", "shape?"):
        msg = f"nuisance edit add of a {kind}, expected lnN, lnU, shape or shape?"
        raise ValueError(msg)
    if options not in ([], ["overwrite"]):
        msg = f"nuisance edit add … {' '.join(options)}: expected nothing or overwrite"
        raise ValueError(msg)
    places = _places(card, process, channel)
    known = {k for s in card.systematics if s.name == name for k, effect in enumerate(s.effects) if effect is not None}
    if not options and (both := [k for k, place in enumerate(places) if place and k in known]):
        column = card.columns[both[0]]
        msg = f"nuisance edit add: {name!r} acts on {column.process!r} in {column.channel!r} already; say overwrite"
        raise ValueError(msg)
    card.systematics = [
        s.of(tuple(None if place else effect for place, effect in zip(places, s.effects, strict=True)))
        if s.name == name
        else s
        for s in card.systematics
    ]
    effects = tuple(value if place else None for place in places)
    card.systematics.append(Systematic(name, kind, effects, line=line))
    return any(places)


def _drop(card: Card, words: Sequence[str], _line: int) -> bool:
    process, channel, name = words[:3]
    places, found, kept = _places(card, process, channel), False, []
    for systematic in card.systematics:
        if re.fullmatch(name, systematic.name):
            found = True
            effects = tuple(None if p else e for p, e in zip(places, systematic.effects, strict=True))
            systematic = systematic.of(effects)
        if any(effect is not None for effect in systematic.effects):
            kept.append(systematic)
    card.systematics = kept
    return found


def _rename(card: Card, words: Sequence[str], _line: int) -> bool:
    if len(words) == 3:
        msg = f"nuisance edit rename {' '.join(words)}; known are {KNOWN}"
        raise ValueError(msg)
    process, channel, old, new = ("*", "*", *words) if len(words) == 2 else words[:4]
    places, found, made = _places(card, process, channel), False, []
    for systematic in card.systematics:
        if systematic.name != old:
            made.append(systematic)
            continue
        found = True
        moved = tuple(e if p else None for p, e in zip(places, systematic.effects, strict=True))
        left = tuple(None if p else e for p, e in zip(places, systematic.effects, strict=True))
        made.append(replace(systematic, name=new, effects=moved, template=systematic.template_name))
        if any(effect is not None for effect in left):
            made.append(systematic.of(left))
    card.systematics = made
    if len(words) == 2 and old in card.free:
        card.free[new] = card.free.pop(old)
        found = True
    return found


def _change(card: Card, words: Sequence[str], _line: int) -> bool:
    name, kind = words
    found = False
    for k, systematic in enumerate(card.systematics):
        if not re.fullmatch(name, systematic.name):
            continue
        found = True
        if not any(kind in kinds and systematic.kind in kinds for kinds in _ALIKE):
            msg = f"nuisance edit changepdf: {systematic.name!r} is {systematic.kind}, which cannot become {kind}"
            raise ValueError(msg)
        card.systematics[k] = replace(systematic, kind=kind)
    return found


def _freeze(card: Card, words: Sequence[str], _line: int) -> bool:
    found = {name for name in card.parameters if re.fullmatch(words[0], name)}
    card.frozen |= found
    return bool(found)
