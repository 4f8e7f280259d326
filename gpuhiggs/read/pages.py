"""Pages: from the pages of an RNTuple's column to one flat array.

A page is compressed as a whole, in ROOT's blocks, and has a checksum of its own (XXH3-64, little-endian) behind it.
Its elements may be *split*, all first bytes before all second bytes and so on, integers zigzag-encoded, and offsets
stored as differences within the page (ROOT, ``tree/ntuple/doc/BinaryFormatSpecification.md``, "Column Types").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xxhash

from ..errors import FileError
from . import blocks
from .source import Extent

_CHECKSUM = 8


class Encoding(NamedTuple):
    """How the elements of a column are stored."""

    dtype: np.dtype[Any]
    bits: bool = False
    split: bool = False
    zigzag: bool = False
    delta: bool = False


def _plain(name: str, **how: bool) -> Encoding:
    return Encoding(np.dtype(name).newbyteorder("<"), **how)


ENCODINGS = {
    0x00: Encoding(np.dtype(np.bool_), bits=True),
    0x01: _plain("u1"), 0x02: _plain("u1"), 0x03: _plain("i1"), 0x04: _plain("u1"),
    0x05: _plain("i2"), 0x06: _plain("u2"), 0x07: _plain("i4"), 0x08: _plain("u4"), 0x09: _plain("i8"),
    0x0A: _plain("u8"), 0x0C: _plain("f4"), 0x0D: _plain("f8"), 0x0E: _plain("u4"), 0x0F: _plain("u8"),
    0x11: _plain("i2", split=True, zigzag=True), 0x12: _plain("u2", split=True),
    0x13: _plain("i4", split=True, zigzag=True), 0x14: _plain("u4", split=True),
    0x15: _plain("i8", split=True, zigzag=True), 0x16: _plain("u8", split=True),
    0x18: _plain("f4", split=True), 0x19: _plain("f8", split=True),
    0x1A: _plain("u4", split=True, delta=True), 0x1B: _plain("u8", split=True, delta=True),
}  # fmt: skip
"""By the type of a column; the floats of fewer than 32 bits are not among them."""


class Page(NamedTuple):
    """One page of a column in a cluster."""

    first: int
    stop: int
    """Its elements, counted in the cluster."""
    extent: Extent
    """Its bytes, the checksum included."""
    checked: bool


def size_of(encoding: Encoding, n: int) -> int:
    """Return the bytes of *n* elements before compression."""
    return -(-n // 8) if encoding.bits else n * encoding.dtype.itemsize


def overlapping(pages: Sequence[Page], first: int, stop: int) -> list[Page]:
    """Return the pages with elements of [first, stop)."""
    return [page for page in pages if page.first < stop and first < page.stop]


def decode(page: Page, encoding: Encoding, raw: memoryview, out: np.ndarray, first: int, stop: int) -> None:
    """Decode the elements [first, stop) of a cluster that are on a page; *out* begins with the element *first*.

    Raises
    ------
    FileError
        If the page is damaged; without the name of file and field.
    """
    if page.checked:
        raw, checksum = raw[:-_CHECKSUM], raw[-_CHECKSUM:]
        if xxhash.xxh3_64_intdigest(raw) != int.from_bytes(checksum, "little"):
            msg = "the checksum of a page disagrees"
            raise FileError(msg)
    n = page.stop - page.first
    size = size_of(encoding, n)
    content = np.frombuffer(raw if len(raw) == size else blocks.decompress(raw, size), np.uint8)
    a, b = max(first, page.first), min(stop, page.stop)
    _store(content, encoding, n, slice(a - page.first, b - page.first), out[a - first : b - first])


def _store(content: np.ndarray, encoding: Encoding, n: int, wanted: slice, out: np.ndarray) -> None:
    if encoding.bits:
        out[:] = np.unpackbits(content, count=n, bitorder="little").view(np.bool_)[wanted]
        return
    if encoding.split:
        width = encoding.dtype.itemsize
        joined = np.empty(n * width, np.uint8)
        for byte in range(width):  # twice as fast as one transposed copy
            joined[byte::width] = content[byte * n : (byte + 1) * n]
        elements = joined.view(encoding.dtype)
    else:
        elements = content.view(encoding.dtype)
    if encoding.delta:
        elements = np.cumsum(elements, dtype=encoding.dtype)
    elements = elements[wanted]
    if encoding.zigzag:
        unsigned = elements.view(f"<u{encoding.dtype.itemsize}")
        elements = ((unsigned >> 1) ^ (0 - (unsigned & 1))).view(encoding.dtype)
    out[:] = elements
