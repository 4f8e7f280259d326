"""The ledger: what of a run has been done, kept in its folder so that nothing counts twice and nothing is done twice.

A ledger is a folder of *batches*. Each is one file that is written whole, flushed to the disk and renamed, and never
changed: a header (JSON), the sums of its items (:mod:`.sparse`), and the SHA-256 of both. A batch has

* the files that are complete with it, and the merged sums of all their items;
* items of files that are not complete yet, each with its own sums: a run that is stopped goes on from there.

Small batches are merged into large ones now and then, so a ledger grows with the histograms, not with the work items.

What a sum means is decided by a *fingerprint* for each dataset: the hash of the selection, of what the kernels are
compiled from, and of what the configuration says of the dataset. Sums with another fingerprint are not used, nor are
those of a file that the configuration no longer has. A batch that is torn or was changed is left out, with a warning:
its items are done again. Locking is a POSIX lock on one file, which NFS and Lustre know; SQLite's is unsafe there.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import json
import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import FileError, InputError, RunError
from ..histogram import Counts
from . import sparse
from .tally import FileInfo, WorkItem

_log = logging.getLogger(__name__)

MAGIC = b"gpuhiggs ledger 2\n"
_MAGIC_STEM = b"gpuhiggs ledger "
_FIXED = len(MAGIC) + 8
"""The magic line and the length of the header."""

MERGE_AT = 32
"""Batches of a kind that are merged into one of the next kind."""

FileKey = tuple[str, str]
"""(dataset, path)."""


class Batch(NamedTuple):
    """What is committed at once."""

    fingerprints: Mapping[str, str]
    """By dataset."""
    files: tuple[FileInfo, ...]
    counts: Counts
    """The sums of *files*."""
    pending: tuple[tuple[WorkItem, str, bytes], ...] = ()
    """Items of files that are not complete, the file's UUID, their sums as the worker packed them."""


class Kept(NamedTuple):
    """What a ledger says is done."""

    files: dict[FileKey, FileInfo]
    counts: Counts
    pending: dict[tuple[FileKey, str], list[tuple[WorkItem, bytes]]]
    """By file and UUID."""
    dropped: int
    """Complete files whose sums are of another configuration, or of other kernels."""


NOTHING = Kept({}, Counts(), {}, 0)


class Ledger:
    """The ledger of one run's folder, locked while it is open."""

    def __init__(self, folder: Path) -> None:
        """Open or make the ledger in *folder*.

        Raises
        ------
        InputError
            If the folder cannot be written.
        RunError
            If another process works in it.
        """
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            msg = f"{folder}: cannot be written: {error.strerror or error}"
            raise InputError(msg) from error
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(self._lock, 200).decode(errors="replace").strip()
            os.close(self._lock)
            msg = f"{folder}: in use by another gpuhiggs ({owner or 'unknown process'}); wait for it or stop it"
            raise RunError(msg) from error
        os.ftruncate(self._lock, 0)
        os.write(self._lock, f"process {os.getpid()} on {socket.gethostname()}".encode())
        for stray in folder.glob(".*.tmp"):
            stray.unlink(missing_ok=True)
        self._next = 1 + max((_number(path) for path in self._batches()), default=0)

    def close(self) -> None:
        """Let others have it."""
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _batches(self) -> list[Path]:
        return sorted(self.folder.glob("batch-*.sums"))

    @property
    def empty(self) -> bool:
        """Whether nothing has been committed."""
        return not self._batches()

    def clear(self) -> None:
        """Forget everything."""
        for path in self._batches():
            path.unlink()

    # --- writing ---

    def commit(self, batch: Batch) -> Path:
        """Write a batch; it is on the disk when this returns.

        Raises
        ------
        RunError
            If it cannot be written; the ledger is as it was then.
        """
        path = self._write(batch, 0)
        self._merge()
        return path

    def _write(self, batch: Batch, level: int) -> Path:
        path = self.folder / f"batch-{level}-{self._next:08d}.sums"
        self._next += 1
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with temporary.open("wb") as file:
                file.write(encode(batch))
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            _sync_folder(self.folder)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or error
            msg = f"{path}: cannot be written: {reason}; what was committed before stands (--resume)"
            raise RunError(msg) from error
        return path

    def _merge(self) -> None:
        """Merge the batches of a level when there are many: the new one is on the disk before the old ones go."""
        level = 0
        while len(paths := sorted(self.folder.glob(f"batch-{level}-*.sums"))) >= MERGE_AT:
            for merged in _merged(filter(None, map(_read_or_warn, reversed(paths)))):
                self._write(merged, level + 1)
            for path in paths:
                path.unlink()
            level += 1

    # --- reading ---

    def kept(self, fingerprints: Mapping[str, str], wanted: Iterable[FileKey]) -> Kept:
        """Return what is done of the *wanted* files under these fingerprints, by dataset.

        A file that a crash between two steps of merging has left in two batches counts once.
        """
        known = set(wanted)
        files: dict[FileKey, FileInfo] = {}
        counts = Counts()
        pending: dict[tuple[FileKey, str], list[tuple[WorkItem, bytes]]] = {}
        dropped: set[FileKey] = set()
        for path in reversed(self._batches()):  # the merged ones first, of each kind the newest first
            batch = _read_or_warn(path)
            if batch is None:
                continue
            valid = {name for name, value in batch.fingerprints.items() if fingerprints.get(name) == value}
            usable = _add(batch, valid, known, files)
            dropped |= {(info.dataset, info.path) for info in batch.files if info.dataset not in usable}
            counts = counts + _part(batch.counts, usable)
            for item, uuid, sums in batch.pending:
                key = item.dataset, item.path
                if key in known and key not in files and item.dataset in valid:
                    pending.setdefault((key, uuid), []).append((item, sums))
        waiting = {(key, uuid): items for (key, uuid), items in pending.items() if key not in files}
        return Kept(files, counts, waiting, len((dropped & known) - set(files)))


def _add(batch: Batch, valid: set[str], known: set[FileKey] | None, files: dict[FileKey, FileInfo]) -> set[str]:
    """Add the files of a batch to *files*, dataset by dataset, whole or not at all; return which datasets were added.

    A merged sum cannot be taken apart: it is left out if one of its files is not *known*, or is there already.
    """
    usable = set()
    for dataset in valid & {info.dataset for info in batch.files}:
        found = {(info.dataset, info.path): info for info in batch.files if info.dataset == dataset}
        if files.keys().isdisjoint(found) and (known is None or found.keys() <= known):
            files |= found
            usable.add(dataset)
    return usable


def _part(counts: Counts, datasets: set[str]) -> Counts:
    return Counts({key: wide for key, wide in counts.sums.items() if key[0] in datasets})


def _merged(batches: Iterable[Batch]) -> list[Batch]:
    """Merge batches, the newest first, that were made under the same fingerprints; one is in memory at a time.

    Pending items of files that became complete go.
    """
    groups: dict[str, tuple[Batch, dict[FileKey, FileInfo]]] = {}
    complete: set[FileKey] = set()
    for batch in batches:
        key = json.dumps(dict(batch.fingerprints), sort_keys=True)
        merged, files = groups.get(key, (batch._replace(counts=Counts(), pending=()), {}))
        counts = merged.counts + _part(batch.counts, _add(batch, set(batch.fingerprints), None, files))
        groups[key] = merged._replace(counts=counts, pending=(*merged.pending, *batch.pending)), files
        complete |= {(info.dataset, info.path) for info in batch.files}
    return [
        merged._replace(
            files=tuple(files.values()),
            pending=tuple(entry for entry in merged.pending if (entry[0].dataset, entry[0].path) not in complete),
        )
        for merged, files in groups.values()
    ]


# --- the form of a batch -------------------------------------------------------------------------------------------


def encode(batch: Batch) -> bytes:
    """Return a batch as bytes: magic, length of the header, header, sums, SHA-256."""
    parts = [sparse.pack(batch.counts), *(sums for _, _, sums in batch.pending)]
    header = {
        "written": time.time(),
        "fingerprints": dict(batch.fingerprints),
        "files": [info._asdict() for info in batch.files],
        "pending": [[item, uuid] for item, uuid, _ in batch.pending],
        "sizes": [len(part) for part in parts],
    }
    text = json.dumps(header, separators=(",", ":")).encode()
    body = b"".join([MAGIC, len(text).to_bytes(8, "little"), text, *parts])
    return body + hashlib.sha256(body).digest()


def decode(data: bytes) -> Batch:
    """Return the batch that *data* holds.

    Raises
    ------
    FileError
        If it is torn or changed.
    InputError
        If another version of the package wrote it.
    """
    if data.startswith(_MAGIC_STEM) and not data.startswith(MAGIC):
        version = data[: data.find(b"\n")].decode(errors="replace")
        msg = f"{version!r}: written by another version of gpuhiggs; this one reads {MAGIC.decode().strip()!r}"
        raise InputError(msg)
    if not data.startswith(MAGIC) or hashlib.sha256(data[:-32]).digest() != data[-32:]:
        msg = "torn or changed: its checksum does not fit"
        raise FileError(msg)
    try:
        start = _FIXED + int.from_bytes(data[len(MAGIC) : _FIXED], "little")
        header: dict[str, Any] = json.loads(data[_FIXED:start])
        ends = list(itertools.accumulate(header["sizes"], initial=start))
        counts, *parts = (data[first:last] for first, last in itertools.pairwise(ends))
        for part in parts:
            sparse.unpack(part)  # refused here, where the file has a name
        files = tuple(FileInfo(**_tuples(row)) for row in header["files"])
        pending = tuple(
            (WorkItem(*item), str(uuid), part) for (item, uuid), part in zip(header["pending"], parts, strict=True)
        )
        return Batch(header["fingerprints"], files, sparse.unpack(counts), pending)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        msg = f"not a batch: {error}"
        raise FileError(msg) from error


def _read_or_warn(path: Path) -> Batch | None:
    """Read a batch; one that cannot be trusted is left out."""
    try:
        return decode(path.read_bytes())
    except FileError as error:
        _log.warning("%s: %s; its work is done again", path, error)
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise InputError(msg) from error
    return None


def _tuples(value: Any) -> Any:
    """Turn JSON's lists into tuples."""
    if isinstance(value, dict):
        return {key: _tuples(entry) for key, entry in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])


def _sync_folder(folder: Path) -> None:
    """Put a rename on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
