"""Corrections of a file, and what becomes of one when its strings are known."""

from __future__ import annotations

import functools
import gzip
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import correctionlib.schemav2 as schema
import numpy as np
from pydantic import BaseModel, ValidationError

from ..errors import ConfigError, RunError, choices
from ..kernels import launch, lookup, lookup_hash, lookup_rows
from . import formula, numbers
from .tables import LARGEST_KEY, Operand, Tree, Writer, compound

Fixed = str | int | float | tuple[str, ...]
"""A value that an input always has; or, of a string, the keys among which a number chooses: 0 the first of them."""

M = TypeVar("M", bound=BaseModel)

_GZIP = b"\x1f\x8b"
_CONSTANTS = {"Infinity": "inf", "-Infinity": "-inf", "NaN": math.nan}
"""What is no JSON and yet in many files; the schema spells infinite edges as strings."""
_PROGRAM = launch.Program(lookup_rows.__name__)
_WHY = {lookup.OUT_OF_RANGE: "outside of its binning", lookup.UNKNOWN_KEY: "no key of its category"}


class Library:
    """Any number of corrections in one pair of tables; what is equal in them is there once."""

    def __init__(self) -> None:
        self._writer = Writer()

    def add(
        self, correction: Correction, fixed: Mapping[str, Fixed], variables: Mapping[str, int], offered: int = 0
    ) -> int:
        """Compile a correction and return its root.

        Parameters
        ----------
        fixed
            Inputs that have one value, which all strings must.
        variables
            For each other input its place in the kernel's column of variables.
        offered
            How many variables the kernel puts there, if more than this correction uses: scratch begins behind them.

        Raises
        ------
        ConfigError
            If an input is missing, unknown or of another type, a key is not in a category, or a node is not supported.
        """
        return correction.write(self._writer, fixed, variables, offered)

    def formula(self, text: str, names: Mapping[str, int]) -> int:
        """Compile a formula over variables by name and return its root.

        Raises
        ------
        ValueError
            If it is none, or uses another name.
        """
        operations = formula.program(text, (), (), self._writer.constant, names)
        return self._writer.node(lookup.FORMULA, len(operations), *operations)

    def random(self, variables: Sequence[int]) -> int:
        """Return the root of a standard normal random number that is a hash of whole numbers."""
        return self._writer.node(
            lookup.RANDOM, lookup_hash.STDNORMAL, len(variables), *(2 * variable + 1 for variable in variables)
        )

    @property
    def slots(self) -> int:
        """How many variables an evaluation needs room for, whichever the correction."""
        return self._writer.slots

    @property
    def tabulated(self) -> bool:
        """Whether all of them are made of binnings and categories, so that ``lookup.tabulated`` can be used."""
        return self._writer.tabulated

    def tables(self) -> lookup.Lookup:
        """Return the tables, NumPy int64 and float64; add first, then hand out."""
        return self._writer.tables()


class Compiled(NamedTuple):
    """One correction, ready for a kernel."""

    name: str
    tables: lookup.Lookup
    root: int
    variables: tuple[str, ...]
    """The inputs that are left, in the order in which a kernel's column of variables holds them."""
    slots: int
    """How long that column must be: beyond the inputs it is scratch."""
    tabulated: bool
    """Whether ``lookup.tabulated`` gives the same."""

    def evaluate(self, *inputs: Any) -> np.ndarray:
        """Return the correction for arrays of inputs, which are broadcast against each other.

        Raises
        ------
        TypeError
            If there are not as many arrays as :attr:`variables`.
        RunError
            If a value is outside of a binning that has no flow, or no key of a category without default.
        """
        values, codes = self.lookup(*inputs)
        if codes.any():
            first = np.unravel_index(int(np.argmax(codes != lookup.FOUND)), codes.shape)
            given = ", ".join(
                f"{name} = {np.broadcast_to(array, codes.shape)[first]}"
                for name, array in zip(self.variables, inputs, strict=True)
            )
            msg = f"{self.name}: {given} is {_WHY[int(codes[first])]}; {np.count_nonzero(codes)} of {codes.size} such"
            raise RunError(msg)
        return values

    def lookup(self, *inputs: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return values and codes (:data:`gpuhiggs.kernels.lookup.FOUND`, …), as a kernel gets them."""
        if len(inputs) != len(self.variables):
            msg = f"{self.name} takes {', '.join(self.variables) or 'nothing'}; got {len(inputs)} arrays"
            raise TypeError(msg)
        if self.slots > lookup_rows.SLOTS:
            msg = f"{self.name} needs {self.slots} variables, there is room for {lookup_rows.SLOTS}"
            raise ConfigError(msg)
        arrays = np.broadcast_arrays(*(np.asarray(array, np.float64) for array in inputs)) if inputs else [np.zeros(())]
        shape = arrays[0].shape
        rows = np.stack([array.reshape(-1) for array in arrays], axis=-1)
        n = rows.shape[0]
        out = lookup_rows.Out(np.zeros(1, np.int64), np.empty(n), np.empty(n, np.int64))
        arguments = [
            lookup_rows.Inputs(np.ascontiguousarray(rows).reshape(-1)),
            lookup_rows.Cuts(self.root, len(self.variables), int(self.tabulated)),
            lookup_rows.Tables(self.tables),
            out,
        ]
        launch.run(_PROGRAM, [launch.record(type(value), value) for value in arguments], 0, n)
        return out.values.reshape(shape), out.codes.reshape(shape)


class Correction:
    """A correction, or a compound of corrections, of a file."""

    def __init__(
        self, place: str, node: schema.Correction | schema.CompoundCorrection, parts: Mapping[str, schema.Correction]
    ) -> None:
        self._place, self._node, self._parts = place, node, parts
        self.name = node.name
        self.description = node.description or ""
        self.inputs: dict[str, str] = {variable.name: variable.type for variable in node.inputs}
        """Types (``string``, ``int``, ``real``) by name, in order."""

    def compile(self, **fixed: Fixed) -> Compiled:
        """Return the correction with some inputs fixed, among them all its strings.

        A string may also be left to a number: ``bin=("EBHighR9", "EBLowR9")`` makes it an input that is 0 or 1.

        Raises
        ------
        ConfigError
            As :meth:`Library.add`.
        """
        variables = tuple(name for name in self.inputs if name not in fixed or isinstance(fixed[name], tuple))
        library = Library()
        root = library.add(self, fixed, {name: i for i, name in enumerate(variables)})
        return Compiled(self.name, library.tables(), root, variables, library.slots, library.tabulated)

    def write(self, writer: Writer, fixed: Mapping[str, Fixed], variables: Mapping[str, int], offered: int) -> int:
        """Compile into a writer's tables; see :meth:`Library.add`."""
        place = f"{self._place}: {self.name}"
        if unknown := [name for name in (*fixed, *variables) if name not in self.inputs]:
            msg = f"{place}: unknown input {unknown[0]!r}; it has {self._signature()}"
            raise ConfigError(msg)
        scope = {name: self._operand(writer, name, fixed, variables, place) for name in self.inputs}
        first_free = max(offered, 1 + max(variables.values(), default=-1))
        writer.needs(max(first_free, 1))
        if isinstance(self._node, schema.CompoundCorrection):
            return compound(writer, self._node, self._parts, scope, first_free, place)
        return Tree(writer, self._node, first_free).compile(self._node.data, scope, place)

    def _signature(self) -> str:
        return ", ".join(f"{name} ({kind})" for name, kind in self.inputs.items())

    def _operand(
        self, writer: Writer, name: str, fixed: Mapping[str, Fixed], variables: Mapping[str, int], place: str
    ) -> Operand:
        kind = self.inputs[name]
        value = fixed.get(name)
        if isinstance(value, tuple):
            if kind != "string" or not value or len(set(value)) < len(value) or name not in variables:
                msg = f"{place}: {name} = {value!r}: expected different keys of a string, and a variable to choose"
                raise ConfigError(msg)
            return Operand(kind, None, variables[name], value)
        if (value is None and name not in variables) or (kind == "string" and value is None):
            choice = " (a string: it must be given when compiling)" if kind == "string" else ""
            msg = f"{place}: the input {name!r} is missing{choice}; it has {self._signature()}"
            raise ConfigError(msg)
        if value is None:
            return Operand(kind, None, variables[name])
        accepted: dict[str, type | tuple[type, ...]] = {"string": str, "int": int, "real": (int, float)}
        if name in variables or isinstance(value, bool) or not isinstance(value, accepted[kind]):
            msg = f"{place}: the input {name!r} is of type {kind}, got {value!r}"
            raise ConfigError(msg)
        if isinstance(value, str):
            return Operand(kind, value, None)
        if not math.isfinite(value) or (kind == "int" and abs(value) > LARGEST_KEY):
            msg = f"{place}: the input {name!r} is {value!r}, expected a finite number below 2⁵³"
            raise ConfigError(msg)
        return Operand(kind, None, writer.constant(float(value)))


class CorrectionSet(Mapping[str, Correction]):
    """The corrections of a file by name, compounds among them; each is checked when it is asked for."""

    def __init__(self, place: str, raw: Mapping[str, Any]) -> None:
        self._place = place
        self._raw = {entry["name"]: entry for entry in raw["corrections"]}
        self._compounds = {entry["name"]: entry for entry in raw.get("compound_corrections") or ()}

    def __getitem__(self, name: str) -> Correction:
        if name in self._raw:
            return Correction(self._place, self._model(schema.Correction, self._raw[name]), {})
        if name not in self._compounds:
            msg = f"{self._place}: unknown correction {name!r}; {choices(name, self)}"
            raise ConfigError(msg)
        node = self._model(schema.CompoundCorrection, self._compounds[name])
        known = (part for part in node.stack if part in self._raw)
        parts = {part: self._model(schema.Correction, self._raw[part]) for part in known}
        return Correction(self._place, node, parts)

    def _model(self, model: type[M], raw: Mapping[str, Any]) -> M:
        try:
            return model.model_validate(raw)
        except ValidationError as error:
            msg = f"{self._place}: {raw['name']}: {_first(error)}"
            raise ConfigError(msg) from None  # its own text lists every branch of every union

    def __contains__(self, name: object) -> bool:
        return name in self._raw or name in self._compounds

    def __iter__(self) -> Iterator[str]:
        yield from self._raw
        yield from self._compounds

    def __len__(self) -> int:
        return len(self._raw) + len(self._compounds)


def _first(error: ValidationError) -> str:
    """Return where a correction is not as the schema has it, and why: the error that lies deepest."""
    errors = error.errors(include_url=False)
    entry = max(
        (one for one in errors if one["loc"][-1:] != ("float",)), key=lambda one: len(one["loc"]), default=errors[0]
    )
    where = ".".join(str(part) for part in entry["loc"] if "[" not in str(part))
    if entry["type"] == "union_tag_invalid":
        return f"{where}: unknown nodetype {entry['ctx']['tag']!r}; known: {entry['ctx']['expected_tags']}"
    return f"{where}: {entry['msg'].removeprefix('Value error, ')}"


def load(path: str | Path) -> CorrectionSet:
    """Read a correctionlib file, JSON or gzipped JSON, of schema version 2.

    Raises
    ------
    ConfigError
        If it cannot be read or is no such file.
    """
    place = str(path)
    try:
        status = Path(path).stat()
    except OSError as error:
        msg = f"{place}: {error.strerror or error}"
        raise ConfigError(msg) from error
    return _loaded(place, status.st_mtime_ns, status.st_size)


@functools.lru_cache(maxsize=4)
def _loaded(place: str, modified: int, size: int) -> CorrectionSet:
    """Read a file once, for all the corrections that a configuration takes from it."""
    try:
        content = Path(place).read_bytes()
        text = gzip.decompress(content) if content.startswith(_GZIP) else content
        raw = json.loads(text, parse_float=numbers.read, parse_constant=_CONSTANTS.__getitem__)
    except OSError as error:
        msg = f"{place}: {error.strerror or error}"
        raise ConfigError(msg) from error
    except (ValueError, EOFError) as error:
        msg = f"{place}: not a correctionlib file: {error}"
        raise ConfigError(msg) from error
    if not isinstance(raw, dict) or "schema_version" not in raw or not _named(raw.get("corrections")):
        msg = f"{place}: not a correctionlib file: expected the keys schema_version and corrections"
        raise ConfigError(msg)
    if raw["schema_version"] != schema.VERSION:
        msg = f"{place}: schema version {raw['schema_version']!r}, expected {schema.VERSION}"
        raise ConfigError(msg)
    entries = [*raw["corrections"], *(raw.get("compound_corrections") or ())]
    names = [entry["name"] for entry in entries]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        msg = f"{place}: corrections named twice: {', '.join(twice)}"
        raise ConfigError(msg)
    return CorrectionSet(place, raw)


def _named(entries: Sequence[Any] | None) -> bool:
    return isinstance(entries, list) and all(isinstance(entry, dict) and "name" in entry for entry in entries)
