"""The language of kernel bodies for the compiler: the types of columns and records, and what is done with them.

Written once: numba-cuda takes over what is registered with Numba itself. Loaded by :mod:`.language`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, infer_global, signature
from numba.extending import lower_builtin, lower_getattr_generic, models, overload, register_model, type_callable
from numba.np.numpy_support import from_dtype

from .language import (
    BINS,
    PLAIN,
    TALLY,
    Column,
    add,
    column,
    fetch_add,
    fields,
    first_cell,
    is_tuple_type,
    leaf_kind,
    leaves,
    local,
    local_int,
    part,
    record,
    record_of,
    record_shared,
    role,
    shared_words,
)


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


def _pointer(context: Any, builder: Any, address: Any, pointer_type: Any) -> Any:
    """Return a pointer to memory that the host has given: on a GPU it is known to be global, neither shared nor local.

    Said of a pointer, that saves the device asking at each load, and a branch at each atomic addition.
    """
    if context.target_name == "cpu":
        return builder.inttoptr(address, pointer_type)
    in_global = builder.inttoptr(address, ir.PointerType(pointer_type.pointee, addrspace=1))
    return builder.addrspacecast(in_global, pointer_type)


@lower_builtin(column, types.Any, types.Any)
def _lower_column(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _pointer(context, builder, args[0], context.get_value_type(sig.return_type))


class RecordType(types.Type):  # type: ignore[misc]
    """Numba's view of a NamedTuple in memory: one pointer, however many columns and cuts are behind it.

    By value, a hundred fields would be copied in and out of every function that takes them, and most of the compile
    time would go into getting rid of these copies again. Each leaf of the tree takes 8 bytes, depth first.
    """

    def __init__(self, tuple_type: type, shared: int = PLAIN) -> None:
        self.tuple_type = tuple_type
        self.shared = shared
        super().__init__(name=f"Record({tuple_type.__module__}.{tuple_type.__qualname__}, {shared})")

    @property
    def key(self) -> tuple[type, int]:
        """What tells it from others: a module that was edited and imported again has another type of the same name."""
        return self.tuple_type, self.shared

    def field(self, name: str) -> tuple[types.Type, int] | None:
        """Return a field's type and its offset in slots of 8 bytes."""
        offset = 0
        for field, hint in fields(self.tuple_type).items():
            if field == name:
                return _field_type(hint, self.shared), offset
            offset += len(list(leaves(hint))) if is_tuple_type(hint) else 1
        return None


def _field_type(hint: Any, shared: int) -> types.Type:
    if is_tuple_type(hint):
        return RecordType(hint, shared)
    plain, dtype = leaf_kind(hint)
    if plain is Column:
        return SharedSums() if TALLY <= role(hint) <= min(shared, BINS) else ColumnType(from_dtype(np.dtype(dtype)))
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
    wanted = context.get_value_type(field_type)
    is_pointer = isinstance(field_type, ColumnType) and context.target_name != "cpu"
    loaded = builder.load(place if is_pointer else builder.bitcast(place, wanted.as_pointer()))
    # The record does not change while a kernel runs: the load may be moved out of any loop.
    loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
    return _pointer(context, builder, loaded, wanted) if is_pointer else loaded


@type_callable(record)
def _type_record(context: Any) -> Any:
    def typer(address: Any, tuple_type: Any) -> Any:
        return RecordType(tuple_type.instance_class) if isinstance(tuple_type, types.NamedTupleClass) else None

    return typer


@type_callable(record_of)
def _type_record_of(context: Any) -> Any:
    def typer(address: Any, tuple_type: Any, number: Any) -> Any:
        return RecordType(tuple_type.instance_class) if isinstance(tuple_type, types.NamedTupleClass) else None

    return typer


@lower_builtin(record_of, types.Any, types.Any, types.Integer)
def _lower_record_of(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    size = len(list(leaves(sig.return_type.tuple_type)))
    place = builder.mul(context.cast(builder, args[2], sig.args[2], types.int64), ir.Constant(ir.IntType(64), size))
    return builder.gep(_pointer(context, builder, args[0], context.get_value_type(sig.return_type)), [place])


@type_callable(record_shared)
def _type_record_shared(context: Any) -> Any:
    def typer(address: Any, tuple_type: Any, level: Any) -> Any:
        if isinstance(tuple_type, types.NamedTupleClass) and isinstance(level, types.IntegerLiteral):
            return RecordType(tuple_type.instance_class, level.literal_value)
        return None

    return typer


@lower_builtin(record, types.Any, types.Any)
@lower_builtin(record_shared, types.Any, types.Any, types.Any)
def _lower_record(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return _pointer(context, builder, args[0], context.get_value_type(sig.return_type))


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


@type_callable(part)
def _type_part(context: Any) -> Any:
    def typer(column: Any, first: Any) -> Any:
        if isinstance(column, ColumnType) and isinstance(first, types.Integer):
            return signature(ColumnType(column.dtype, canonical=False), column, types.int64)
        return None

    return typer


@lower_builtin(part, ColumnType, types.Integer)
def _lower_part(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return builder.gep(args[0], [args[1]])


@type_callable(add)
def _type_add(context: Any) -> Any:
    def typer(target: Any, index: Any, value: Any) -> Any:
        if isinstance(target, ColumnType) and target.dtype == types.int64:
            return signature(types.none, target, types.int64, types.int64)
        return None

    return typer


@type_callable(fetch_add)
def _type_fetch_add(context: Any) -> Any:
    def typer(target: Any, index: Any, value: Any) -> Any:
        if isinstance(target, ColumnType) and target.dtype in (types.int64, types.uint32):
            return signature(types.int64, target, types.int64, types.int64)
        return None

    return typer


@lower_builtin(fetch_add, ColumnType, types.Integer, types.Integer)
def _lower_fetch_add(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Add to memory and return the old value: atomically on a GPU, whose context is no CPUContext."""
    stored = sig.args[0].dtype
    place = builder.gep(args[0], [args[1]])
    value = context.cast(builder, args[2], types.int64, stored)
    if context.target_name == "cpu":
        before = builder.load(place)
        builder.store(builder.add(before, value), place)
    else:
        before = builder.atomic_rmw("add", place, value, "monotonic")
    return context.cast(builder, before, stored, types.int64)


@lower_builtin(add, ColumnType, types.Integer, types.Integer)
def _lower_add(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    _lower_fetch_add(context, builder, sig, args)
    return context.get_dummy_value()


# --- sums in the shared memory of a GPU, see block ---


class SharedSums(types.Type):  # type: ignore[misc]
    """A column of sums in shared memory, of which only the number of its first cell is needed."""

    def __init__(self) -> None:
        super().__init__(name="SharedSums")


@register_model(SharedSums)
class _SharedSumsModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, dmm: Any, fe_type: SharedSums) -> None:
        super().__init__(dmm, fe_type, ir.IntType(64))


@type_callable(first_cell)
def _type_first_cell(context: Any) -> Any:
    return lambda target: types.int64 if isinstance(target, SharedSums) else None


@lower_builtin(first_cell, SharedSums)
def _lower_first_cell(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    return args[0]


@type_callable(shared_words)
def _type_shared_words(context: Any) -> Any:
    return lambda: ColumnType(types.uint32)


@lower_builtin(shared_words)
def _lower_shared_words(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Declare the memory that a launch asks for: every declaration of no size is the same memory."""
    module, shared = builder.module, 3
    words = module.globals.get("gpuhiggs_words")
    if words is None:
        words = ir.GlobalVariable(module, ir.ArrayType(ir.IntType(32), 0), "gpuhiggs_words", addrspace=shared)
        words.linkage, words.align = "external", 16
    return builder.addrspacecast(words, context.get_value_type(sig.return_type))


@overload(add)
def _add_shared(target, index, value):
    if not isinstance(target, SharedSums):
        return None
    from .block import add_carried

    return lambda target, index, value: add_carried(shared_words(), first_cell(target) + index, value)
