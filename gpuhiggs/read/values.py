"""Values: from the baskets of a branch to one flat array over a range of events.

Each basket is decoded by itself, on any thread: decompressed, and copied to its final place while its bytes are
swapped to the machine's order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import awkward as ak
import numpy as np

from ..errors import FileError
from . import blocks, memory
from .baskets import Baskets, Embedded, Header
from .native import Piece

_OFFSET = np.dtype(">i4")
VECTOR_HEADER = 10
"""Bytes before the values of a ``std::vector``: byte count (4), version (2) and size (4); ROOT, ``TBufferFile``."""


class Values(NamedTuple):
    """What a branch holds over a range of events."""

    content: np.ndarray
    offsets: np.ndarray | None
    """Of the events' objects, from 0; None: one value an event."""


def flat(array: Any) -> Values:
    """Return the content of a flat or jagged Awkward array, and its offsets from 0."""
    layout = ak.to_packed(array).layout
    if layout.is_numpy:
        return Values(np.asarray(layout.data), None)
    return Values(np.asarray(layout.content.data), np.asarray(layout.offsets.data, dtype=np.int64))


class Content(NamedTuple):
    """What a basket holds, decompressed."""

    raw: np.ndarray
    """Bytes."""
    border: int
    """How many of them are values; offsets follow."""
    key_length: int
    """What the offsets are to be reduced by."""
    offsets: np.ndarray | None = None
    """The offsets of an embedded basket, from the first value."""


def embedded(basket: Embedded) -> Content:
    """Return the content of a basket that stands in the tree's metadata."""
    raw = np.ascontiguousarray(basket.data).view(np.uint8)
    return Content(raw, len(raw), 0, basket.byte_offsets)


def decompressed(header: Header, basket: memoryview) -> Content:
    """Return the content of a basket; what is not compressed is a view of its bytes.

    Raises
    ------
    FileError
        If a block is damaged; without the name of the file.
    """
    payload = basket[header.key_length :]
    raw = payload if len(payload) == header.size else blocks.decompress(payload, header.size)
    return Content(np.frombuffer(raw, np.uint8), header.border, header.key_length)


@dataclass(frozen=True, eq=False)
class Shape:
    """Which items of a branch belong to which events."""

    first: int
    """The event that it begins with."""
    offsets: np.ndarray | None = None
    """Of the events' items, from 0; None: one item an event."""
    windows: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    """Parts of the offsets that were asked for."""

    def items(self, events: np.ndarray) -> np.ndarray:
        """Return the first item of each of some events."""
        places = events - self.first
        return places if self.offsets is None else self.offsets[places]

    def window(self, start: int, stop: int) -> np.ndarray | None:
        """Return the offsets of the events [start, stop) from 0: one array for all columns that ask for the same."""
        if self.offsets is None:
            return None
        if (start, stop) not in self.windows:
            offsets = self.offsets[start - self.first : stop - self.first + 1]
            self.windows[start, stop] = offsets - offsets[0] if offsets[0] else offsets
        return self.windows[start, stop]


class Numbers:
    """A branch whose baskets hold nothing but values; a counter gives the shape of a jagged one."""

    def __init__(self, dtype: np.dtype[Any], baskets: Baskets, shape: Shape, start: int, stop: int) -> None:
        self.baskets = baskets
        self._dtype, self._shape, self._range = dtype, shape, (start, stop)
        self._first, self._last = shape.items(np.array([start, stop])).tolist()
        self._edges = shape.items(np.append(baskets.starts, baskets.stops[-1:]))
        self._content = np.empty(0, dtype.newbyteorder("="))

    def check(self, number: int, border: int) -> None:
        """Compare the bytes of values that a basket claims with the events that it has.

        Raises
        ------
        FileError
            If they disagree; without the name of file and branch.
        """
        expected = (self._edges[number + 1] - self._edges[number]) * self._dtype.itemsize
        if border != expected:
            source = "its events" if self._shape.offsets is None else "the counter of its events"
            msg = f"{border} bytes of values, expected {expected} from {source}"
            raise FileError(msg)

    def allocate(self) -> None:
        """Make room."""
        self._content = memory.empty(self._last - self._first, self._dtype.newbyteorder("="))

    def pieces(self) -> np.ndarray:
        """Return what is known of each basket that is not embedded: int64 of shape (baskets, fields of ``Piece``)."""
        edges, width = self._edges, self._dtype.itemsize
        first, last = np.maximum(edges[:-1], self._first), np.minimum(edges[1:], self._last)
        free = len(self.baskets.seeks)
        table = np.zeros((free, len(Piece._fields)), np.int64)
        table[:, 0] = self.baskets.lengths
        table[:, 1] = (self.baskets.stops - self.baskets.starts)[:free]
        table[:, 2] = ((edges[1:] - edges[:-1]) * width)[:free]
        table[:, 3] = ((first - edges[:-1]) * width)[:free]
        table[:, 4] = ((last - first) * width)[:free]
        table[:, 5] = 0 if self._dtype.kind == "b" else width
        table[:, 6] = (self._content.ctypes.data + (first - self._first) * width)[:free]
        table[:, 8] = width
        if self._shape.offsets is not None:
            events = self.baskets.starts[:free] - self._shape.first
            table[:, 7] = self._shape.offsets.ctypes.data + events * self._shape.offsets.itemsize
        return table

    def decode(self, number: int, content: Content) -> None:
        """Decode one basket."""
        begin, end = self._edges[number : number + 2].tolist()
        first, last = max(self._first, begin), min(self._last, end)
        wanted = content.raw[(first - begin) * self._dtype.itemsize : (last - begin) * self._dtype.itemsize]
        _copy(wanted, self._dtype, self._content[first - self._first : last - self._first])

    def values(self) -> Values:
        """Return the whole, once every basket has been decoded."""
        return Values(self._content, self._shape.window(*self._range))


class Raw(NamedTuple):
    """A branch as it stands in its baskets, decompressed: what ``kernels.unpack`` makes a column of, on a GPU."""

    bytes: np.ndarray
    """uint8; the values of a basket, big-endian, begin at a multiple of eight."""
    edges: np.ndarray
    """The first value of each basket, counted from 0: int64."""
    begins: np.ndarray
    """Where it stands in *bytes*: int64, of the same shape."""
    n: int
    """Values in all."""
    width: int
    """Bytes of a value; 0: bools, of which any byte but 0 is true."""
    dtype: np.dtype[Any]
    """Of the column, in the machine's order."""
    offsets: np.ndarray | None
    """Of the events' objects, from 0; None: one value an event."""


class RawNumbers(Numbers):
    """The same branches, whose bytes stay as they are."""

    def __init__(
        self, dtype: np.dtype[Any], baskets: Baskets, shape: Shape, start: int, stop: int,
        room: Callable[[int], np.ndarray],
    ) -> None:  # fmt: skip
        super().__init__(dtype, baskets, shape, start, stop)
        edges = np.clip(self._edges, self._first, self._last) - self._first
        self._places = edges[:-1]
        sizes = -(-np.diff(edges) * dtype.itemsize // 8) * 8
        self._begins = np.cumsum(sizes) - sizes
        self._size, self._room = int(sizes.sum()), room
        self._bytes = np.empty(0, np.uint8)

    def allocate(self) -> None:
        """Make room."""
        self._bytes = self._room(self._size)

    def pieces(self) -> np.ndarray:
        """Return what is known of each basket that is not embedded; no bytes change places."""
        table = super().pieces()
        table[:, 5] = 1
        table[:, 6] = self._bytes.ctypes.data + self._begins[: len(table)]
        return table

    def decode(self, number: int, content: Content) -> None:
        """Decode one basket."""
        begin, end = self._edges[number : number + 2].tolist()
        first, last = max(self._first, begin), min(self._last, end)
        width = self._dtype.itemsize
        to = int(self._begins[number])
        self._bytes[to : to + (last - first) * width] = content.raw[(first - begin) * width : (last - begin) * width]

    def raw(self) -> Raw:
        """Return the whole, once every basket has been decoded."""
        width = 0 if self._dtype.kind == "b" else self._dtype.itemsize
        n, dtype = self._last - self._first, self._dtype.newbyteorder("=")
        offsets = self._shape.window(*self._range)
        return Raw(self._bytes, self._places, self._begins, n, width, dtype, offsets)


class Vectors:
    """A branch of ``std::vector``: each event has a header, and its basket has the offsets of the events."""

    def __init__(self, dtype: np.dtype[Any], baskets: Baskets, start: int, stop: int) -> None:
        self.baskets = baskets
        self._dtype, self._range = dtype, (start, stop)
        self._parts: list[tuple[np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0))] * len(baskets)

    def check(self, number: int, border: int) -> None:
        """Nothing is known before a basket is decoded."""

    def allocate(self) -> None:
        """Nothing is known before a basket is decoded."""

    def pieces(self) -> np.ndarray:
        """Return a table that leaves every basket to ``decode``."""
        return np.zeros((len(self.baskets.seeks), len(Piece._fields)), np.int64)

    def decode(self, number: int, content: Content) -> None:
        """Decode one basket.

        Raises
        ------
        FileError
            If the offsets of its events disagree with the sizes of their vectors; without the name of file and branch.
        """
        basket, (start, stop) = self.baskets[number], self._range
        edges = _edges(content, basket.stop - basket.start)
        edges = edges[max(start, basket.start) - basket.start : min(stop, basket.stop) - basket.start + 1]
        counts, rest = np.divmod(np.diff(edges) - VECTOR_HEADER, self._dtype.itemsize)
        if rest.any() or (counts < 0).any():
            msg = "the offsets of its events do not fit to vectors"
            raise FileError(msg)
        headers = edges[:-1, None] + np.arange(VECTOR_HEADER)
        sizes = content.raw[headers[:, 6:]].view(">u4")[:, 0]
        if (sizes != counts).any():
            msg = "the sizes of its vectors disagree with the offsets of its events"
            raise FileError(msg)
        kept = np.ones(int(edges[-1] - edges[0]), np.bool_)
        kept[headers - edges[0]] = False
        values = memory.empty(int(counts.sum()), self._dtype.newbyteorder("="))
        _copy(content.raw[edges[0] : edges[-1]][kept], self._dtype, values)
        self._parts[number] = counts, values

    def values(self) -> Values:
        """Return the whole, once every basket has been decoded."""
        start, stop = self._range
        offsets = np.zeros(stop - start + 1, np.int64)
        if not self._parts:
            return Values(np.empty(0, self._dtype.newbyteorder("=")), offsets)
        np.cumsum(np.concatenate([counts for counts, _ in self._parts]), out=offsets[1:])
        return Values(np.concatenate([values for _, values in self._parts]), offsets)


def _copy(raw: np.ndarray, dtype: np.dtype[Any], out: np.ndarray) -> None:
    """Copy values, swapping bytes."""
    if dtype.kind == "b":
        np.not_equal(raw, 0, out=out)  # a damaged byte is no third truth value
    else:
        out[:] = raw.view(dtype)


def _edges(content: Content, n: int) -> np.ndarray:
    """Return where each of *n* entries of a basket begins and ends.

    Behind the values stand n + 1, n offsets from the beginning of the key, and one number without meaning.
    """
    if content.offsets is not None:
        edges = content.offsets.astype(np.int64)
    else:
        tail = content.raw[content.border :]
        if len(tail) != (n + 2) * _OFFSET.itemsize or int(tail[:4].view(_OFFSET)[0]) != n + 1:
            msg = f"{len(tail)} bytes of offsets for {n} entries"
            raise FileError(msg)
        edges = np.append(tail[4:-4].view(_OFFSET) - np.int64(content.key_length), content.border)
    if len(edges) != n + 1 or edges[0] != 0 or edges[-1] != content.border or (np.diff(edges) < VECTOR_HEADER).any():
        msg = "the offsets of its entries are no ascending numbers from 0 to the end of its values"
        raise FileError(msg)
    return edges
