"""Memory for columns, used again: a page that is new costs more than to decompress what goes there.

Chunk after chunk a process needs arrays of about the same sizes. Large ones that are freed go back to the system, and
come back as pages that the kernel clears one by one: a quarter of the time of reading LZ4. So a buffer is kept when the
last array in it is gone, for the next array that it fits.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

SMALLEST = 1 << 18
"""Bytes; smaller arrays are the allocator's own business."""
KEPT = 1 << 28
"""Bytes that are kept for later, at most."""
_SLACK = 4
"""A buffer is too large for an array that would leave more than one in so many bytes of it empty."""

_lock = threading.Lock()
_idle: list[np.ndarray] = []
"""Buffers in which there is no array; the one that was used last comes last."""


class _Lease:
    """What an array in a buffer, and every view of it, refers to."""

    def __init__(self, buffer: np.ndarray, n: int, dtype: np.dtype[Any]) -> None:
        address = buffer.__array_interface__["data"]
        self.__array_interface__ = {"version": 3, "shape": (n,), "typestr": dtype.str, "data": address}


def empty(n: int, dtype: Any) -> np.ndarray:
    """Return an array of *n* values that are not set.

    Raises
    ------
    MemoryError, ValueError
        As NumPy does.
    """
    kind = np.dtype(dtype)
    size = int(n) * kind.itemsize
    if size < SMALLEST:
        return np.empty(n, kind)
    buffer = _taken(size)
    lease = _Lease(buffer, int(n), kind)
    weakref.finalize(lease, _give, buffer).atexit = False
    return np.asarray(lease)


def _taken(size: int) -> np.ndarray:
    """Return a buffer, one that is idle if it fits."""
    with _lock:
        for i in reversed(range(len(_idle))):
            if size <= _idle[i].size <= size + size // (_SLACK - 1):
                return _idle.pop(i)
    return np.empty(size + size // (4 * _SLACK), np.uint8)  # the next chunk may be a little larger


def _give(buffer: np.ndarray) -> None:
    """Keep a buffer; it is freed if somebody is taking one: the garbage collector may call this amid that."""
    if not _lock.acquire(blocking=False):
        return
    try:
        _idle.append(buffer)
        surplus = sum(one.size for one in _idle) - KEPT
        while surplus > 0:
            surplus -= _idle.pop(0).size
    finally:
        _lock.release()
