"""Bodies that are one loop over the objects of a collection, made functions of one object.

Most events have few objects and each has another number of them, so a processor guesses wrong where the loop of nearly
every event ends. Where a body does nothing but ``for jet in each(inputs.Jet, event): …``, and asks nothing else of the
event, one loop over the objects of all events does the same.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

_NAME = "_gpuhiggs_body_of_an_object"


class Flat(NamedTuple):
    """What such a body loops over."""

    collection: str
    function: Callable[..., Any]


def flattened(tree: ast.Module, module: ModuleType, each: Callable[..., Any]) -> Flat | None:
    """Return the function of one object that a body is made of; None: it is more than that.

    Parameters
    ----------
    tree
        The module's text.
    each
        What the language calls so.
    """
    node = next((one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "body"), None)
    loop = None if node is None else _loop(node)
    if node is None or loop is None or hasattr(module, "preselect"):
        return None
    call, target = loop.iter, loop.target
    if not isinstance(target, ast.Name) or not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        return None
    aliases = {one.targets[0].id: one.value for one in node.body[:-1] if _is_alias(one)}  # type: ignore[attr-defined]
    if getattr(module, call.func.id, None) is not each or len(call.args) != 2 or call.keywords:
        return None
    over, event = call.args
    if isinstance(over, ast.Name):
        over = aliases.get(over.id, over)
    is_collection = isinstance(over, ast.Attribute) and isinstance(over.value, ast.Name) and over.value.id == "inputs"
    if not is_collection or not (isinstance(event, ast.Name) and event.id == "event"):
        return None
    inside = [name for statement in loop.body for name in ast.walk(statement) if isinstance(name, ast.Name)]
    stored = {name.id for name in inside if isinstance(name.ctx, ast.Store)}
    arguments = {one.arg for one in node.args.args}
    if any(name.id == "event" for name in inside) or stored & (aliases.keys() | arguments) or target.id in arguments:
        return None
    return Flat(over.attr, _function(node, loop, target.id, module))  # type: ignore[attr-defined]


def function(module: ModuleType) -> Callable[..., Any]:
    """Return what was made of the body of a module."""
    return getattr(module, _NAME)  # type: ignore[no-any-return]


def _loop(node: ast.FunctionDef) -> ast.For | None:
    """Return the loop that a function is, but for other names for what it is handed, and its text."""
    *before, last = node.body
    if not isinstance(last, ast.For) or last.orelse or not all(_is_alias(one) or _is_text(one) for one in before):
        return None
    leaves = (ast.Return, ast.Break)
    return None if any(isinstance(one, leaves) for part in last.body for one in _own(part)) else last


def _own(node: ast.AST) -> list[ast.AST]:
    """List the parts of a statement of a loop, but not those of loops in it, whose `break` is their own."""
    found = [node]
    for child in ast.iter_child_nodes(node):
        inner = isinstance(node, ast.For | ast.While)
        found += [one for one in _own(child) if not (inner and isinstance(one, ast.Break | ast.Continue))]
    return found


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_alias(node: ast.stmt) -> bool:
    """Whether a statement is like ``muons = inputs.Muon``."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1 or not isinstance(node.targets[0], ast.Name):
        return False
    value: ast.expr = node.value
    if not isinstance(value, ast.Attribute):
        return False
    while isinstance(value, ast.Attribute):
        value = value.value
    return isinstance(value, ast.Name) and value.id in ("inputs", "cuts", "out")


class _Leave(ast.NodeTransformer):
    """Make the next object's turn the end of this one's."""

    def visit_For(self, node: ast.For) -> ast.For:
        """Leave an inner loop's `continue` alone."""
        return node

    def visit_While(self, node: ast.While) -> ast.While:
        """Leave an inner loop's `continue` alone."""
        return node

    def visit_Continue(self, node: ast.Continue) -> ast.Return:
        """Replace it."""
        return ast.copy_location(ast.Return(None), node)


def _function(node: ast.FunctionDef, loop: ast.For, item: str, module: ModuleType) -> Callable[..., Any]:
    """Compile the function of one object to Python's bytecode; its lines are those of the file."""
    arguments = [ast.copy_location(ast.arg(item if one.arg == "event" else one.arg), one) for one in node.args.args]
    statements = [_Leave().visit(one) for one in loop.body]
    made = ast.FunctionDef(
        name=_NAME,
        args=ast.arguments(posonlyargs=[], args=arguments, kwonlyargs=[], kw_defaults=[], defaults=[]),
        body=[*(one for one in node.body[:-1] if _is_alias(one)), *statements],
        decorator_list=[],
    )
    text = ast.fix_missing_locations(ast.Module([ast.copy_location(made, node)], []))
    exec(compile(text, getattr(module, "__file__", None) or "?", "exec"), module.__dict__)
    return function(module)
