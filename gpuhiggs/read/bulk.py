"""Bulk reading: many branches of a TTree over a range of events, as flat arrays.

For branches of numbers and bools: one value an event, as many as a counter branch says (``Muon_pt[nMuon]``), or a
``std::vector``. A counter is decoded once for all branches of its collection, whose baskets' own offsets are never
looked at. Bytes are read in few large requests; reading and decoding run on threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..errors import FileError
from . import native
from .baskets import Baskets, Branch, header, overlapping
from .fetching import damaged, decode_all
from .source import Extent, Source
from .values import Numbers, Raw, RawNumbers, Shape, Values, Vectors, decompressed, embedded

_MOST_OBJECTS = 1 << 31
"""In one event: above it, a sum over a range of events might not fit into an int64."""

Column = Numbers | Vectors


def read(source: Source, branches: Mapping[str, Branch], start: int, stop: int, threads: int = 1) -> dict[str, Values]:
    """Read branches over the events [start, stop), which their tree has.

    Raises
    ------
    FileError
        If a basket is damaged, or a counter disagrees with what it counts; names file, branch and basket.
    """
    reader = _Reader(source, threads)
    baskets = {name: reader.baskets(one, start, stop) for name, one in branches.items()}
    shapes = reader.shapes(branches, baskets, start, stop)
    columns: dict[str, Column] = {}
    for name, one in branches.items():
        if one.vector:
            columns[name] = Vectors(one.dtype, baskets[name], start, stop)
        else:
            shape = Shape(start) if one.counter is None else shapes[one.counter.name]
            columns[name] = Numbers(one.dtype, baskets[name], shape, start, stop)
    reader.decode(columns)
    return {name: column.values() for name, column in columns.items()}


def read_raw(
    source: Source,
    branches: Mapping[str, Branch],
    start: int,
    stop: int,
    room: Callable[[int], np.ndarray],
    threads: int = 1,
) -> dict[str, Raw]:
    """Read branches that are no vectors over the events [start, stop), their bytes in the file's order.

    Parameters
    ----------
    room
        Returns that many bytes, such as a part of a buffer that a GPU can copy from: uint8, beginning at a multiple of
        eight.

    Raises
    ------
    FileError
        As :func:`read` does.
    """
    reader = _Reader(source, threads)
    baskets = {name: reader.baskets(one, start, stop) for name, one in branches.items()}
    shapes = reader.shapes(branches, baskets, start, stop)
    columns = {}
    for name, one in branches.items():
        shape = Shape(start) if one.counter is None else shapes[one.counter.name]
        columns[name] = RawNumbers(one.dtype, baskets[name], shape, start, stop, room)
    reader.decode(columns)
    return {name: column.raw() for name, column in columns.items()}


class _Reader:
    """A source and the threads that work on it."""

    def __init__(self, source: Source, threads: int) -> None:
        self._source, self._threads = source, threads

    def baskets(self, branch: Branch, start: int, stop: int) -> Baskets:
        """List the baskets of a branch."""
        try:
            return overlapping(branch, start, stop, self._source.size)
        except Exception as error:
            raise damaged(self._source, f"branch {branch.name}", error) from error

    def shapes(
        self, branches: Mapping[str, Branch], baskets: Mapping[str, Baskets], start: int, stop: int
    ) -> dict[str, Shape]:
        """Decode each counter, over all baskets of the branches that it counts."""
        counters: dict[str, Branch] = {}
        ranges: dict[str, tuple[int, int]] = {}
        for name, one in branches.items():
            if one.counter is not None:
                counters[one.counter.name] = one.counter
                first, last = ranges.get(one.counter.name, (start, stop))
                if len(baskets[name]):
                    first, last = min(first, int(baskets[name].starts[0])), max(last, int(baskets[name].stops[-1]))
                ranges[one.counter.name] = first, last
        columns: dict[str, Column] = {}
        for name, counter in counters.items():
            first, last = ranges[name]
            columns[name] = Numbers(counter.dtype, self.baskets(counter, first, last), Shape(first), first, last)
        self.decode(columns)
        return {name: Shape(ranges[name][0], self._offsets(name, column)) for name, column in columns.items()}

    def _offsets(self, name: str, column: Column) -> np.ndarray:
        counts = column.values().content
        offsets = native.added(counts)
        if offsets is not None:
            return offsets
        if counts.size and not 0 <= int(counts.min()) <= int(counts.max()) < _MOST_OBJECTS:
            msg = f"counts from {counts.min()} to {counts.max()}"
            raise damaged(self._source, f"branch {name}", FileError(msg))
        offsets = np.empty(counts.size + 1, np.int64)
        offsets[0] = 0
        np.cumsum(counts, out=offsets[1:])
        return offsets

    def decode(self, columns: Mapping[str, Column]) -> None:
        """Read and decode all baskets.

        Room is made for as many values as the counters say; no page of it is touched before a basket has agreed.
        """
        owners: list[tuple[str, Column]] = []
        for name, column in columns.items():
            self._allocate(name, column)
            free = len(column.baskets.seeks)
            owners += [(name, column)] * bool(free)
            for i in range(free, len(column.baskets)):
                self._decode_embedded(name, column, i)
        if owners:
            self._decode_free(owners)

    def _decode_free(self, owners: list[tuple[str, Column]]) -> None:
        """Read and decode the baskets that are not embedded."""
        table = np.concatenate([column.pieces() for _, column in owners])
        seeks = np.concatenate([column.baskets.seeks for _, column in owners])
        lengths = np.concatenate([column.baskets.lengths for _, column in owners])
        begins = np.cumsum([0, *(len(column.baskets.seeks) for _, column in owners)])
        descriptor = self._source.descriptor
        left = np.arange(len(seeks))
        if descriptor is not None:
            left = native.read(descriptor, seeks, lengths, table, self._threads)

        def place(i: int) -> tuple[str, Column, int]:
            owner = int(np.searchsorted(begins, left[i], "right")) - 1
            return (*owners[owner], int(left[i] - begins[owner]))

        def decode(i: int, raw: memoryview) -> None:
            _, column, number = place(i)
            found = header(column.baskets[number], raw)
            column.check(number, found.border)
            column.decode(number, decompressed(found, raw))

        def name_place(i: int) -> str:
            name, column, number = place(i)
            return f"branch {name}, basket {column.baskets[number].number}"

        def together(group: list[int], raws: list[memoryview]) -> list[int]:
            addresses = [np.frombuffer(raw, np.uint8).__array_interface__["data"][0] for raw in raws]
            remain: list[int] = native.decode(np.array(addresses, np.int64), table[left[group]]).tolist()
            return remain

        extents = [Extent(*one) for one in zip(seeks[left].tolist(), lengths[left].tolist(), strict=True)]
        tried = descriptor is not None
        decode_all(self._source, extents, decode, name_place, self._threads, None if tried else together)

    def _allocate(self, name: str, column: Column) -> None:
        try:
            column.allocate()
        except (MemoryError, ValueError) as error:
            raise damaged(self._source, f"branch {name}", error) from error

    def _decode_embedded(self, name: str, column: Column, number: int) -> None:
        basket = column.baskets[number]
        assert basket.embedded is not None
        try:
            content = embedded(basket.embedded)
            column.check(number, content.border)
            column.decode(number, content)
        except Exception as error:
            raise damaged(self._source, f"branch {name}, basket {basket.number}", error) from error
