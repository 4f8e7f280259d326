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
from ..kernels import launch, launch_cuda
from ..kernels.language import WRITTEN, Column, leaves
from ..kernels.launch import Loop
from . import sums
from .arena import Arena
from .call import Call, DeviceArray, flat, mapped
from .card import Card, OutOfMemory, Stream

DEPTH = 3
"""Chunks in flight: one copied, one worked on, one coming back."""

WIDEN = Loop("gpuhiggs.kernels.widen", "widen_range", ("sums", "high", "low", "n_sums"))
_WIDEN_TYPES = (np.uint64(0), np.uint64(0), np.uint64(0), np.int64(0))


class Geometry(NamedTuple):
    """Blocks of a launch for each multiprocessor."""

    select: int = 8
    process: int = 4


class Slot:
    """A stream, and pinned memory for what goes over and comes back."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.stream: Stream = card.stream()
        self._staging = np.empty(0, np.uint8)

    def staging(self, nbytes: int) -> np.ndarray:
        """Return at least so many bytes of pinned memory: the same as before, if they are enough."""
        if self._staging.nbytes < nbytes:
            self._staging = np.empty(0, np.uint8)
            self._staging = self._card.pinned(nbytes + nbytes // 4)
        return self._staging


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
        mapped(tree, lambda array: places.append((array, arena.put(array))))
        slot = self._slots.get()
        try:
            with self.failing():
                arena.allocate(self.card, slot.stream)
                arena.fill(slot.stream, slot.staging(arena.staged_bytes))
                slot.stream.wait()
        finally:
            self._slots.put(slot)
        following = iter(places)

        def there(array: np.ndarray) -> DeviceArray:
            _, place = next(following)
            return DeviceArray(arena.address(place), array.size, array.dtype, arena)

        return mapped(tree, there)

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


class Pending:
    """A call under way."""

    def __init__(self, device: Cuda, call: Call, slot: Slot, leave: Any) -> None:
        self._device, self._call, self._slot, self._leave = device, call, slot, leave
        self._cells = sums.cells(call.out, call.tables, len(call.program.namespace().GATES) + 1, device.kernel)
        self._arena = Arena(device.card.is_pinned)
        self._has_selected = hasattr(call.out, "selected")
        self._rows = min(call.out.selected.capacity, call.last - call.first) if self._has_selected else 0
        self._written: list[tuple[np.ndarray, tuple[str, int]]] = []
        self._plan()
        with device.failing():
            self._arena.allocate(device.card, slot.stream)
            try:
                self._start()
            except BaseException:
                with contextlib.suppress(Exception):
                    slot.stream.wait()  # its memory is not to be used again before
                raise

    # --- what goes where ---

    def _plan(self) -> None:
        call, arena, n = self._call, self._arena, self._cells.n
        self._slots: dict[str, np.ndarray] = {}
        self._addresses: list[tuple[np.ndarray, int, tuple[str, int], int]] = []
        for part in ("inputs", "cuts", "tables", "out"):
            value = getattr(call, part)
            self._slots[part] = np.zeros(len(list(leaves(type(value)))), np.uint64)
        self._plan_inputs()
        self._plan_others("cuts")
        self._plan_others("tables")
        self._plan_others("out")
        self._records = {part: arena.put(slots) for part, slots in self._slots.items()}
        # Set to zero together: the sums of a launch, both limbs of all launches, the number of selected events.
        self._sums, self._high, self._low, self._n = 0, 8 * n, 16 * n, 24 * n
        self._zeroed = 24 * n + 8
        self._zero = arena.scratch(self._zeroed)
        largest = max(last - first for first, last in call.ranges)
        self._list = arena.scratch(8 * (1 + largest))

    def _point(self, part: str, number: int, place: tuple[str, int], less: int = 0) -> None:
        """Have a slot of a record point to a place, *less* bytes before it: columns begin with the first event."""
        self._addresses.append((self._slots[part], number, place, less))

    def _plan_inputs(self) -> None:
        """Plan to copy of each column what the events of the ranges have in it."""
        call = self._call
        columns = zip(leaves(type(call.inputs)), flat(call.inputs), _windows(call), strict=True)
        for number, (leaf, column, (first, last)) in enumerate(columns):
            launch.require(leaf, column)
            if isinstance(column, DeviceArray):
                self._slots["inputs"][number] = column.address
            elif column.size:
                self._point("inputs", number, self._arena.put(column[first:last]), first * column.itemsize)

    def _plan_others(self, part: str) -> None:
        call = self._call
        value = getattr(call, part)
        for number, (leaf, entry) in enumerate(zip(leaves(type(value)), flat(value), strict=True)):
            slots = self._slots[part]
            if leaf.path == ("selected", "capacity"):
                slots[number] = self._rows
            elif leaf.kind is not Column:
                slots[number : number + 1].view(np.int64 if leaf.kind is int else np.float64)[0] = entry
            elif leaf.role == WRITTEN:
                launch.require(leaf, entry)
                width = entry.size // call.n_events
                window = entry[call.first * width : call.last * width]
                place = self._arena.scratch(window.nbytes)
                self._written.append((window, place))
                self._point(part, number, place, call.first * width * entry.itemsize)
            elif (part, number) not in self._cells.starts and leaf.path[0] != "selected":
                launch.require(leaf, entry)
                if isinstance(entry, DeviceArray):
                    slots[number] = entry.address
                else:
                    self._point(part, number, self._arena.put(entry))
        if part == "out" and self._has_selected:
            self._selected = {
                name: self._arena.scratch(self._rows * self._width(name) * array.itemsize)
                for name, array in self._rows_of()
            }

    def _rows_of(self) -> Iterator[tuple[str, np.ndarray]]:
        """List the columns of selected events."""
        selected = self._call.out.selected
        return ((name, value) for name, value in selected._asdict().items() if name not in ("n", "capacity"))

    def _width(self, name: str) -> int:
        """Return how many values of a column a selected event has."""
        selected = self._call.out.selected
        return getattr(selected, name).size // selected.capacity if selected.capacity else 0

    def _fill_slots(self) -> None:
        """Write addresses into the records, now that they are known."""
        for slots, number, place, less in self._addresses:
            slots[number] = self._arena.address(place) - less
        zero = self._arena.address(self._zero)
        out = self._call.out
        for (part, number), start in self._cells.starts.items():
            in_shared = part == "out" and start < self._cells.shared
            self._slots[part][number] = start if in_shared else zero + self._sums + 8 * start
        for number, leaf in enumerate(leaves(type(out))):
            if leaf.path[0] == "selected" and leaf.path[1] != "capacity":
                name = leaf.path[1]
                address = zero + self._n if name == "n" else self._arena.address(self._selected[name])
                self._slots["out"][number] = address

    # --- on the device ---

    def _start(self) -> None:
        call, stream, card = self._call, self._slot.stream, self._device.card
        where, geometry = self._cells, self._device.geometry
        self._fill_slots()
        back = 16 * where.n + 8
        self._arena.fill(stream, self._slot.staging(self._arena.staged_bytes + back))
        zero = self._arena.address(self._zero)
        stream.zero(zero, self._zeroed)
        records = [self._arena.address(self._records[part]) for part in ("inputs", "cuts", "tables", "out")]
        select = card.kernel(call.program, launch_cuda.SELECT)
        process = card.kernel(call.program, where.kernel)
        widen = card.kernel(WIDEN, "process", _WIDEN_TYPES)
        found = self._arena.address(self._list)
        for first, last in call.ranges:
            blocks = min(-(-(last - first) // launch_cuda.THREADS), geometry.select * card.multiprocessors)
            gates = zero + self._sums + 8 * where.gates
            stream.zero(found, 8)
            stream.launch(select, blocks, (first, last, gates, found, *records), 8 * where.n_gates)
            blocks = min(
                -(-(last - first) * call.shifts // launch_cuda.THREADS), geometry.process * card.multiprocessors
            )
            arguments = (call.shifts, found, where.shared, zero + self._sums, *records)
            stream.launch(process, blocks, arguments, 8 * where.shared)
            blocks = min(-(-where.n // launch_cuda.THREADS), geometry.process * card.multiprocessors)
            limbs = (zero + self._sums, zero + self._high, zero + self._low, where.n_sums)
            stream.launch(widen, blocks, (where.n, *limbs))
        self._back = self._slot.staging(0)[self._arena.staged_bytes :][:back]
        stream.copy_out(self._back, zero + self._high)

    def results(self) -> Iterator[np.ndarray]:
        """Wait; then yield the gate's sums while the others are in the call's arrays, mostly once."""
        where = self._cells
        try:
            with self._device.failing():
                self._slot.stream.wait()
                limbs = self._back[: 16 * where.n].view(np.int64).copy()
                self._take_selected(int(self._back[16 * where.n :].view(np.int64)[0]))
                self._take_written()
        finally:
            del self._arena  # its memory is free for the next
            self._leave(self._slot)
        for piece in sums.pieces(limbs[: where.n], limbs[where.n :]):
            sums.add_to(self._call.out, "out", piece, where)
            sums.add_to(self._call.tables, "tables", piece, where)
            yield piece[where.gates : where.gates + where.n_gates].reshape(-1, 4)

    def _take_written(self) -> None:
        """Copy back what the body has written for each event."""
        for array, place in self._written:
            self._slot.stream.copy_out(array, self._arena.address(place))
        if self._written:
            self._slot.stream.wait()

    def _take_selected(self, n: int) -> None:
        """Copy the selected events back and put them in the order of their numbers, after those that are there."""
        if not n or not self._rows:
            return
        selected = self._call.out.selected
        columns = {}
        for name, array in self._rows_of():
            columns[name] = np.empty(n * self._width(name), array.dtype)
            if columns[name].size:
                self._slot.stream.copy_out(columns[name], self._arena.address(self._selected[name]))
        self._slot.stream.wait()
        order = np.argsort(columns["event"], kind="stable")
        before = int(selected.n[0])
        for name, array in self._rows_of():
            width = self._width(name)
            array[before * width : (before + n) * width] = columns[name].reshape(n, width)[order].reshape(-1)
        selected.n[0] += n


def _windows(call: Call) -> Iterator[tuple[int, int]]:
    """List where in each column of the inputs the events of a call begin and end."""
    for collection in call.inputs:
        if not isinstance(collection, tuple) or isinstance(collection, DeviceArray):
            yield 0, collection.size  # no collection but a column, whose shape the kernel alone knows
            continue
        offsets = getattr(collection, "offsets", None)
        for name in collection._fields:  # type: ignore[attr-defined]
            if name == "offsets":
                yield call.first, call.last + 1
            elif isinstance(offsets, np.ndarray):
                yield int(offsets[call.first]), int(offsets[call.last])
            else:
                yield call.first, call.last
