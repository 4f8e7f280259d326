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
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cramjam
import numba
import numpy as np
import xxhash
import zstandard
from numba import carray, njit, types
from numba.extending import intrinsic

from ..kernels.launch import no_extensions

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


def _sample(size: int) -> dict[str, bytes]:
    content = bytes(range(256)) * (size // 256)
    packed = bytes(cramjam.lz4.compress_block(content, store_size=False))
    return {
        "L4": xxhash.xxh64_digest(packed) + packed,
        "ZS": zstandard.compress(content),
        "ZL": zlib.compress(content),
    }


@functools.cache
def works() -> frozenset[str]:
    """Return the codecs whose C functions are there and give what they should."""
    if numba.config.DISABLE_JIT:
        return frozenset()
    size = 4096
    found = set()
    work = _Workspace()
    for codec, packed in _sample(size).items():
        raw, out = np.frombuffer(packed, np.uint8), np.zeros(size, np.uint8)
        addresses = np.array([raw.ctypes.data, raw.size, out.ctypes.data, size], np.int64)
        _compiled()[1](int.from_bytes(codec.encode(), "big"), addresses, work.codecs, work.written)
        if out.tobytes() == bytes(range(256)) * (size // 256):
            found.add(codec)
    return frozenset(found)


# --- compiled ------------------------------------------------------------------------------------------------------


@intrinsic
def _pointer(context: Any, address: Any) -> Any:
    """Turn an address into a pointer."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        from llvmlite import ir

        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.uint64), generate


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
_scalar = njit(nogil=True, error_model="numpy")


@_scalar
def _bytes(address: int, n: int) -> Any:
    return carray(_pointer(np.uint64(address)), n, np.uint8)


@_scalar
def _big(raw: Any, at: int, n: int) -> Any:
    value = np.int64(0)
    for i in range(n):
        value = value << 8 | np.int64(raw[at + i])
    return value


@_scalar
def _block(codec: int, source: int, n: int, target: int, size: int, c: Any, written: Any) -> bool:
    """Decompress one block; whether it gave exactly *size* bytes."""
    if codec == 0x4C34 and c[LZ4] and c[XXH64] and n > 8:  # L4
        if _call3(np.uint64(c[XXH64]), (source + 8, n - 8, np.int64(0))) != _big(_bytes(source, 8), 0, 8):
            return False
        # The result is a C int: the upper half of what comes back has no meaning.
        return (_call4(np.uint64(c[LZ4]), (source + 8, target, n - 8, size)) & 0xFFFFFFFF) == size
    if codec == 0x5A53 and c[ZSTD] and c[ZSTD_STATE]:  # ZS
        return _call5(np.uint64(c[ZSTD]), (c[ZSTD_STATE], target, size, source, n)) == size
    if codec == 0x5A4C and c[ZLIB] and c[ZLIB_STATE]:  # ZL
        where = np.int64(written.ctypes.data)
        state = _call6(np.uint64(c[ZLIB]), (c[ZLIB_STATE], source, n, target, size, where))
        return (state & 0xFFFFFFFF) == 0 and written[0] == size
    return False


@_scalar
def _unpack(source: int, width: int, size: int, target: int) -> None:
    """Copy values to their place, swapping bytes."""
    if width == 4:
        a4 = carray(_pointer(np.uint64(source)), size // 4, np.uint32)
        b4 = carray(_pointer(np.uint64(target)), size // 4, np.uint32)
        for i in range(size // 4):
            x = a4[i]
            b4[i] = (x >> 24) | ((x >> 8) & 0xFF00) | ((x << 8) & 0xFF0000) | (x << 24)
    elif width == 8:
        a8, b8 = _bytes(source, size), _bytes(target, size)
        for i in range(0, size, 8):
            for j in range(8):
                b8[i + j] = a8[i + 7 - j]
    elif width == 2:
        a2, b2 = _bytes(source, size), _bytes(target, size)
        for i in range(0, size, 2):
            b2[i], b2[i + 1] = a2[i + 1], a2[i]
    else:
        a1, b1 = _bytes(source, size), _bytes(target, size)
        for i in range(size):
            b1[i] = a1[i] if width else a1[i] != 0


@_scalar
def _basket(address: int, p: Any, c: Any, scratch: Any, written: Any) -> bool:
    length, entries, border, first, size, width, target = p[0], p[1], p[2], p[3], p[4], p[5], p[6]
    if length < 45:
        return False
    raw = _bytes(address, length)
    n_key = _big(raw, 14, 2)
    if _big(raw, 0, 4) != length or n_key < 45 or n_key > length:
        return False
    whole, members = _big(raw, 6, 4), n_key - 19
    if _big(raw, members + 10, 4) != entries or _big(raw, members + 14, 4) - n_key != border:
        return False
    if border > whole or whole > scratch.size or first + size > border:
        return False
    base = scratch.ctypes.data
    if length - n_key == whole:
        for i in range(whole):  # to where it is aligned
            scratch[i] = raw[n_key + i]
    else:
        at, to = n_key, np.int64(0)
        while at < length:
            if at + 9 > length:
                return False
            n = np.int64(raw[at + 3]) | np.int64(raw[at + 4]) << 8 | np.int64(raw[at + 5]) << 16
            m = np.int64(raw[at + 6]) | np.int64(raw[at + 7]) << 8 | np.int64(raw[at + 8]) << 16
            if at + 9 + n > length or to + m > whole:
                return False
            if not _block(_big(raw, at, 2), address + at + 9, n, np.int64(base) + to, m, c, written):
                return False
            at, to = at + 9 + n, to + m
        if to != whole:
            return False
    _unpack(np.int64(base) + first, width, size, target)
    return True


def _baskets(addresses: Any, table: Any, codecs: Any, scratch: Any, written: Any, left: Any) -> None:
    for i in range(addresses.size):
        left[i] = not _basket(addresses[i], table[i], codecs, scratch, written)


def _one(codec: int, where: Any, codecs: Any, written: Any) -> None:
    _block(codec, where[0], where[1], where[2], where[3], codecs, written)


@functools.cache
def _compiled() -> tuple[Callable[..., None], Callable[..., None]]:
    numbers = types.int64[::1]
    several = types.void(numbers, types.int64[:, ::1], numbers, types.uint8[::1], numbers, types.boolean[::1])
    single = types.void(types.int64, numbers, numbers, numbers)
    with no_extensions():
        try:
            make = functools.partial(njit, nogil=True, error_model="numpy", cache=True)
            return make(several)(_baskets), make(single)(_one)
        except RuntimeError:  # there is no folder that Numba could write to
            make = functools.partial(njit, nogil=True, error_model="numpy")
            return make(several)(_baskets), make(single)(_one)


def decode(addresses: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Decode baskets; return the places of those that are left.

    Parameters
    ----------
    addresses
        Of the baskets' bytes, int64 of shape (n,).
    table
        int64 of shape (n, fields of :class:`Piece`).
    """
    if not works():
        return np.arange(len(addresses))
    left = np.empty(len(addresses), np.bool_)
    try:
        work = _idle.pop()
    except IndexError:
        work = _Workspace()
    _compiled()[0](addresses, table, work.codecs, work.scratch, work.written, left)
    _idle.append(work)
    return np.flatnonzero(left)
