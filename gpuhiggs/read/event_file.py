"""One event file: its tree, its columns, its sums of weights.

Everything that can be known without reading events is checked when the file is opened and the request resolved:
that the file is there and whole, that it has the tree, and that it has every branch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import awkward as ak
import numpy as np
import uproot

from ..columns import OFFSETS, Wanted, assemble, has_objects, wanted
from ..errors import FileError, SchemaError
from ..schema import Schema

_log = logging.getLogger(__name__)


class BitMask(NamedTuple):
    """A column that packs bool branches: bit i is the i-th of them."""

    collection: str
    field: str
    branches: tuple[str, ...]
    optional: bool
    """Whether a branch may be missing: a trigger path that an era does not have has not fired."""


class Request(NamedTuple):
    """What to read from files of one dataset."""

    inputs: type
    schema: Schema
    simulation: bool
    masks: tuple[BitMask, ...] = ()
    unused: tuple[str, ...] = ()
    """Columns ``collection.field`` that the configuration makes no use of, and so are not read."""
    absent: tuple[str, ...] = ()
    """Collections that the configuration declares empty."""


class Column(NamedTuple):
    """A wanted column and the branch that holds it in one file; no branch: a constant, or never read."""

    wanted: Wanted
    branch: str | None
    scale: float
    constant: int | float | None


class Resolved(NamedTuple):
    """A request in terms of one file's branches."""

    request: Request
    columns: tuple[Column, ...]
    masks: tuple[BitMask, ...]
    """With the missing branches replaced by empty names."""
    counters: dict[str, str]
    """For each collection with objects, a branch that has its shape."""

    def branches(self) -> list[str]:
        """List the branches to read."""
        named = {column.branch for column in self.columns} | set(self.counters.values())
        named |= {branch for mask in self.masks for branch in mask.branches}
        return sorted(name for name in named if name)


class EventFile:
    """An open ROOT file with events."""

    def __init__(self, path: str, trees: tuple[str, ...]) -> None:
        self.path = path
        with _reading(path):
            self._file = uproot.open(path)
            names = {key.split(";")[0] for key in self._file.keys(recursive=False)}
        tree = next((name for name in trees if name in names), None)
        if tree is None:
            self.close()
            looked_for = " or ".join(map(repr, trees))
            msg = f"{path}: no tree {looked_for}; the file has: {', '.join(sorted(names)) or 'nothing'}"
            raise SchemaError(msg)
        with _reading(path):
            self._tree = self._file[tree]
            self.entries = int(self._tree.num_entries)
            self._branches = set(self._tree.keys())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def uuid(self) -> str:
        """The identity that ROOT gave the file when it was written."""
        return str(self._file.file.uuid)

    def resolve(self, request: Request) -> Resolved:
        """Find every wanted column among the file's branches.

        Raises
        ------
        SchemaError
            If a branch is missing; the message names the file, the column and what was looked for.
        """
        columns = tuple(self._resolve_column(request, column) for column in _from_branches(request))
        masks = tuple(self._resolve_mask(mask) for mask in request.masks)
        counters: dict[str, str] = {}
        for column in columns:
            if column.branch and has_objects(request.inputs, column.wanted.collection):
                counters.setdefault(column.wanted.collection, column.branch)
        return Resolved(request, columns, masks, counters)

    def _resolve_column(self, request: Request, column: Wanted) -> Column:
        name = f"{column.collection}.{column.field}"
        if column.collection in request.absent or name in request.unused:
            return Column(column, None, 1.0, None)
        source = request.schema.branch(column.collection, column.field)
        if source.simulation and not request.simulation:
            return Column(column, None, 1.0, None)
        branch = next((name for name in source.branches if name in self._branches), None)
        if branch is None and source.absent is None:
            msg = (
                f"{self.path}: no branch {' or '.join(source.branches)} in tree {self._tree.name!r}, "
                f"which the column {name} is read from (schema {request.schema.name})"
            )
            raise SchemaError(msg)
        if branch is None:
            _log.info("%s: no %s, %s = %s: %s", self.path, source.branches[0], name, source.absent, source.reason)
        return Column(column, branch, source.scale, source.absent)

    def _resolve_mask(self, mask: BitMask) -> BitMask:
        found = tuple(name if name in self._branches else "" for name in mask.branches)
        missing = [name for name in mask.branches if name not in self._branches]
        if missing and (not mask.optional or not any(found)):
            column = f"{mask.collection}.{mask.field}"
            msg = f"{self.path}: no branch {', '.join(missing)} in tree {self._tree.name!r} ({column})"
            raise SchemaError(msg)
        if missing:
            _log.info("%s: %s not in the file, taken as false", self.path, ", ".join(missing))
        return mask._replace(branches=found)

    def read(self, resolved: Resolved, start: int, stop: int) -> Any:
        """Read the events [start, stop) as the ``Inputs`` of the request.

        Raises
        ------
        FileError
            If the file cannot be read, or a branch disagrees with its collection.
        """
        with _reading(self.path):
            data = self._tree.arrays(resolved.branches(), entry_start=start, entry_stop=stop, library="ak")
        n_events = stop - start
        if len(data) != n_events:
            msg = f"{self.path}: {len(data)} of the events {start} to {stop} could be read"
            raise FileError(msg)
        inputs = resolved.request.inputs
        arrays: dict[tuple[str, str], np.ndarray] = {}
        for collection in inputs._fields:  # type: ignore[attr-defined]
            if has_objects(inputs, collection):
                counter = resolved.counters.get(collection)
                shape = None if counter is None else _flat(data[counter])[1]
                arrays[collection, OFFSETS] = np.zeros(n_events + 1, np.int64) if shape is None else shape
        for column in resolved.columns:
            arrays[column.wanted.collection, column.wanted.field] = self._column(column, data, arrays)
        for mask in resolved.masks:
            packed = np.zeros(n_events, np.int64)
            for bit, branch in enumerate(mask.branches):
                if branch:
                    packed |= ak.to_numpy(data[branch]).astype(np.int64) << bit
            arrays[mask.collection, mask.field] = packed
        return assemble(inputs, n_events, arrays)

    def _column(self, column: Column, data: Any, arrays: dict[tuple[str, str], np.ndarray]) -> np.ndarray:
        name, _, dtype = column.wanted
        offsets = arrays.get((name, OFFSETS))
        if column.branch is None:
            n = 0 if column.constant is None else len(data) if offsets is None else int(offsets[-1])
            return np.full(n, column.constant or 0, dtype=dtype)
        values, shape = _flat(data[column.branch])
        same = shape is offsets if shape is None or offsets is None else np.array_equal(shape, offsets)
        if not same:
            msg = f"{self.path}: branch {column.branch} has another shape than its collection {name}"
            raise FileError(msg)
        if column.scale != 1.0:
            values = values * np.float64(column.scale)
        return np.ascontiguousarray(values, dtype=dtype)

    def sum_of_weights(self, schema: Schema) -> float | None:
        """Return Σ generator weights of all events that the file was made from; None where it does not say.

        The sum is that of the ``Runs`` tree: it includes events that a skim has dropped.
        """
        if schema.runs is None:
            return None
        with _reading(self.path):
            if schema.runs not in {key.split(";")[0] for key in self._file.keys(recursive=False)}:
                return None
            runs = self._file[schema.runs]
            branch = next((name for name in schema.sum_of_weights if name in runs.keys()), None)  # noqa: SIM118
            if branch is None:
                return None
            return float(np.sum(ak.to_numpy(runs[branch].array()), dtype=np.float64))


def _from_branches(request: Request) -> list[Wanted]:
    packed = {(mask.collection, mask.field) for mask in request.masks}
    return [column for column in wanted(request.inputs) if (column.collection, column.field) not in packed]


def _flat(array: Any) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the content of a flat or jagged array, and its offsets from 0."""
    layout = ak.to_packed(array).layout
    if layout.is_numpy:
        return np.asarray(layout.data), None
    return np.asarray(layout.content.data), np.asarray(layout.offsets.data, dtype=np.int64)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Turn whatever a broken file makes the reader raise into an error that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        msg = f"{path}: no such file"
        raise FileError(msg) from error
    except (FileError, SchemaError):
        raise
    except Exception as error:
        first_line = (str(error).strip().splitlines() or [""])[0]
        msg = f"{path}: cannot be read: {type(error).__name__}: {first_line}"
        raise FileError(msg) from error
