"""One event file: its tree, its columns, its sums of weights.

Everything that can be known without reading events is checked when the file is opened and the request resolved:
that the file is there and whole, that it has the tree, and that it has every branch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np

from ..columns import OFFSETS, Wanted, assemble, has_objects
from ..errors import FileError, InputError, SchemaError
from ..schema import Branch, Schema
from .cache import ColumnCache
from .opening import open_table
from .request import BitMask, Column, Request, Resolved
from .table import Table
from .values import Values


class EventFile:
    """An open file with events."""

    def __init__(self, path: str, trees: tuple[str, ...], threads: int = 1, cache: ColumnCache | None = None) -> None:
        self.path = path
        self.threads = threads
        with _reading(path):
            self.table: Table = open_table(path, trees, cache)
        self.entries = self.table.entries
        self.uuid = self.table.uuid
        """The identity that the file was given when it was written."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.table.close()

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self.table.closed

    def resolve(self, request: Request) -> Resolved:
        """Find every wanted column among the file's branches.

        Raises
        ------
        SchemaError
            If a branch is missing; the message names the file, the column and what was looked for.
        """
        columns = tuple(self._resolve_column(request, *one) for one in request.sources())
        masks = tuple(self._resolve_mask(mask) for mask in request.masks)
        counters: dict[str, str] = {}
        for column in columns:
            if column.branch and has_objects(request.inputs, column.wanted.collection):
                counters.setdefault(column.wanted.collection, column.branch)
        return Resolved(request, columns, masks, self._notes(request, masks), counters)

    def _notes(self, request: Request, masks: tuple[BitMask, ...]) -> tuple[str, ...]:
        """Say what stands in for branches that this file does not have."""
        notes = []
        for column, source in request.sources():
            if source is not None and not any(name in self.table.branches for name in source.branches):
                notes.append(
                    f"no {source.branches[0]}: {column.collection}.{column.field} = {source.absent} ({source.reason})"
                )
        for asked, found in zip(request.masks, masks, strict=True):
            missing = [name for name in asked.branches if name not in found.branches]
            notes.extend(f"no {name}: taken as false" for name in missing)
        return tuple(notes)

    def _resolve_column(self, request: Request, column: Wanted, source: Branch | None) -> Column:
        if source is None:  # of an absent collection 0, be it one entry an event; what is not used is not there at all
            return Column(column, None, 1.0, 0 if column.collection in request.absent else None)
        name = f"{column.collection}.{column.field}"
        branch = next((name for name in source.branches if name in self.table.branches), None)
        if branch is None and source.absent is None:
            msg = (
                f"{self.path}: no branch {' or '.join(source.branches)} in {self.table.kind} {self.table.name!r}, "
                f"which the column {name} is read from (schema {request.schema.name})"
            )
            raise SchemaError(msg)
        return Column(column, branch, source.scale, source.absent)

    def _resolve_mask(self, mask: BitMask) -> BitMask:
        found = tuple(name if name in self.table.branches else "" for name in mask.branches)
        missing = [name for name in mask.branches if name not in self.table.branches]
        if missing and (not mask.optional or not any(found)):
            column = f"{mask.collection}.{mask.field}"
            msg = f"{self.path}: no branch {', '.join(missing)} in {self.table.kind} {self.table.name!r} ({column})"
            raise SchemaError(msg)
        return mask._replace(branches=found)

    def read(self, resolved: Resolved, start: int, stop: int) -> Any:
        """Read the events [start, stop) as the ``Inputs`` of the request.

        Raises
        ------
        FileError
            If the file cannot be read, or a branch disagrees with its collection.
        """
        with _reading(self.path):
            data = self.table.read(resolved.branches(), start, stop, self.threads)
            return self._assemble(resolved, data, stop - start)

    def values(self, branches: Sequence[str], start: int, stop: int) -> dict[str, Values]:
        """Read branches by name over the events [start, stop): flat arrays, and offsets where an event has several.

        Raises
        ------
        SchemaError
            If the file lacks one of them.
        FileError
            If the file cannot be read.
        """
        if missing := [name for name in branches if name not in self.table.branches]:
            msg = f"{self.path}: no branch {', '.join(missing)} in {self.table.kind} {self.table.name!r}"
            raise SchemaError(msg)
        with _reading(self.path):
            return self.table.read(branches, start, stop, self.threads)

    def _assemble(self, resolved: Resolved, data: Mapping[str, Values], n_events: int) -> Any:
        inputs = resolved.request.inputs
        arrays: dict[tuple[str, str], np.ndarray] = {}
        for collection in inputs._fields:  # type: ignore[attr-defined]
            if has_objects(inputs, collection):
                counter = resolved.counters.get(collection)
                shape = None if counter is None else data[counter].offsets
                arrays[collection, OFFSETS] = np.zeros(n_events + 1, np.int64) if shape is None else shape
        for column in resolved.columns:
            arrays[column.wanted.collection, column.wanted.field] = self._column(column, data, arrays, n_events)
        for mask in resolved.masks:
            packed = np.zeros(n_events if mask.branches else 0, np.int64)
            for bit, branch in enumerate(mask.branches):
                if branch:
                    values, shape = data[branch]
                    if shape is not None:
                        msg = (
                            f"{self.path}: branch {branch} is jagged, expected one flag an event for {mask.collection}"
                        )
                        raise FileError(msg)
                    packed |= values.astype(np.bool_).astype(np.int64) << bit
            arrays[mask.collection, mask.field] = packed
        return assemble(inputs, n_events, arrays)

    def _column(
        self, column: Column, data: Mapping[str, Values], arrays: dict[tuple[str, str], np.ndarray], n_events: int
    ) -> np.ndarray:
        name, _, dtype = column.wanted
        offsets = arrays.get((name, OFFSETS))
        if column.branch is None:
            n = 0 if column.constant is None else n_events if offsets is None else int(offsets[-1])
            return np.full(n, column.constant or 0, dtype=dtype)
        values, shape = data[column.branch]
        same = shape is offsets or (shape is not None and offsets is not None and np.array_equal(shape, offsets))
        if not same:
            msg = f"{self.path}: branch {column.branch} has another shape than its collection {name}"
            raise FileError(msg)
        if column.scale != 1.0:
            values = values * np.float64(column.scale)
        if not _fits(values, dtype):
            msg = f"{self.path}: branch {column.branch} holds {values.dtype} that are no {dtype}, as {name} needs them"
            raise FileError(msg)
        return np.ascontiguousarray(values, dtype=dtype)

    def sum_of_weights(self, schema: Schema) -> float | None:
        """Return Σ generator weights of all events that the file was made from; None where it does not say.

        The sum is that of the ``Runs`` tree: it includes events that a skim has dropped.
        """
        if schema.runs is None:
            return None
        with _reading(self.path):
            return self.table.sums(schema.runs, schema.sum_of_weights)

    def averages(self, schema: Schema, branch: str) -> tuple[float, ...]:
        """Return the averages of the weights of a set over all events that the file was made from.

        Raises
        ------
        SchemaError
            If the file does not say: a set is normalised by them.
        """
        with _reading(self.path):
            found = None
            if schema.runs is not None:
                found = self.table.averages(schema.runs, schema.sum_of_weights, branch)
        if found is None:
            msg = f"{self.path}: no {branch} in its tree {schema.runs!r}, by which a set of weights is normalised"
            raise SchemaError(msg)
        return found

    def sections(self, schema: Schema) -> list[list[int]]:
        """Return (run, luminosity section) of all sections that the file was made from, also those without an event.

        Raises
        ------
        SchemaError
            If the file does not say.
        """
        with _reading(self.path):
            found = self.table.sections(schema.sections) if schema.sections else None
        if found is None:
            msg = f"{self.path}: no tree {schema.sections!r}: which luminosity it holds cannot be told"
            raise SchemaError(msg)
        return found


def _fits(values: np.ndarray, dtype: np.dtype[Any]) -> bool:
    """Whether values survive the cast to a column's type: widths of integers differ between versions of a format."""
    if dtype.kind not in "iu" or values.dtype.kind == "b":
        return True
    if values.dtype.kind not in "iu":
        return False
    if values.size == 0 or np.can_cast(values.dtype, dtype, "safe"):
        return True
    limits = np.iinfo(dtype)
    return bool(limits.min <= values.min() and values.max() <= limits.max)


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Turn whatever a broken file makes the reader raise into an error that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        msg = f"{path}: no such file"
        raise FileError(msg) from error
    except FileError as error:
        raise error if str(error).startswith(path) else FileError(f"{path}: {error}") from error
    except InputError:
        raise
    except Exception as error:
        first_line = (str(error).strip().splitlines() or [""])[0]
        msg = f"{path}: cannot be read: {type(error).__name__}: {first_line}"
        raise FileError(msg) from error
