"""The text of a datacard, line by line, into what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpuhiggs.errors import InputError

SHAPES = ("shape", "shape?", "shapeU")
SYSTEMATICS = ("lnN", "lnU", "gmN", *SHAPES)
REFUSED = {
    "discrete": "a discrete choice of functions lives in a RooWorkspace",
    "flatParam": "a parameter without constraint lives in a RooWorkspace",
    "shapeN": "morphing of logarithms is not supported; use shape",
    "shapeN2": "morphing of logarithms is not supported; use shape",
    "shapeL": "linear morphing is not supported; use shape",
    "shape2": "quadratic morphing is not supported; use shape",
    "gmM": "use lnN or gmN",
    "trG": "use lnN",
    "unif": "use lnU",
    "dFD": "use lnU",
    "dFD2": "use lnU",
}


@dataclass(frozen=True)
class Column:
    """A process in a channel: its number, 0 or negative for signals, and its rate, -1 for that of its template."""

    channel: str
    process: str
    number: int
    rate: float


@dataclass(frozen=True)
class Systematic:
    """A nuisance parameter: its kind, the events of a gmN, what it does to each column (None: nothing)."""

    name: str
    kind: str
    effects: tuple[str | None, ...]
    events: int = 0
    is_fixed: bool = False


@dataclass(frozen=True)
class Rate:
    """A rateParam: a value and range, or an expression of other parameters."""

    name: str
    channel: str
    process: str
    value: float = 1.0
    bounds: tuple[float, float] | None = None
    expression: str | None = None


@dataclass
class Card:
    """What a card says; `source` is its file, from which templates are found."""

    source: Path
    observed: dict[str, float] = field(default_factory=dict)
    columns: list[Column] = field(default_factory=list)
    shapes: list[tuple[str, str, str, list[str]]] = field(default_factory=list)
    """Process, channel, file, names of the nominal and of varied templates."""
    systematics: list[Systematic] = field(default_factory=list)
    rates: list[Rate] = field(default_factory=list)
    normals: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Parameters with a normal constraint (``param``): center and width."""
    constants: dict[str, float] = field(default_factory=dict)
    frozen: list[str] = field(default_factory=list)
    groups: dict[str, list[str]] = field(default_factory=dict)
    mc_statistics: list[tuple[str, float, bool]] = field(default_factory=list)
    """autoMCStats: channel, threshold, whether signals count."""


def parse(path: Path) -> Card:
    """Read a datacard.

    Raises
    ------
    InputError
        The file cannot be read, a line is not understood, columns do not match: each with its line.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise InputError(msg) from error
    card, pending = Card(path), _Pending()
    for number, line in enumerate(lines, start=1):
        words = line.split("#", 1)[0].split()
        if not words or set(words[0]) <= {"-"} or words[0] in ("imax", "jmax", "kmax", "Combination"):
            continue
        try:
            _read_line(card, pending, words)
        except (ValueError, IndexError) as error:
            msg = f"{path}, line {number}: {error}: {line.strip()[:80]!r}"
            raise InputError(msg) from error
    if not card.columns or not card.observed:
        msg = f"{path}: no {'rates' if not card.columns else 'observation'}: not a datacard"
        raise InputError(msg)
    if unknown := {c.channel for c in card.columns} ^ set(card.observed):
        msg = f"{path}: channel {', '.join(sorted(unknown))} has either no observation or no process"
        raise InputError(msg)
    return card


@dataclass
class _Pending:
    """Lines that wait for the rest of their table."""

    bins: list[str] = field(default_factory=list)
    processes: list[list[str]] = field(default_factory=list)


def _read_line(card: Card, pending: _Pending, words: Sequence[str]) -> None:
    key, rest = words[0], list(words[1:])
    if key == "shapes":
        if len(rest) < 3:
            msg = "shapes needs process, channel and file"
            raise ValueError(msg)
        card.shapes.append((rest[0], rest[1], rest[2], rest[3:]))
    elif key == "bin":
        pending.bins, pending.processes = rest, []
    elif key == "observation":
        names = pending.bins or ["bin1"]
        card.observed |= dict(zip(names, map(float, _exactly(rest, len(names))), strict=True))
    elif key == "process":
        pending.processes.append(_exactly(rest, len(pending.bins)))
    elif key == "rate":
        card.columns = list(_columns(pending, rest))
    elif len(rest) and rest[0] == "autoMCStats":
        card.mc_statistics.append((key, float(rest[1]), len(rest) > 2 and float(rest[2]) != 0.0))
    elif len(rest) and rest[0] == "group":
        members = [word for word in rest[1:] if word not in ("=", "+=")]
        card.groups.setdefault(key, []).extend(members)
    elif len(rest) and rest[0] == "rateParam":
        card.rates.append(_rate(key, rest[1:]))
    elif len(rest) and rest[0] == "param":
        if not _is_number(rest[2]):
            msg = "an asymmetric param is not supported"
            raise ValueError(msg)
        card.normals[key] = float(rest[1]), float(rest[2])
    elif len(rest) and rest[0] == "extArg":
        if not _is_number(rest[1]):
            msg = "extArg from a RooWorkspace is refused"
            raise ValueError(msg)
        card.constants[key] = float(rest[1])
    elif key == "nuisance" and rest and rest[0] == "edit":
        _edit(card, rest[1:])
    else:
        card.systematics.append(_systematic(card, key, rest))


def _exactly(values: Sequence[str], n: int) -> list[str]:
    if len(values) < n:
        msg = f"{len(values)} values for {n} columns"
        raise ValueError(msg)
    return list(values[:n])


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(pending: _Pending, rates: Sequence[str]) -> Iterator[Column]:
    n = len(pending.bins)
    if len(pending.processes) != 2:
        msg = f"{len(pending.processes)} process lines before the rates, expected names and numbers"
        raise ValueError(msg)
    names, numbers = pending.processes
    if all(re.fullmatch(r"-?\d+", name) for name in names):
        names, numbers = numbers, names
    for channel, name, number, rate in zip(pending.bins, names, numbers, _exactly(rates, n), strict=True):
        yield Column(channel, name, int(number), float(rate))


def _rate(name: str, words: Sequence[str]) -> Rate:
    channel, process, value = words[0], words[1], words[2]
    if _is_number(value):
        bounds = None
        if len(words) > 3:
            found = re.fullmatch(r"\[([^,]+),([^\]]+)\]", "".join(words[3:]))
            if found is None:
                msg = f"range {' '.join(words[3:])!r}, expected [low,high]"
                raise ValueError(msg)
            bounds = float(found[1]), float(found[2])
        return Rate(name, channel, process, float(value), bounds)
    if ":" in value or ".root" in value:
        msg = f"rateParam {name!r} needs the RooWorkspace {value!r}: refused"
        raise ValueError(msg)
    arguments = words[3].split(",") if len(words) > 3 else []
    expression = re.sub(r"@(\d+)", lambda match: f"({arguments[int(match[1])]})", value)
    return Rate(name, channel, process, expression=expression)


def _systematic(card: Card, key: str, rest: Sequence[str]) -> Systematic:
    if not rest:
        msg = f"unknown directive {key!r}"
        raise ValueError(msg)
    kind, values = rest[0], list(rest[1:])
    if kind in REFUSED:
        msg = f"{key!r}: {kind} is not supported: {REFUSED[kind]}"
        raise ValueError(msg)
    if kind not in SYSTEMATICS:
        known = ", ".join((*SYSTEMATICS, "param", "rateParam", "extArg", "group", "autoMCStats", "nuisance edit"))
        msg = f"unknown directive {kind!r} of {key!r}; known: {known}"
        raise ValueError(msg)
    if not card.columns:
        msg = f"{key!r} comes before the rates"
        raise ValueError(msg)
    events = int(values.pop(0)) if kind == "gmN" else 0
    effects = tuple(None if value in ("-", "0") else value for value in _exactly(values, len(card.columns)))
    for effect in effects:
        for part in (effect or "1").split("/"):
            if not (_is_number(part) and float(part) > 0.0):
                msg = f"{key!r}: {effect!r}, expected a positive number, a pair down/up, or -"
                raise ValueError(msg)
    return Systematic(key.removesuffix("[nofloat]"), kind, effects, events, key.endswith("[nofloat]"))


def _edit(card: Card, words: Sequence[str]) -> None:
    """Apply a ``nuisance edit``: freeze, drop or rename a parameter everywhere."""
    action = words[0]
    if action == "freeze":
        card.frozen.append(words[1])
    elif action in ("drop", "rename") and list(words[1:3]) == ["*", "*"]:
        name = words[3]
        found = [s for s in card.systematics if re.fullmatch(name, s.name)]
        card.systematics = [s for s in card.systematics if s not in found]
        if action == "rename":
            card.systematics += [Systematic(words[4], s.kind, s.effects, s.events, s.is_fixed) for s in found]
    else:
        msg = f"nuisance edit {' '.join(words[:3])}: known are freeze NAME, drop * * NAME and rename * * NAME NEW"
        raise ValueError(msg)
