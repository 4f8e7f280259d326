"""Files that stay open between work items.

To parse the metadata of 1,500 branches takes uproot longer than to read a million events of a few of them, and a file
has many work items. So a process keeps the last files that it read open.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .cache import ColumnCache
from .event_file import EventFile

_KEPT = 2
"""Idle files that stay open; each holds the metadata of all its branches, tens of megabytes for a NanoAOD file."""

_Key = tuple[str, tuple[str, ...], str, int, int, int]
_idle: dict[_Key, EventFile] = {}
"""The one that was used last comes last."""
_lock = threading.Lock()


@contextmanager
def opened(path: str, trees: tuple[str, ...], cache: ColumnCache | None = None) -> Iterator[EventFile]:
    """Open a file, behind a column cache if one is given, or take it up as this process left it, unless it has changed.

    A file in use is not among the idle ones: nobody else gets or closes it.

    Raises
    ------
    FileError, SchemaError
        As :class:`EventFile` does.
    """
    key = _identity(path, trees, cache)
    with _lock:
        file = None if key is None else _idle.pop(key, None)
    if file is None:
        file = EventFile(path, trees, cache=cache)
    try:
        yield file
    except BaseException:
        file.close()
        raise
    _keep(key, file)


def _identity(path: str, trees: tuple[str, ...], cache: ColumnCache | None) -> _Key | None:
    """Return what tells a file from what stood at its path before; None: it is not there."""
    if "://" in path:
        return path, trees, str(cache and cache.folder), 0, 0, 0  # to ask the server takes as long as to open it
    try:
        status = os.stat(path)
    except OSError:
        return None
    return path, trees, str(cache and cache.folder), status.st_ino, status.st_size, status.st_mtime_ns


def _keep(key: _Key | None, file: EventFile) -> None:
    with _lock:
        surplus = [file]
        if key is not None:
            surplus = [_idle.pop(key)] if key in _idle else []
            _idle[key] = file
            surplus += [_idle.pop(oldest) for oldest in list(_idle)[:-_KEPT]]
    for one in surplus:
        one.close()


@atexit.register
def close_idle() -> None:
    """Close the files that nobody uses."""
    with _lock:
        files = list(_idle.values())
        _idle.clear()
    for file in files:
        file.close()
