"""Luminosity masks: the JSON files of certified luminosity sections that CMS and ATLAS publish."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ConfigError
from ..kernels.gate import LumiMask

EMPTY = LumiMask(*(np.zeros(0, np.int64) for _ in range(3)))


def load(path: str) -> LumiMask:
    """Read a mask ``{"run": [[first, last], …], …}`` into sorted rows.

    Raises
    ------
    ConfigError
        If the file cannot be read, is no such JSON, or lists a run or a section twice.
    """
    try:
        raw = json.loads(Path(path).read_text(encoding="utf-8"), object_pairs_hook=_without_repetition)
        rows = sorted(
            (_number(int(run)), _number(first), _number(last)) for run, ranges in raw.items() for first, last in ranges
        )
    except OSError as error:
        msg = f"lumi_mask {path}: {error.strerror or error}"
        raise ConfigError(msg) from error
    except (ValueError, TypeError, AttributeError) as error:
        msg = f'lumi_mask {path}: expected {{"run": [[first, last], …], …}}: {error}'
        raise ConfigError(msg) from error
    for run, first, last in rows:
        if first > last:
            msg = f"lumi_mask {path}: run {run} has the sections [{first}, {last}], whose first is after the last"
            raise ConfigError(msg)
    for before, after in itertools.pairwise(rows):
        if before[0] == after[0] and after[1] <= before[2]:
            msg = f"lumi_mask {path}: run {after[0]} lists section {after[1]} twice"
            raise ConfigError(msg)
    table = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return LumiMask(*(np.ascontiguousarray(table[:, column]) for column in range(3)))


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build a JSON object; of a key given twice, the json module would keep the last without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        msg = f"run {next(key for key in keys if keys.count(key) > 1)} is listed twice"
        raise ValueError(msg)
    return found


def _number(value: object) -> int:
    """Check a run or a section, which event files store in 32 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32:
        msg = f"{value!r} is no run or section"
        raise ValueError(msg)
    return value
