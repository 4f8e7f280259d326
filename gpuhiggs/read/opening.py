"""Opening a file as what its first bytes say it is, from the cache where it is known."""

from __future__ import annotations

import os
from typing import Any

import xxhash

from .cache import VERSION, ColumnCache
from .cached import CachedTable
from .root_file import open_root
from .table import Table

_ENDS = 4096
"""Bytes at the beginning of a file, where ROOT has its UUID, and at the end, that are part of its identity."""


def open_table(path: str, trees: tuple[str, ...], cache: ColumnCache | None = None) -> Table:
    """Open the first of some trees of a file."""
    if cache is None:
        return _open(path, trees)
    return CachedTable(cache, identity(path), trees, lambda: _open(path, trees))


def _open(path: str, trees: tuple[str, ...]) -> Table:
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic != b"PAR1":
        return open_root(path, trees)
    from .parquet import ParquetTable  # an extra

    return ParquetTable(path)


def identity(path: str) -> dict[str, Any]:
    """Return what tells a file from another one, and from what it was before it changed."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        ends = file.read(_ENDS)
        file.seek(max(0, status.st_size - _ENDS))
        ends += file.read(_ENDS)
    return {
        "format": VERSION,
        "path": os.path.abspath(path),
        "bytes": status.st_size,
        "modified": status.st_mtime_ns,
        "ends": xxhash.xxh3_128_hexdigest(ends),
    }
