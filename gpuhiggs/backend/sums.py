"""Where the sums of a launch lie on a device: all of them in one array, those for shared memory first.

On the host each array of sums is a leaf of the kernel's ``Out`` or ``Tables``. On a device they are cells of one array
of int64, so that one copy brings them back, and one number says which of them a block keeps in shared memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..errors import RunError
from ..kernels import launch_cuda
from ..kernels.block import CELLS
from ..kernels.language import BINS, SUMS, TALLY, WORST, leaves
from .call import flat

_GATES = "gates"
_ORDER = (TALLY, BINS, SUMS, WORST)
_PIECE = 2**30
"""Of a sum's upper limb, as much as is given back at a time."""


class Cells(NamedTuple):
    """The cells of all sums of a call."""

    starts: dict[tuple[str, int], int]
    """First cell of a leaf, by ("out" or "tables", number of the leaf)."""
    gates: int
    """First cell of the gate's sums."""
    n_gates: int
    """How many these are."""
    kernel: str
    """The kernel to run: which sums are in shared memory."""
    shared: int
    """Cells from the first on that a block keeps there."""
    n_sums: int
    """Cells that add up; of those after them the worst launch counts."""
    n: int


def cells(out: Any, tables: Any, n_rows: int, kernel: str | None = None) -> Cells:
    """Lay the sums of a call out.

    Parameters
    ----------
    n_rows
        Rows of the gate's sums: its cuts and one.
    kernel
        PROCESS or PROCESS_SHARED of :mod:`gpuhiggs.kernels.launch_cuda`; chosen by the sizes if not given: bins of
        histograms are in shared memory if all of them fit.

    Raises
    ------
    RunError
        If a cutflow alone is too large for it.
    """
    found = [
        (leaf.role, part, number, array.size)
        for part, value in (("out", out), ("tables", tables))
        for number, (leaf, array) in enumerate(zip(leaves(type(value)), flat(value), strict=True))
        if leaf.role in _ORDER
    ]
    found.append((SUMS, _GATES, 0, 4 * n_rows))
    sizes = {role: sum(size for other, *_, size in found if other == role) for role in _ORDER}
    if sizes[TALLY] > CELLS:
        msg = f"a GPU takes a cutflow of {CELLS // 4} steps, this one has {sizes[TALLY] // 4}"
        raise RunError(msg)
    if kernel is None:
        fits = sizes[TALLY] + sizes[BINS] <= CELLS
        kernel = launch_cuda.PROCESS_SHARED if fits else launch_cuda.PROCESS
    starts = {}
    start = 0
    for _, part, number, size in sorted(found, key=lambda entry: _ORDER.index(entry[0])):
        starts[part, number] = start
        start += size
    shared = sizes[TALLY] + (sizes[BINS] if kernel == launch_cuda.PROCESS_SHARED else 0)
    gates = starts.pop((_GATES, 0))
    return Cells(starts, gates, 4 * n_rows, kernel, shared, start - sizes[WORST], start)


def pieces(high: np.ndarray, low: np.ndarray) -> Iterator[np.ndarray]:
    """Give sums of two limbs, high · 2³² + low, back as int64 values that add up to them; one will do as a rule."""
    while True:
        part = np.clip(high, -_PIECE, _PIECE)
        yield (part << 32) + low
        high = high - part
        if not high.any():
            return
        low = np.zeros_like(low)


def add_to(call_part: Any, part: str, piece: np.ndarray, where: Cells) -> None:
    """Add a piece of the sums to the host's arrays of them."""
    for number, array in enumerate(flat(call_part)):
        start = where.starts.get((part, number))
        if start is not None:
            array += piece[start : start + array.size]
