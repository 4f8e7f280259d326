"""Memory that is used again: by nobody while anybody looks at it, and not too much of it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.read import memory


@pytest.fixture(autouse=True)
def nothing_idle() -> Iterator[None]:
    gc.collect()
    memory._idle.clear()
    yield
    memory._idle.clear()


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64"])
def test_a_buffer_is_used_again(dtype: str) -> None:
    first = memory.empty(1_000_000, dtype)
    assert (first.shape, first.dtype) == ((1_000_000,), np.dtype(dtype))
    assert first.flags.writeable
    assert first.flags.c_contiguous
    assert first.flags.aligned
    where = address(first)
    del first
    assert address(memory.empty(990_000, dtype)) == where
    assert address(memory.empty(1_050_000, dtype)) == where, "a chunk that is a little larger"


def test_not_while_a_view_of_it_is_alive() -> None:
    view = memory.empty(1 << 20, np.float32)[5:10].view(np.int32)
    view[:] = 7
    other = memory.empty(1 << 20, np.float32)
    other[:] = 0.0
    assert (view == 7).all()
    assert not memory._idle


def test_one_that_is_much_too_large_is_left_for_others() -> None:
    memory.empty(1 << 24, np.uint8)
    small = memory.empty(1 << 20, np.uint8)
    assert [one.size > 1 << 24 for one in memory._idle] == [True]
    assert small.size == 1 << 20


def test_small_arrays_are_the_allocators_business() -> None:
    memory.empty(100, np.float64)
    assert not memory._idle


@given(st.lists(st.integers(memory.SMALLEST, 1 << 26), max_size=20))
def test_what_is_kept_is_limited(sizes: list[int]) -> None:
    arrays = [memory.empty(size, np.uint8) for size in sizes]
    del arrays
    assert sum(one.size for one in memory._idle) <= memory.KEPT


def test_a_size_out_of_reach_is_an_error() -> None:
    with pytest.raises((MemoryError, ValueError)):
        memory.empty(1 << 60, np.float64)


def test_threads_do_not_share() -> None:
    def fill(number: int) -> bool:
        good = True
        for _ in range(50):
            array = memory.empty(1 << 18, np.int64)
            array[::512] = number
            good &= bool((array[::512] == number).all())
        return good

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(fill, range(8)))
