"""Decoding many baskets at once without the interpreter.

Python takes some 15 µs a basket, in which no other thread can run; many baskets take no longer to decompress. So the
baskets of one read are decoded in one compiled call that holds no lock: key, blocks, byte swap. The codecs are C
functions that the packages of ``blocks`` bring along and export.

This is a short cut and nothing else: a basket that is not exactly as expected is left alone; ``bulk`` decodes it, or
says what is wrong with it. Where a package does not export its functions, or they fail a first test, its codec is left
to ``bulk`` altogether.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import struct
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cramjam
import numba
import numpy as np
import xxhash
import zstandard

from ..kernels.launch import Loop, compiled_loop
from . import memory
from .codecs import Workspace
from .compiled import SPAN


class Piece(NamedTuple):
    """What is known of a basket before it is read: the columns of a table of int64."""

    length: int
    """Of the whole; 0: the basket is left."""
    entries: int
    border: int
    """Bytes of values."""
    first: int
    size: int
    """Which of these bytes are wanted."""
    width: int
    """Bytes that change places: those of a value; 1: none do; 0: bools, of which any byte but 0 becomes 1."""
    target: int
    """Address of the values' final place."""
    offsets: int
    """Address of the first of the basket's offsets, as the counter says them; 0: one value an entry."""
    item: int
    """Bytes of a value."""


_idle: list[Workspace] = []
"""Taken and given back; as many as there ever were threads at once."""


def _sample(codec: bytes, packed: bytes, values: np.ndarray) -> np.ndarray:
    """Return a basket of values in one block."""
    block = codec + b"\0" + len(packed).to_bytes(3, "little") + values.nbytes.to_bytes(3, "little") + packed
    n_key = 48
    key = struct.pack(">ihiIhh", n_key + len(block), 4, values.nbytes, 0, n_key, 1)
    members = struct.pack(">HiiiiB", 3, 0, 0, values.size, n_key + values.nbytes, 0)
    return np.frombuffer(key + bytes(n_key - len(key) - len(members)) + members + block, np.uint8)


@functools.cache
def works() -> frozenset[str]:
    """Return the codecs whose C functions are there and give what they should."""
    if numba.config.DISABLE_JIT:
        return frozenset()
    values = np.arange(1024, dtype=">u4")
    content = values.tobytes()
    lz4 = bytes(cramjam.lz4.compress_block(content, store_size=False))
    samples = {"L4": xxhash.xxh64_digest(lz4) + lz4, "ZS": zstandard.compress(content), "ZL": zlib.compress(content)}
    found = set()
    for codec, packed in samples.items():
        raw, out = _sample(codec.encode(), packed, values), np.zeros(values.size, np.uint32)
        piece = Piece(raw.size, values.size, len(content), 0, len(content), 4, out.ctypes.data, 0, 4)
        left = _decode(np.array([raw.ctypes.data], np.int64), np.array([piece], np.int64))
        if not left.size and (out == values).all():
            found.add(codec)
    return frozenset(found)


_LOOP = Loop(f"{__package__}.compiled", "basket_range", ("addresses", "table", "work", "left"))


_FILE = Loop(f"{__package__}.compiled", "file_range", ("descriptor", "extents", "table", "work", "left"))
_PARTS = 4
"""Parts of a read that each thread takes one after the other: the last to end is not far behind."""


def decode(addresses: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Decode baskets in memory; return the places of those that are left.

    Parameters
    ----------
    addresses
        Of the baskets' bytes, int64 of shape (n,).
    table
        int64 of shape (n, fields of :class:`Piece`).
    """
    return _decode(addresses, table) if works() else np.arange(len(addresses))


def _decode(addresses: np.ndarray, table: np.ndarray) -> np.ndarray:
    left = np.empty(len(addresses), np.uint8)
    table = np.ascontiguousarray(table)
    with _workspace() as work:
        arrays = (addresses, table, work.places, left)
        compiled_loop(_LOOP)(0, len(addresses), 0, *(np.uint64(one.ctypes.data) for one in arrays))
    return np.flatnonzero(left)


def read(descriptor: int, seeks: np.ndarray, lengths: np.ndarray, table: np.ndarray, threads: int) -> np.ndarray:
    """Read baskets of a file and decode them; return the places of those that are left.

    Parameters
    ----------
    seeks, lengths
        Of the baskets in the file, int64 of shape (n,).
    table
        int64 of shape (n, fields of :class:`Piece`).
    """
    n = len(seeks)
    if not works():
        return np.arange(n)
    order = np.argsort(seeks, kind="stable")
    extents = np.ascontiguousarray(np.stack([seeks[order], lengths[order], order], axis=1))
    left = np.empty(n, np.uint8)
    room = max(SPAN, int(lengths.max(initial=0)))

    def work_on(first: int, last: int) -> None:
        with _workspace() as work:
            work.reserve(room)
            arrays = (extents, table, work.places, left)
            addresses = (np.uint64(one.ctypes.data) for one in arrays)
            compiled_loop(_FILE)(first, last, 0, descriptor, *addresses)

    if threads < 2 or n < 2:
        work_on(0, n)
        return np.flatnonzero(left)
    ends = np.cumsum(lengths[order])
    cuts = np.searchsorted(ends, np.linspace(0, ends[-1], threads * _PARTS + 1)[1:-1])
    parts = np.unique(np.concatenate([[0], cuts, [n]])).tolist()
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work_on, *part) for part in itertools.pairwise(parts)]:
            done.result()
    return np.flatnonzero(left)


_OFFSETS = Loop(f"{__package__}.compiled", "offsets_range", ("counts", "width", "offsets", "seen"))


def added(counts: np.ndarray) -> np.ndarray | None:
    """Return the offsets that counts add up to, from 0, as int64; None: one is negative or too large, or who knows."""
    width = counts.dtype.itemsize
    if not works() or width not in (1, 2, 4):
        return None
    offsets, seen = memory.empty(counts.size + 1, np.int64), np.zeros(1, np.int64)
    counts = np.ascontiguousarray(counts)
    addresses = [np.uint64(one.ctypes.data) for one in (counts, offsets, seen)]
    compiled_loop(_OFFSETS)(0, counts.size, 0, addresses[0], width, *addresses[1:])
    return offsets if seen[0] < 1 << 8 * width - 1 or (width < 4 and counts.dtype.kind == "u") else None


@contextlib.contextmanager
def _workspace() -> Iterator[Workspace]:
    """Take a workspace that nobody uses."""
    try:
        work = _idle.pop()
    except IndexError:
        work = Workspace()
    yield work
    _idle.append(work)
