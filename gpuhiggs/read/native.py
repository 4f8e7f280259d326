"""Decoding many baskets at once without the interpreter.

Python takes some 15 µs a basket, in which no other thread can run; many baskets take no longer to decompress. So the
baskets of one read are decoded in one compiled call that holds no lock: key, blocks, byte swap. The codecs are C
functions that the packages of ``blocks`` bring along and export.

This is a short cut and nothing else: a basket that is not exactly as expected is left alone; ``bulk`` decodes it, or
says what is wrong with it. Where a package does not export its function, or the function fails a first test, its
codec is left to ``bulk`` altogether.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import struct
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import cramjam
import numba
import numpy as np
import xxhash
import zstandard
from numba import types
from numba.extending import intrinsic

from ..kernels.language import column, scalar
from ..kernels.launch import Loop, compiled_loop
from ..kernels.unpack import swap16, swap32, swap64

SCRATCH = 1 << 24
"""Bytes of the largest basket that is decoded here; a thread touches only as many as its baskets have."""


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


# --- C functions ---------------------------------------------------------------------------------------------------

_WHERE = {"lz4": "block/_block*.so", "xxhash": "_xxhash*.so", "zstandard": "_cffi*.so", "deflate": "_deflate*.so"}
"""The packages' extension modules that hold the C libraries."""

LZ4, XXH64, ZSTD, ZSTD_STATE, ZLIB, ZLIB_STATE = range(6)
"""Places in the table of addresses; 0 where there is no such function."""


@functools.cache
def _function(package: str, name: str) -> Any:
    """Return a C function that an extension module exports; None: it does not."""
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder).glob(_WHERE[package])):
            try:
                found = ctypes.CDLL(str(path))[name]
            except (OSError, AttributeError):
                continue
            found.restype = ctypes.c_void_p
            return found
    return None


def _address(package: str, name: str) -> int:
    found = _function(package, name)
    return 0 if found is None else int(ctypes.cast(found, ctypes.c_void_p).value or 0)


def _state(package: str, name: str) -> int:
    found = _function(package, name)
    return 0 if found is None else int(found() or 0)


class _Workspace:
    """What one thread works with at a time."""

    def __init__(self) -> None:
        self.codecs = np.array(
            [
                _address("lz4", "LZ4_decompress_safe"), _address("xxhash", "XXH64"),
                _address("zstandard", "ZSTD_decompressDCtx"), _state("zstandard", "ZSTD_createDCtx"),
                _address("deflate", "libdeflate_zlib_decompress"), _state("deflate", "libdeflate_alloc_decompressor"),
            ],
            np.int64,
        )  # fmt: skip
        self.scratch = np.empty(SCRATCH, np.uint8)
        self.written = np.zeros(1, np.int64)


_idle: list[_Workspace] = []
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
        piece = Piece(raw.size, values.size, len(content), 0, len(content), 4, out.ctypes.data)
        left = _decode(np.array([raw.ctypes.data], np.int64), np.array([piece], np.int64))
        if not left.size and (out == values).all():
            found.add(codec)
    return frozenset(found)


# --- compiled ------------------------------------------------------------------------------------------------------


def _caller(n: int) -> Any:
    """Return what calls the C function at an address with *n* 64-bit arguments; its result is an int64."""

    @intrinsic
    def call(context: Any, address: Any, arguments: Any) -> Any:
        def generate(_: Any, builder: Any, __: Any, values: Any) -> Any:
            from llvmlite import ir

            word = ir.IntType(64)
            kind = ir.FunctionType(word, [word] * n)
            parts = [builder.extract_value(values[1], i) for i in range(n)]
            return builder.call(builder.inttoptr(values[0], kind.as_pointer()), parts)

        return types.int64(types.uint64, types.UniTuple(types.int64, n)), generate

    return call


_call3, _call4, _call5, _call6 = (_caller(n) for n in (3, 4, 5, 6))
_KEY = 45
"""Bytes of the shortest key of a basket; its number of entries and its last byte stand 9 and 5 before its end."""


@scalar
def _big(raw: Any, at: int, n: int) -> Any:
    """Return *n* big-endian bytes."""
    value = 0
    for i in range(n):
        value = value << 8 | raw[at + i]
    return value


@scalar
def _little(raw: Any, at: int, n: int) -> Any:
    """Return *n* little-endian bytes."""
    value = 0
    for i in range(n):
        value |= raw[at + i] << 8 * i
    return value


@scalar
def _block(codec: int, source: int, n: int, target: int, size: int, codecs: Any, written: int) -> Any:
    """Decompress one block; whether it gave exactly *size* bytes."""
    if codec == 0x4C34 and codecs[LZ4] and codecs[XXH64] and n > 8:  # L4
        if _call3(np.uint64(codecs[XXH64]), (source + 8, n - 8, 0)) != _big(column(np.uint64(source), np.uint8), 0, 8):
            return False
        # The result is a C int: the upper half of what comes back has no meaning.
        return (_call4(np.uint64(codecs[LZ4]), (source + 8, target, n - 8, size)) & 0xFFFFFFFF) == size
    if codec == 0x5A53 and codecs[ZSTD] and codecs[ZSTD_STATE]:  # ZS
        return _call5(np.uint64(codecs[ZSTD]), (codecs[ZSTD_STATE], target, size, source, n)) == size
    if codec == 0x5A4C and codecs[ZLIB] and codecs[ZLIB_STATE]:  # ZL
        state = _call6(np.uint64(codecs[ZLIB]), (codecs[ZLIB_STATE], source, n, target, size, written))
        return (state & 0xFFFFFFFF) == 0 and column(np.uint64(written), np.int64)[0] == size
    return False


@scalar
def _blocks(address: int, at: int, length: int, target: int, size: int, codecs: Any, written: int) -> Any:
    """Decompress the blocks of a payload; whether they gave exactly *size* bytes."""
    raw = column(np.uint64(address), np.uint8)
    to = 0
    while at < length:
        if at + 9 > length:
            return False
        n, m = _little(raw, at + 3, 3), _little(raw, at + 6, 3)
        if at + 9 + n > length or to + m > size:
            return False
        if not _block(_big(raw, at, 2), address + at + 9, n, target + to, m, codecs, written):
            return False
        at, to = at + 9 + n, to + m
    return to == size


@scalar
def _unpack(source: int, width: int, size: int, target: int) -> None:
    """Copy values to their place, swapping bytes."""
    if width == 4:
        a4, b4 = column(np.uint64(source), np.uint32), column(np.uint64(target), np.uint32)
        for i in range(size // 4):
            b4[i] = swap32(a4[i])
    elif width == 8:
        a8, b8 = column(np.uint64(source), np.int64), column(np.uint64(target), np.int64)
        for i in range(size // 8):
            b8[i] = swap64(a8[i])
    elif width == 2:
        a2, b2 = column(np.uint64(source), np.uint16), column(np.uint64(target), np.uint16)
        for i in range(size // 2):
            b2[i] = swap16(a2[i])
    else:
        a1, b1 = column(np.uint64(source), np.uint8), column(np.uint64(target), np.uint8)
        for i in range(size):
            b1[i] = a1[i] if width else min(a1[i], 1)


@scalar
def _basket(address: int, piece: Any, codecs: Any, scratch: int, written: int) -> Any:
    """Decode one basket; whether everything was as expected."""
    length, entries, border, first, size = piece[0], piece[1], piece[2], piece[3], piece[4]
    if length < _KEY:
        return False
    raw = column(np.uint64(address), np.uint8)
    n_key, whole = _big(raw, 14, 2), _big(raw, 6, 4)
    if _big(raw, 0, 4) != length or n_key < _KEY or n_key > length:
        return False
    if _big(raw, n_key - 9, 4) != entries or _big(raw, n_key - 5, 4) - n_key != border:
        return False
    if border > whole or whole > SCRATCH or first + size > border:
        return False
    if length - n_key == whole:
        to = column(np.uint64(scratch), np.uint8)
        for i in range(whole):  # to where it is aligned
            to[i] = raw[n_key + i]
    elif not _blocks(address, n_key, length, scratch, whole, codecs, written):
        return False
    _unpack(scratch + first, piece[5], size, piece[6])
    return True


@scalar
def basket_range(
    first: int, last: int, row: int, addresses: Any, table: Any, codecs: Any, scratch: int, written: int, left: Any
) -> None:
    """Decode baskets; mark those that are left. All arguments behind *row* are addresses."""
    where, marks = column(addresses, np.int64), column(left, np.uint8)
    functions = column(codecs, np.int64)
    for i in range(first, last):
        piece = column(np.uint64(np.int64(table) + 56 * i), np.int64)
        done = _basket(where[i], piece, functions, np.int64(scratch), np.int64(written))
        marks[i] = 0 if done else 1


_LOOP = Loop(__name__, "basket_range", ("addresses", "table", "codecs", "scratch", "written", "left"))


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
        work = _Workspace()
    arrays = (addresses, np.ascontiguousarray(table), work.codecs, work.scratch, work.written, left)
    compiled_loop(_LOOP)(0, len(addresses), 0, *(np.uint64(one.ctypes.data) for one in arrays))
    _idle.append(work)
    return np.flatnonzero(left)
