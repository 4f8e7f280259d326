"""Variables that may have no value where they are used: Python raises an error there, a compiler makes up a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

_Names = frozenset[str] | None
"""What has a value at a place; None: the place is never reached."""


def unassigned(function: ast.FunctionDef) -> list[tuple[int, str]]:
    """Return the lines of a function where a variable may have no value, with its name."""
    found: list[tuple[int, str]] = []
    variables = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and _is_store(node)}
    _Walk(variables, found).block(function.body, frozenset(one.arg for one in function.args.args))
    return found


def _is_store(node: ast.Name) -> bool:
    return isinstance(node.ctx, ast.Store)


class _Walk:
    """Follow the statements in order; where two ways meet, a variable has a value if it has one on both."""

    def __init__(self, variables: set[str], found: list[tuple[int, str]]) -> None:
        self._variables, self._found = variables, found

    def block(self, body: Sequence[ast.stmt], names: _Names) -> _Names:
        """Return what has a value after a block."""
        for statement in body:
            if names is None:
                return None
            names = self._statement(statement, names)
        return names

    def _statement(self, statement: ast.stmt, names: frozenset[str]) -> _Names:
        if isinstance(statement, ast.If):
            self._use(statement.test, names)
            return _both(self.block(statement.body, names), self.block(statement.orelse, names))
        if isinstance(statement, ast.For):
            self._use(statement.iter, names)
            self.block(statement.body, names | set(_stored(statement.target)))
            return self.block(statement.orelse, names)
        if isinstance(statement, ast.While):
            self._use(statement.test, names)
            self.block(statement.body, names)
            return self.block(statement.orelse, names)
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            self._need(statement.target, names)
        self._use(statement, names)
        if isinstance(statement, ast.Return | ast.Break | ast.Continue):
            return None
        return names | set(_stored(statement))

    def _use(self, node: ast.AST, names: frozenset[str]) -> None:
        for one in ast.walk(node):
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load):
                self._need(one, names)

    def _need(self, name: ast.Name, names: frozenset[str]) -> None:
        if name.id in self._variables and name.id not in names:
            self._found.append((name.lineno, name.id))


def _both(one: _Names, other: _Names) -> _Names:
    if one is None or other is None:
        return one if other is None else other
    return one & other


def _stored(node: ast.AST) -> Iterator[str]:
    return (one.id for one in ast.walk(node) if isinstance(one, ast.Name) and _is_store(one))
