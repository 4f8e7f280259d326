"""The column cache: what was read once from slow files, kept on a local disk and read back several times faster.

A folder holds a folder a source file, named after the hash of the file's identity; in it an entry for each branch and
range of events, the shapes of jagged branches (once for all branches of a collection), and answers about the file that
do not need its events. Any number of processes may use a cache at once: what is there was renamed into place when it
was whole, what is used is mapped into memory, and removing it from the folder does not disturb who is reading.

Nothing is trusted: a source that has changed has another identity, every entry says what it is an entry of, and every
block has a checksum. What does not agree is removed and read anew from the source.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash

from ..errors import ConfigError
from .entry import Stored, Task, replace, write
from .values import Values

_log = logging.getLogger(__name__)

VERSION = 1
"""Of the format; part of every identity."""
CAPACITY = 100 * 2**30
"""Bytes that a cache may take, unless the user says otherwise."""
_SHARE = 64
"""A process may write this part of the capacity before it looks again at what the others have written."""
_ABANDONED = 3600.0
"""Seconds after which a file that was never renamed is no longer being written."""

Identity = Mapping[str, Any]
"""What tells a source file from another one, and from what it was before it changed."""


class Summary(NamedTuple):
    """What a cache has of one source file."""

    path: str
    entries: int
    bytes: int
    used: float
    """When it was last used, in seconds since 1970."""


class ColumnCache:
    """A folder of columns, of at most *capacity* bytes."""

    def __init__(self, folder: str | Path, capacity: int = CAPACITY) -> None:
        self.folder, self.capacity = Path(folder), capacity
        self._allowance = 0
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"{folder}: cannot be used as a column cache: {error.strerror}"
            raise ConfigError(msg) from error

    # --- columns ---------------------------------------------------------------------------------------------------

    def load(
        self, identity: Identity, names: Sequence[str], start: int, stop: int, threads: int = 1
    ) -> dict[str, Values]:
        """Return those of some branches over [start, stop) that are there."""
        arrays: dict[str, np.ndarray] = {}
        tasks: dict[str, list[Task]] = {}
        shapes: dict[str, str | None] = {}
        for name in names:
            found = self._open(identity, {"branch": name, "start": start, "stop": stop})
            if found is not None:
                shapes[name] = found[0].header["shape"]
                arrays[name], tasks[name] = found[1:]
        for shape in {shape for shape in shapes.values() if shape is not None}:
            found = self._open(identity, {"shape": shape})
            if found is not None:
                arrays[shape], tasks[shape] = found[1:]
        damaged = _decode(tasks, threads)
        for name in damaged:
            _log.warning("column cache %s: %s", self.folder, damaged[name])
            key = {"shape": name} if name not in shapes else {"branch": name, "start": start, "stop": stop}
            self._path(identity, key).unlink(missing_ok=True)
        whole = arrays.keys() - damaged.keys()
        offsets = {shape: _offsets(arrays[shape]) for shape in set(shapes.values()) & whole if shape is not None}
        return {
            name: Values(arrays[name], None if shape is None else offsets[shape])
            for name, shape in shapes.items()
            if name in whole and (shape is None or shape in offsets)
        }

    def store(self, identity: Identity, start: int, stop: int, data: Mapping[str, Values]) -> None:
        """Keep branches over [start, stop). A cache that cannot be written is no reason to stop."""
        try:
            for name, (content, offsets) in data.items():
                shape = None
                if offsets is not None:
                    counts = np.diff(offsets)
                    counts = counts.astype(np.min_scalar_type(int(counts.max(initial=0))))
                    shape = f"{xxhash.xxh3_128_hexdigest(counts.data)}-{counts.dtype.str}-{counts.size}"
                    if not self._path(identity, {"shape": shape}).exists():
                        self._write(identity, {"shape": shape}, counts, {})
                self._write(identity, {"branch": name, "start": start, "stop": stop}, content, {"shape": shape})
        except OSError as error:
            _log.warning("column cache %s: nothing is kept: %s", self.folder, error.strerror or error)

    def _path(self, identity: Identity, key: Mapping[str, Any]) -> Path:
        return self.folder / _hash(identity) / f"{_hash(key)}.column"

    def _open(self, identity: Identity, key: Mapping[str, Any]) -> tuple[Stored, np.ndarray, list[Task]] | None:
        path = self._path(identity, key)
        try:
            found = Stored(path, {**identity, **key})
            values, tasks = found.tasks()
            os.utime(path)
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever it is, the source is there to be read
            _log.warning("column cache %s: %s", self.folder, error)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        return found, values, tasks

    def _write(self, identity: Identity, key: Mapping[str, Any], values: np.ndarray, more: Mapping[str, Any]) -> None:
        self._make_room(values.nbytes)
        path = self._path(identity, key)
        path.parent.mkdir(exist_ok=True)
        self._allowance -= write(path, {**identity, **key}, values, more)

    # --- answers ---------------------------------------------------------------------------------------------------

    def answer(self, identity: Identity, question: str, compute: Callable[[], Any]) -> Any:
        """Return what *compute* says, which can be written as JSON and stays true as long as the source is the same."""
        path = self.folder / _hash(identity) / f"{_hash({'question': question})}.json"
        try:
            kept = json.loads(path.read_bytes())
            if kept["check"] == _hash(kept["said"]) and kept["said"]["of"] == {**identity, "question": question}:
                return kept["said"]["answer"]
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not there, or torn
        said = {"of": {**identity, "question": question}, "answer": compute()}
        try:
            path.parent.mkdir(exist_ok=True)
            replace(path, (json.dumps({"said": said, "check": _hash(said)}).encode(),))
        except OSError as error:
            _log.warning("column cache %s: nothing is kept: %s", self.folder, error.strerror or error)
        return json.loads(json.dumps(said["answer"]))

    # --- room ------------------------------------------------------------------------------------------------------

    def _make_room(self, size: int) -> None:
        if size <= self._allowance:
            return
        share = max(size, self.capacity // _SHARE)
        total = self.prune(self.capacity - share)
        self._allowance = max(0, min(share, self.capacity - total))
        if size > self._allowance:
            raise OSError(None, f"{size} bytes are more than its capacity of {self.capacity} leaves")

    def prune(self, size: int | None = None) -> int:
        """Remove what was used least recently until at most *size* bytes are left; return the bytes that are left."""
        with self._locked():
            found = sorted(self._files(), key=lambda one: one[1].st_mtime)
            total = sum(status.st_size for _, status in found)
            for path, status in found:
                abandoned = path.suffix == ".tmp" and time.time() - status.st_mtime > _ABANDONED
                if abandoned or (path.suffix != ".tmp" and total > (self.capacity if size is None else max(size, 0))):
                    path.unlink(missing_ok=True)
                    total -= status.st_size
            for folder in {path.parent for path, _ in found}:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        return total

    def summaries(self) -> list[Summary]:
        """List what is there, by source file."""
        folders: dict[Path, list[tuple[Path, os.stat_result]]] = {}
        for path, status in self._files():
            folders.setdefault(path.parent, []).append((path, status))
        return sorted(
            Summary(
                _source(files), len(files), sum(s.st_size for _, s in files), max(s.st_mtime for _, s in files)
            )
            for files in folders.values()
        )  # fmt: skip

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for path in self.folder.glob("*/*"):
            with contextlib.suppress(OSError):  # another process may have removed it
                if path.suffix in (".column", ".json", ".tmp"):
                    yield path, path.stat()

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def _source(files: list[tuple[Path, os.stat_result]]) -> str:
    """Return the path of the source whose entries these are."""
    for path, _ in files:
        with contextlib.suppress(OSError, ValueError, KeyError):
            if path.suffix == ".json":
                return str(json.loads(path.read_bytes())["said"]["of"]["path"])
    return "?"


def _offsets(counts: np.ndarray) -> np.ndarray:
    offsets = np.zeros(counts.size + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def _decode(tasks: Mapping[str, list[Task]], threads: int) -> dict[str, Exception]:
    """Do all tasks; return what went wrong with the arrays that are damaged."""
    damaged: dict[str, Exception] = {}
    remaining = iter([(name, task) for name, parts in tasks.items() for task in parts])

    def work() -> None:
        for name, task in remaining:
            try:
                task()
            except Exception as error:
                damaged[name] = error

    if threads == 1:
        work()
    else:
        with ThreadPoolExecutor(threads) as pool:
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()
    return damaged
