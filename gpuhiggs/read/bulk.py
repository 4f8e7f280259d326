"""Bulk reading: many branches of a TTree over a range of events, as flat arrays.

For branches of numbers and bools: one value an event, as many as a counter branch says (``Muon_pt[nMuon]``), or a
``std::vector``. A counter is decoded once for all branches of its collection, whose baskets' own offsets are never
looked at. Bytes are read in few large requests; reading and decoding run on threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
from uproot import AsDtype, AsJagged

from ..errors import FileError
from .baskets import Basket, Header, fetch, header, overlapping, spans
from .values import VECTOR_HEADER, Numbers, Shape, Values, Vectors, decompressed, embedded

_MOST_OBJECTS = 1 << 31
"""In one event: above it, a sum over a range of events might not fit into an int64."""

_T = TypeVar("_T")
Column = Numbers | Vectors


class _Place(NamedTuple):
    """One basket of one column."""

    branch: str
    column: Column
    number: int
    """Which of the column's baskets it is."""
    basket: Basket


class Layout(NamedTuple):
    """How a branch lies in its baskets."""

    branch: Any
    dtype: np.dtype[Any]
    """In the file's byte order."""
    counter: Any = None
    """The branch with the number of its values."""
    vector: bool = False


def layout(branch: Any) -> Layout | None:
    """Return how an uproot branch lies in its baskets; None: bulk reading does not cover it."""
    interpretation, counter = branch.interpretation, branch.count_branch
    if len(branch.branches) or len(branch.member("fLeaves")) != 1:
        return None
    if _is_numbers(interpretation):
        return Layout(branch, interpretation.from_dtype)
    if type(interpretation) is not AsJagged or not _is_numbers(interpretation.content):
        return None
    dtype = interpretation.content.from_dtype
    if counter is None:
        return Layout(branch, dtype, vector=True) if interpretation.header_bytes == VECTOR_HEADER else None
    counted = interpretation.header_bytes == 0 and _is_numbers(counter.interpretation)
    return Layout(branch, dtype, counter) if counted and counter.interpretation.from_dtype.kind in "iu" else None


def _is_numbers(interpretation: Any) -> bool:
    if type(interpretation) is not AsDtype:
        return False
    stored = interpretation.from_dtype
    return stored.kind in "biuf" and stored.newbyteorder("=") == interpretation.to_dtype


def read(path: str, layouts: Mapping[str, Layout], start: int, stop: int, threads: int = 1) -> dict[str, Values]:
    """Read branches of a local file over the events [start, stop), which its tree has.

    Raises
    ------
    FileError
        If a basket is damaged, or a counter disagrees with what it counts; names file, branch and basket.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        reader = _Reader(path, descriptor, threads)
        baskets = {name: reader.baskets(one.branch, start, stop) for name, one in layouts.items()}
        shapes = reader.shapes(layouts, baskets, start, stop)
        columns: dict[str, Column] = {}
        for name, (_, dtype, counter, vector) in layouts.items():
            if vector:
                columns[name] = Vectors(dtype, baskets[name], start, stop)
            else:
                shape = Shape(start) if counter is None else shapes[counter.name]
                columns[name] = Numbers(dtype, baskets[name], shape, start, stop)
        reader.decode(columns)
        return {name: column.values() for name, column in columns.items()}
    finally:
        os.close(descriptor)


class _Reader:
    """An open file and the threads that work on it."""

    def __init__(self, path: str, descriptor: int, threads: int) -> None:
        self._path, self._descriptor, self._threads = path, descriptor, threads
        self._size = os.fstat(descriptor).st_size

    def _damaged(self, branch: str, basket: int | None, error: Exception) -> FileError:
        """Name the place of what was found damaged; the libraries for decompression have errors of their own."""
        place = f"branch {branch}" if basket is None else f"branch {branch}, basket {basket}"
        what = str(error) if isinstance(error, FileError) else f"{type(error).__name__}: {error}"
        return FileError(f"{self._path}: {place}: {what}")

    def baskets(self, branch: Any, start: int, stop: int) -> list[Basket]:
        """List the baskets of a branch."""
        try:
            return overlapping(branch, start, stop, self._size)
        except Exception as error:
            raise self._damaged(branch.name, None, error) from error

    def shapes(
        self, layouts: Mapping[str, Layout], baskets: Mapping[str, list[Basket]], start: int, stop: int
    ) -> dict[str, Shape]:
        """Decode each counter, over all baskets of the branches that it counts."""
        counters: dict[str, Any] = {}
        ranges: dict[str, tuple[int, int]] = {}
        for name, one in layouts.items():
            if one.counter is not None:
                counters[one.counter.name] = one.counter
                first, last = ranges.get(one.counter.name, (start, stop))
                for basket in (*baskets[name][:1], *baskets[name][-1:]):
                    first, last = min(first, basket.start), max(last, basket.stop)
                ranges[one.counter.name] = first, last
        columns: dict[str, Column] = {}
        for name, counter in counters.items():
            first, last = ranges[name]
            dtype = counter.interpretation.from_dtype
            columns[name] = Numbers(dtype, self.baskets(counter, first, last), Shape(first), first, last)
        self.decode(columns)
        return {name: Shape(ranges[name][0], self._offsets(name, column)) for name, column in columns.items()}

    def _offsets(self, name: str, column: Column) -> np.ndarray:
        counts = column.values().content
        if counts.size and not 0 <= int(counts.min()) <= int(counts.max()) < _MOST_OBJECTS:
            msg = f"counts from {counts.min()} to {counts.max()}"
            raise self._damaged(name, None, FileError(msg))
        offsets = np.zeros(counts.size + 1, np.int64)
        offsets[1:] = counts
        np.cumsum(offsets, out=offsets)
        return offsets

    def decode(self, columns: Mapping[str, Column]) -> None:
        """Read and decode all baskets: no room is made for values before every header has been checked."""
        places = [
            _Place(name, column, i, one) for name, column in columns.items() for i, one in enumerate(column.baskets)
        ]
        headers = [self._check(place) for place in places]
        for column in columns.values():
            column.allocate()
        for place in places:
            if place.basket.embedded is not None:
                self._decode(place, None, memoryview(b""))

        def read_group(group: list[int]) -> None:
            first = places[group[0]]
            try:
                found = fetch(self._descriptor, [places[i].basket for i in group])
            except Exception as error:
                raise self._damaged(first.branch, first.basket.number, error) from error
            for i, raw in zip(group, found, strict=True):
                self._decode(places[i], headers[i], raw)

        self._each(read_group, list(spans([place.basket for place in places])))

    def _check(self, place: _Place) -> Header | None:
        """Read a basket's header; None: it is embedded."""
        try:
            if place.basket.embedded is not None:
                place.column.check(place.number, embedded(place.basket).border)
                return None
            found = header(self._descriptor, place.basket)
            place.column.check(place.number, found.border)
        except Exception as error:
            raise self._damaged(place.branch, place.basket.number, error) from error
        return found

    def _decode(self, place: _Place, found: Header | None, raw: memoryview) -> None:
        try:
            content = embedded(place.basket) if found is None else decompressed(found, raw)
            place.column.decode(place.number, content)
        except Exception as error:
            raise self._damaged(place.branch, place.basket.number, error) from error

    def _each(self, function: Callable[[_T], None], items: Sequence[_T]) -> None:
        """Apply *function* to every item; threads take from one iterator, whose steps the GIL makes atomic."""
        remaining = iter(items)

        def work() -> None:
            for item in remaining:
                function(item)

        if self._threads == 1 or len(items) < 2:
            work()
            return
        with ThreadPoolExecutor(self._threads) as pool:
            for done in [pool.submit(work) for _ in range(self._threads)]:
                done.result()
