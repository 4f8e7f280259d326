"""A column cache as a table."""

from __future__ import annotations

import time
from pathlib import Path

from rich import get_console
from rich.table import Table

from ..read import ColumnCache


def show(folder: Path) -> None:
    """Print the files whose columns a cache has."""
    summaries = ColumnCache(folder).summaries()
    table = Table("file", "entries", "MB", "last used", title=f"{folder}")
    for one in sorted(summaries, key=lambda one: -one.used):
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used))
        table.add_row(one.path, str(one.entries), f"{one.bytes / 1e6:.1f}", used)
    console = get_console()
    console.print(table)
    console.print(f"{len(summaries)} files, {sum(one.bytes for one in summaries) / 1e6:.1f} MB", highlight=False)


def prune(folder: Path, size: int) -> None:
    """Remove what was used least recently until at most *size* bytes are left."""
    cache = ColumnCache(folder)
    before = sum(one.bytes for one in cache.summaries())
    left = cache.prune(size)
    get_console().print(f"{folder}: {(before - left) / 1e6:.1f} MB removed, {left / 1e6:.1f} MB left", highlight=False)
