"""Pieces: the selected events of each work item on the disk, until a run has all of them."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..config import RunConfig
from ..engine import Job
from ..engine.preparation import fingerprint
from ..engine.tally import FileInfo, Tally, WorkItem
from ..errors import InputError, RunError

_NOTE = "finished.json"

Rows = dict[str, np.ndarray]
"""Columns of the same length."""


class Pieces:
    """The pieces of one run: a folder of NumPy files, one a work item.

    A piece is named after its item and the dataset's fingerprint, which the ledger goes by too: what was selected by
    other cuts or with other kernels is not taken for this run's.
    """

    def __init__(self, folder: Path, config: RunConfig, *, fresh: bool) -> None:
        """Make the folder inside *folder*.

        Parameters
        ----------
        fresh
            Whether to throw away what is there, of whatever run.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        self.folder = folder / ".pieces"
        self._listed: dict[str, dict[int, list[int]]] | None = None
        text = Job.of(config).config_json
        self._prints = {dataset.name: fingerprint(text, dataset.name)[:16] for dataset in config.datasets}
        if not config.unblind:  # the sums are the same, the events that are kept are not
            self._prints |= {d.name: f"{self._prints[d.name]}b" for d in config.datasets if d.kind == "data"}
        try:
            if fresh:
                shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"{self.folder}: cannot be written: {error.strerror or error}"
            raise InputError(msg) from error

    def _stem(self, dataset: str, path: str) -> str:
        return f"{dataset}-{self._prints[dataset]}-{hashlib.sha256(path.encode()).hexdigest()[:16]}"

    def _path(self, dataset: str, path: str, start: int, stop: int) -> Path:
        return self.folder / f"{self._stem(dataset, path)}-{start}-{stop}.npz"

    def _ranges(self) -> dict[str, dict[int, list[int]]]:
        """Return where the pieces of each file begin and end; the folder is listed once, it may be long."""
        if self._listed is None:
            self._listed = {}
            for path in self.folder.glob("*.npz"):
                stem, start, stop = path.stem.rsplit("-", 2)
                self._listed.setdefault(stem, {}).setdefault(int(start), []).append(int(stop))
        return self._listed

    def keep(self, item: WorkItem, rows: Rows) -> None:
        """Put the events of an item on the disk; what is there of it is replaced.

        Raises
        ------
        RunError
            If they cannot be written.
        """
        path = self._path(*item)
        self._listed = None
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            with temporary.open("wb") as file:
                np.savez(file, **rows)  # type: ignore[arg-type]
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or error
            msg = f"{path}: cannot be written: {reason}"
            raise RunError(msg) from error

    def rows(self, info: FileInfo) -> Iterator[Rows]:
        """Yield the events of a complete file in their order, piece by piece.

        Raises
        ------
        RunError
            If the pieces do not make up the file.
        """
        for start, stop in self._chain(info):
            with np.load(self._path(info.dataset, info.path, start, stop)) as file:
                yield {name: file[name] for name in file.files}

    def _chain(self, info: FileInfo) -> list[tuple[int, int]]:
        """Return ranges that follow one another from the first event to the last; chunks may have been of two sizes."""
        ends = self._ranges().get(self._stem(info.dataset, info.path), {})
        before: dict[int, int] = {}
        reached = [0]
        for place in reached:
            for stop in sorted(ends.get(place, ()), reverse=True):
                if stop not in before and (stop > place or info.entries == 0):
                    before[stop] = place
                    reached.append(stop)
        if info.entries not in before:
            msg = f"{info.path} ({info.dataset}): pieces of its skim are missing in {self.folder}; run with --overwrite"
            raise RunError(msg)
        chain = [(before[info.entries], info.entries)]
        while chain[0][0] > 0:
            chain.insert(0, (before[chain[0][0]], chain[0][0]))
        return chain

    def finish(self, tally: Tally, written: list[dict[str, Any]]) -> None:
        """Remove the pieces, which are in the files now, and note what was made of which files."""
        note = {"complete": self._complete(tally), "written": written}
        (self.folder / _NOTE).write_text(json.dumps(note), encoding="utf-8")
        for path in self.folder.glob("*.npz"):
            path.unlink()

    def finished(self, tally: Tally) -> list[dict[str, Any]] | None:
        """Return what :meth:`finish` was told when the same files were complete; None: there is something to write."""
        try:
            note = json.loads((self.folder / _NOTE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        written: list[dict[str, Any]] = note["written"]
        return written if note["complete"] == self._complete(tally) and not any(self.folder.glob("*.npz")) else None

    def _complete(self, tally: Tally) -> list[list[str]]:
        return sorted([self._prints[info.dataset], info.dataset, info.path] for info in tally.complete)
