"""What a function of one event may be made of, checked before anything is compiled, with the line of every mistake.

The compiler would accept some of what is refused here, and then give other bits on another device: powers and the
functions of ``math`` and NumPy come from a library that differs between them.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import math
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from ..kernels.language import Column, fields, is_scalar, is_tuple_type, leaf_kind
from .assigned import unassigned

_NODES = (
    ast.arguments, ast.arg, ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.keyword,
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.If, ast.For, ast.While, ast.Return, ast.Expr, ast.Pass,
    ast.Break, ast.Continue, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Call,
    ast.Attribute, ast.Subscript, ast.Name, ast.Constant, ast.Tuple,
)  # fmt: skip

_REFUSED: dict[type[ast.AST], str] = {
    ast.Pow: "`**` has other bits on other devices: write x * x, or real.pow(x, y)",
    ast.MatMult: "`@` is not part of the language",
    ast.Is: "`is` is not part of the language: compare with ==",
    ast.IsNot: "`is not` is not part of the language: compare with !=",
    ast.Lambda: "a function stands at the top of the file, with the mark @scalar",
    ast.FunctionDef: "a function stands at the top of the file, with the mark @scalar",
    ast.Try: "there are no exceptions in a function of one event",
    ast.Raise: "there are no exceptions in a function of one event",
    ast.Assert: "there are no exceptions in a function of one event",
    ast.JoinedStr: "there are no strings in a function of one event",
    ast.Slice: "a slice is not part of the language: loop over the indices",
    ast.Starred: "`*` before an argument is not part of the language",
    ast.NamedExpr: "`:=` is not part of the language: give it a line of its own",
} | dict.fromkeys(
    (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp),
    "there are no lists in a function of one event: loop with for and if, or keep numbers in local(n)",
)  # fmt: skip

_BUILTINS = frozenset(("range", "abs", "int", "float", "bool", "True", "False"))
_LOOPS = ("range", "each", "after")
_INSTEAD = {
    "min": "`min` of floats differs between devices for NaN and ±0: write `a if a < b else b`",
    "max": "`max` of floats differs between devices for NaN and ±0: write `a if a > b else b`",
    "len": "`len` is not part of the language: size(collection, event) is the number of objects",
    "print": "`print` is not part of the language: run with NUMBA_DISABLE_JIT=1 and use a debugger",
}

Problem = tuple[int, str]


def problems(
    tree: ast.Module, module: ModuleType, arguments: dict[str, type], instead: Mapping[Any, str] | None = None
) -> list[Problem]:
    """Return what is not part of the language in the marked functions of a module, by line.

    Parameters
    ----------
    arguments
        The types of what is handed to the channel's own functions, by name.
    instead
        Functions that must not be called, and what is said of them.
    """
    found: list[Problem] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and is_scalar(getattr(module, node.name, None)):
            found.extend(_Function(node, module, arguments, instead or {}).problems())
    return sorted(set(found))


class _Function:
    """One function and what its names stand for."""

    def __init__(
        self, node: ast.FunctionDef, module: ModuleType, arguments: dict[str, type], instead: Mapping[Any, str]
    ) -> None:
        self._node, self._module, self._instead = node, module, instead
        names = [one.arg for one in node.args.args]
        stores = [one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)]
        self._locals = {*names, *stores}
        self._types: dict[str, Any] = {name: arguments[name] for name in names if name in arguments}
        for one in ast.walk(node):
            if isinstance(one, ast.Assign) and len(one.targets) == 1 and isinstance(one.targets[0], ast.Name):
                name, hint = one.targets[0].id, self._hint(one.value)
                if hint is not None and stores.count(name) == 1:
                    self._types[name] = hint

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong, each with its line."""
        arguments = self._node.args
        if arguments.vararg or arguments.kwarg or arguments.kwonlyargs or arguments.defaults:
            yield self._node.lineno, f"{self._node.name}: arguments have names only, no defaults and no *"
        wrong = [
            (getattr(node, "lineno", statement.lineno), reason)
            for statement in self._node.body
            for node in _expressions(statement)
            for reason in self._reasons(node)
        ]
        yield from wrong
        for line, name in [] if wrong else unassigned(self._node):
            yield line, f"`{name}` may have no value here: give it one before the `if` or loop"

    def _reasons(self, node: ast.AST) -> Iterator[str]:
        if type(node) in _REFUSED:
            yield _REFUSED[type(node)]
        elif not isinstance(node, _NODES):
            yield f"`{type(node).__name__.lower()}` is not part of the language"
        elif isinstance(node, ast.BinOp | ast.AugAssign) and type(node.op) in _REFUSED:
            yield _REFUSED[type(node.op)]
        elif isinstance(node, ast.Compare):
            yield from (_REFUSED[type(one)] for one in node.ops if type(one) in _REFUSED)
        elif isinstance(node, ast.Constant):
            if not isinstance(node.value, bool | int | float):
                yield f"{node.value!r} is no number"
        elif isinstance(node, ast.For):
            if not isinstance(node.iter, ast.Call) or _last_name(node.iter.func) not in _LOOPS:
                yield "a loop goes over range(n), each(collection, event) or after(collection, event, i)"
        elif isinstance(node, ast.Call):
            yield from self._call(node.func)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield from self._name(node.id)
        elif isinstance(node, ast.Attribute):
            yield from self._attribute(node)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store) and self._hint(node.value) is not None:
            yield f"`{ast.unparse(node.value)}` is read, never written: local(n) is memory to write to"
        if isinstance(node, ast.BinOp | ast.Compare | ast.UnaryOp):
            yield from self._whole_columns(node)

    def _call(self, function: ast.expr) -> Iterator[str]:
        name = ast.unparse(function)
        if isinstance(function, ast.Name) and function.id in self._locals:
            yield f"`{name}` is a variable here, not a function"
            return
        found = self._value(function)
        if found is _MISSING or name in _BUILTINS or name in _INSTEAD or _is_library(found):
            return  # a name's own business, or nothing wrong
        if is_scalar(found) and found in self._instead:
            yield self._instead[found]
        own = getattr(found, "__module__", "").startswith("gpuhiggs.kernels") and not is_tuple_type(found)
        if not (is_scalar(found) or own or is_tuple_type(found)):
            yield f"`{name}` is called for every event, but lacks the mark @scalar"

    def _name(self, name: str) -> Iterator[str]:
        if name in self._locals or name in _BUILTINS:
            return
        if name in _INSTEAD and not hasattr(self._module, name):
            yield _INSTEAD[name]
        elif not hasattr(self._module, name):
            there = hasattr(builtins, name)
            yield f"`{name}` is not part of the language" if there else f"the name `{name}` is not defined"
        elif _is_library(value := getattr(self._module, name)):
            yield f"`{name}` has other bits on other devices: use gpuhiggs.language.real"
        elif isinstance(value, list | dict | set | str | np.ndarray):
            yield f"`{name}` is a {type(value).__name__}: a constant is a number or a tuple of numbers"

    def _attribute(self, node: ast.Attribute) -> Iterator[str]:
        owner = self._hint(node.value)
        if isinstance(node.ctx, ast.Store):
            yield f"`{ast.unparse(node)}` cannot be assigned to"
        elif is_tuple_type(owner) and node.attr not in fields(owner):
            known = ", ".join(name for name in fields(owner) if name not in _HIDDEN)
            yield f"`{ast.unparse(node.value)}` has no {node.attr}; it has {known}"
        elif isinstance(base := self._value(node.value), ModuleType) and not hasattr(base, node.attr):
            yield f"`{ast.unparse(node.value)}` has no {node.attr}"

    def _whole_columns(self, node: ast.BinOp | ast.Compare | ast.UnaryOp) -> Iterator[str]:
        operands = [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.Attribute | ast.Name)]
        for one in operands:
            hint = self._hint(one)
            if hint is not None and not is_tuple_type(hint) and leaf_kind(hint)[0] is Column:
                yield f"`{ast.unparse(one)}` is a column: write {ast.unparse(one)}[i]"

    def _hint(self, node: ast.expr) -> Any:
        """Return the declared type of ``inputs.Muon``, and of names for it; None where it is not known."""
        if isinstance(node, ast.Name):
            return self._types.get(node.id)
        if isinstance(node, ast.Attribute):
            owner = self._hint(node.value)
            return fields(owner).get(node.attr) if is_tuple_type(owner) else None
        return None

    def _value(self, node: ast.expr) -> Any:
        """Return what a name, or a name in a module, stands for."""
        if isinstance(node, ast.Name) and node.id not in self._locals:
            return getattr(self._module, node.id, getattr(builtins, node.id, _MISSING))
        if isinstance(node, ast.Attribute):
            owner = self._value(node.value)
            return _MISSING if owner is _MISSING else getattr(owner, node.attr, _MISSING)
        return _MISSING


_MISSING = object()
_HIDDEN = ("events", "dataset", "errors", "cutflow", "selected")


def _expressions(statement: ast.stmt) -> Iterator[ast.AST]:
    """Walk a statement; a text that stands by itself is a comment, and what is refused is not looked into."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        yield node
        if type(node) not in _REFUSED and isinstance(node, _NODES):
            waiting.extend(ast.iter_child_nodes(node))


def _last_name(function: ast.expr) -> str:
    return ast.unparse(function).rpartition(".")[2]


def _is_library(value: Any) -> bool:
    """Whether something is of ``math`` or NumPy, or is one of them."""
    if inspect.ismodule(value):
        return value is math or value.__name__.partition(".")[0] == "numpy"
    return isinstance(value, np.ufunc) or getattr(value, "__module__", None) in ("math", "numpy")
