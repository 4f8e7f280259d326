"""Counts as bytes: the cells that are not zero, compressed.

Most cells of most histograms are empty, the more so the more variations there are; this is the form in which sums
travel from a worker, wait on the client until their file is complete, and lie in the ledger: packed once, by the
worker. Nothing in it is executed on reading, and its sizes are checked before memory is taken.

A JSON header of known length lists (dataset, name, shape, cells that are not zero) and the bytes of a high word; after
it comes one ZSTD frame: a bit for each cell, whether it is not zero; of those that are not the high words of
:class:`.Wide`, as narrow as they allow, and the low words. Low words are nearly random, so a fast level of compression
is as good as a slow one, and what is written is what there is to add: no step of decoding costs more than a copy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import zstandard

from ..errors import FileError
from ..histogram import LIMB_BITS, LIMB_MASK, Counts, Wide

MAX_CELLS = 2**31
"""The most cells that the histograms of a file may claim to have."""
WIDTHS = (2, 4, 8)
"""Bytes of a high word."""


def pack(counts: Counts) -> bytes:
    """Return counts as bytes; equal counts give equal bytes."""
    entries: list[list[Any]] = []
    found: list[np.ndarray] = []
    highs: list[np.ndarray] = []
    lows: list[np.ndarray] = []
    for (dataset, name), wide in sorted(counts.sums.items()):
        high, low = wide.high.reshape(-1), wide.low.reshape(-1)
        filled = (high | low) != 0
        found.append(filled)
        highs.append(high[filled])
        lows.append(low[filled])
        entries.append([dataset, name, list(wide.high.shape), highs[-1].size])
    high = np.concatenate([np.zeros(0, np.int64), *highs])
    width = _width(high)
    text = json.dumps({"entries": entries, "high_bytes": width}, separators=(",", ":")).encode()
    bits = np.packbits(np.concatenate([np.zeros(0, np.bool_), *found]), bitorder="little")
    low = np.concatenate([np.zeros(0, np.int64), *lows])
    body = b"".join([bits.tobytes(), high.astype(f"<i{width}").tobytes(), low.astype("<u4").tobytes()])
    return len(text).to_bytes(8, "little") + text + zstandard.compress(body, 1)


def _width(values: np.ndarray) -> int:
    """Return the bytes that each of these integers fits into."""
    least, most = values.min(initial=0), values.max(initial=0)
    return next(width for width in WIDTHS if -(2 ** (8 * width - 1)) <= least and most < 2 ** (8 * width - 1))


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
        for entry in _entries(data):
            wide = counts.sums.get(entry.key)
            if wide is None:
                wide = counts.sums[entry.key] = Wide(np.zeros(entry.shape, np.int64), np.zeros(entry.shape, np.int64))
            entry.add_to(wide)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, zstandard.ZstdError) as error:
        msg = f"not the sums of a run: {error}"
        raise FileError(msg) from error


class _Entry(NamedTuple):
    """The sums of one name."""

    key: tuple[str, str]
    """(dataset, name)."""
    shape: tuple[int, ...]
    filled: np.ndarray
    """Of all cells, those that are not zero ..."""
    high: np.ndarray
    low: np.ndarray
    """... and their words."""

    def add_to(self, wide: Wide) -> None:
        if wide.high.shape != self.shape:
            msg = f"{self.key[1]} has the shape {self.shape}, expected {wide.high.shape}"
            raise ValueError(msg)
        if not self.low.size:
            return
        high, low = wide.high.reshape(-1), wide.low.reshape(-1)
        words = np.zeros(low.size, np.int64)
        words[self.filled] = self.low
        low += words
        words[self.filled] = self.high
        high += words
        np.right_shift(low, LIMB_BITS, out=words)
        high += words
        low &= LIMB_MASK


def _entries(data: bytes) -> Iterator[_Entry]:
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    width, entries = header["high_bytes"], header["entries"]
    cells = [_cells(shape, n) for _, _, shape, n in entries]
    total = sum(n for *_, n in entries)
    n_bits = -(-sum(cells) // 8)
    size = n_bits + (width + 4) * total
    parameters = zstandard.get_frame_parameters(data[end:])
    if width not in WIDTHS or sum(cells) > MAX_CELLS or parameters.content_size != size:
        msg = f"{parameters.content_size} bytes of cells, expected {size}"
        raise ValueError(msg)
    body = zstandard.decompress(data[end:], max_output_size=size) if size else b""
    filled = np.unpackbits(np.frombuffer(body, np.uint8, n_bits), count=sum(cells), bitorder="little").view(np.bool_)
    high = np.frombuffer(body, f"<i{width}", total, n_bits)
    low = np.frombuffer(body, "<u4", total, n_bits + width * total)
    cell = word = 0
    for (dataset, name, shape, n), more in zip(entries, cells, strict=True):
        here = filled[cell : cell + more]
        if np.count_nonzero(here) != n:
            msg = f"{name} has {np.count_nonzero(here)} cells that are not zero, expected {n}"
            raise ValueError(msg)
        yield _Entry((str(dataset), str(name)), tuple(shape), here, high[word : word + n], low[word : word + n])
        cell, word = cell + more, word + n


def _cells(shape: list[int], n: int) -> int:
    """Return how many cells a shape has, of which *n* are not zero."""
    cells = math.prod(shape)
    if not (0 <= n <= cells <= MAX_CELLS) or min(shape, default=0) < 0:
        msg = f"a histogram of the shape {shape} has {n} cells"
        raise ValueError(msg)
    return cells
