"""A GPU as a device: chunks go over, are worked on and come back as sums, two or three of them at a time.

A call takes a *slot*: a stream and pinned memory. Whoever calls from several threads, or submits the next before it
asks for the result of this one, has the copy of one chunk beside the kernels of another. Back come sums, and selected
events in the order of their numbers. What does not fit is cut in two, until it does: no sum depends on how.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..errors import DeviceLostError, RunError
from .arena import Arena
from .call import Call, DeviceArray, mapped
from .card import Card, OutOfMemory
from .pending import Pending
from .slot import Slot

DEPTH = 3
"""Chunks in flight: one copied, one worked on, one coming back."""

_AT_ONCE = 2**28
"""Bytes that go over at a time where all of it is to stay."""


class Geometry(NamedTuple):
    """Blocks of a launch for each multiprocessor."""

    select: int = 8
    process: int = 4


class Cuda:
    """Runs the CUDA build on one GPU; may be used from several threads."""

    name = "cuda"

    def __init__(self, card: Card, depth: int = DEPTH, geometry: Geometry | None = None) -> None:
        self.card = card
        self.depth = depth
        self.geometry = geometry or Geometry()
        self.description = card.description
        self.kernel: str | None = None
        """The kernel to take, whatever the sizes say: for measurements."""
        self.splits = 0
        """How often a chunk did not fit."""
        self.timed: dict[str, list[float]] | None = None
        """Where there is a mapping, it takes the seconds of each copy and kernel, by name: for measurements."""
        self._slots: queue.LifoQueue[Slot] = queue.LifoQueue()
        for _ in range(depth):
            self._slots.put(Slot(card))
        self._alone = threading.Lock()

    def launches(self, call: Call) -> Iterator[np.ndarray]:
        """Run a kernel; yield the gate's sums, as a rule once; the others are in ``call.out`` and ``call.tables`` then.

        Whoever takes them empties the sums before the next.

        Raises
        ------
        RunError
            If not even one event fits into memory.
        DeviceLostError
            If the GPU fails.
        """
        if not call.ranges:
            return
        try:
            pending = self.submit(call)
        except OutOfMemory:
            with self._nobody_else() as slot:
                yield from self._in_parts(call, slot)
        else:
            yield from pending.results()

    def submit(self, call: Call) -> Pending:
        """Start a call, waiting for a slot if all are in use; its results must be asked for.

        Raises
        ------
        OutOfMemory
            If it does not fit into memory at present.
        """
        slot = self._slots.get()
        try:
            return Pending(self, call, slot, self._slots.put)
        except BaseException:
            self._slots.put(slot)
            raise

    @contextlib.contextmanager
    def _nobody_else(self) -> Iterator[Slot]:
        """Wait until no other chunk is in flight; yield a slot."""
        with self._alone:
            slots = [self._slots.get() for _ in range(self.depth)]
            try:
                yield slots[0]
            finally:
                for slot in slots:
                    self._slots.put(slot)

    def _in_parts(self, call: Call, slot: Slot) -> Iterator[np.ndarray]:
        try:
            pending = Pending(self, call, slot, lambda slot: None)
        except OutOfMemory as error:
            halves = call.halves()
            if halves is None:
                msg = f"{self.description}: out of memory for a single event with its tables and sums: {error}"
                raise RunError(msg) from error
            self.splits += 1
            for half in halves:
                yield from self._in_parts(half, slot)
        else:
            yield from pending.results()

    # --- columns that stay ---

    def upload(self, tree: Any) -> Any:
        """Return columns in device memory, where they stay until nothing refers to them.

        Raises
        ------
        OutOfMemory
            If they do not fit.
        """
        arena = Arena(self.card.is_pinned)
        places: list[tuple[np.ndarray, tuple[str, int]]] = []
        mapped(tree, lambda array: places.append((array, arena.scratch(array.nbytes))))
        slot = self._slots.get()
        try:
            with self.failing():
                arena.allocate(self.card, slot.stream)
                for array, place in places:
                    self._copy_over(slot, array.reshape(-1).view(np.uint8), arena.address(place))
        finally:
            self._slots.put(slot)
        following = iter(places)

        def there(array: np.ndarray) -> DeviceArray:
            _, place = next(following)
            return DeviceArray(arena.address(place), array.size, array.dtype, arena)

        return mapped(tree, there)

    def _copy_over(self, slot: Slot, array: np.ndarray, address: int) -> None:
        """Copy an array of bytes to the device, by way of a limited part of pinned memory."""
        for start in range(0, array.size, _AT_ONCE):
            part = array[start : start + _AT_ONCE]
            if not self.card.is_pinned(part):
                staging = slot.staging(part.size)[: part.size]
                staging[:] = part
                part = staging
            slot.stream.copy_in(address + start, part)
            slot.stream.wait()

    def pinned(self, tree: Any) -> Any:
        """Return a copy of columns in pinned host memory, from which they go over without a detour."""

        def copy(array: np.ndarray) -> np.ndarray:
            there = self.card.pinned(array.nbytes).view(array.dtype) if array.nbytes else array
            there[:] = array
            return there

        return mapped(tree, copy)

    @contextlib.contextmanager
    def failing(self) -> Iterator[None]:
        """Say what has failed where the GPU does."""
        try:
            yield
        except self.card.errors as error:
            msg = f"{self.description}: {type(error).__name__}: {error}"
            raise DeviceLostError(msg) from error
