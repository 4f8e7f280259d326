"""The compiled part of ``native``: one basket from its bytes in the file to its values in their place.

Only the values are decompressed. A jagged branch's baskets hold the offsets of their entries behind the values, a
third to four fifths of all bytes, and the counter has said already what they are. LZ4 and ZSTD stop where the values
end; LZ4's checksum is that of the compressed bytes. ZLIB's checksum is one over values and offsets: it is compared with
that of the decompressed values and the offsets as they have to be, so that it covers the values as well as ever.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from ..kernels.language import column, scalar
from ..kernels.unpack import swap16, swap32, swap64
from .codecs import (
    ADLER,
    BUFFER,
    DEFLATE,
    LZ4,
    LZ4_PARTIAL,
    PREAD,
    ROOM,
    SCRATCH,
    TAIL,
    WRITTEN,
    XXH64,
    ZLIB,
    ZLIB_STATE,
    ZSTD_BEGIN,
    ZSTD_CONTINUE,
    ZSTD_NEXT,
    ZSTD_SIZE,
    ZSTD_STATE,
)

LENGTH, ENTRIES, BORDER, FIRST, SIZE, WIDTH, TARGET, OFFSETS, ITEM, PIECE = range(10)
"""Columns of the table of baskets, ``native.Piece``, and how many there are."""

L4, ZS, ZL = 0x4C34, 0x5A53, 0x5A4C
"""ROOT's letters for the codecs."""
_KEY = 45
"""Bytes of the shortest key of a basket; its number of entries and its last byte stand 9 and 5 before its end."""
SPAN = 1 << 18
"""Bytes of one read, unless a single basket is larger; they stay in a core's cache."""
_GAP = 1 << 13
"""Bytes between two baskets that are read rather than skipped: about what one more system call costs."""
_LONGEST_MATCH = 258
"""Bytes that one symbol of DEFLATE stands for at most (RFC 1951, §3.2.5)."""
_STEP = 1 << 15
"""Bytes that are copied at a time: they stay in the fastest cache."""


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


_call1, _call2, _call3, _call4, _call5, _call6 = (_caller(n) for n in range(1, 7))
_INT = 0xFFFFFFFF
"""Of a result that is a C int, the upper half has no meaning."""


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


# --- values --------------------------------------------------------------------------------------------------------


@scalar
def _swapped(source: int, width: int, size: int, target: int) -> None:
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
def _unpack(scratch: int, done: int, made: int, piece: Any) -> Any:
    """Put the wanted ones of the bytes [done, made) of a payload to their place; return up to where that is done."""
    width = piece[WIDTH]
    made -= made % max(width, 1)
    low, high = max(done, piece[FIRST]), min(made, piece[FIRST] + piece[SIZE])
    if low < high:
        _swapped(scratch + low, width, high - low, piece[TARGET] + low - piece[FIRST])
    return made


@scalar
def _copied(source: int, piece: Any, work: Any) -> None:
    """Unpack a payload that is not compressed, through memory where values are aligned."""
    raw, scratch = column(np.uint64(source), np.uint8), column(np.uint64(work[SCRATCH]), np.uint8)
    done, last = piece[FIRST], piece[FIRST] + piece[SIZE]
    while done < last:
        n = min(last - done, _STEP)
        for i in range(n):
            scratch[i] = raw[done + i]
        _swapped(work[SCRATCH], piece[WIDTH], n, piece[TARGET] + done - piece[FIRST])
        done += n


# --- codecs --------------------------------------------------------------------------------------------------------
# Each decompresses one block of *n* bytes at *source*, which holds *size*, to scratch memory from *to* on, at least up
# to byte *stop* of the payload, and says whether everything was as expected.


@scalar
def _lz4(source: int, n: int, size: int, to: int, stop: int, work: Any) -> Any:
    if n <= 8 or not work[LZ4] or not work[LZ4_PARTIAL] or not work[XXH64]:
        return False
    if _call3(np.uint64(work[XXH64]), (source + 8, n - 8, 0)) != _big(column(np.uint64(source), np.uint8), 0, 8):
        return False
    wanted, target = min(stop - to, size), work[SCRATCH] + to
    if wanted == size:
        return (_call4(np.uint64(work[LZ4]), (source + 8, target, n - 8, size)) & _INT) == size
    found = _call5(np.uint64(work[LZ4_PARTIAL]), (source + 8, target, n - 8, wanted, size))
    return (found & _INT) == wanted


@scalar
def _zstd(source: int, n: int, size: int, to: int, stop: int, piece: Any, work: Any) -> Any:
    """Decompress a frame; each of its blocks is unpacked while it is in the cache."""
    state = work[ZSTD_STATE]
    if n <= 5 or not state or not work[ZSTD_SIZE] or not work[ZSTD_NEXT] or not work[ZSTD_CONTINUE]:
        return False
    promised = _call2(np.uint64(work[ZSTD_SIZE]), (source, n))
    if promised not in (-1, size) or _call1(np.uint64(work[ZSTD_BEGIN]), (state,)) != 0:
        return False
    has_checksum = column(np.uint64(source), np.uint8)[4] & 4 != 0
    whole = has_checksum or stop - to >= size
    at = made = 0
    done = to
    while whole or made < stop - to:
        length = _call1(np.uint64(work[ZSTD_NEXT]), (state,))
        if length == 0:
            return made == size and at == n
        if length < 0 or at + length > n:
            return False
        target = work[SCRATCH] + to + made
        found = _call5(np.uint64(work[ZSTD_CONTINUE]), (state, target, size - made, source + at, length))
        if found < 0:
            return False
        at, made = at + length, made + found
        done = _unpack(work[SCRATCH], done, to + made, piece)
    return True


@scalar
def _zlib(source: int, n: int, size: int, to: int, work: Any) -> Any:
    if not work[ZLIB] or not work[ZLIB_STATE]:
        return False
    target = work[SCRATCH] + to
    found = _call6(np.uint64(work[ZLIB]), (work[ZLIB_STATE], source, n, target, size, work[WRITTEN]))
    return (found & _INT) == 0 and column(np.uint64(work[WRITTEN]), np.int64)[0] == size


@scalar
def _zlib_values(source: int, n: int, to: int, piece: Any, n_key: int, work: Any) -> Any:
    """Decompress the values alone; whether they and the offsets that belong to them have the block's checksum."""
    raw = column(np.uint64(source), np.uint8)
    if n < 8 or raw[0] & 15 != 8 or raw[1] & 32 != 0 or (raw[0] << 8 | raw[1]) % 31 != 0:
        return False
    target, wanted = work[SCRATCH] + to, piece[BORDER] - to
    # It ends for want of room, at the latest one symbol before; were it otherwise, the checksum would tell.
    room = wanted + _LONGEST_MATCH
    _call6(np.uint64(work[DEFLATE]), (work[ZLIB_STATE], source + 2, n - 6, target, room, work[WRITTEN]))
    checksum = _call3(np.uint64(work[ADLER]), (1, target, wanted)) & _INT
    expected = _big(raw, n - 4, 4)
    size = _tail(piece, n_key, 0, work)
    if _call3(np.uint64(work[ADLER]), (checksum, work[TAIL], size)) & _INT == expected:
        return True
    _tail(piece, n_key, n_key + piece[BORDER], work)
    return _call3(np.uint64(work[ADLER]), (checksum, work[TAIL], size)) & _INT == expected


@scalar
def _tail(piece: Any, n_key: int, last: int, work: Any) -> Any:
    """Write what has to stand behind the values of a jagged branch; return how many bytes that is.

    A length, the offsets from the beginning of the key, and one number without meaning: 0, or the end.
    """
    n, width = piece[ENTRIES], piece[ITEM]
    offsets, tail = column(np.uint64(piece[OFFSETS]), np.int64), column(np.uint64(work[TAIL]), np.uint32)
    tail[0] = swap32(n + 1)
    begin = offsets[0]
    for i in range(n):
        tail[i + 1] = swap32(n_key + (offsets[i] - begin) * width)
    tail[n + 1] = swap32(last)
    return 4 * (n + 2)


# --- baskets -------------------------------------------------------------------------------------------------------


@scalar
def _sizes(raw: Any, at: int, length: int) -> Any:
    """Return how many bytes the blocks of a payload hold; -1: they do not fill it exactly."""
    total = 0
    while at < length:
        if at + 9 > length:
            return -1
        total += _little(raw, at + 6, 3)
        at += 9 + _little(raw, at + 3, 3)
    return total if at == length else -1


@scalar
def _has_tail(piece: Any, whole: int, work: Any) -> Any:
    """Whether the bytes behind the values are known beforehand, and many enough to be passed over."""
    known = work[DEFLATE] and work[ZLIB_STATE] and work[ADLER] and piece[OFFSETS]
    n_tail = 4 * (piece[ENTRIES] + 2)
    return known and whole == piece[BORDER] + n_tail and n_tail > _LONGEST_MATCH


@scalar
def _payload(address: int, at: int, whole: int, piece: Any, work: Any) -> Any:
    """Decompress and unpack the wanted values of a payload; whether everything was as expected."""
    raw, length = column(np.uint64(address), np.uint8), piece[LENGTH]
    if _sizes(raw, at, length) != whole:
        return False
    n_key, stop = at, piece[FIRST] + piece[SIZE]
    to = done = 0
    while to < stop:
        codec, n, size = _big(raw, at, 2), _little(raw, at + 3, 3), _little(raw, at + 6, 3)
        at += 9
        source = address + at
        good = False
        if codec == L4:
            good = _lz4(source, n, size, to, stop, work)
        elif codec == ZS:
            good = _zstd(source, n, size, to, stop, piece, work)
        elif codec == ZL:
            if at + n == length and to <= piece[BORDER] and _has_tail(piece, whole, work):
                good = _zlib_values(source, n, to, piece, n_key, work)
            good = good or _zlib(source, n, size, to, work)
        if not good:
            return False
        at, to = at + n, to + size
        done = to - to % max(piece[WIDTH], 1) if codec == ZS else _unpack(work[SCRATCH], done, min(to, stop), piece)
    return True


@scalar
def _basket(address: int, piece: Any, work: Any) -> Any:
    """Decode one basket; whether everything was as expected."""
    length, border = piece[LENGTH], piece[BORDER]
    if length < _KEY:
        return False
    raw = column(np.uint64(address), np.uint8)
    n_key, whole = _big(raw, 14, 2), _big(raw, 6, 4)
    if _big(raw, 0, 4) != length or n_key < _KEY or n_key > length:
        return False
    if _big(raw, n_key - 9, 4) != piece[ENTRIES] or _big(raw, n_key - 5, 4) - n_key != border:
        return False
    if border > whole or whole > ROOM or piece[FIRST] + piece[SIZE] > border:
        return False
    if length - n_key == whole:
        _copied(address + n_key, piece, work)
        return True
    return _payload(address, n_key, whole, piece, work)


@scalar
def basket_range(first: int, last: int, row: int, addresses: Any, table: Any, work: Any, left: Any) -> None:
    """Decode baskets; mark those that are left. All arguments behind *row* are addresses."""
    where, marks = column(addresses, np.int64), column(left, np.uint8)
    places = column(work, np.int64)
    for i in range(first, last):
        piece = column(np.uint64(np.int64(table) + 8 * PIECE * i), np.int64)
        marks[i] = 0 if _basket(where[i], piece, places) else 1


@scalar
def _filled(descriptor: int, begin: int, size: int, work: Any) -> Any:
    """Read bytes of a file to the buffer; whether they are all there."""
    done = 0
    while done < size:
        n = _call4(np.uint64(work[PREAD]), (descriptor, work[BUFFER] + done, size - done, begin + done))
        if n <= 0:
            return False
        done += n
    return True


@scalar
def file_range(
    first: int, last: int, row: int, descriptor: int, extents: Any, table: Any, work: Any, left: Any
) -> None:
    """Read and decode baskets; mark those that are left.

    *extents* is the address of int64 of shape (n, 3), in the order of the file: first byte, length, place in *table*.
    """
    marks, places, where = column(left, np.uint8), column(work, np.int64), column(extents, np.int64)
    i = first
    while i < last:
        begin = where[3 * i]
        end, j = begin + where[3 * i + 1], i + 1
        while j < last:
            seek = where[3 * j]
            stop = max(end, seek + where[3 * j + 1])
            if seek - end > _GAP or stop - begin > SPAN:
                break
            end, j = stop, j + 1
        good = _filled(descriptor, begin, end - begin, places)
        for k in range(i, j):
            number = where[3 * k + 2]
            piece = column(np.uint64(np.int64(table) + 8 * PIECE * number), np.int64)
            done = good and _basket(places[BUFFER] + where[3 * k] - begin, piece, places)
            marks[number] = 0 if done else 1
        i = j


@scalar
def offsets_range(first: int, last: int, row: int, counts: int, width: int, offsets: int, seen: int) -> None:
    """Add up counts of 1, 2 or 4 bytes, from 0; ``seen[0]`` has the bits of all of them."""
    sums = column(np.uint64(offsets), np.int64)
    one, two = column(np.uint64(counts), np.uint8), column(np.uint64(counts), np.uint16)
    four = column(np.uint64(counts), np.uint32)
    total = bits = 0
    sums[0] = 0
    for i in range(first, last):
        n = four[i] if width == 4 else one[i] if width == 1 else two[i]
        bits |= n
        total += n
        sums[i + 1] = total
    column(np.uint64(seen), np.int64)[0] = bits
