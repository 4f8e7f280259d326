"""Sums in shared memory and over launches: exact in whatever order."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from gpuhiggs.kernels import launch
from gpuhiggs.kernels.block import add_carried, carried
from gpuhiggs.kernels.language import column
from gpuhiggs.kernels.widen import MASK

INT64 = st.integers(-(2**63), 2**63 - 1)
EDGES = st.sampled_from([0, 1, -1, 2**30, -(2**30), 2**32 - 1, 2**32, -(2**32), 2**62, 2**63 - 1, -(2**63)])
VALUES = st.lists(INT64 | EDGES, max_size=60)


def wrapped(total: int) -> int:
    """Return what an int64 holds after additions that wrapped around."""
    return (total + 2**63) % 2**64 - 2**63


def _add_all(address: Any, cells: Any, values: Any) -> None:
    words = column(address, np.uint32)
    for i in range(values.size):
        add_carried(words, cells[i], values[i])


def _read(address: Any, cell: Any) -> Any:
    return carried(column(address, np.uint32), cell)


compiled_add_all = njit(_add_all, error_model="numpy")
compiled_read = njit(_read, error_model="numpy")


@given(values=VALUES, n_cells=st.integers(1, 3))
def test_compiled_sums(values: list[int], n_cells: int) -> None:
    """The very function that a GPU runs, compiled for the CPU, against Python's integers."""
    words = np.zeros(2 * n_cells, np.uint32)
    cells = np.arange(len(values)) % n_cells
    address = words.__array_interface__["data"][0]
    compiled_add_all(address, cells, np.array(values, np.int64))
    for cell in range(n_cells):
        expected = wrapped(sum(value for value, c in zip(values, cells, strict=True) if c == cell))
        assert compiled_read(address, cell) == expected
        assert words.view(np.int64)[cell] == expected, "low word first, as int64 lies in memory"


@given(values=st.lists(INT64 | EDGES, max_size=12), data=st.data())
def test_interleaved_threads(values: list[int], data: st.DataObject) -> None:
    """Threads between whose two instructions those of others come: each step is atomic, no more than that."""
    words = [0, 0]

    def thread(value: int) -> Any:
        low = value & MASK
        before, words[0] = words[0], (words[0] + low) & MASK
        yield
        words[1] = (words[1] + (value >> 32) + (before + low >> 32)) & MASK

    running = [thread(value) for value in values]
    while running:
        chosen = data.draw(st.sampled_from(range(len(running))))
        if next(running[chosen], "done") == "done":
            running.pop(chosen)
    assert wrapped(words[1] << 32 | words[0]) == wrapped(sum(values))


WIDEN = launch.Loop("gpuhiggs.kernels.widen", "widen_range", ("sums", "high", "low", "n_sums"))


@given(launches=st.lists(st.lists(INT64 | EDGES, min_size=3, max_size=3), max_size=10))
def test_launches_add_up(launches: list[list[int]]) -> None:
    sums, high, low = (np.zeros(3, np.int64) for _ in range(3))
    addresses = [array.__array_interface__["data"][0] for array in (sums, high, low)]
    for launched in launches:
        sums[:] = launched
        launch.compiled_loop(WIDEN)(0, 3, 0, *addresses, 2)
        assert not sums.any()
    for cell in (0, 1):
        assert (int(high[cell]) << 32) + int(low[cell]) == sum(launched[cell] for launched in launches)
    assert low[2] == max([0, *(launched[2] for launched in launches)]), "the worst of them, where mistakes are counted"
