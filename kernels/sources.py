"""Which source files decide about the machine code of a program: its module and all that it imports, directly or not.

Imports are read from the text, as far as they are executed when a module is: neither those in functions nor those for
type checkers. The standard library, NumPy and Numba count by their versions, and so does any other installed package.
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

_BY_VERSION = frozenset({*sys.stdlib_module_names, "numpy", "numba", "llvmlite"})
OWN = __package__.rpartition(".")[0]
"""``gpuhiggs``, which is followed wherever it is installed."""
_INSTALLED = {"site-packages", "dist-packages"}


def reached(*names: str) -> dict[str, str]:
    """Return the source of each of some modules, and of every module that they reach, by name.

    An installed package that is reached is given as its version.
    """
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        top = name.partition(".")[0]
        if name in found or top in _BY_VERSION:
            continue
        spec = importlib.util.find_spec(name)
        if spec is None:
            continue
        if top != OWN and _is_installed(spec):
            found[top] = _version(top)
            continue
        text = _text(spec)
        if text is not None:
            found[name] = text
            waiting.extend(imports(text, name if spec.submodule_search_locations is not None else spec.parent or ""))
    return found


def imports(text: str, package: str = "") -> Iterator[str]:
    """List the modules that the text of a module imports; *package* is where its relative imports begin."""
    for statement in _executed(ast.parse(text).body):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            base = "." * statement.level + (statement.module or "")
            module = importlib.util.resolve_name(base, package) if statement.level else base
            submodules = [name for alias in statement.names if _is_module(name := f"{module}.{alias.name}")]
            yield from submodules
            if len(submodules) < len(statement.names):
                yield module


def _executed(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """List the statements that are executed when a module is imported, inside of ``if`` and ``try`` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If) and _never(statement.test):
            yield from _executed(statement.orelse)
        elif not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            for name in ("body", "orelse", "finalbody"):
                yield from _executed(getattr(statement, name, []))
            for handler in getattr(statement, "handlers", []):
                yield from _executed(handler.body)


def _never(test: ast.expr) -> bool:
    """Whether a condition does not hold on import: ``TYPE_CHECKING``, ``__name__ == "__main__"``."""
    return any(
        (isinstance(node, ast.Name) and node.id in ("TYPE_CHECKING", "__name__"))
        or (isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING")
        for node in ast.walk(test)
    )


def _is_module(name: str) -> bool:
    """Whether what is imported from a package is a module of it."""
    if name in sys.modules:
        return True
    if name.partition(".")[0] in _BY_VERSION:
        return False
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is no package
        return False


def _is_installed(spec: ModuleSpec) -> bool:
    """Whether a module is in one of the interpreter's folders rather than in somebody's working copy."""
    return spec.origin is not None and not _INSTALLED.isdisjoint(Path(spec.origin).parts)


def _version(package: str) -> str:
    """Return the version of what a package was installed by, whose name may be another."""
    names = importlib.metadata.packages_distributions().get(package, [])
    return " ".join(f"{name} {importlib.metadata.version(name)}" for name in sorted(set(names))) or "installed"


def _text(spec: ModuleSpec) -> str | None:
    """Return the source as the module's own loader has it; None: there is none, as of a folder without a file."""
    source = getattr(spec.loader, "get_source", None)
    text: str | None = None if source is None else source(spec.name)
    return text
