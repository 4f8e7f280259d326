"""What goes where for one call: columns, tables and outputs in a block of device memory, and the records that say so.

A record is a table of addresses and numbers (:mod:`gpuhiggs.kernels.language`). Of a column the device has what the
events of the call have in it, and its address is that of where the first event of all would be: a body counts events
and objects as in the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..kernels import launch
from ..kernels.language import WRITTEN, Column, Leaf, leaves
from .arena import Arena
from .call import Call, DeviceArray, flat
from .sums import Cells

PARTS = ("inputs", "cuts", "tables", "out")


class Plan:
    """The memory of a call."""

    def __init__(self, call: Call, cells: Cells, is_pinned: Callable[[np.ndarray], bool]) -> None:
        self.arena = Arena(is_pinned)
        self._call, self._cells = call, cells
        self._slots = {part: np.zeros(len(list(leaves(type(getattr(call, part))))), np.uint64) for part in PARTS}
        self._pointers: list[tuple[str, int, tuple[str, int], int]] = []
        self.written: list[tuple[np.ndarray, tuple[str, int]]] = []
        """What the body writes for each event: where it belongs on the host, and where it is."""
        self._inputs()
        for part in PARTS[1:]:
            value = getattr(call, part)
            for number, (leaf, entry) in enumerate(zip(leaves(type(value)), flat(value), strict=True)):
                self._other(part, number, leaf, entry)
        self.rows = (call.last - call.first) if has_selected(call) and call.out.selected.capacity else 0
        """How many selected events there is room for: of those that come back in any order none may be missing."""
        self.selected = {
            name: self.arena.scratch(self.rows * width * array.itemsize)
            for name, array, width in selected_columns(call)
        }
        self.records = {part: self.arena.put(slots) for part, slots in self._slots.items()}
        n = cells.n
        # Set to zero together: the sums of a launch, both limbs of all launches, the number of selected events.
        self.zeroed = 24 * n + 8
        self.zero = self.arena.scratch(self.zeroed)
        self.list = self.arena.scratch(8 * (1 + max(last - first for first, last in call.ranges)))

    # --- on the way ---

    def _inputs(self) -> None:
        """Plan to copy of each column what the events of the call have in it."""
        call = self._call
        columns = zip(leaves(type(call.inputs)), flat(call.inputs), _windows(call), strict=True)
        for number, (leaf, column, (first, last)) in enumerate(columns):
            launch.require(leaf, column)
            if isinstance(column, DeviceArray):
                self._slots["inputs"][number] = column.address
            elif column.size:
                self._point("inputs", number, self.arena.put(column[first:last]), first * column.itemsize)

    def _other(self, part: str, number: int, leaf: Leaf, entry: Any) -> None:
        """Plan a leaf that is no input; sums, and columns of selected events, have places of their own."""
        slot = self._slots[part][number : number + 1]
        if leaf.kind is not Column:
            slot.view(np.int64 if leaf.kind is int else np.float64)[0] = entry
        elif (part, number) in self._cells.starts or leaf.path[0] == "selected":
            return
        else:
            launch.require(leaf, entry)
            if leaf.role == WRITTEN:
                self._write(part, number, entry)
            elif isinstance(entry, DeviceArray):
                slot[0] = entry.address
            else:
                self._point(part, number, self.arena.put(entry))

    def _write(self, part: str, number: int, array: np.ndarray) -> None:
        width = array.size // self._call.n_events
        first, last = self._call.first * width, self._call.last * width
        place = self.arena.scratch((last - first) * array.itemsize)
        self.written.append((array[first:last], place))
        self._point(part, number, place, first * array.itemsize)

    def _point(self, part: str, number: int, place: tuple[str, int], less: int = 0) -> None:
        """Have a slot of a record point to a place, *less* bytes before it."""
        self._pointers.append((part, number, place, less))

    # --- there ---

    def fill_slots(self) -> None:
        """Write addresses into the records, once the arena has its memory."""
        address = self.arena.address
        for part, number, place, less in self._pointers:
            self._slots[part][number] = address(place) - less
        for (part, number), start in self._cells.starts.items():
            in_shared = part == "out" and start < self._cells.shared
            self._slots[part][number] = start if in_shared else self.sums + 8 * start
        for number, leaf in enumerate(leaves(type(self._call.out))):
            if leaf.path[0] == "selected":
                name = leaf.path[1]
                slots = self._slots["out"]
                if name == "capacity":
                    slots[number] = self.rows
                else:
                    slots[number] = self.n_selected if name == "n" else address(self.selected[name])

    @property
    def sums(self) -> int:
        """The address of the sums of a launch."""
        return self.arena.address(self.zero)

    @property
    def high(self) -> int:
        """The address of the upper limbs; the lower ones come after them, then the number of selected events."""
        return self.sums + 8 * self._cells.n

    @property
    def low(self) -> int:
        """The address of the lower limbs."""
        return self.sums + 16 * self._cells.n

    @property
    def n_selected(self) -> int:
        """The address of the number of selected events."""
        return self.sums + 24 * self._cells.n


def has_selected(call: Call) -> bool:
    """Whether a kernel lists selected events."""
    return hasattr(call.out, "selected")


def selected_columns(call: Call) -> Iterator[tuple[str, np.ndarray, int]]:
    """List the columns of selected events: name, the host's array, and how many values an event has."""
    if has_selected(call):
        selected = call.out.selected
        for name, array in selected._asdict().items():
            if name not in ("n", "capacity"):
                yield name, array, array.size // selected.capacity if selected.capacity else 0


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
