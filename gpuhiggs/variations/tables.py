"""Variations compiled: from their declaration to tables of :mod:`.kernels.shifts` and :mod:`.kernels.weights`.

No channel is named here: its kernel module says which objects it moves (``MOVES``) and weighs (``WEIGHED``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ..calibrations import Calibration, calibrators
from ..columns import Extra
from ..config.calibrations import OBJECTS, CalibrationConfig
from ..config.variations import VariationsConfig
from ..errors import ConfigError
from ..kernels import lookup, shifts, weights
from . import Names, applies, names, ordered_members
from .builder import Builder
from .reach import Rows, reach
from .rows import nominal_rows, shift_rows, weight_rows


class Tables(NamedTuple):
    """The fields of a kernel's ``Tables`` that belong to variations, and what has to be read for them."""

    names: Names
    corrections: lookup.Lookup
    shifts: shifts.Shifts
    weights: weights.WeightTable
    reach: shifts.Reach
    extras: tuple[Extra, ...]
    calibrations: dict[str, Calibration]
    """By class of objects, in the order in which they happen."""


def compile_variations(
    config: VariationsConfig | None,
    kernel: ModuleType,
    process: str,
    *,
    simulation: bool,
    calibrations: Mapping[str, CalibrationConfig] | None = None,
    place: str = "variations",
) -> Tables:
    """Return the tables of all variations for a dataset of a process, of data none, and of what is found beforehand.

    Raises
    ------
    ConfigError
        If a correction cannot be compiled, the channel lacks an object, or there are too many.
    """
    declared = calibrators(calibrations or {}, simulation=simulation)
    builder = Builder(place, kernel, declared, simulation)
    for name in declared:
        builder.require(name)
    rows = nominal_rows(builder)
    if config is None or not simulation:
        return _tables(builder, Names(), [[]], rows)
    if (config.shifts or config.weights or config.sets) and not hasattr(kernel, "MOVES"):
        msg = (
            f"{place}: the channel has none; its module says neither what MOVES nor what is WEIGHED, and its body does "
            "not take `variation`"
        )
        raise ConfigError(msg)
    moved: list[Rows] = [[]]
    for name, shift in config.shifts.items():
        moved += shift_rows(builder, shift, f"{place}.shifts.{name}")
    first = 0
    for name, weight in config.weights.items():
        if applies(weight, process):
            rows += weight_rows(builder, weight, first, f"{place}.weights.{name}")
        first += 2
    for one in config.sets.values():
        members = ordered_members(one)
        if applies(one, process):
            branch = builder.branch(one.branch, None, max(members) + 1)
            rows += [[weights.BRANCH, first + i, n, branch, -1, 0, 0, start] for i, start, n in _runs(members)]
        first += len(members)
    if first > weights.WEIGHTS:
        msg = f"{place}: {first} variations of the weight, at most {weights.WEIGHTS} are possible"
        raise ConfigError(msg)
    return _tables(builder, names(config), moved, rows)


def _runs(members: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return members that follow each other as (place, first, how many)."""
    found: list[tuple[int, int, int]] = []
    for place, member in enumerate(members):
        if found and member == found[-1][1] + found[-1][2]:
            found[-1] = (*found[-1][:2], found[-1][2] + 1)
        else:
            found.append((place, member, 1))
    return found


def _tables(builder: Builder, filled: Names, moved: list[Rows], rows: list[list[int]]) -> Tables:
    tables = builder.library.tables()
    table = np.array([row[:4] for shift in moved for row in shift], np.int64).reshape(-1)
    return Tables(
        filled,
        tables,
        shifts.Shifts(
            first=np.cumsum([0, *map(len, moved)]).astype(np.int64),
            rows=table,
            sign=np.array([row[4] for shift in moved for row in shift], np.float64),
            problems=np.zeros(1, np.int64),
        ),
        weights.WeightTable(
            len(filled.weights), len(rows), np.array(rows, np.int64).reshape(-1), np.zeros(2, np.int64)
        ),
        reach(tables, moved, builder.extras),
        tuple(builder.extras),
        {name: builder.compiled(name) for name in OBJECTS if name in builder.calibrators},
    )
