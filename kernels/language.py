"""The language of kernel bodies: what a scalar function of one event may use, on every target.

A body is plain Python over :class:`Column` values and numbers. The same text runs in the Python interpreter
(``NUMBA_DISABLE_JIT=1``), in the CPU build and in the CUDA build, and gives the same bits in all three:

* loading from a column widens at once: floats to float64, integers to int64, so no arithmetic is ever done in the
  storage type, where NumPy's and Numba's promotion rules differ;
* storing a NaN stores the one canonical NaN, whose sign would otherwise depend on the processor;
* ``local(n)`` and ``local_int(n)`` are arrays of one event: stack memory on the CPU, thread-local memory on a GPU;
* ``add`` and ``take`` accumulate into int64 columns: plain on the CPU, where every launch owns its accumulators, atomic
  on a GPU, where threads share them. Integer sums do not depend on order, so both give the same result.

What the compiler makes of all this is in :mod:`.lowering`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from numba import config, njit, types

from .callees import CalleeCompiler


def scalar(function: Callable[..., Any], forceinline: bool = False) -> Callable[..., Any]:
    """Compile a scalar function lazily for whichever target calls it; the one policy for all kernels."""
    function.__scalar__ = True  # type: ignore[attr-defined]
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": False, "_nrt": False}
    options["forceinline"] = forceinline
    compiled: Any = njit(function, no_cfunc_wrapper=True, **options)
    if not config.DISABLE_JIT:
        callee: Any = njit(
            function, no_cfunc_wrapper=True, no_cpython_wrapper=True, pipeline_class=CalleeCompiler, **options
        )
        compiled.get_call_template = without_literals(callee.get_call_template)
        compiled.get_overload = callee.get_overload
    return compiled  # type: ignore[no-any-return]


def inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a scalar function as a part of each of its callers: for what takes less time than the call."""
    return scalar(function, forceinline=True)


def is_scalar(function: Any) -> bool:
    """Whether a function has been through :func:`scalar`, in the interpreter too."""
    return getattr(getattr(function, "py_func", function), "__scalar__", False) is True


def without_literals(get_call_template: Callable[..., Any]) -> Callable[..., Any]:
    """Let a dispatcher take a literal for a number like any other, rather than compile once for each literal."""

    def by_type(*arguments: Any) -> Any:
        *dispatcher, args, kws = arguments
        plain = {name: types.unliteral(arg) for name, arg in kws.items()}
        return get_call_template(*dispatcher, [types.unliteral(arg) for arg in args], plain)

    return by_type


class Column:
    """One array as a body sees it: ``column[i]`` is a float64, an int64 or a bool, whatever the array stores."""

    __slots__ = ("_canonical", "array")

    def __init__(self, array: np.ndarray, canonical: bool = True) -> None:
        self.array = array
        self._canonical = canonical and array.dtype.kind == "f"

    def __getitem__(self, index: int) -> Any:
        if index < 0:
            msg = f"index {index} into a column"
            raise IndexError(msg)
        value = self.array[index]
        kind = self.array.dtype.kind
        return np.float64(value) if kind == "f" else bool(value) if kind == "b" else np.int64(value)

    def __setitem__(self, index: int, value: Any) -> None:
        if index < 0:
            msg = f"index {index} into a column"
            raise IndexError(msg)
        self.array[index] = np.nan if self._canonical and value != value else value

    def add(self, index: int, value: int) -> None:
        """Add to what is stored, which wraps around as machine integers do."""
        if self.array.dtype == np.uint32:
            self.array[index] = (int(self.array[index]) + int(value)) % 2**32
        else:
            self.array[index] += value


PLAIN, SUMS, TALLY, BINS, WORST, WRITTEN = range(6)
"""Roles of a column: anything; int64 that is only added to; a few such that most events add to; bins of histograms;
what is added to by mistakes only, of which the worst launch counts; what the body writes, as much for each event."""


class Stored(NamedTuple):
    """What a column stores: a body sees a :class:`Column`, the host has a NumPy array."""

    dtype: type
    role: int = PLAIN
    """What becomes of it: sums come back from a GPU, and may be kept in its shared memory meanwhile."""


# Columns, by what they store.
Float32 = Annotated[Any, Stored(np.float32)]
Float64 = Annotated[Any, Stored(np.float64)]
Int32 = Annotated[Any, Stored(np.int32)]
Int64 = Annotated[Any, Stored(np.int64)]
UInt32 = Annotated[Any, Stored(np.uint32)]
Offsets = Int64
"""A collection with a column ``offsets`` of this type has objects: event i those from offsets[i] to offsets[i + 1]."""
Bool = Annotated[Any, Stored(np.bool_)]
Sums = Annotated[Any, Stored(np.int64, SUMS)]
Tally = Annotated[Any, Stored(np.int64, TALLY)]
Bins = Annotated[Any, Stored(np.int64, BINS)]
Worst = Annotated[Any, Stored(np.int64, WORST)]
WrittenFloat64 = Annotated[Any, Stored(np.float64, WRITTEN)]
WrittenInt64 = Annotated[Any, Stored(np.int64, WRITTEN)]


class Range(NamedTuple):
    """The values that the configuration may give to a cut."""

    low: float
    high: float


# Cuts, by what the configuration may say.
Real = Annotated[float, Range(-math.inf, math.inf)]
Positive = Annotated[float, Range(0.0, math.inf)]
Whole = Annotated[int, Range(0, 2**62)]
Switch = Annotated[int, Range(0, 1)]


class Leaf(NamedTuple):
    """One column or number somewhere in a NamedTuple of NamedTuples."""

    path: tuple[str, ...]
    kind: type
    """:class:`Column`, ``int`` or ``float``."""
    dtype: Any
    """What a column stores; of a number, its range or None."""
    role: int = PLAIN
    """Of a column."""


@functools.lru_cache(maxsize=1024)
def fields(tuple_type: type) -> dict[str, Any]:
    """Return the field types of a NamedTuple, with their annotations, in order.

    Raises
    ------
    TypeError
        If a field is named as a method of tuples: the compiled builds would find the method.
    """
    if clash := {"count", "index"} & set(tuple_type._fields):  # type: ignore[attr-defined]
        msg = f"{tuple_type.__name__}: a field cannot be named {' or '.join(sorted(clash))}, which tuples have already"
        raise TypeError(msg)
    hints = get_type_hints(tuple_type, include_extras=True)
    return {name: hints[name] for name in tuple_type._fields}  # type: ignore[attr-defined]


def is_tuple_type(hint: Any) -> bool:
    """Whether a field holds a NamedTuple."""
    return isinstance(hint, type) and issubclass(hint, tuple)


def leaf_kind(hint: Any) -> tuple[type, Any]:
    """Return what a field that is no NamedTuple holds, and the annotation on it."""
    kind, *extra = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if extra and isinstance(extra[0], Stored):
        return Column, extra[0].dtype
    if kind not in (int, float):
        msg = f"{hint} is neither a column (Float32, Int32, …), an int, a float nor a NamedTuple of these"
        raise TypeError(msg)
    return kind, extra[0] if extra else None


def role(hint: Any) -> int:
    """Return the role of a column; that of a number is PLAIN."""
    stored = get_args(hint)[1] if get_origin(hint) is Annotated else None
    return stored.role if isinstance(stored, Stored) else PLAIN


def leaves(tuple_type: type, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """List the leaves of a tree of NamedTuples, depth first: the order in which a record lies in memory."""
    for name, hint in fields(tuple_type).items():
        if is_tuple_type(hint):
            yield from leaves(hint, (*path, name))
        else:
            yield Leaf((*path, name), *leaf_kind(hint), role(hint))


def column(array: np.ndarray, dtype: Any) -> Column:
    """Give a body access to *array*, which stores *dtype*; the compiled builds pass its address instead."""
    if array.dtype != dtype:
        msg = f"column of {array.dtype}, expected {np.dtype(dtype)}"
        raise TypeError(msg)
    return Column(array)


def record(address: tuple[Any, ...], tuple_type: type) -> Any:
    """Give a body access to a NamedTuple of columns and numbers; the compiled builds pass its address instead."""
    return address


def record_of(address: tuple[Any, ...], tuple_type: type, number: int) -> Any:
    """Give access to one of several NamedTuples, one after the other in memory; the interpreter has a single one."""
    return address


def record_shared(address: tuple[Any, ...], tuple_type: type, level: int) -> Any:
    """Give access as :func:`record` does; sums of roles TALLY to *level* are in shared memory: :mod:`.block`."""
    return address


def shared_words() -> Column:
    """Return the shared memory of a block of threads, uint32; there is none in the interpreter."""
    msg = "only a GPU has shared memory"
    raise NotImplementedError(msg)


def first_cell(target: Column) -> int:
    """Return the number of the first sum of a column that is in shared memory."""
    msg = "only a GPU has shared memory"
    raise NotImplementedError(msg)


def local(n: int) -> Column:
    """Return *n* float64 of scratch memory for one event; *n* is a literal, the content is undefined."""
    return Column(np.full(n, np.nan), canonical=False)


def local_int(n: int) -> Column:
    """Return *n* int64 of scratch memory for one event; *n* is a literal, the content is undefined."""
    return Column(np.full(n, -(2**62), dtype=np.int64), canonical=False)


def part(column: Column, first: int) -> Column:
    """Return a column from an element on, such as a row of a matrix, as scratch memory: a NaN is stored as it is."""
    return Column(column.array[first:], canonical=False)


def add(target: Column, index: int, value: int) -> None:
    """Add *value* to an int64 column: atomic where threads share it."""
    target.add(index, value)


def fetch_add(target: Column, index: int, value: int) -> int:
    """Add *value* to a column of int64 or uint32 and return what was there before: atomic where threads share it."""
    before = target[index]
    target.add(index, value)
    return int(before)


@scalar
def take(target, index):
    """Add one to an int64 column and return what was there before: the next free place of a list."""
    return fetch_add(target, index, 1)


@scalar
def each(collection, event):
    """Range over the objects of one event in a collection that has ``offsets``."""
    return range(collection.offsets[event], collection.offsets[event + 1])


@scalar
def after(collection, event, i):
    """Range over the objects of one event that come after the object *i*: the partners of a pair."""
    return range(i + 1, collection.offsets[event + 1])


@scalar
def size(collection, event):
    """Return how many objects one event has in a collection."""
    return collection.offsets[event + 1] - collection.offsets[event]


from . import lowering as _lowering  # noqa: E402, F401 - so that the compiler knows all this
