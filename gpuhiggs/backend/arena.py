"""One block of device memory for all that a call needs: what is copied there, what is zero, what is only scratch.

The parts are planned first; once the block is there, everything small goes over in one copy from pinned memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .card import Card, Memory, Stream

_ALIGNED = 256
"""Bytes: where parts begin, so that no two of them share a line of the cache."""


def _rounded(nbytes: int) -> int:
    return -(-nbytes // _ALIGNED) * _ALIGNED


class Arena:
    """Plans parts of a block of device memory, then fills it."""

    def __init__(self, is_pinned: Callable[[np.ndarray], bool]) -> None:
        self._is_pinned = is_pinned
        self._staged: list[tuple[int, np.ndarray]] = []
        self._direct: list[tuple[int, np.ndarray]] = []
        self.staged_bytes = 0
        self._rest = 0
        self._memory: Memory | None = None

    def put(self, array: np.ndarray) -> tuple[str, int]:
        """Plan a copy of a host array; its content is read when the arena is filled."""
        if array.nbytes and self._is_pinned(array):
            place = self.scratch(array.nbytes)
            self._direct.append((place[1], array))
            return place
        start = self.staged_bytes
        self._staged.append((start, array))
        self.staged_bytes += _rounded(array.nbytes)
        return "staged", start

    def scratch(self, nbytes: int) -> tuple[str, int]:
        """Plan memory of any content."""
        start = self._rest
        self._rest += _rounded(nbytes)
        return "rest", start

    @property
    def nbytes(self) -> int:
        """The size of the block."""
        return max(1, self.staged_bytes + self._rest)

    def allocate(self, card: Card, stream: Any) -> None:
        """Get the block, or raise OutOfMemory."""
        self._memory = card.allocate(self.nbytes, stream)

    def address(self, place: tuple[str, int]) -> int:
        """Return the address of a part, once there is a block."""
        assert self._memory is not None
        part, start = place
        return self._memory.address + start + (self.staged_bytes if part == "rest" else 0)

    def fill(self, stream: Stream, staging: np.ndarray) -> None:
        """Begin to copy; *staging* is pinned memory of at least ``staged_bytes``, in use until the stream is done."""
        for start, array in self._staged:
            staging[start : start + array.nbytes] = array.reshape(-1).view(np.uint8)
        if self.staged_bytes:
            stream.copy_in(self.address(("staged", 0)), staging[: self.staged_bytes])
        for start, array in self._direct:
            stream.copy_in(self.address(("rest", start)), array)
