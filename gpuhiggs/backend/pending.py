"""One call under way on a GPU: begun without waiting, its results asked for later."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels import launch_cuda
from ..kernels.launch import Loop
from . import sums
from .call import Call
from .plan import PARTS, Plan, selected_columns
from .slot import Slot

if TYPE_CHECKING:
    from .cuda import Cuda

WIDEN = Loop("gpuhiggs.kernels.widen", "widen_range", ("sums", "high", "low", "n_sums"))
_WIDEN_TYPES = (np.uint64(0), np.uint64(0), np.uint64(0), np.int64(0))


class Pending:
    """A call under way, in a slot that is left when it is done."""

    def __init__(self, device: Cuda, call: Call, slot: Slot, leave: Callable[[Slot], None]) -> None:
        self._device, self._call, self._slot, self._leave = device, call, slot, leave
        self._cells = sums.cells(call.out, call.tables, len(call.program.namespace().GATES) + 1, device.kernel)
        self._plan = Plan(call, self._cells, device.card.is_pinned)
        self._marks: list[tuple[str, Any]] = []
        with device.failing():
            self._plan.arena.allocate(device.card, slot.stream)
            try:
                self._start()
            except BaseException:
                with contextlib.suppress(Exception):
                    slot.stream.wait()  # its memory is not to be used again before
                raise

    def _start(self) -> None:
        """Put everything that is to be done into the stream."""
        plan, stream, card = self._plan, self._slot.stream, self._device.card
        plan.fill_slots()
        n_back = 16 * self._cells.n + 8
        staging = self._slot.staging(plan.arena.staged_bytes + n_back)
        self._mark("")
        plan.arena.fill(stream, staging)
        self._mark("copy in")
        stream.zero(plan.sums, plan.zeroed)
        kernels = [card.kernel(self._call.program, name) for name in (launch_cuda.SELECT, self._cells.kernel)]
        kernels.append(card.kernel(WIDEN, "process", _WIDEN_TYPES))
        for first, last in self._call.ranges:
            self._launch(first, last, *kernels)
        self._back = staging[plan.arena.staged_bytes :][:n_back]
        stream.copy_out(self._back, plan.high)
        self._mark("copy out")

    def _launch(self, first: int, last: int, select: Any, process: Any, widen: Any) -> None:
        """Start the three kernels of a range of events."""
        plan, cells, shifts = self._plan, self._cells, self._call.shifts
        launch, geometry = self._slot.stream.launch, self._device.geometry
        selected = plan.arena.address(plan.list)
        records = [plan.arena.address(plan.records[part]) for part in PARTS]
        self._slot.stream.zero(selected, 8)
        self._mark("")
        gates = plan.sums + 8 * cells.gates
        blocks = self._blocks(last - first, geometry.select)
        launch(select, blocks, (first, last, gates, selected, *records), 8 * cells.n_gates)
        self._mark(launch_cuda.SELECT)
        blocks = self._blocks((last - first) * shifts, geometry.process)
        launch(process, blocks, (shifts, selected, cells.shared, plan.sums, *records), 8 * cells.shared)
        self._mark(cells.kernel)
        blocks = self._blocks(cells.n, geometry.process)
        launch(widen, blocks, (cells.n, plan.sums, plan.high, plan.low, cells.n_sums))
        self._mark("widen")

    def _blocks(self, n: int, of_each: int) -> int:
        """Return enough blocks for *n* threads, but not more than *of_each* for every multiprocessor."""
        return min(-(-n // launch_cuda.THREADS), of_each * self._device.card.multiprocessors)

    # --- measured ---

    def _mark(self, name: str) -> None:
        """Note that what goes by a name ends here; no name: something is to begin."""
        if self._device.timed is not None:
            self._marks.append((name, self._slot.stream.mark()))

    def _tell_times(self) -> None:
        times = self._device.timed
        for (_, before), (name, after) in itertools.pairwise(self._marks):
            if name and times is not None:
                times.setdefault(name, []).append(self._slot.stream.seconds(before, after))

    # --- back ---

    def results(self) -> Iterator[np.ndarray]:
        """Wait; then yield the gate's sums while the others are in the call's arrays, mostly once."""
        cells, call = self._cells, self._call
        try:
            with self._device.failing():
                self._slot.stream.wait()
                limbs = self._back[: 16 * cells.n].view(np.int64).copy()
                self._take_selected(int(self._back[16 * cells.n :].view(np.int64)[0]))
                self._take_written()
                self._tell_times()
        finally:
            del self._plan  # its memory is free for the next
            self._leave(self._slot)
        for piece in sums.pieces(limbs[: cells.n], limbs[cells.n :]):
            sums.add_to(call.out, "out", piece, cells)
            sums.add_to(call.tables, "tables", piece, cells)
            yield piece[cells.gates : cells.gates + cells.n_gates].reshape(-1, 4)

    def _take_written(self) -> None:
        """Copy back what the body has written for each event."""
        for array, place in self._plan.written:
            self._slot.stream.copy_out(array, self._plan.arena.address(place))
        if self._plan.written:
            self._slot.stream.wait()

    def _take_selected(self, n: int) -> None:
        """Copy the selected events back and put them in the order of their numbers, after those that are there."""
        if not n:
            return
        selected = self._call.out.selected
        before = int(selected.n[0])
        selected.n[0] += n
        if not self._plan.rows:
            return
        found = {}
        for name, array, width in selected_columns(self._call):
            found[name] = np.empty(n * width, array.dtype)
            if width:
                self._slot.stream.copy_out(found[name], self._plan.arena.address(self._plan.selected[name]))
        self._slot.stream.wait()
        order = np.argsort(found["event"], kind="stable")[: selected.capacity - before]
        for name, array, width in selected_columns(self._call):
            rows = found[name].reshape(n, width)[order].reshape(-1)
            array[before * width :][: rows.size] = rows
