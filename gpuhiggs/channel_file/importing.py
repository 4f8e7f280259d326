"""Importing a user's file afresh: what it says now, and what the modules beside it say now.

Python keeps a module for as long as a process lives, and compiled bytecode for longer. In a notebook a file is edited
and run again, so it is imported under a name that contains the hash of all its sources, and modules of its folder that
it imports are forgotten first.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import importlib.util
import sys
import threading
import traceback
from collections.abc import Iterator
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

from ..errors import ConfigError
from ..kernels import sources

importing = threading.RLock()
"""Held while the folder of a file is on the path."""


@contextlib.contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Let modules in *folder* be imported, as Python itself does for a script; write no bytecode."""
    with importing:
        before = sys.dont_write_bytecode
        sys.path.insert(0, str(folder))
        sys.dont_write_bytecode = True
        importlib.invalidate_caches()
        try:
            yield
        finally:
            sys.dont_write_bytecode = before
            sys.path.remove(str(folder))


def local_sources(path: Path) -> dict[str, str]:
    """Return the text of a file as ``""``, and of every module of its folder that it reaches, by name.

    Raises
    ------
    ConfigError
        If one of them cannot be read or is not Python.
    """
    found: dict[str, str] = {}
    waiting = [("", path, "")]
    while waiting:
        name, file, package = waiting.pop()
        found[name] = _read(file)
        try:
            imported = list(sources.imports(found[name], package))
        except SyntaxError as error:
            msg = f"{file}:{error.lineno}: {error.msg}"
            raise ConfigError(msg) from error
        for other in imported:
            spec = None if other.partition(".")[0] == sources.OWN else _found_in(path.parent, other)
            if other not in found and spec is not None and spec.origin is not None:
                inside = spec.submodule_search_locations is not None
                waiting.append((other, Path(spec.origin), other if inside else other.rpartition(".")[0]))
                found[other] = ""
    return found


def _found_in(folder: Path, name: str) -> ModuleSpec | None:
    """Find a module below a folder, whatever else has its name."""
    places, spec = [str(folder)], None
    prefix = ""
    for part in name.split("."):
        prefix = f"{prefix}.{part}" if prefix else part
        spec = PathFinder.find_spec(prefix, places)
        if spec is None:
            return None
        places = list(spec.submodule_search_locations or ())
    return spec


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise ConfigError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path}: not UTF-8: {error}"
        raise ConfigError(msg) from error


def digest(texts: dict[str, str]) -> str:
    """Return what identifies a file and the modules beside it, wherever they are."""
    found = hashlib.sha256()
    for name, text in sorted(texts.items()):
        found.update(f"{name}\0{text}\0".encode())
    return found.hexdigest()[:16]


def fresh(path: Path, name: str, texts: dict[str, str]) -> ModuleType:
    """Import a file as the module *name*, and the modules beside it anew; the caller is :func:`beside` its folder.

    Raises
    ------
    ConfigError
        If that fails; the message names the line of the file.
    """
    for other in texts:
        sys.modules.pop(other, None)
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        msg = f"{path}: cannot be imported: expected a file that ends in .py"
        raise ConfigError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(_explained(path, error)) from error
    return module


def _explained(path: Path, error: Exception) -> str:
    """Say what went wrong on import, and where: the innermost line in the folder of the file."""
    if isinstance(error, SyntaxError):
        return f"{error.filename}:{error.lineno}: {error.msg}"
    lines = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(path.parent)
    ]
    return f"{lines[-1] if lines else path}: {type(error).__name__}: {error}"


def in_memory(name: str, text: str) -> ModuleType:
    """Import a text as the module *name*; its loader gives the text to whoever asks for the source."""
    spec = ModuleSpec(name, _Text(text))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(text, f"<{name}>", "exec"), module.__dict__)
    return module


class _Text(Loader):
    """A loader of a module that is no file."""

    def __init__(self, text: str) -> None:
        self._text = text

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to be done on a second import."""

    def get_source(self, name: str) -> str:
        """Return the text."""
        return self._text
