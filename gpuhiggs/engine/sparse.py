"""Counts as bytes: the cells that are not zero, compressed.

Most cells of most histograms are empty, the more so the more variations there are; this is the form in which sums
travel from a worker, wait on the client until their file is complete, and lie in the ledger: packed once, by the
worker. Nothing in it is executed on reading, and its sizes are checked before memory is taken.

A JSON header of known length lists (dataset, name, shape, cells that are not zero); after it comes one ZSTD frame with
the arrays: for each entry the distances between these cells, then the high and the low words of :class:`.Wide`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import zstandard

from ..errors import FileError
from ..histogram import Counts, Wide

MAX_CELLS = 2**31
"""The most cells that one histogram of a file may claim to have."""


def pack(counts: Counts) -> bytes:
    """Return counts as bytes; equal counts give equal bytes."""
    header: list[list[Any]] = []
    arrays: list[np.ndarray] = []
    for (dataset, name), wide in sorted(counts.sums.items()):
        high, low = wide.high.reshape(-1), wide.low.reshape(-1)
        cells = np.flatnonzero((high != 0) | (low != 0))
        header.append([dataset, name, list(wide.high.shape), int(cells.size)])
        arrays += [np.diff(cells, prepend=0), high[cells], low[cells]]
    text = json.dumps(header, separators=(",", ":")).encode()
    body = np.concatenate([np.zeros(0, np.int64), *arrays]).astype("<i8").tobytes()
    return len(text).to_bytes(8, "little") + text + zstandard.compress(body, 3)


def unpack(data: bytes) -> Counts:
    """Return the counts that *data* holds.

    Raises
    ------
    FileError
        If it is not what :func:`pack` makes; the message has no file name, which the caller knows.
    """
    counts = Counts()
    add(counts, data)
    return counts


def add(counts: Counts, data: bytes) -> None:
    """Add what *data* holds to *counts*, in place: only cells that are not zero are touched.

    Raises
    ------
    FileError
        If it is not what :func:`pack` makes, or its histograms have other shapes; *counts* may have changed then.
    """
    try:
        for key, shape, places, high, low in _entries(data):
            if key not in counts.sums:
                counts.sums[key] = Wide(np.zeros(shape, np.int64), np.zeros(shape, np.int64))
            _add_cells(counts.sums[key], key[1], shape, places, high, low)
    except (ValueError, TypeError, IndexError, OverflowError, zstandard.ZstdError) as error:
        msg = f"not the sums of a run: {error}"
        raise FileError(msg) from error


def _add_cells(
    wide: Wide, name: str, shape: tuple[int, ...], places: np.ndarray, high: np.ndarray, low: np.ndarray
) -> None:
    if wide.high.shape != shape:
        msg = f"{name} has the shape {shape}, expected {wide.high.shape}"
        raise ValueError(msg)
    sums = Wide(wide.high.reshape(-1)[places], wide.low.reshape(-1)[places]) + Wide(high, low)
    wide.high.reshape(-1)[places], wide.low.reshape(-1)[places] = sums


_Entry = tuple[tuple[str, str], tuple[int, ...], np.ndarray, np.ndarray, np.ndarray]
"""(dataset, name), shape, cells that are not zero, their high and low words."""


def _entries(data: bytes) -> Iterator[_Entry]:
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    total = sum(n for _, _, _, n in header)
    size = 3 * 8 * total
    parameters = zstandard.get_frame_parameters(data[end:])
    if parameters.content_size != size:
        msg = f"{parameters.content_size} bytes of cells, expected {size}"
        raise ValueError(msg)
    values = np.frombuffer(zstandard.decompress(data[end:], max_output_size=size) if size else b"", "<i8")
    start = 0
    for dataset, name, shape, n in header:
        cells = math.prod(shape)
        if not (0 <= n <= cells <= MAX_CELLS) or min(shape, default=0) < 0:
            msg = f"{name} has the shape {shape} and {n} cells"
            raise ValueError(msg)
        steps, high, low = values[start : start + 3 * n].reshape(3, n)
        start += 3 * n
        places = np.cumsum(steps)
        if n and (steps[1:].min(initial=1) < 1 or places[0] < 0 or places[-1] >= cells):
            msg = f"{name} has cells outside its shape {shape}"
            raise ValueError(msg)
        yield (str(dataset), str(name)), tuple(shape), places, high, low
