"""A GPU of NumPy: memory with a limit, streams that do nothing before they are waited for, the CPU's kernels.

What is tested with it: which bytes go where and when, what happens when memory runs out or a kernel fails. What runs on
the memory is the CPU build, at the addresses that a GPU would get.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from gpuhiggs.backend.card import OutOfMemory
from gpuhiggs.kernels import launch, launch_cuda
from gpuhiggs.kernels.language import TALLY, leaves
from gpuhiggs.kernels.launch import Loop, Program


class FakeError(RuntimeError):
    """What a driver would raise."""


class FakeMemory:
    """Full of nonsense, as device memory is."""

    def __init__(self, nbytes: int) -> None:
        self._array = np.full(nbytes + 64, 0xA5, np.uint8)
        self.address = -(-self._array.ctypes.data // 64) * 64


def _bytes(address: int, nbytes: int) -> np.ndarray:
    interface = {"data": (address, False), "shape": (nbytes,), "typestr": "|u1", "version": 3}
    return np.asarray(type("At", (), {"__array_interface__": interface})())


class FakeStream:
    """Does all of its work when it is waited for: whoever touches memory before sees that at once."""

    def __init__(self, card: FakeCard) -> None:
        self._card = card
        self._queue: list[Callable[[], None]] = []
        card.streams.append(self)

    def copy_in(self, address: int, array: np.ndarray) -> None:
        self._queue.append(lambda: _copy(_bytes(address, array.nbytes), array.reshape(-1).view(np.uint8)))
        self._card.copied += array.nbytes

    def copy_out(self, array: np.ndarray, address: int) -> None:
        self._queue.append(lambda: _copy(array.reshape(-1).view(np.uint8), _bytes(address, array.nbytes)))

    def zero(self, address: int, nbytes: int) -> None:
        self._queue.append(lambda: _bytes(address, nbytes).fill(0))

    def launch(self, kernel: Any, blocks: int, arguments: tuple[int, ...], shared_bytes: int = 0) -> None:
        assert blocks > 0
        assert shared_bytes <= 48 * 1024
        self._queue.append(lambda: kernel(*arguments))
        self._card.launched += 1

    def copy(self, target: int, source: int, nbytes: int) -> None:
        self._queue.append(lambda: _copy(_bytes(target, nbytes), _bytes(source, nbytes)))

    def mark(self) -> list[float]:
        time_of: list[float] = []
        self._queue.append(lambda: time_of.append(time.perf_counter()))
        return time_of

    def seconds(self, first: list[float], last: list[float]) -> float:
        return last[0] - first[0]

    def wait(self) -> None:
        queue, self._queue = self._queue, []
        for step in queue:
            step()

    @property
    def is_idle(self) -> bool:
        return not self._queue


def _copy(target: np.ndarray, source: np.ndarray) -> None:
    target[:] = source


class FakeCard:
    """A GPU with *limit* bytes of memory."""

    description = "a GPU of NumPy"
    multiprocessors = 4
    errors: tuple[type[Exception], ...] = (FakeError,)

    def __init__(self, limit: int = 2**40) -> None:
        self.limit = limit
        self.used = 0
        self.peak = 0
        self.copied = 0
        self.launched = 0
        self.streams: list[FakeStream] = []
        self.fails_at: int | None = None
        self._events: tuple[int, int] = (0, 0)
        self._pinned: set[tuple[int, int]] = set()

    def allocate(self, nbytes: int, stream: FakeStream) -> FakeMemory:
        assert stream.is_idle, "a slot is used by one chunk at a time"
        if self.used + nbytes > self.limit:
            msg = f"{nbytes} bytes of {self.limit}, {self.used} in use"
            raise OutOfMemory(msg)
        memory = FakeMemory(nbytes)
        self.used += nbytes
        self.peak = max(self.peak, self.used)
        weakref.finalize(memory, self._free, nbytes)
        return memory

    def _free(self, nbytes: int) -> None:
        self.used -= nbytes

    def pinned(self, nbytes: int) -> np.ndarray:
        array = np.full(nbytes, 0x5A, np.uint8)
        self._pinned.add((array.ctypes.data, array.ctypes.data + nbytes))
        return array

    def is_pinned(self, array: np.ndarray) -> bool:
        first = array.ctypes.data
        return any(a <= first and first + array.nbytes <= b for a, b in self._pinned)

    def stream(self) -> FakeStream:
        return FakeStream(self)

    def free_bytes(self) -> int:
        return self.limit - self.used

    def kernel(self, program: Program | Loop, name: str, arguments: tuple[Any, ...] = ()) -> Callable[..., None]:
        if isinstance(program, Loop):
            return lambda last, *others: launch.compiled_loop(program)(0, last, 0, *others)
        return self._select if name == launch_cuda.SELECT else self._process(program, name)

    def _select(self, first: int, last: int, gates: int, selected: int, *records: int) -> None:
        self._list = first, last, gates

    def _process(self, program: Program, name: str) -> Callable[..., None]:
        def process(shifts: int, selected: int, cells: int, sums: int, *records: int) -> None:
            if self.fails_at is not None and self.launched >= self.fails_at:
                msg = "an illegal memory access was encountered"
                raise FakeError(msg)
            first, last, gates = self._list
            *others, out = records
            slots = _bytes(out, 8 * len(list(leaves(program.argument_types()[3])))).view(np.uint64).copy()
            for number, leaf in enumerate(leaves(program.argument_types()[3])):
                if TALLY <= leaf.role <= launch_cuda.LEVELS[name]:
                    assert slots[number] < cells, "sums in shared memory are numbered"
                    slots[number] = sums + 8 * int(slots[number])
            launch.compiled(program)(first, last, shifts, gates, *others, slots.ctypes.data)

        return process
