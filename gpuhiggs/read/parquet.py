"""Parquet, by pyarrow: columns of numbers and bools, lists of them, and members of structs as ``struct_member``."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import FileError, MissingExtraError
from .source import Source
from .table import Volume
from .values import Values

try:
    import pyarrow as pa
    from pyarrow import compute, parquet
except ImportError as error:
    raise MissingExtraError("reading Parquet files", "pyarrow", "parquet") from error  # noqa: EM101


class ParquetTable:
    """An open Parquet file."""

    kind = "table"
    name = "parquet"

    def __init__(self, source: Source) -> None:
        self._path, self._source = source.path, source
        self._file = parquet.ParquetFile(source.file(), memory_map=False, pre_buffer=source.streams > 1)
        self.entries = int(self._file.metadata.num_rows)
        self._paths = dict(_columns(self._file.schema_arrow))
        self.branches = frozenset(self._paths)
        rows = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
        self._edges = np.concatenate([[0], np.cumsum(np.array(rows, np.int64))]).astype(np.int64)

    @functools.cached_property
    def uuid(self) -> str:
        """The hash of the file's metadata, which has the place and size of every page: it has no other identity."""
        sink = pa.BufferOutputStream()
        self._file.metadata.write_metadata_file(sink)
        return hashlib.sha256(sink.getvalue()).hexdigest()[:32]

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return bool(self._file.closed)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._source.close()

    def read(self, names: Sequence[str], start: int, stop: int, threads: int) -> dict[str, Values]:
        """Read columns over the events [start, stop)."""
        groups = [i for i in range(self._file.num_row_groups) if self._edges[i] < stop and start < self._edges[i + 1]]
        first = int(self._edges[groups[0]]) if groups else start
        paths = sorted({path for name in names for path in self._leaves(name)})
        read = self._file.read_row_groups(groups, paths, use_threads=threads > 1).slice(start - first, stop - start)
        if read.num_rows != max(stop - start, 0):
            msg = f"{self._path}: {read.num_rows} of the events {start} to {stop} are in the file"
            raise FileError(msg)
        return {name: self._values(name, read) for name in names}

    def _leaves(self, name: str) -> list[str]:
        """Return the column that holds what can be read under a name, as the Parquet schema has it."""
        top, *members = self._paths[name]
        every = [self._file.schema.column(i).path for i in range(len(self._file.schema))]
        return [
            path for path in every if path.split(".")[0] == top and (not members or path.split(".")[-1] == members[0])
        ]

    def _values(self, name: str, read: pa.Table) -> Values:
        top, *members = self._paths[name]
        found = read.column(top).combine_chunks()
        array = pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
        offsets = None
        self._refuse_nulls(name, array)
        if _is_list(array.type):
            offsets = np.asarray(array.offsets).astype(np.int64)
            array = array.flatten()
            offsets = offsets - offsets[0]
            self._refuse_nulls(name, array)
        for member in members:
            array = compute.struct_field(array, member)
            self._refuse_nulls(name, array)
        return Values(array.to_numpy(zero_copy_only=False), offsets)

    def _refuse_nulls(self, name: str, array: pa.Array) -> None:
        if array.null_count:
            msg = f"{self._path}: column {name}: {array.null_count} of its {len(array)} values are missing (null)"
            raise FileError(msg)

    def edges(self, names: Sequence[str]) -> np.ndarray:
        """Return the events at which row groups begin."""
        return np.unique(self._edges)

    def volumes(self, names: Sequence[str]) -> Mapping[str, Volume]:
        """Return the bytes of columns, by codec."""
        wanted = {path for name in names for path in self._leaves(name)}
        found: dict[str, Volume] = {}
        for i in range(self._file.num_row_groups):
            group = self._file.metadata.row_group(i)
            for chunk in (group.column(j) for j in range(group.num_columns)):
                if chunk.path_in_schema in wanted:
                    codec = {"UNCOMPRESSED": "none"}.get(chunk.compression, chunk.compression.lower())
                    before = found.get(codec, Volume(0, 0))
                    stored, size = chunk.total_compressed_size, chunk.total_uncompressed_size
                    found[codec] = Volume(before.stored + stored, before.size + size)
        return found

    def sums(self, tree: str, names: Sequence[str]) -> float | None:
        """Return None: a Parquet file has one table."""
        return None

    def averages(self, tree: str, names: Sequence[str], branch: str) -> tuple[float, ...] | None:
        """Return None: a Parquet file has one table."""
        return None

    def sections(self, tree: str) -> list[list[int]] | None:
        """Return None: a Parquet file has one table."""
        return None


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _columns(schema: pa.Schema) -> list[tuple[str, tuple[str, ...]]]:
    """List what can be read and the path to it; a column's own name goes before that of a struct's member."""
    found: dict[str, tuple[str, ...]] = {}
    members: dict[str, tuple[str, ...]] = {}
    for field in schema:
        kind = field.type.value_type if _is_list(field.type) else field.type
        if _is_number(kind):
            found[field.name] = (field.name,)
        elif pa.types.is_struct(kind):
            members |= {f"{field.name}_{one.name}": (field.name, one.name) for one in kind if _is_number(one.type)}
    return list((members | found).items())
