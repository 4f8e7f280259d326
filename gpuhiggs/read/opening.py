"""Opening a file as what its first bytes say it is, from the cache where it is known."""

from __future__ import annotations

import os
from typing import Any

import xxhash

from .cache import VERSION, ColumnCache
from .cached import CachedTable
from .remote import RemoteSource
from .root_file import open_root
from .source import Extent, LocalSource, Source
from .table import Table

_ENDS = 4096
"""Bytes at the beginning of a file, where ROOT has its UUID, and at the end, that are part of its identity."""


def open_source(path: str) -> Source:
    """Open a local file or a URL."""
    if "://" in path and not path.startswith("file://"):
        return RemoteSource(path)
    return LocalSource(path.removeprefix("file://"))


def open_table(path: str, trees: tuple[str, ...], cache: ColumnCache | None = None) -> Table:
    """Open the first of some trees of a file."""
    source = open_source(path)
    try:
        if cache is None:
            return _open(source, trees)
        return CachedTable(cache, identity(source), trees, lambda: _open(source, trees), source.close)
    except BaseException:
        source.close()
        raise


def _open(source: Source, trees: tuple[str, ...]) -> Table:
    [magic] = source.fetch([Extent(0, min(4, source.size))])
    if bytes(magic) != b"PAR1":
        return open_root(source, trees)
    from .parquet import ParquetTable  # an extra

    return ParquetTable(source)


def identity(source: Source) -> dict[str, Any]:
    """Return what tells a file from another one, and from what it was before it changed."""
    n = min(_ENDS, source.size)
    # One by one: what is fetched together is read with all that lies between.
    ends = [bytes(source.fetch([one])[0]) for one in (Extent(0, n), Extent(source.size - n, n))]
    path = source.path if "://" in source.path else os.path.abspath(source.path)
    return {
        "format": VERSION, "path": path, **source.about, "ends": xxhash.xxh3_128_hexdigest(b"".join(ends)),
    }  # fmt: skip
