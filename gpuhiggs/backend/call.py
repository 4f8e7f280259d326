"""What a kernel is called with, on whatever device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..kernels.launch import Program


class DeviceArray(NamedTuple):
    """A column in a device's memory: it may stand in a NamedTuple where a NumPy array may."""

    address: int
    size: int
    dtype: np.dtype[Any]
    memory: Any
    """What keeps it from being freed."""

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return self.size * self.dtype.itemsize


class Call(NamedTuple):
    """A channel's kernel and its arguments, over some ranges of events."""

    program: Program
    inputs: Any
    """The kernel's Inputs, of NumPy or of device arrays."""
    cuts: Any
    tables: Any
    out: Any
    """NumPy arrays that are added to; selected events are written after those that are there."""
    ranges: tuple[tuple[int, int], ...]
    """One after the other; each is small enough for a launch, in which no sum may wrap."""
    shifts: int = 1
    n_events: int = 0
    """Of all columns, not of the ranges alone; needed where the body writes something for each event."""

    @property
    def first(self) -> int:
        """The first event."""
        return self.ranges[0][0] if self.ranges else 0

    @property
    def last(self) -> int:
        """The event after the last."""
        return self.ranges[-1][1] if self.ranges else 0

    def halves(self) -> tuple[Call, Call] | None:
        """Cut the events in two; None where there is but one."""
        middle = (self.first + self.last) // 2
        if middle == self.first:
            return None
        before = tuple((a, min(b, middle)) for a, b in self.ranges if a < middle)
        after = tuple((max(a, middle), b) for a, b in self.ranges if b > middle)
        return self._replace(ranges=before), self._replace(ranges=after)


def flat(tree: Any) -> Iterator[Any]:
    """List the entries of a tree of NamedTuples, depth first: the order of a record's slots."""
    for entry in tree:
        if isinstance(entry, tuple) and not isinstance(entry, DeviceArray):
            yield from flat(entry)
        else:
            yield entry


def mapped(tree: Any, function: Any) -> Any:
    """Return a tree of NamedTuples with *function* applied to each array."""
    if isinstance(tree, tuple) and not isinstance(tree, DeviceArray):
        return type(tree)(*(mapped(entry, function) for entry in tree))
    return function(tree) if isinstance(tree, np.ndarray) else tree


def bytes_of(tree: Any) -> int:
    """Return how many bytes the columns of a tree take."""
    return sum(entry.nbytes for entry in flat(tree) if isinstance(entry, np.ndarray | DeviceArray))
