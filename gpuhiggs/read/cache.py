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
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xxhash

from ..errors import ConfigError
from .entry import Stored, replace, write
from .pieces import Piece, Reading, joined, offsets_of
from .ranges import cover
from .values import Values

_log = logging.getLogger(__name__)

VERSION = 2
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
        """Return those of some branches over [start, stop) that are there, be it in other ranges."""
        reading = Reading()
        pieces: dict[str, list[Piece]] = {}
        for name in names:
            found = self._pieces(identity, name, start, stop, reading)
            if found is not None:
                pieces[name] = found
        shapes = {one.shape for found in pieces.values() for one in found if one.shape is not None}
        for shape in shapes:
            self._open(identity, {"shape": shape}, reading)
        for path, error in reading.decode(threads).items():
            _log.warning("column cache %s: %s", self.folder, error)
            path.unlink(missing_ok=True)
        offsets = {
            shape: offsets_of(reading.arrays[path])
            for shape in shapes
            if (path := self._path(identity, {"shape": shape})) in reading.arrays
        }
        put_together: dict[tuple[Any, ...], np.ndarray] = {}
        return {
            name: joined(found, reading.arrays, offsets, put_together)
            for name, found in pieces.items()
            if all(one.path in reading.arrays and (one.shape is None or one.shape in offsets) for one in found)
        }

    def _pieces(self, identity: Identity, name: str, start: int, stop: int, reading: Reading) -> list[Piece] | None:
        """Open the entries that hold a branch over [start, stop): one of just these events, or several of others."""
        key = {"branch": name, "start": start, "stop": stop}
        ranges: list[tuple[int, int]] | None = [(start, stop)]
        if not self._path(identity, key).exists():
            stored = reading.stored(self.folder / _hash(identity)).get(_hash({"branch": name}), ())
            ranges = cover(stored, start, stop)
        found = []
        for first, last in ranges or ():
            key = {"branch": name, "start": first, "stop": last}
            one = self._open(identity, key, reading)
            if one is None:
                return None
            low, high = max(start, first) - first, min(stop, last) - first
            found.append(Piece(self._path(identity, key), one.header["shape"], low, high, last - first))
            start = first + high
        return found or None

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
        name = _hash(key)
        if "branch" in key:
            name = f"{_hash({'branch': key['branch']})}-{key['start']}-{key['stop']}"
        return self.folder / _hash(identity) / f"{name}.column"

    def _open(self, identity: Identity, key: Mapping[str, Any], reading: Reading) -> Stored | None:
        path = self._path(identity, key)
        try:
            found = Stored(path, {**identity, **key})
            reading.add(path, found)
            os.utime(path)
        except FileNotFoundError:
            return None
        except Exception as error:  # whatever it is, the source is there to be read
            _log.warning("column cache %s: %s", self.folder, error)
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)
            return None
        return found

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
