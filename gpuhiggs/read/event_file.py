"""One event file: its tree, its columns, its sums of weights.

Everything that can be known without reading events is checked when the file is opened and the request resolved:
that the file is there and whole, that it has the tree, and that it has every branch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

import awkward as ak
import numpy as np
import uproot

from ..columns import OFFSETS, Wanted, assemble, has_objects
from ..errors import FileError, InputError, SchemaError
from ..schema import Branch, Schema
from . import bulk
from .request import BitMask, Column, Request, Resolved
from .values import Values

_log = logging.getLogger(__name__)

_TREES = ("TTree", "ROOT::RNTuple")


class EventFile:
    """An open ROOT file with events."""

    def __init__(self, path: str, trees: tuple[str, ...], threads: int = 1) -> None:
        self.path = path
        self.threads = threads
        with _reading(path):
            # As a mapping, a colon in the path is no separator; nothing is read twice, so no cache is kept.
            self._file = uproot.open({path: None}, object_cache=None, array_cache=None)
        try:
            with _reading(path):
                self._check_length()
                self._tree = self._find_tree(trees)
                self.entries = int(self._tree.num_entries)
                self._branches = set(self._tree.keys(recursive=False))
        except InputError:
            self.close()
            raise

    def _check_length(self) -> None:
        """Compare the file's size with the one in its header: what is at the end is not always read on opening."""
        expected, size = int(self._file.file.fEND), self._file.file.source.num_bytes
        if size is not None and size < expected:
            msg = f"{self.path}: truncated: {size} of {expected} bytes"
            raise FileError(msg)

    def _find_tree(self, trees: tuple[str, ...]) -> Any:
        classes = {name.split(";")[0]: kind for name, kind in self._file.classnames(recursive=False).items()}
        name = next((name for name in trees if name in classes), None)
        if name is None:
            looked_for = " or ".join(map(repr, trees))
            msg = f"{self.path}: no tree {looked_for}; the file has: {', '.join(sorted(classes)) or 'nothing'}"
            raise SchemaError(msg)
        if classes[name] not in _TREES:
            msg = f"{self.path}: {name!r} is a {classes[name]}, expected {' or '.join(_TREES)}"
            raise SchemaError(msg)
        return self._file[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return bool(self._file.closed)

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
        columns = tuple(self._resolve_column(request.schema, *one) for one in request.sources())
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
            if source is not None and not self._branches & set(source.branches):
                notes.append(
                    f"no {source.branches[0]}: {column.collection}.{column.field} = {source.absent} ({source.reason})"
                )
        for asked, found in zip(request.masks, masks, strict=True):
            missing = [name for name in asked.branches if name not in found.branches]
            notes.extend(f"no {name}: taken as false" for name in missing)
        return tuple(notes)

    def _resolve_column(self, schema: Schema, column: Wanted, source: Branch | None) -> Column:
        if source is None:
            return Column(column, None, 1.0, None)
        name = f"{column.collection}.{column.field}"
        branch = next((name for name in source.branches if name in self._branches), None)
        if branch is None and source.absent is None:
            msg = (
                f"{self.path}: no branch {' or '.join(source.branches)} in tree {self._tree.name!r}, "
                f"which the column {name} is read from (schema {schema.name})"
            )
            raise SchemaError(msg)
        return Column(column, branch, source.scale, source.absent)

    def _resolve_mask(self, mask: BitMask) -> BitMask:
        found = tuple(name if name in self._branches else "" for name in mask.branches)
        missing = [name for name in mask.branches if name not in self._branches]
        if missing and (not mask.optional or not any(found)):
            column = f"{mask.collection}.{mask.field}"
            msg = f"{self.path}: no branch {', '.join(missing)} in tree {self._tree.name!r} ({column})"
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
            data = self._values(resolved.branches(), start, stop)
            return self._assemble(resolved, data, stop - start)

    def _values(self, branches: list[str], start: int, stop: int) -> dict[str, Values]:
        """Read branches: in bulk where that covers them, by uproot where it does not."""
        layouts: dict[str, bulk.Layout] = {}
        if not isinstance(self._tree, uproot.behaviors.RNTuple.RNTuple) and os.path.isfile(self.path):
            found = {name: bulk.layout(self._tree[name]) for name in branches}
            layouts = {name: layout for name, layout in found.items() if layout is not None}
        others = [name for name in branches if name not in layouts]
        if others:
            _log.debug("%s: read by uproot's arrays(): %s", self.path, ", ".join(others))
        data = {name: _flat(array) for name, array in self._arrays(others, start, stop).items()}
        return data | bulk.read(self.path, layouts, start, stop, self.threads)

    def _arrays(self, branches: list[str], start: int, stop: int) -> Mapping[str, ak.Array]:
        if isinstance(self._tree, uproot.behaviors.RNTuple.RNTuple):
            # One by one: to choose fields of an RNTuple together, uproot goes through all of them for each of them.
            data = {name: self._tree[name].array(entry_start=start, entry_stop=stop) for name in branches}
        else:
            read = self._tree.arrays(branches, entry_start=start, entry_stop=stop, library="ak")
            data = {name: read[name] for name in branches}
        for name, array in data.items():
            if len(array) != stop - start:
                msg = f"{self.path}: {len(array)} of the events {start} to {stop} are in the branch {name}"
                raise FileError(msg)
        return data

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
            packed = np.zeros(n_events, np.int64)
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
            if schema.runs not in {key.split(";")[0] for key in self._file.keys(recursive=False)}:
                return None
            runs = self._file[schema.runs]
            branch = next((name for name in schema.sum_of_weights if name in runs.keys()), None)  # noqa: SIM118
            if branch is None:
                return None
            return float(np.sum(ak.to_numpy(runs[branch].array()), dtype=np.float64))


def _flat(array: Any) -> Values:
    """Return the content of a flat or jagged array, and its offsets from 0."""
    layout = ak.to_packed(array).layout
    if layout.is_numpy:
        return Values(np.asarray(layout.data), None)
    return Values(np.asarray(layout.content.data), np.asarray(layout.offsets.data, dtype=np.int64))


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
    except (FileError, SchemaError):
        raise
    except Exception as error:
        first_line = (str(error).strip().splitlines() or [""])[0]
        msg = f"{path}: cannot be read: {type(error).__name__}: {first_line}"
        raise FileError(msg) from error
