"""Luminosity by section: what ``brilcalc lumi --byls -o FILE.csv`` writes, and what of it was really processed.

With ``--hltpath`` it is that of one trigger path, divided by its prescale section by section.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..errors import ConfigError
from ..kernels.gate import LumiMask

PER_FB = {"fb": 1.0, "pb": 1e3, "nb": 1e6, "ub": 1e9, "/fb": 1.0, "/pb": 1e3, "/nb": 1e6, "/ub": 1e9}
"""How many of a unit of inverse cross section make one fb⁻¹."""

Section = tuple[int, int]
"""(run, luminosity section)."""
Ranges = tuple[tuple[int, int, int], ...]
"""(run, first section, last section)."""

_RECORDED = re.compile(r"recorded\((?P<unit>/[fpnu]b)\)")


class Processed(NamedTuple):
    """The luminosity of the sections that were processed, in fb⁻¹."""

    recorded: float
    """Of the sections that are certified and were processed."""
    certified: float
    """Of all certified sections in the table."""
    unknown: tuple[Section, ...]
    """Certified and processed sections that the table does not have."""


@functools.lru_cache(maxsize=4)
def load(path: str) -> dict[Section, float]:
    """Read a table of recorded luminosity by section, in fb⁻¹.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no such table, lists a section twice, or has several trigger paths.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"luminosity_table {path}: cannot be read: {error}"
        raise ConfigError(msg) from error
    header = next((line for line in lines if line.startswith("#run:fill")), "")
    unit = _RECORDED.search(header)
    if unit is None:
        msg = f"luminosity_table {path}: no line '#run:fill,ls,…,recorded(/pb),…' of brilcalc --byls"
        raise ConfigError(msg)
    columns = [name.partition("(")[0] for name in header.split(",")]
    column, of_section = columns.index("recorded"), columns.index("ls")
    of_path = columns.index("hltpath") if "hltpath" in columns else None  # brilcalc has divided by the prescale
    found: dict[Section, float] = {}
    paths: set[str] = set()
    for row in csv.reader(line for line in lines if line and not line.startswith("#")):
        try:
            section = int(row[0].partition(":")[0]), int(row[of_section].partition(":")[0])
            paths |= set() if of_path is None else {row[of_path]}
            recorded = float(row[column]) / PER_FB[unit["unit"]]
        except (ValueError, IndexError) as error:
            msg = f"luminosity_table {path}: {','.join(row)!r} is no line of brilcalc --byls"
            raise ConfigError(msg) from error
        if len(paths) > 1:
            msg = f"luminosity_table {path}: paths {', '.join(sorted(paths))}; expected one, as its prescale is its own"
            raise ConfigError(msg)
        if section in found:
            msg = f"luminosity_table {path}: run {section[0]} lists section {section[1]} twice"
            raise ConfigError(msg)
        if not 0.0 <= recorded < float("inf"):
            msg = f"luminosity_table {path}: run {section[0]}, section {section[1]} has the luminosity {row[column]}"
            raise ConfigError(msg)
        found[section] = recorded
    return found


def ranges(sections: Iterable[Section]) -> Ranges:
    """Return sections as ranges, sorted; one that is there twice counts once."""
    found: list[list[int]] = []
    for run, section in sorted(set(sections)):
        if found and found[-1][0] == run and found[-1][2] == section - 1:
            found[-1][2] = section
        else:
            found.append([run, section, section])
    return tuple((run, first, last) for run, first, last in found)


def processed(table: dict[Section, float], mask: LumiMask | None, files: Iterable[Ranges]) -> Processed:
    """Return the luminosity of what was processed: each section once, in however many files it is."""
    certified = _certified(mask)
    seen = {(run, section) for part in files for run, first, last in part for section in range(first, last + 1)}
    wanted = sorted(section for section in seen if certified is None or section in certified)
    return Processed(
        recorded=sum(table[section] for section in wanted if section in table),
        certified=sum(value for section, value in table.items() if certified is None or section in certified),
        unknown=tuple(section for section in wanted if section not in table),
    )


def _certified(mask: LumiMask | None) -> set[Section] | None:
    if mask is None:
        return None
    rows = zip(mask.run.tolist(), mask.first.tolist(), mask.last.tolist(), strict=True)
    return {(run, section) for run, first, last in rows for section in range(first, last + 1)}
