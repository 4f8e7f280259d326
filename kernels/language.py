"""The language of kernel bodies: what a scalar function of one event may use, on every target.

A body is plain Python over :class:`Column` values and numbers. The same text runs in the Python interpreter
(``NUMBA_DISABLE_JIT=1``), in the CPU build and in the CUDA build, and gives the same bits in all three:

* loading from a column widens at once: floats to float64, integers to int64, so no arithmetic is ever done in the
  storage type, where NumPy's and Numba's promotion rules differ;
* storing a NaN stores the one canonical NaN, whose sign would otherwise depend on the processor;
* ``local(n)`` and ``local_int(n)`` are arrays of one event: stack memory on the CPU, thread-local memory on a GPU;
* ``add`` and ``take`` accumulate into int64 columns: plain on the CPU, where every launch owns its accumulators, atomic
  on a GPU, where threads share them. Integer sums do not depend on order, so both give the same result.

The numba extension below is written once: numba-cuda takes over what is registered with numba itself.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterator
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
from llvmlite import ir
from numba import config, njit, types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import lower_builtin, lower_getattr_generic, models, register_model, type_callable
from numba.np.numpy_support import from_dtype


def scalar(function: Callable[..., Any], forceinline: bool = False) -> Callable[..., Any]:
    """Compile a scalar function lazily for whichever target calls it; the one policy for all kernels."""
    function.__scalar__ = True  # type: ignore[attr-defined]
    compiled: Any = njit(
        function, nogil=True, error_model="numpy", fastmath=False, _nrt=False, no_cfunc_wrapper=True,
        forceinline=forceinline,
    )  # fmt: skip
    if not config.DISABLE_JIT:
        compiled.get_call_template = without_literals(compiled.get_call_template)
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


class Stored(NamedTuple):
    """What a column stores: a body sees a :class:`Column`, the host has a NumPy or CuPy array."""

    dtype: type


# Columns, by what they store.
Float32 = Annotated[Any, Stored(np.float32)]
Float64 = Annotated[Any, Stored(np.float64)]
Int32 = Annotated[Any, Stored(np.int32)]
Int64 = Annotated[Any, Stored(np.int64)]
UInt32 = Annotated[Any, Stored(np.uint32)]
Offsets = Int64
"""A collection with a column ``offsets`` of this type has objects: event i those from offsets[i] to offsets[i + 1]."""
Bool = Annotated[Any, Stored(np.bool_)]


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


def leaves(tuple_type: type, path: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """List the leaves of a tree of NamedTuples, depth first: the order in which a record lies in memory."""
    for name, hint in fields(tuple_type).items():
        if is_tuple_type(hint):
            yield from leaves(hint, (*path, name))
        else:
            yield Leaf((*path, name), *leaf_kind(hint))


def column(array: np.ndarray, dtype: Any) -> Column:
    """Give a body access to *array*, which stores *dtype*; the compiled builds pass its address instead."""
    if array.dtype != dtype:
        msg = f"column of {array.dtype}, expected {np.dtype(dtype)}"
        raise TypeError(msg)
    return Column(array)


def record(address: tuple[Any, ...], tuple_type: type) -> Any:
    """Give a body access to a NamedTuple of columns and numbers; the compiled builds pass its address instead."""
    return address


def local(n: int) -> Column:
    """Return *n* float64 of scratch memory for one event; *n* is a literal, the content is undefined."""
    return Column(np.full(n, np.nan), canonical=False)


def local_int(n: int) -> Column:
    """Return *n* int64 of scratch memory for one event; *n* is a literal, the content is undefined."""
    return Column(np.full(n, -(2**62), dtype=np.int64), canonical=False)


def add(target: Column, index: int, value: int) -> None:
    """Add *value* to an int64 column: atomic where threads share it."""
    target.array[index] += value


def take(target: Column, index: int) -> int:
    """Add one to an int64 column and return what was there before: the next free place of a list."""
    before = target[index]
    target.array[index] += 1
    return int(before)


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


# --- the same, for the compiler ------------------------------------------------------------------------------------


class ColumnType(types.Type):  # type: ignore[misc]
    """Numba's view of a :class:`Column`: a bare pointer, so that nothing is reference-counted in the event loop."""

    def __init__(self, dtype: types.Type, canonical: bool = True) -> None:
        self.dtype = dtype
        self.canonical = canonical and isinstance(dtype, types.Float)
        self.wide = (
            types.float64
            if isinstance(dtype, types.Float)
            else types.boolean
            if isinstance(dtype, types.Boolean)
            else types.int64
        )
        super().__init__(name=f"Column({dtype}, {self.canonical})")


@register_model(ColumnType)
class _ColumnModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: ColumnType) -> None:
        super().__init__(dmm, fe_type, dmm.lookup(fe_type.dtype).get_data_type().as_pointer())


@infer_global(operator.getitem)
class _TypeLoad(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], ColumnType) and isinstance(args[1], types.Integer):
            return signature(args[0].wide, args[0], types.int64)
        return None


@lower_builtin(operator.getitem, ColumnType, types.Integer)
def _lower_load(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    dtype = sig.args[0].dtype
    value = builder.load(builder.gep(args[0], [args[1]]))
    if isinstance(dtype, types.Boolean):
        return builder.icmp_unsigned("!=", value, ir.Constant(value.type, 0))
    return context.cast(builder, value, dtype, sig.return_type)


@infer_global(operator.setitem)
class _TypeStore(AbstractTemplate):  # type: ignore[misc]
    def generic(self, args: Any, kws: Any) -> Any:
        if isinstance(args[0], ColumnType) and isinstance(args[1], types.Integer):
            return signature(types.none, args[0], types.int64, args[0].dtype)
        return None


@lower_builtin(operator.setitem, ColumnType, types.Integer, types.Any)
def _lower_store(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    target, index, value = args
    if sig.args[0].canonical:
        is_nan = builder.fcmp_unordered("uno", value, value)
        value = builder.select(is_nan, ir.Constant(value.type, float("nan")), value)
    builder.store(value, builder.gep(target, [index]))
    return context.get_dummy_value()


@type_callable(column)
def _type_column(context: Any) -> Any:
    def typer(address: Any, dtype: Any) -> Any:
        return ColumnType(dtype.instance_type) if isinstance(dtype, types.NumberClass) else None

    return typer


@lower_builtin(column, types.Any, types.Any)
def _lower_column(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.inttoptr(args[0], context.get_value_type(sig.return_type))


class RecordType(types.Type):  # type: ignore[misc]
    """Numba's view of a NamedTuple in memory: one pointer, however many columns and cuts are behind it.

    By value, a hundred fields would be copied in and out of every function that takes them, and most of the compile
    time would go into getting rid of these copies again. Each leaf of the tree takes 8 bytes, depth first.
    """

    def __init__(self, tuple_type: type) -> None:
        self.tuple_type = tuple_type
        super().__init__(name=f"Record({tuple_type.__module__}.{tuple_type.__qualname__})")

    @property
    def key(self) -> type:
        """What tells it from others: a module that was edited and imported again has another type of the same name."""
        return self.tuple_type

    def field(self, name: str) -> tuple[types.Type, int] | None:
        """Return a field's type and its offset in slots of 8 bytes."""
        offset = 0
        for field, hint in fields(self.tuple_type).items():
            if field == name:
                return _field_type(hint), offset
            offset += len(list(leaves(hint))) if is_tuple_type(hint) else 1
        return None


def _field_type(hint: Any) -> types.Type:
    if is_tuple_type(hint):
        return RecordType(hint)
    plain, dtype = leaf_kind(hint)
    if plain is Column:
        return ColumnType(from_dtype(np.dtype(dtype)))
    return types.int64 if plain is int else types.float64


@register_model(RecordType)
class _RecordModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: RecordType) -> None:
        super().__init__(dmm, fe_type, ir.IntType(64).as_pointer())


@infer_getattr
class _TypeField(AttributeTemplate):  # type: ignore[misc]
    key = RecordType

    def generic_resolve(self, value: Any, name: str) -> Any:
        found = value.field(name)
        return None if found is None else found[0]


@lower_getattr_generic(RecordType)
def _lower_field(context: Any, builder: Any, value_type: RecordType, value: Any, name: str) -> Any:
    found = value_type.field(name)
    if found is None:
        raise AttributeError(name)
    field_type, offset = found
    place = builder.gep(value, [ir.Constant(ir.IntType(64), offset)])
    if isinstance(field_type, RecordType):
        return place
    loaded = builder.load(builder.bitcast(place, context.get_value_type(field_type).as_pointer()))
    # The record does not change while a kernel runs: the load may be moved out of any loop.
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return loaded


@type_callable(record)
def _type_record(context: Any) -> Any:
    def typer(address: Any, tuple_type: Any) -> Any:
        return RecordType(tuple_type.instance_class) if isinstance(tuple_type, types.NamedTupleClass) else None

    return typer


@lower_builtin(record, types.Any, types.Any)
def _lower_record(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.inttoptr(args[0], context.get_value_type(sig.return_type))


def _register_local(function: Callable[[int], Column], dtype: types.Type) -> None:
    """Let *function* allocate in the frame of its caller: an alloca in a frame of its own would dangle."""

    @type_callable(function)
    def _type_local(context: Any) -> Any:
        return lambda n: ColumnType(dtype, canonical=False) if isinstance(n, types.IntegerLiteral) else None

    @lower_builtin(function, types.IntegerLiteral)
    def _lower_local(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return cgutils.alloca_once(builder, context.get_value_type(dtype), size=sig.args[0].literal_value)


_register_local(local, types.float64)
_register_local(local_int, types.int64)


def _fetch_add(context: Any, builder: Any, target: Any, index: Any, value: Any) -> Any:
    """Add to memory and return the old value: atomically on a GPU, whose context is no CPUContext."""
    place = builder.gep(target, [index])
    if context.target_name == "cpu":
        before = builder.load(place)
        builder.store(builder.add(before, value), place)
        return before
    return builder.atomic_rmw("add", place, value, "monotonic")


@type_callable(add)
def _type_add(context: Any) -> Any:
    def typer(target: Any, index: Any, value: Any) -> Any:
        if isinstance(target, ColumnType) and target.dtype == types.int64:
            return signature(types.none, target, types.int64, types.int64)
        return None

    return typer


@lower_builtin(add, ColumnType, types.Integer, types.Integer)
def _lower_add(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    _fetch_add(context, builder, *args)
    return context.get_dummy_value()


@type_callable(take)
def _type_take(context: Any) -> Any:
    def typer(target: Any, index: Any) -> Any:
        if isinstance(target, ColumnType) and target.dtype == types.int64:
            return signature(types.int64, target, types.int64)
        return None

    return typer


@lower_builtin(take, ColumnType, types.Integer)
def _lower_take(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _fetch_add(context, builder, args[0], args[1], ir.Constant(ir.IntType(64), 1))
