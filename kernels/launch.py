"""From the functions of a channel to a loop on the CPU and kernels on a GPU.

A channel's kernel module gives four scalar functions and the NamedTuple types of what they are handed::

    gate(event, inputs, cuts, tables) -> int            how many of the data-quality cuts the event passes
    generator_weight(event, inputs, cuts) -> float      its weight before any correction
    preselect(event, inputs, cuts) -> bool              a superset of what any variation can select
    body(event, shift, inputs, cuts, tables, out)       select, reconstruct and fill for one variation

:class:`Program` names the module. From it a driver module is written into a cache folder and imported: Numba caches
compiled code by source file, misses closures, and does not see edits in the functions that a kernel calls, so the
driver lives in a folder named after the hash of everything that decides about the machine code.

What is made of it for a GPU is in :mod:`.launch_cuda`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import struct
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import njit, types
from numba.core import entrypoints

from . import sources
from .language import Column, Leaf, leaves

ARGUMENTS = ("inputs", "cuts", "tables", "out")


class Program(NamedTuple):
    """A channel's kernel: the module that holds its functions and argument types."""

    module: str
    """Importable name, such as ``gpuhiggs.kernels.four_lepton``."""

    def namespace(self) -> ModuleType:
        """Return the module."""
        return importlib.import_module(self.module)

    def argument_types(self) -> tuple[type, ...]:
        """Return the NamedTuple types of inputs, cuts, tables and out."""
        namespace = self.namespace()
        return tuple(getattr(namespace, name.capitalize()) for name in ARGUMENTS)


# --- the driver ----------------------------------------------------------------------------------------------------

HEAD = '''"""Made by gpuhiggs.kernels.{maker} for {module}: do not edit."""

import numpy as np

from gpuhiggs.kernels.fill import is_weight, settle, tally
from gpuhiggs.kernels.language import add, column, inlined, local_int, record
from {module} import Cuts, Inputs, Out, Tables, body, gate, generator_weight, preselect{plain_names}


@inlined
def admit(event, inputs, cuts, tables, out, passed, units):
    weight = generator_weight(event, inputs, cuts)
    if not is_weight(weight):
        add(out.errors, 0, 1)
        return False
    n = gate(event, inputs, cuts, tables)
    tally(passed, units, n, weight)
    return n == {n_gates} and preselect(event, inputs, cuts)
'''
"""What the drivers of all targets begin with."""

_DRIVER = """

def run(first, last, shifts, gates, inputs, cuts, tables, out):
    gates = column(gates, np.int64)
    inputs, cuts = record(inputs, Inputs), record(cuts, Cuts)
    tables, out = record(tables, Tables), record(out, Out)
    passed, units = local_int({n_sums}), local_int({n_rows})
    for i in range({n_sums}):
        passed[i] = 0
    for i in range({n_rows}):
        units[i] = 0
{plain}    for event in range(first, last):
        if admit(event, inputs, cuts, tables, out, passed, units):
            for shift in range(shifts):
                body(event, shift, inputs, cuts, tables, out)
    for i in range({n_rows}):
        settle(passed, units, i)
    for i in range({n_sums}):
        add(gates, i, passed[i])


def mark(first, last, marked, inputs, cuts, tables):
    marked = column(marked, np.int64)
    inputs, cuts, tables = record(inputs, Inputs), record(cuts, Cuts), record(tables, Tables)
    for event in range(first, last):
        passed = gate(event, inputs, cuts, tables) == {n_gates} and preselect(event, inputs, cuts)
        marked[event] = 1 if passed else 0
"""


_PLAIN = """\
    if shifts == 1 and is_plain(cuts):  # all that is below, for weights of 1 and gates that are open
        plain_range(first, last, inputs, cuts, out)
        units[{n_gates}] = last - first
        first = last
"""

_LOOP = '''"""Made by gpuhiggs.kernels.launch for {module}: do not edit."""

import {module} as bodies


def run({arguments}):
    bodies.{function}({arguments})

'''


class Loop(NamedTuple):
    """A function ``f(first, last, row, …)`` over a range of independent items, with the memory of a row each thread."""

    module: str
    function: str
    arguments: tuple[str, ...]
    """Names of what follows first, last and row."""

    def namespace(self) -> ModuleType:
        """Return the module."""
        return importlib.import_module(self.module)


def driver_source(program: Program | Loop) -> str:
    """Return the text of the driver module of a program."""
    if isinstance(program, Loop):
        arguments = ", ".join(("first", "last", "row", *program.arguments))
        return _LOOP.format(module=program.module, function=program.function, arguments=arguments)
    return filled(HEAD + _DRIVER, program, "launch")


def filled(template: str, program: Program, maker: str) -> str:
    """Fill the template of a driver in."""
    namespace = program.namespace()
    n_gates, has_plain = len(namespace.GATES), hasattr(namespace, "plain_range")
    return template.format(
        module=program.module, maker=maker, n_gates=n_gates, n_rows=n_gates + 1, n_sums=4 * (n_gates + 1),
        plain=_PLAIN.format(n_gates=n_gates) if has_plain else "",
        plain_names=", is_plain, plain_range" if has_plain else "",
    )  # fmt: skip


# --- the cache -----------------------------------------------------------------------------------------------------


def cache_folder() -> Path:
    """Return the folder of compiled kernels: ``$GPUHIGGS_CACHE``, or ``gpuhiggs`` in the user's cache folder."""
    root = os.environ.get("GPUHIGGS_CACHE")
    if root:
        return Path(root) / "kernels"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpuhiggs" / "kernels"


@functools.cache
def source_hash(program: Program | Loop) -> str:
    """Return the hash of all that decides about the machine code of a program: sources, versions, options."""
    return text_hash(driver_source(program), __name__)


def text_hash(text: str, maker: str, *packages: str) -> str:
    """Return the hash of all that decides about what a module *maker* makes of a driver's text."""
    digest = hashlib.sha256()
    for name, source in sorted(sources.reached(*sources.imports(text), maker).items()):
        digest.update(f"{name}\0{source}\0".encode())
    for package in ("numba", "llvmlite", "numpy", *packages):
        digest.update(f"{package} {importlib.metadata.version(package)}\0".encode())
    digest.update(f"{sys.version_info[:2]} {platform.machine()} opt {numba.config.OPT}\0{text}".encode())
    return digest.hexdigest()[:24]


def driver_name(program: Program | Loop) -> str:
    """Return the name of a program among the compiled ones."""
    return program.module.rpartition(".")[2] + (f"_{program.function}" if isinstance(program, Loop) else "")


@functools.cache
def driver(program: Program | Loop) -> ModuleType:
    """Import the driver module of a program, writing it first where it is new."""
    return imported(driver_name(program), source_hash(program), driver_source(program))


def imported(name: str, tag: str, text: str) -> ModuleType:
    """Import a module made of *text*, in the folder that is named after its hash *tag*."""
    folder = cache_folder() / f"{name}-{tag}"
    path = folder / f"driver_{name}.py"
    if not path.exists():
        write_once(path, text.encode())
    spec = importlib.util.spec_from_file_location(f"gpuhiggs_driver_{name}_{tag}", path)
    if spec is None or spec.loader is None:
        msg = f"{path}: cannot be imported"
        raise ImportError(msg)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def write_once(path: Path, content: bytes) -> None:
    """Write a file of the cache whole, or leave the one that another process has written meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)  # a cache may be shared
    with contextlib.suppress(FileExistsError):
        os.link(file.name, path)  # whoever comes first: Numba's index goes by the file's time
    Path(file.name).unlink()


# --- running -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _no_extensions() -> Iterator[None]:
    """Keep Numba from importing the packages that extend it: kernels use none, and it takes longer than they do."""
    before = entrypoints._already_initialized
    entrypoints._already_initialized = True
    try:
        yield
    finally:
        entrypoints._already_initialized = before


@functools.cache
def compiled(program: Program, function: str = "run") -> Any:
    """Return the CPU build of a program, compiled or loaded from the cache; the plain driver without a compiler."""
    loop = getattr(driver(program), function)
    if numba.config.DISABLE_JIT:
        return loop
    arguments = [types.int64] * 3 + [types.uint64] * 5 if function == "run" else [types.int64] * 2 + [types.uint64] * 4
    with _no_extensions():
        return njit(types.void(*arguments), nogil=True, cache=True, error_model="numpy", _nrt=False)(loop)


@functools.cache
def compiled_loop(loop: Loop) -> Any:
    """Return the CPU build of a loop; it compiles when first called with new types, or comes from the cache."""
    if numba.config.DISABLE_JIT:
        return driver(loop).run
    with _no_extensions():
        return njit(nogil=True, cache=True, error_model="numpy", _nrt=False)(driver(loop).run)


@functools.cache
def compiled_on_records(loop: Loop) -> Any:
    """Return the CPU build of a loop whose arguments are addresses of records, compiled now or from the cache."""
    signature = types.void(*[types.int64] * (3 + len(loop.arguments)))
    with _no_extensions():
        return njit(signature, nogil=True, cache=True, error_model="numpy", _nrt=False)(driver(loop).run)


class Record(NamedTuple):
    """A NamedTuple of arrays and numbers in memory, as kernels take it."""

    slots: np.ndarray
    """uint64 of shape (leaves,): addresses of columns, int64 and float64 by their bits."""
    value: tuple[Any, ...]
    """The tuple itself, which owns the arrays."""

    @property
    def address(self) -> int:
        """The address of the slots in host memory."""
        return int(self.slots.__array_interface__["data"][0])


def _values(value: tuple[Any, ...]) -> Iterator[Any]:
    for entry in value:
        if isinstance(entry, tuple):
            yield from _values(entry)
        else:
            yield entry


_DOUBLE, _BITS = struct.Struct("<d"), struct.Struct("<q")


@functools.lru_cache(maxsize=1024)
def _shape(tuple_type: type) -> tuple[Leaf, ...]:
    return tuple(leaves(tuple_type))


def record(tuple_type: type, value: tuple[Any, ...]) -> Record:
    """Lay out *value*, a tree of NumPy arrays and numbers shaped like *tuple_type*, for the CPU build.

    Raises
    ------
    TypeError
        If a column is not a contiguous array of the type that the kernel declares.
    """
    words = []
    for leaf, entry in zip(_shape(tuple_type), _values(value), strict=True):
        if leaf.kind is Column:
            require(leaf, entry)
            words.append(entry.__array_interface__["data"][0])
        else:
            words.append(entry if leaf.kind is int else _BITS.unpack(_DOUBLE.pack(entry))[0])
    slots = np.array(words, dtype=np.int64).view(np.uint64)
    return Record(slots, value)


def require(leaf: Leaf, array: Any) -> None:
    """Raise a TypeError unless a column is a contiguous array, here or on a device, of the type that is declared."""
    dtype = array.dtype
    is_right = (dtype.type is leaf.dtype and dtype.isnative) or dtype == leaf.dtype  # the first is quick
    if not is_right or (isinstance(array, np.ndarray) and not array.flags.c_contiguous):
        msg = f"{'.'.join(leaf.path)}: {array.dtype} array, expected contiguous {np.dtype(leaf.dtype)}"
        raise TypeError(msg)


def _interpreted(value: Any) -> Any:
    """Return a tree of arrays and numbers as the interpreter's bodies take it."""
    if isinstance(value, tuple):
        return type(value)(*map(_interpreted, value))
    return Column(value.reshape(-1)) if isinstance(value, np.ndarray) else value


def run(program: Program, arguments: Sequence[Record], first: int, last: int, shifts: int = 1) -> np.ndarray:
    """Run a program on the CPU over the events [first, last).

    Parameters
    ----------
    arguments
        The records of inputs, cuts, tables and out; the arrays of out are added to.
    shifts
        Number of variations to run, the nominal included.

    Returns
    -------
    int64 array of shape (cuts of the gate + 1, 4)
        Row i: the events that pass exactly i cuts of the gate, as (entries, Σq, Σhi, Σlo).
    """
    gates = np.zeros((len(program.namespace().GATES) + 1, 4), dtype=np.int64)
    loop = compiled(program)
    if numba.config.DISABLE_JIT:
        with np.errstate(all="ignore"):
            loop(first, last, shifts, gates.reshape(-1), *(_interpreted(entry.value) for entry in arguments))
    else:
        loop(first, last, shifts, gates.__array_interface__["data"][0], *(entry.address for entry in arguments))
    return gates


def run_loop(loop: Loop, arguments: Sequence[Record], first: int, last: int) -> None:
    """Run a loop on the CPU over the items [first, last), with the memory of row 0."""
    if numba.config.DISABLE_JIT:
        with np.errstate(all="ignore"):
            driver(loop).run(first, last, 0, *(_interpreted(entry.value) for entry in arguments))
    else:
        compiled_on_records(loop)(first, last, 0, *(entry.address for entry in arguments))


def preselected(program: Program, arguments: Sequence[Record], n: int) -> np.ndarray:
    """Return 1 for those of *n* events that pass gate and preselection, from the records of inputs, cuts and tables."""
    marked = np.zeros(n, dtype=np.int64)
    loop = compiled(program, "mark")
    if numba.config.DISABLE_JIT:
        with np.errstate(all="ignore"):
            loop(0, n, marked, *(_interpreted(entry.value) for entry in arguments))
    else:
        loop(0, n, marked.__array_interface__["data"][0], *(entry.address for entry in arguments))
    return marked
