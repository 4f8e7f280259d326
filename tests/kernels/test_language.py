"""The language of kernel bodies: the compiler's Column and the interpreter's say the same."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
import pytest
from numba import njit

from gpuhiggs.kernels import launch
from gpuhiggs.kernels.language import (
    Bool,
    Column,
    Float32,
    Float64,
    Int32,
    Int64,
    Leaf,
    Positive,
    Range,
    UInt32,
    Whole,
    add,
    column,
    each,
    leaf_kind,
    leaves,
    local,
    record,
    take,
)


class Objects(NamedTuple):
    """A collection."""

    offsets: Int64
    pt: Float32


class Inner(NamedTuple):
    """A tree inside a tree."""

    threshold: Positive
    objects: Objects
    rank: Whole


class Outer(NamedTuple):
    """Every kind of leaf."""

    f32: Float32
    f64: Float64
    inner: Inner
    i32: Int32
    u32: UInt32
    flag: Bool
    out: Float64
    counts: Int64


def outer() -> Outer:
    objects = Objects(np.array([0, 2, 2, 5]), np.array([1, 2, 3, 4, 5], np.float32))
    return Outer(
        f32=np.array([0.1, -0.0, np.nan], np.float32),
        f64=np.array([0.1, np.inf, 5e-324]),
        inner=Inner(12.5, objects, 7),
        i32=np.array([-1, 2**31 - 1, 0], np.int32),
        u32=np.array([0, 2**32 - 1, 5], np.uint32),
        flag=np.array([True, False, True]),
        out=np.zeros(8),
        counts=np.zeros(4, np.int64),
    )


def compiled(function: Callable[..., Any]) -> Callable[[Outer], Any]:
    """The function of a record in the CPU build."""
    loop: Any = njit(lambda address: function(record(address, Outer)), error_model="numpy", _nrt=False)

    def call(value: Outer) -> Any:
        at = launch.record(Outer, value)  # lives until the loop returns
        return loop(at.address)

    return call


def interpreted(function: Callable[..., Any]) -> Callable[[Outer], Any]:
    """The same function in the interpreter, and whatever it calls."""
    plain: Any = function.py_func  # type: ignore[attr-defined]
    names = {name: getattr(value, "py_func", value) for name, value in plain.__globals__.items()}
    return lambda value: FunctionType(plain.__code__, names)(launch._interpreted(value))


BUILDS = pytest.mark.parametrize("build", [compiled, interpreted])


def bits(x: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", x))[0])


# --- loads and stores ----------------------------------------------------------------------------------------------


@njit  # type: ignore[untyped-decorator]
def _load(at: Any) -> Any:
    return (
        at.f32[0], at.f32[0] * 0.7, at.f64[2], at.i32[1] + at.i32[1], at.u32[0] - 1, at.u32[1] + at.u32[1],
        at.flag[0], at.inner.threshold, at.inner.rank // 2, at.inner.objects.pt[3],
    )  # fmt: skip


@BUILDS
def test_loads_widen(build: Callable[..., Any]) -> None:
    tenth = float(np.float32(0.1))
    expected = (tenth, tenth * 0.7, 5e-324, 2**32 - 2, -1, 2**33 - 2, True, 12.5, 3, 4.0)
    found = build(_load)(outer())
    assert found == expected
    assert [bool(isinstance(value, (bool, np.bool_))) for value in found] == [i == 6 for i in range(10)]


@njit  # type: ignore[untyped-decorator]
def _store(at: Any) -> None:
    zero = at.f32[1]
    at.out[0] = zero / zero
    at.out[1] = -(zero / zero)
    at.out[2] = at.f32[2]
    at.out[3] = zero
    at.out[4] = 3
    at.f32[0] = -(zero / zero)
    at.f32[1] = 0.1


@BUILDS
@pytest.mark.filterwarnings("ignore:invalid value")  # the interpreter's 0/0
def test_stores_canonicalise_nan(build: Callable[..., Any]) -> None:
    value = outer()
    value.f32[2] = -np.float32(np.nan)
    build(_store)(value)
    assert [bits(x) for x in value.out[:5]] == [0x7FF8 << 48] * 3 + [1 << 63, bits(3.0)]
    assert value.f32.view(np.uint32)[0] == 0x7FC0 << 16
    assert value.f32[1] == np.float32(0.1)


def test_scratch_memory_keeps_what_it_is_given() -> None:
    """Only stores to columns are canonical: the sign of a NaN in scratch memory reaches no result."""
    scratch = local(2)
    scratch[0] = -np.nan
    assert np.signbit(scratch[0])


# --- sums, ranges --------------------------------------------------------------------------------------------------


@njit  # type: ignore[untyped-decorator]
def _sums(at: Any) -> Any:
    add(at.counts, 0, 5)
    add(at.counts, 0, -7)
    first = take(at.counts, 1)
    second = take(at.counts, 1)
    total = 0.0
    n = 0
    for event in range(3):
        for i in each(at.inner.objects, event):
            total += at.inner.objects.pt[i] * (event + 1)
            n += 1
    return first, second, total, n


@BUILDS
def test_add_take_and_each(build: Callable[..., Any]) -> None:
    value = outer()
    assert build(_sums)(value) == (0, 1, 3.0 + 3 * 12.0, 5)
    assert value.counts.tolist() == [-2, 2, 0, 0]


def test_only_integer_columns_are_added_to() -> None:
    with pytest.raises(Exception, match="add"):
        compiled(njit(lambda at: add(at.out, 0, 1)))(outer())


def test_negative_indices_are_refused_by_the_interpreter() -> None:
    values = Column(np.zeros(3))
    with pytest.raises(IndexError, match="-1"):
        values[-1]
    with pytest.raises(IndexError, match="-1"):
        values[-1] = 0.0


# --- scratch memory ------------------------------------------------------------------------------------------------

NESTED = """
import numpy as np
from numba import njit
from gpuhiggs.kernels.language import local, local_int, scalar

@scalar
def sums(scratch, count):
    more = local(8)
    for i in range(8):
        more[i] = -1e6
    total = 0.0
    for i in range(8):
        total += scratch[i] * count[i]
    return total

@scalar
def outer(x):
    scratch = local(8)
    count = local_int(8)
    for i in range(8):
        scratch[i] = x + i
        count[i] = i
    total = 0.0
    for k in range(3):
        total += sums(scratch, count) + sums(scratch, count)
    return total

def loop(n):
    total = 0.0
    for i in range(n):
        total += outer(np.float64(i % 1000))
    return total

print(njit(loop, error_model="numpy", _nrt=False)(100_000))
"""


@pytest.mark.parametrize("optimisation", [0, 1, 3])
def test_scratch_memory_lives_as_long_as_its_function(optimisation: int) -> None:
    """Read after calls that use the same stack, and freed at the end: 100,000 events would need more than there is."""
    run = subprocess.run(
        [sys.executable, "-c", NESTED], capture_output=True, text=True, check=True,
        env={**os.environ, "NUMBA_OPT": str(optimisation)},
    )  # fmt: skip
    expected = 100 * sum(6 * (28 * x + 140) for x in range(1000))
    assert float(run.stdout) == expected


# --- declarations --------------------------------------------------------------------------------------------------


def test_leaves_lie_depth_first() -> None:
    assert [".".join(leaf.path) for leaf in leaves(Outer)] == [
        "f32", "f64", "inner.threshold", "inner.objects.offsets", "inner.objects.pt", "inner.rank", "i32", "u32",
        "flag", "out", "counts",
    ]  # fmt: skip
    assert next(iter(leaves(Inner))) == Leaf(("threshold",), float, Range(0.0, float("inf")))


@pytest.mark.parametrize("hint", [str, Column, np.ndarray, list[int]])
def test_a_field_of_no_known_kind(hint: Any) -> None:
    with pytest.raises(TypeError, match="is neither a"):
        leaf_kind(hint)


def test_interpreted_column_is_of_the_declared_type() -> None:
    with pytest.raises(TypeError, match="column of float64, expected float32"):
        column(np.zeros(1), np.float32)
