"""A GPU's blocks of threads in the Python interpreter: all that schedules a kernel, at the addresses that it is given.

Each thread of a block is a thread of Python; blocks run one after the other. A thread gives way to others where it
waits and nowhere else (:func:`emulated`), so what is one step for the hardware, an atomic addition, is one here. The
drivers' kernels and the bodies run as they stand: start Python with ``NUMBA_DISABLE_JIT=1``.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from gpuhiggs.kernels import launch, launch_cuda
from gpuhiggs.kernels.block import add_carried
from gpuhiggs.kernels.language import PLAIN, TALLY, Column, fields, is_tuple_type, leaves
from gpuhiggs.kernels.launch import Loop, Program
from tests.backend.fake_card import FakeCard

THREADS = 64
"""Of a block: two warps."""
_WARP = 32
_FAR = 2**26
"""Elements of a column, whose size nobody says: nothing is looked at beyond what a kernel asks for."""


def _array(address: int, dtype: Any) -> np.ndarray:
    interface = {"data": (address, False), "shape": (_FAR,), "typestr": np.dtype(dtype).str, "version": 3}
    return np.asarray(type("At", (), {"__array_interface__": interface})())


class _Block:
    """What the threads of a block share."""

    def __init__(self, words: int) -> None:
        self.words = np.full(max(words, 1), 0xDEADBEEF, np.uint32)
        self.barrier = threading.Barrier(THREADS)
        self.warps = [threading.Barrier(_WARP) for _ in range(THREADS // _WARP)]
        self.lanes = [0] * THREADS
        self.votes = [0] * THREADS
        self.arrays: list[np.ndarray] = []


class _Cuda(threading.local):
    """What a driver finds under the name ``cuda``, in each thread."""

    def enter(self, block: _Block, index: int, blocks: int, thread: int) -> None:
        self._block, self._thread, self._n_arrays = block, thread, 0
        self.threadIdx, self.blockIdx = SimpleNamespace(x=thread), SimpleNamespace(x=index)
        self.blockDim, self.gridDim = SimpleNamespace(x=THREADS), SimpleNamespace(x=blocks)
        self.shared, self.atomic = SimpleNamespace(array=self._shared_array), SimpleNamespace(add=self._atomic_add)

    def grid(self, dimensions: int) -> int:
        return int(self.blockIdx.x * THREADS + self._thread)

    def gridsize(self, dimensions: int) -> int:
        return int(self.gridDim.x * THREADS)

    def syncthreads(self) -> None:
        self._block.barrier.wait()

    def syncthreads_count(self, vote: int) -> int:
        self._block.votes[self._thread] = vote
        self._block.barrier.wait()
        n = sum(self._block.votes)
        self._block.barrier.wait()
        return n

    def shfl_down_sync(self, mask: int, value: int, delta: int) -> int:
        warp, lane = divmod(self._thread, _WARP)
        self._block.lanes[self._thread] = value
        self._block.warps[warp].wait()
        found = self._block.lanes[self._thread + delta] if lane + delta < _WARP else value
        self._block.warps[warp].wait()
        return found

    def _shared_array(self, n: int, dtype: Any) -> np.ndarray:
        if self._n_arrays == len(self._block.arrays):
            self._block.arrays.append(np.full(n, 77, dtype))
        self._n_arrays += 1
        return self._block.arrays[self._n_arrays - 1]

    def _atomic_add(self, array: np.ndarray, index: int, value: int) -> int:
        before = int(array[index])
        array[index] = before + value
        return before


class _SharedColumn(Column):
    """A column of sums in the words of whichever block runs."""

    __slots__ = ("_card", "_first")

    def __init__(self, card: EmulatedCard, first: int) -> None:
        super().__init__(np.empty(0, np.int64))
        self._card, self._first = card, first

    def add(self, index: int, value: int) -> None:
        add_carried(Column(self._card.block.words), self._first + index, value)


class EmulatedCard(FakeCard):
    """A GPU of NumPy whose kernels are the drivers' own."""

    def __init__(self, blocks: int, shuffled: bool = False) -> None:
        super().__init__()
        self.block = _Block(0)
        self._blocks = blocks
        self._shuffled = shuffled

    def kernel(self, program: Program | Loop, name: str, arguments: tuple[Any, ...] = ()) -> Callable[..., None]:
        if isinstance(program, Loop):
            loop = launch.compiled_loop(program)  # without a compiler the loop itself, which takes arrays
            return lambda last, *sums: loop(0, last, 0, *(_array(a, np.int64) for a in sums[:-1]), sums[-1])
        text = launch_cuda.driver_source(program)
        driver = launch.imported(f"{launch.driver_name(program)}_emulated", launch.text_hash(text, __name__), text)
        cuda = _Cuda()
        driver.cuda, driver.shared_words = cuda, lambda: Column(self.block.words)  # type: ignore[attr-defined]
        types = program.argument_types()
        n_words = 2 * 6144

        def run(*given: int) -> None:
            *numbers, inputs, cuts, tables, out = given
            level = launch_cuda.LEVELS.get(name, PLAIN)
            records = [
                self._record(kind, address) for kind, address in zip(types[:3], (inputs, cuts, tables), strict=True)
            ]
            records.append(self._record(types[3], out, level))
            places = (2, 3) if name == launch_cuda.SELECT else (1, 3)  # of addresses among the numbers
            values = [_array(value, np.int64) if i in places else value for i, value in enumerate(numbers)]
            order = list(range(self._blocks))
            if self._shuffled:
                np.random.default_rng(7).shuffle(order)
            for index in order:
                self.block = _Block(n_words)
                self._run_block(getattr(driver, name), cuda, index, (*values, *records))

        return run

    def _run_block(self, function: Any, cuda: _Cuda, index: int, arguments: tuple[Any, ...]) -> None:
        errors: list[BaseException] = []

        def thread(number: int) -> None:
            cuda.enter(self.block, index, self._blocks, number)
            try:
                with np.errstate(all="ignore"):
                    function(*arguments)
            except BaseException as error:
                errors.append(error)
                self.block.barrier.abort()

        threads = [threading.Thread(target=thread, args=(number,)) for number in range(THREADS)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        for error in errors:
            if not isinstance(error, threading.BrokenBarrierError):
                raise error

    def _record(self, tuple_type: type, address: int, level: int = PLAIN) -> Any:
        """Read a record's slots at an address: columns at the addresses there, sums in shared memory by number."""
        slots = iter(_array(address, np.uint64)[: len(list(leaves(tuple_type)))].copy())
        leaf = leaves(tuple_type)

        def build(kind: type) -> Any:
            return kind(*(build(hint) if is_tuple_type(hint) else entry() for hint in fields(kind).values()))

        def entry() -> Any:
            found, slot = next(leaf), next(slots)
            if found.kind is not Column:
                return slot.view(np.int64 if found.kind is int else np.float64).item()
            if TALLY <= found.role <= level:
                return _SharedColumn(self, int(slot))
            return Column(_array(int(slot), found.dtype)) if slot else Column(np.empty(0, found.dtype))

        return build(tuple_type)


@contextlib.contextmanager
def emulated() -> Iterator[None]:
    """Let threads of Python take turns only where they wait."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e4)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
