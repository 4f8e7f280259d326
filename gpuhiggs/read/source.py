"""Sources: the bytes of a file, in few large reads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..errors import FileError

_GAP = 1 << 16
"""Bytes between two extents that are read rather than skipped: about what one more request costs."""
_SPAN = 1 << 20
"""Bytes of one read, unless a single extent is larger; small enough that they stay in a core's cache."""

_local = threading.local()


class Extent(NamedTuple):
    """A piece of a file."""

    seek: int
    length: int


class Source(Protocol):
    """Where bytes come from; threads may read at the same time."""

    path: str
    size: int
    streams: int
    """Threads that are of use even on one core."""
    about: dict[str, Any]
    """What changes with the file."""
    descriptor: int | None
    """Of a local file, which can be read at any place; None: there is none."""

    def groups(self, extents: Sequence[Extent]) -> Iterator[list[int]]:
        """Yield the places of the extents that are best read together."""

    def fetch(self, extents: Sequence[Extent]) -> list[memoryview]:
        """Read a group at once; the bytes are valid until the same thread reads again.

        Raises
        ------
        FileError
            If they cannot be read; without the name of the file.
        """

    def file(self) -> Any:
        """Return what readers of metadata open: a path or a file object."""

    def close(self) -> None:
        """Let go of the file."""


class LocalSource:
    """A local file. What stood at its path when it was opened is read, whatever takes its place."""

    streams = 1

    def __init__(self, path: str) -> None:
        self.path = path
        self.descriptor: int | None = os.open(path, os.O_RDONLY)
        status = os.fstat(self.descriptor)
        self.size = status.st_size
        self.about: dict[str, Any] = {"bytes": self.size, "modified": status.st_mtime_ns}

    def groups(self, extents: Sequence[Extent]) -> Iterator[list[int]]:
        """Yield the places of neighbours."""
        return neighbours(extents, _GAP, _SPAN)

    def fetch(self, extents: Sequence[Extent]) -> list[memoryview]:
        """Read neighbours at once."""
        start, stop = min(one.seek for one in extents), max(one.seek + one.length for one in extents)
        buffer = _buffer(stop - start)
        assert self.descriptor is not None
        done = 0
        while done < len(buffer):
            n = os.preadv(self.descriptor, [buffer[done:]], start + done)
            if n == 0:
                msg = f"the file ends at byte {start + done}, expected {stop}"
                raise FileError(msg)
            done += n
        return [buffer[seek - start : seek - start + length] for seek, length in extents]

    def file(self) -> str:
        """Return the path."""
        return self.path

    def close(self) -> None:
        """Close the file."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None


def neighbours(extents: Sequence[Extent], gap: int, span: int) -> Iterator[list[int]]:
    """Group extents with gaps of at most *gap* bytes between them, each group within *span* bytes."""
    group: list[int] = []
    start = end = 0
    for i in sorted(range(len(extents)), key=extents.__getitem__):
        seek, length = extents[i]
        if group and (seek - end > gap or seek + length - start > span):
            yield group
            group = []
        if not group:
            start = end = seek
        end = max(end, seek + length)
        group.append(i)
    if group:
        yield group


def _buffer(size: int) -> memoryview:
    """Return a thread's buffer: memory that is new to a process costs several times what reading into it does."""
    if len(getattr(_local, "buffer", ())) < size:
        _local.buffer = np.empty(max(size, _SPAN), np.uint8).data
    buffer: memoryview = _local.buffer
    return buffer[:size]
