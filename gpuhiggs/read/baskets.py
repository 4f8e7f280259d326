"""Baskets: which bytes of a file hold a range of events of a branch, and what they are.

A basket begins with a TKey, whose last 19 bytes are the basket's members (ROOT, ``TKey::Streamer`` and
``TBasket::Streamer``); a payload follows. Behind the values of a branch whose entries have different sizes, the
payload has the entries' offsets.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import FileError
from .source import Extent

_KEY = struct.Struct(">ihiIhh")
"""fNbytes, version, fObjlen, fDatime, fKeylen, fCycle."""
_MEMBERS = struct.Struct(">HiiiiB")
"""version, fBufferSize, fNevBufSize, fNevBuf, fLast, a flag: the end of the key."""
_SHORTEST_KEY = _KEY.size + _MEMBERS.size


class Embedded(NamedTuple):
    """A basket that stands in the tree's metadata: the last of a branch, where a program had not written it yet."""

    data: np.ndarray
    """Its values, as in a file: uint8."""
    byte_offsets: np.ndarray | None
    """Where its entries begin, and the end; None: all have one size."""


def embedded(raw: memoryview) -> tuple[Embedded, int]:
    """Parse a basket as it stands in the tree's metadata; return it and the number of its entries.

    Behind the key, and offsets where entries differ in size, comes the basket's buffer: room for the key, values.

    Raises
    ------
    FileError, struct.error
        If it is anything else.
    """
    stored, _, _, _, key_length, _ = _KEY.unpack_from(raw)
    if not _SHORTEST_KEY <= key_length <= len(raw) or stored > key_length:
        msg = f"a key of {key_length} bytes for an embedded basket of {stored}"
        raise FileError(msg)
    _, _, entry_size, entries, last, _ = _MEMBERS.unpack_from(raw, key_length - _MEMBERS.size)
    border, at, offsets = last - key_length, key_length, None
    if entries < 0 or border < 0:
        msg = f"{entries} entries of {border} bytes in an embedded basket"
        raise FileError(msg)
    if entry_size * entries != border:
        if at + 4 * (entries + 1) > len(raw):
            msg = f"{entries} offsets in an embedded basket of {len(raw)} bytes"
            raise FileError(msg)
        offsets = np.append(np.frombuffer(raw, ">i4", entries, at + 4).astype(np.int64) - key_length, border)
        at += 4 * (entries + 1)
    if at + last != len(raw):
        msg = f"an embedded basket of {len(raw)} bytes, expected {at + last}"
        raise FileError(msg)
    return Embedded(np.frombuffer(raw, np.uint8, border, at + key_length), offsets), entries


class Branch(NamedTuple):
    """A branch of numbers or bools, and where its baskets are."""

    name: str
    dtype: np.dtype[Any]
    """In the file's byte order."""
    counter: Branch | None
    """The branch with the number of its values."""
    vector: bool
    """Whether an event holds a ``std::vector``."""
    edges: np.ndarray
    """The event that each basket begins with, and the end: int64 of shape (baskets + 1,)."""
    seeks: np.ndarray
    lengths: np.ndarray
    """Of the baskets that stand by themselves, keys included."""
    embedded: tuple[Embedded, ...] = ()
    """The last ones, where these stand in the tree's metadata."""
    setting: int = 0
    """Of the compression, as ROOT writes it."""
    stored: int = 0
    size: int = 0
    """Bytes of all its baskets, as stored and uncompressed, keys included."""


class Basket(NamedTuple):
    """One basket of a branch."""

    number: int
    start: int
    stop: int
    """Its events."""
    extent: Extent
    embedded: Embedded | None
    """Where it stands in the tree's metadata rather than by itself."""


@dataclass(frozen=True, eq=False)
class Baskets:
    """The baskets of a branch that hold a range of events, those without any left out."""

    numbers: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    """Their events."""
    seeks: np.ndarray
    lengths: np.ndarray
    """All int64; of the baskets that stand by themselves, which come first."""
    embedded: tuple[Embedded, ...]
    """The others."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, i: int) -> Basket:
        free = len(self.seeks)
        extent = Extent(int(self.seeks[i]), int(self.lengths[i])) if i < free else Extent(0, 0)
        held = None if i < free else self.embedded[i - free]
        return Basket(int(self.numbers[i]), int(self.starts[i]), int(self.stops[i]), extent, held)


class Header(NamedTuple):
    """What a basket says of its payload."""

    key_length: int
    """Where the payload begins; the offsets in it count from the beginning of the key."""
    size: int
    """Bytes after decompression; as many as there are if it is not compressed."""
    border: int
    """Bytes of values; offsets follow."""


def overlapping(branch: Branch, start: int, stop: int, file_size: int) -> Baskets:
    """Return the baskets of a branch with events of [start, stop).

    Raises
    ------
    FileError
        If the branch's baskets do not hold these events, or do not lie in the file; without the name of file and
        branch.
    """
    edges = branch.edges
    if edges[0] != 0 or edges[-1] < stop or (np.diff(edges) < 0).any():
        msg = f"its baskets begin at the events {edges[:3].tolist()}… and end at {edges[-1]}, expected 0 to {stop}"
        raise FileError(msg)
    first = last = 0
    if start < stop:
        first, last = int(np.searchsorted(edges, start, "right")) - 1, int(np.searchsorted(edges, stop, "left"))
    n_free = len(edges) - 1 - len(branch.embedded)
    numbers = np.arange(first, last)
    numbers = numbers[edges[numbers] != edges[numbers + 1]]
    free = numbers[: np.searchsorted(numbers, n_free)]
    seeks, lengths = branch.seeks[free], branch.lengths[free]
    outside = (seeks < 0) | (lengths < _SHORTEST_KEY) | (seeks + lengths > file_size)
    if outside.any():
        i = int(np.flatnonzero(outside)[0])
        msg = f"its basket {free[i]} has {lengths[i]} bytes from byte {seeks[i]} of a file of {file_size}"
        raise FileError(msg)
    embedded = tuple(branch.embedded[number - n_free] for number in numbers[len(free) :].tolist())
    return Baskets(numbers, edges[numbers], edges[numbers + 1], seeks, lengths, embedded)


def header(basket: Basket, raw: memoryview) -> Header:
    """Parse the header of a basket that is not embedded.

    Raises
    ------
    FileError
        If it disagrees with the tree's metadata or with itself; without the name of the file.
    """
    length, _, size, _, key_length, _ = _KEY.unpack_from(raw)
    if length != len(raw) or not _SHORTEST_KEY <= key_length <= length:
        msg = f"a key of {key_length} bytes for {length} bytes, the tree says {len(raw)}"
        raise FileError(msg)
    _, _, _, entries, last, _ = _MEMBERS.unpack_from(raw, key_length - _MEMBERS.size)
    if entries != basket.stop - basket.start:
        msg = f"{entries} entries, the tree says {basket.stop - basket.start}"
        raise FileError(msg)
    border = last - key_length
    if not 0 <= border <= size:
        msg = f"{border} bytes of values in {size} bytes"
        raise FileError(msg)
    return Header(key_length, size, border)
