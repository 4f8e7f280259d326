"""Decompression: the blocks of one basket's payload.

ROOT cuts a payload into blocks of at most 2²⁴ − 1 bytes, each behind nine bytes: two letters for the codec, one for its
version, and the compressed and uncompressed lengths as 24-bit little-endian numbers (ROOT, ``core/zip/src/RZip.cxx``).
LZ4 blocks begin with a big-endian XXH64 of what follows (``core/lz4/src/ZipLZ4.cxx``).

The libraries release the GIL and are the fastest measured (``bench/read.py``). Each is told the length that it may
write: no damaged block makes it allocate more than 16 MiB.
"""

from __future__ import annotations

import lzma
import struct
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cramjam
import deflate
import numpy as np
import xxhash
import zstandard

from ..errors import FileError

Buffer = Any
"""bytes, bytearray, memoryview or an array of bytes."""

_HEADER = struct.Struct("<2sBHBHB")
"""Codec, its version, and the two lengths, each as its lower 16 bits and its upper 8."""
_SCRATCH = 1 << 18
"""Bytes of scratch memory that a thread keeps; it stays in a core's cache."""
_CHECKSUM = 8
_LZMA_MEMORY = 1 << 28
"""Bytes that an LZMA decoder may take; level 9 needs 65 MiB (xz manual, §"Memory usage")."""

_local = threading.local()


def _zlib(data: memoryview, size: int) -> Buffer:
    return deflate.zlib_decompress(data, size)


def _lzma(data: memoryview, size: int) -> Buffer:
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY)
    values = decoder.decompress(data, max_length=size + 1)  # one more, to go on to the checksum at the end
    if not decoder.eof:
        msg = "an LZMA block goes on after its end"
        raise FileError(msg)
    return values


def _lz4(data: memoryview, size: int) -> Buffer:
    if xxhash.xxh64_digest(data[_CHECKSUM:]) != data[:_CHECKSUM]:
        msg = "the checksum of an LZ4 block disagrees"
        raise FileError(msg)
    if len(getattr(_local, "scratch", ())) < size:
        _local.scratch = np.empty(max(size, _SCRATCH), np.uint8).data
    # The library pads a shorter result where it allocates itself: only this form says how much there was.
    values = _local.scratch[:size]
    return values[: cramjam.lz4.decompress_block_into(data[_CHECKSUM:], values)]


def _zstd(data: memoryview, size: int) -> Buffer:
    promised = zstandard.frame_content_size(data)
    if promised not in (-1, size):
        msg = f"a ZSTD block says that it holds {promised} bytes, its header {size}"
        raise FileError(msg)
    if not hasattr(_local, "zstd"):
        _local.zstd = zstandard.ZstdDecompressor()  # not to be shared between threads
    return _local.zstd.decompress(data, max_output_size=size)


_DECODERS: dict[bytes, Callable[[memoryview, int], Buffer]] = {b"ZL": _zlib, b"XZ": _lzma, b"L4": _lz4, b"ZS": _zstd}


def decompress(payload: memoryview, size: int) -> Buffer:
    """Return the *size* bytes that a compressed payload holds; valid until the same thread decompresses again.

    Raises
    ------
    FileError
        If a block is not what its header says, or the blocks do not hold *size* bytes; without the name of the file,
        which the caller knows. A codec that finds its block damaged raises an error of its own.
    """
    blocks = list(split(payload))
    if sum(uncompressed for *_, uncompressed in blocks) != size:
        msg = f"its blocks hold {sum(uncompressed for *_, uncompressed in blocks)} bytes, expected {size}"
        raise FileError(msg)
    if len(blocks) == 1:
        return _decode(*blocks[0])
    return b"".join([bytes(_decode(*block)) for block in blocks])  # copied: the next one may use the same memory


def split(payload: memoryview) -> Iterator[tuple[bytes, memoryview, int]]:
    """Yield codec, compressed data and uncompressed length of each block."""
    at, end = 0, len(payload)
    while at < end:
        if at + _HEADER.size > end:
            msg = f"{end - at} bytes are too few for a block"
            raise FileError(msg)
        codec, _, low, high, low_size, high_size = _HEADER.unpack_from(payload, at)
        at += _HEADER.size
        compressed = low | high << 16
        if codec not in _DECODERS or at + compressed > end:
            msg = f"no block of a known codec: {codec!r}, {compressed} bytes of {end - at}"
            raise FileError(msg)
        yield codec, payload[at : at + compressed], low_size | high_size << 16
        at += compressed


def _decode(codec: bytes, data: memoryview, size: int) -> Buffer:
    values = _DECODERS[codec](data, size)
    if len(values) != size:
        msg = f"a block {codec.decode()} holds {len(values)} bytes, its header says {size}"
        raise FileError(msg)
    return values
