"""Decoding many baskets at once without the interpreter.

Python takes some 15 µs a basket, in which no other thread can run; many baskets take no longer to decompress. So the
baskets of one read are decoded in one compiled call that holds no lock: key, blocks, byte swap. The codecs are C
functions that the packages of ``blocks`` bring along and export.

This is a short cut and nothing else: a basket that is not exactly as expected is left alone; ``bulk`` decodes it, or
says what is wrong with it. Where a package does not export its functions, or they fail a first test, its codec is left
to ``bulk`` altogether.
"""

from __future__ import annotations

import functools
import struct
import zlib
from typing import NamedTuple

import cramjam
import numba
import numpy as np
import xxhash
import zstandard

from ..kernels.launch import Loop, compiled_loop
from .codecs import Workspace


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
    """Bytes of a value; 0: bools."""
    target: int
    """Address of the values' final place."""
    offsets: int
    """Address of the first of the basket's offsets, as the counter says them; 0: one value an entry."""


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
        piece = Piece(raw.size, values.size, len(content), 0, len(content), 4, out.ctypes.data, 0)
        left = _decode(np.array([raw.ctypes.data], np.int64), np.array([piece], np.int64))
        if not left.size and (out == values).all():
            found.add(codec)
    return frozenset(found)


_LOOP = Loop(f"{__package__}.compiled", "basket_range", ("addresses", "table", "work", "left"))


def decode(addresses: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Decode baskets; return the places of those that are left.

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
    try:
        work = _idle.pop()
    except IndexError:
        work = Workspace()
    arrays = (addresses, np.ascontiguousarray(table), work.places, left)
    compiled_loop(_LOOP)(0, len(addresses), 0, *(np.uint64(one.ctypes.data) for one in arrays))
    _idle.append(work)
    return np.flatnonzero(left)
