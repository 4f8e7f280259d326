"""Adding up: what work items give, each once, file by file.

A file counts when all its items are there: an incomplete one leaves the sums, and its part of the normalisation with
them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .histogram import Counts


class WorkItem(NamedTuple):
    """A range of events of one file."""

    dataset: str
    path: str
    start: int
    stop: int


class FileInfo(NamedTuple):
    """What is known of a file before its events are read."""

    dataset: str
    path: str
    uuid: str
    entries: int
    sum_of_weights: float | None
    notes: tuple[str, ...] = ()
    """What the file does not have and is taken for granted instead."""
    cuts: tuple[int, ...] = ()
    """Where its work items begin and end."""
    volumes: tuple[tuple[str, int, int], ...] = ()
    """Of the needed branches, by codec: the bytes stored and after decompression."""
    sections: tuple[tuple[int, int, int], ...] = ()
    """Of data, if their luminosity is asked for: (run, first, last) of the luminosity sections in it."""
    stamp: str = ""
    """Size and time of change of a local file: whether it is still what was read."""
    averages: tuple[tuple[str, tuple[float, ...]], ...] = ()
    """Of sets of weights: Σw of each member over Σw, by the branch that says so."""


class ListedFile(NamedTuple):
    """A file that the configuration lists, of which nothing is known yet."""

    dataset: str
    path: str


class Failure(NamedTuple):
    """A file or a range of events that could not be processed."""

    dataset: str
    path: str
    start: int
    stop: int
    error: str
    transient: bool = False
    """Whether it may go away by itself: a file that cannot be reached, a worker that died."""
    attempts: int = 1


class Partial(NamedTuple):
    """What one work item gives."""

    item: WorkItem
    counts: Counts
    selected: dict[str, np.ndarray]
    """Selected events by field; ``entry`` is their place in the file."""
    seconds: float
    read_seconds: float = 0.0


class Closed(NamedTuple):
    """A file whose last item has come."""

    info: FileInfo
    counts: Counts


@dataclass
class _File:
    """What has come back of one file so far."""

    info: FileInfo
    waiting: set[tuple[int, int]]
    counts: Counts = field(default_factory=Counts)
    selected: list[tuple[int, dict[str, np.ndarray]]] = field(default_factory=list)


class Tally:
    """Adds up partial results, file by file: each item once, each file whole or not at all."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.complete: list[FileInfo] = []
        self.failures: list[Failure] = []
        self.selected: dict[tuple[str, str], dict[str, np.ndarray]] = {}
        self._open: dict[tuple[str, str], _File] = {}
        self._known: set[tuple[str, str]] = set()

    def expect(self, info: FileInfo, items: list[WorkItem]) -> None:
        """Announce a file and its items."""
        self._known.add((info.dataset, info.path))
        self._open[info.dataset, info.path] = _File(info, {(item.start, item.stop) for item in items})

    def restore(self, infos: Iterable[FileInfo], counts: Counts) -> None:
        """Take in files that were completed before, and the sum of them all."""
        for info in infos:
            self._known.add((info.dataset, info.path))
            self.complete.append(info)
        self.counts = self.counts + counts

    def expects(self, item: WorkItem) -> bool:
        """Whether this item is still to come."""
        file = self._open.get((item.dataset, item.path))
        return file is not None and (item.start, item.stop) in file.waiting

    def knows(self, file: ListedFile | FileInfo) -> bool:
        """Whether a file's items are waited for, or it is complete or failed."""
        return (file.dataset, file.path) in self._known

    def entries(self, task: ListedFile | WorkItem) -> int:
        """Return the events of a file whose items are still to come; 0 for one that is not waited for."""
        file = self._open.get((task.dataset, task.path))
        return 0 if file is None else file.info.entries

    def uuid(self, item: WorkItem) -> str:
        """Return the UUID of an item's file, which is waited for."""
        return self._open[item.dataset, item.path].info.uuid

    def add(self, result: Partial | Failure) -> Closed | None:
        """Take in one result; a second result of the same item changes nothing. Return the file that it completes."""
        if isinstance(result, Failure):
            key = result.dataset, result.path
            if result not in self.failures and key not in self.selected:
                self.failures.append(result)
                self._known.add(key)
                self._open.pop(key, None)
            return None
        item = result.item
        if not self.expects(item):
            return None
        file = self._open[item.dataset, item.path]
        file.waiting.remove((item.start, item.stop))
        file.counts = file.counts + result.counts
        file.selected.append((item.start, result.selected))
        return None if file.waiting else self._close(file)

    def _close(self, file: _File) -> Closed:
        key = file.info.dataset, file.info.path
        del self._open[key]
        self.counts = self.counts + file.counts
        self.complete.append(file.info)
        parts = [selected for _, selected in sorted(file.selected, key=lambda part: part[0]) if selected]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
        order = np.argsort(joined.get("entry", ()), kind="stable")  # a GPU finds them in any order
        self.selected[key] = {name: values[order] for name, values in joined.items()}
        return Closed(file.info, file.counts)

    def finish(self) -> None:
        """Close the books: every file announced is either complete or a failure."""
        for file in list(self._open.values()):
            start, stop = min(file.waiting)
            self.add(Failure(file.info.dataset, file.info.path, start, stop, f"{file.info.path}: no result came back"))
        self.complete.sort()
        self.failures.sort()
