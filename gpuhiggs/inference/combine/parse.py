"""The text of a datacard, line by line, into what it says."""

from __future__ import annotations

import fnmatch
import gzip
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gpuhiggs.errors import InputError, choices
from gpuhiggs.inference.combine.card import DIRECTIVES, REFUSED, SYSTEMATICS, Card, Column, Free, Rate, ShapeRule
from gpuhiggs.inference.combine.card import Systematic as Nuisance
from gpuhiggs.inference.combine.edits import edit


@dataclass
class _Pending:
    """Lines that wait for the rest of their table, and those that are checked at the end."""

    bins: list[str] = field(default_factory=list)
    processes: list[list[str]] = field(default_factory=list)
    observed: tuple[list[str], list[float], int] | None = None
    declared: dict[str, tuple[int, int]] = field(default_factory=dict)
    """imax and jmax with their lines."""
    names: set[str] = field(default_factory=set)
    """Nuisances as they were declared, before any edit."""
    groups: list[tuple[str, int]] = field(default_factory=list)
    flat: list[tuple[str, int]] = field(default_factory=list)


def parse(path: Path) -> Card:
    """Read a datacard, which may be compressed (``.gz``).

    Raises
    ------
    InputError
        The file cannot be read, a line is not understood, columns do not match: each with its line.
    """
    card, pending, number, line = Card(path), _Pending(), 0, ""
    try:
        for number, line in enumerate(_text(path).splitlines(), start=1):
            words = line.split("#", 1)[0].split()
            if words and not set(words[0]) <= {"-"} and words[0] not in ("Combination", "kmax"):
                _read_line(card, pending, words, number)
        line = ""
        _check(card, pending)
    except (ValueError, IndexError, re.error) as error:
        place = f"{path}, line {number}" if line else str(path)
        said = f": {line.strip()[:80]!r}" if line else ""
        msg = f"{place}: {'the line ends too early' if isinstance(error, IndexError) else error}{said}"
        raise InputError(msg) from error
    return card


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode()
    except (OSError, EOFError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read as a datacard: {getattr(error, 'strerror', None) or error}"
        raise InputError(msg) from error


def _read_line(card: Card, pending: _Pending, words: Sequence[str], line: int) -> None:
    key, rest = words[0], list(words[1:])
    kind = rest[0] if rest else ""
    if key in ("imax", "jmax"):
        if rest and rest[0] != "*":
            pending.declared[key] = int(rest[0]), line
    elif key == "shapes":
        if len(rest) < 3:
            msg = "expected shapes PROCESS CHANNEL FILE [NAMES]"
            raise ValueError(msg)
        card.shapes.append(ShapeRule(rest[0], rest[1], rest[2], tuple(rest[3:]), line))
    elif key == "bin":
        pending.bins, pending.processes = rest, []
    elif key in ("observation", "Observation"):
        pending.observed = list(pending.bins), [_number(word) for word in rest], line
    elif key == "process":
        pending.processes.append(_exactly(rest, len(pending.bins)))
    elif key == "rate":
        card.columns, card.rate_line = list(_columns(pending, rest)), line
    elif kind == "autoMCStats":
        _mc_statistics(card, key, rest[1:])
    elif kind == "group":
        _group(card, pending, key, rest[1:], line)
    elif kind == "rateParam":
        card.rates.append(_rate(card, key, rest[1:], line))
    elif kind in ("param", "extArg"):
        card.free[key] = _parameter(kind, key, rest[1:])
    elif kind == "flatParam":
        pending.flat.append((key, line))
    elif key == "nuisance" and kind == "edit":
        edit(card, rest[1:], line)
        for systematic in card.systematics:
            _check_effects(systematic)
    else:
        card.systematics.append(_systematic(card, key, rest, line))
        pending.names.add(card.systematics[-1].name)


def _number(text: str, what: str = "") -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        msg = f"{what}{text!r}, expected a number"
        raise ValueError(msg)
    return value


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _exactly(values: Sequence[str], n: int, *, words_may_follow: bool = False) -> list[str]:
    if len(values) < n or (len(values) > n and not words_may_follow):
        msg = f"{len(values)} values for {n} columns"
        raise ValueError(msg)
    return list(values[:n])


def _columns(pending: _Pending, rates: Sequence[str]) -> Iterator[Column]:
    n = len(pending.bins)
    if len(pending.processes) != 2:
        msg = f"{len(pending.processes)} process lines before the rates, expected names and numbers"
        raise ValueError(msg)
    names, numbers = pending.processes
    if all(re.fullmatch(r"-?\d+", name) for name in names):
        names, numbers = numbers, names
    seen = set()
    for channel, name, number, text in zip(pending.bins, names, numbers, _exactly(rates, n), strict=True):
        rate = _number(text, f"rate of {name!r} in {channel!r}: ")
        if rate < 0.0 and rate != -1.0:
            msg = f"rate of {name!r} in {channel!r}: {text}, expected a number >= 0, or -1 for that of its template"
            raise ValueError(msg)
        if (channel, name) in seen:
            msg = f"process {name!r} stands twice in channel {channel!r}"
            raise ValueError(msg)
        seen.add((channel, name))
        yield Column(channel, name, int(number), rate)


def _mc_statistics(card: Card, channel: str, words: Sequence[str]) -> None:
    """Read CHANNEL autoMCStats THRESHOLD [INCLUDE-SIGNAL] [HISTOGRAM-MODE]; the mode is how Combine stores it."""
    if not any(fnmatch.fnmatchcase(column.channel, channel) for column in card.columns):
        msg = f"autoMCStats of channel {channel!r}, which is none"
        raise ValueError(msg)
    with_signal = len(words) > 1 and _number(words[1]) != 0.0
    card.mc_statistics.append((channel, _number(words[0]), with_signal))


def _group(card: Card, pending: _Pending, name: str, words: Sequence[str], line: int) -> None:
    if not words or words[0] not in ("=", "+=") or (words[0] == "+=") != (name in card.groups):
        known = f"{name!r} is known" if name in card.groups else f"{name!r} is new"
        msg = f"expected group = MEMBERS of a new one, group += MEMBERS of a known one: {known}"
        raise ValueError(msg)
    card.groups.setdefault(name, []).extend(words[1:])
    pending.groups.append((name, line))


def _bounds(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"\[([^,]+),([^\]]+)\]", text)
    bounds = (_number(found[1]), _number(found[2])) if found else (0.0, 0.0)
    if not bounds[0] < bounds[1]:
        msg = f"range {text!r}, expected [LOW,HIGH]"
        raise ValueError(msg)
    return bounds


def _rate(card: Card, name: str, words: Sequence[str], line: int) -> Rate:
    channel, process, value = words[0], words[1], words[2]
    for what, pattern, known in (
        ("channel", channel, tuple(column.channel for column in card.columns)),
        ("process", process, card.processes),
    ):
        if not any(fnmatch.fnmatchcase(one, pattern) for one in known):
            msg = f"rateParam {name!r}: no {what} {pattern!r}; known: {', '.join(dict.fromkeys(known))}"
            raise ValueError(msg)
    if _is_number(value):
        bounds = _bounds("".join(words[3:])) if len(words) > 3 else None
        return Rate(name, channel, process, _number(value), bounds, line=line)
    if ".root" in value:
        msg = f"rateParam {name!r} needs the RooWorkspace {value!r}: refused"
        raise ValueError(msg)
    arguments = words[3].split(",") if len(words) > 3 else []
    if missing := [n for n in re.findall(r"@(\d+)", value) if int(n) >= len(arguments)]:
        msg = f"rateParam {name!r}: @{missing[0]} of {value!r} has no argument among {arguments}"
        raise ValueError(msg)
    text = re.sub(r"@(\d+)", lambda match: f"({arguments[int(match[1])]})", value)
    text = text.replace("TMath::Power(", "pow(")
    return Rate(name, channel, process, expression=text, arguments=tuple(arguments), line=line)


def _parameter(kind: str, name: str, words: Sequence[str]) -> Free:
    if kind == "extArg":
        if not _is_number(words[0]):
            msg = f"extArg {name!r} from a RooWorkspace ({words[0]!r}): refused"
            raise ValueError(msg)
        is_fixed = words[1:] == ["[const]"]
        bounds = _bounds("".join(words[1:])) if len(words) > 1 and not is_fixed else None
        return Free(_number(words[0]), bounds, is_fixed=is_fixed)
    if re.fullmatch(r"-.+/\+.+", words[1]):
        msg = f"param {name!r} with the asymmetric error {words[1]!r} is not supported; give it one error"
        raise ValueError(msg)
    width = _number(words[1], f"error of param {name!r}: ")
    if not width > 0.0:
        msg = f"error of param {name!r}: {words[1]}, expected a positive number"
        raise ValueError(msg)
    return Free(_number(words[0]), _bounds("".join(words[2:])) if len(words) > 2 else None, width)


def _systematic(card: Card, key: str, rest: Sequence[str], line: int) -> Nuisance:
    kind, values = (rest[0], list(rest[1:])) if rest else ("", [])
    if kind in REFUSED:
        msg = f"{key!r}: {kind} is not supported: {REFUSED[kind]}"
        raise ValueError(msg)
    if kind not in SYSTEMATICS:
        what = f"{kind!r} of {key!r}" if kind else repr(key)
        msg = f"unknown directive {what}; {choices(kind or key, DIRECTIVES)}"
        raise ValueError(msg)
    if not card.columns:
        msg = f"{key!r} comes before the rates"
        raise ValueError(msg)
    if kind == "gmN" and not re.fullmatch(r"\d+", values[0]):
        msg = f"{key!r}: gmN of {values[0]!r} events, expected an integer >= 0"
        raise ValueError(msg)
    events = int(values.pop(0)) if kind == "gmN" else 0
    effects = tuple(None if set(v) <= {"-"} else v for v in _exactly(values, len(card.columns), words_may_follow=True))
    effects = tuple(None if effect and _is_number(effect) and float(effect) == 0.0 else effect for effect in effects)
    found = Nuisance(key.removesuffix("[nofloat]"), kind, effects, events, key.endswith("[nofloat]"), line)
    _check_effects(found)
    return found


def _check_effects(systematic: Nuisance) -> None:
    """Refuse what is no positive number, or pair where there may be one; of a trG any number will do."""
    is_pair = systematic.kind in ("lnN", "lnU", "shape?")
    wanted = "a number or -" if systematic.kind == "trG" else "a positive number or -"
    wanted = "a positive number, a pair down/up, or -" if is_pair else wanted
    for effect in systematic.effects:
        parts = (effect or "1").split("/")
        values = [float(part) if _is_number(part) else math.nan for part in parts]
        is_good = all(math.isfinite(value) and (value > 0.0 or systematic.kind == "trG") for value in values)
        if not is_good or len(parts) > (2 if is_pair else 1):
            msg = f"{systematic.name!r}: {effect!r}, expected {wanted}"
            raise ValueError(msg)


def _check(card: Card, pending: _Pending) -> None:
    """Check what only the whole card tells."""
    if not card.columns or pending.observed is None:
        msg = f"no {'rates' if not card.columns else 'observation'}: not a datacard"
        raise ValueError(msg)
    channels = list(dict.fromkeys(column.channel for column in card.columns))
    names, counts, line = pending.observed
    names = names or channels
    if len(names) != len(counts) or len(set(names)) != len(names):
        msg = f"line {line}: {len(counts)} observations of channels {', '.join(names)}"
        raise ValueError(msg)
    card.observed = dict(zip(names, counts, strict=True))
    if unknown := [*(set(channels) ^ set(names))]:
        msg = f"channel {', '.join(sorted(unknown))} has either no observation or no process"
        raise ValueError(msg)
    for key, n, what in (("imax", len(names), "channels"), ("jmax", len(card.processes) - 1, "processes less one")):
        wanted, line = pending.declared.get(key, (n, 0))
        if wanted != n:
            msg = f"line {line}: {key} {wanted}, but there are {n} {what}"
            raise ValueError(msg)
    for group, line in pending.groups:
        if unknown := [name for name in card.groups[group] if name not in card.parameters | pending.names]:
            msg = f"line {line}: group {group!r} of {', '.join(unknown)}, which is no parameter of the card"
            raise ValueError(msg)
    for name, line in pending.flat:
        if name not in card.parameters:
            msg = f"line {line}: flatParam {name!r} is no rateParam or extArg here: it lives in a RooWorkspace: refused"
            raise ValueError(msg)
