"""Bulk reading: many branches of a TTree over a range of events, as flat arrays.

For branches of numbers and bools: one value an event, as many as a counter branch says (``Muon_pt[nMuon]``), or a
``std::vector``. A counter is decoded once for all branches of its collection, whose baskets' own offsets are never
looked at. Bytes are read in few large requests; reading and decoding run on threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
from uproot import AsDtype, AsJagged

from ..errors import FileError
from .baskets import Payload, fetch, overlapping, parse, spans
from .values import VECTOR_HEADER, Numbers, Shape, Values, Vectors

_MOST_OBJECTS = 1 << 31
"""In one event: above it, a sum over a range of events might not fit into an int64."""

_T = TypeVar("_T")


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
        shapes = reader.shapes(layouts, start, stop)
        columns: dict[str, Numbers | Vectors] = {}
        for name, (branch, dtype, counter, vector) in layouts.items():
            baskets = reader.baskets(branch, start, stop)
            shape = Shape(start) if counter is None else shapes[counter.name]
            columns[name] = (
                Vectors(dtype, baskets, start, stop) if vector else Numbers(dtype, baskets, shape, start, stop)
            )
        reader.decode(columns)
        return {name: column.values() for name, column in columns.items()}
    finally:
        os.close(descriptor)


class _Reader:
    """An open file and the threads that work on it."""

    def __init__(self, path: str, descriptor: int, threads: int) -> None:
        self._path, self._descriptor, self._threads = path, descriptor, threads
        self._size = os.fstat(descriptor).st_size

    @contextmanager
    def _at(self, branch: str, basket: int | None = None) -> Iterator[None]:
        """Name the place of whatever is found damaged."""
        try:
            yield
        except Exception as error:
            place = f"branch {branch}" if basket is None else f"branch {branch}, basket {basket}"
            what = str(error) if isinstance(error, FileError) else f"{type(error).__name__}: {error}"
            msg = f"{self._path}: {place}: {what}"
            raise FileError(msg) from error

    def baskets(self, branch: Any, start: int, stop: int) -> list[Any]:
        with self._at(branch.name):
            return overlapping(branch, start, stop)

    def shapes(self, layouts: Mapping[str, Layout], start: int, stop: int) -> dict[str, Shape]:
        """Decode each counter over all baskets of the branches that it counts."""
        ranges: dict[str, tuple[int, int]] = {}
        counters = {one.counter.name: one.counter for one in layouts.values() if one.counter is not None}
        for branch, _, counter, _ in layouts.values():
            if counter is not None:
                baskets = self.baskets(branch, start, stop)
                first, last = ranges.get(counter.name, (start, stop))
                ends = [(one.start, one.stop) for one in (baskets[:1] + baskets[-1:])]
                ranges[counter.name] = min([first, *(a for a, _ in ends)]), max([last, *(b for _, b in ends)])
        columns = {
            name: Numbers(branch.interpretation.from_dtype, self.baskets(branch, *ranges[name]), Shape(a), a, b)
            for name, branch in counters.items()
            for a, b in [ranges[name]]
        }
        self.decode(columns)
        return {name: Shape(ranges[name][0], self._offsets(name, column)) for name, column in columns.items()}

    def _offsets(self, name: str, column: Numbers) -> np.ndarray:
        counts = column.values().content
        if counts.size and not 0 <= int(counts.min()) <= int(counts.max()) < _MOST_OBJECTS:
            msg = f"{self._path}: branch {name}: counts from {counts.min()} to {counts.max()}"
            raise FileError(msg)
        offsets = np.zeros(counts.size + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        return offsets

    def decode(self, columns: Mapping[str, Numbers | Vectors]) -> None:
        """Read and decode all baskets: nothing is allocated for values before every header has been checked."""
        places = [(name, column, i) for name, column in columns.items() for i in range(len(column.baskets))]
        baskets = [column.baskets[i] for _, column, i in places]
        payloads: list[Payload | None] = [None] * len(places)

        def parse_one(at: int, raw: memoryview) -> None:
            name, column, i = places[at]
            with self._at(name, baskets[at].number):
                payloads[at] = payload = parse(baskets[at], raw)
                column.check(i, payload)

        def read_group(group: list[int]) -> None:
            with self._at(places[group[0]][0], baskets[group[0]].number):
                found = fetch(self._descriptor, self._size, [baskets[at] for at in group])
            for at, raw in zip(group, found, strict=True):
                parse_one(at, raw)

        def decode_one(at: int) -> None:
            name, column, i = places[at]
            payload, payloads[at] = payloads[at], None
            assert payload is not None
            with self._at(name, baskets[at].number):
                column.decode(i, payload)

        for at, basket in enumerate(baskets):
            if basket.embedded is not None:
                parse_one(at, memoryview(b""))
        self._each(read_group, list(spans(baskets)))
        for column in columns.values():
            column.allocate()
        self._each(decode_one, range(len(places)))

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
