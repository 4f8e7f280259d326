"""Adding up: what work items give, each event once, file by file.

A file counts when all its items are there: an incomplete one leaves the sums, and its part of the normalisation with
them. An item may come whole or in pieces, where a straggler was split, or both ways: pieces wait until they make up
the item, and the first way to do so counts.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..histogram import Counts
from . import sparse
from .times import Times


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
    sums: bytes
    """Its counts, packed (:mod:`.sparse`)."""
    selected: dict[str, np.ndarray]
    """Selected events by field; ``entry`` is their place in the file."""
    seconds: float
    read_seconds: float = 0.0
    worker: str = ""
    """The process that did it, ``host:process id``."""
    peak_memory: int = 0
    """What that process has taken at most, in bytes."""


class _File:
    """What has come back of one file so far."""

    def __init__(self, info: FileInfo, items: list[WorkItem]) -> None:
        self.info = info
        self.waiting = {item.start: item.stop for item in items}
        self.done: list[Partial] = []
        self._starts = sorted(self.waiting)
        self._pieces: dict[int, dict[tuple[int, int], Partial]] = {}

    def around(self, item: WorkItem) -> WorkItem | None:
        """Return the item that is waited for and that *item* is, or is a piece of."""
        place = bisect.bisect_right(self._starts, item.start) - 1
        start = self._starts[place] if place >= 0 else item.start
        stop = self.waiting.get(start, -1)
        known = (item.start, item.stop) in self._pieces.get(start, ())
        return item._replace(start=start, stop=stop) if item.stop <= stop and not known else None

    def rest(self, whole: WorkItem) -> WorkItem:
        """Return what is left of an item after the pieces that it begins with."""
        reached, pieces = whole.start, self._pieces.get(whole.start, {})
        while further := max((last for first, last in pieces if first == reached < last), default=None):
            reached = further
        return whole._replace(start=reached)

    def add(self, partial: Partial, whole: WorkItem) -> bool:
        """Take in an item or a piece of it; return whether the item is complete with it."""
        pieces = self._pieces.setdefault(whole.start, {})
        pieces[partial.item.start, partial.item.stop] = partial
        chosen = _chain(pieces, whole.start, whole.stop)
        if chosen is None:
            return False
        self.done += chosen
        del self.waiting[whole.start], self._pieces[whole.start]
        return True


def _chain(pieces: dict[tuple[int, int], Partial], start: int, stop: int) -> list[Partial] | None:
    """Return pieces that follow one another from *start* to *stop*; None if there are none."""
    if (start, stop) in pieces:
        return [pieces[start, stop]]
    last: dict[int, Partial] = {}
    reached = [start]
    for place in reached:
        for (first, end), piece in pieces.items():
            if first == place < end and end not in last:
                last[end] = piece
                reached.append(end)
    chain: list[Partial] = []
    while stop != start:
        if stop not in last:
            return None
        chain.append(last[stop])
        stop = last[stop].item.start
    return chain


class Tally:
    """Adds up partial results, file by file: each event once, each file whole or not at all."""

    def __init__(self) -> None:
        self.complete: list[FileInfo] = []
        self.failures: list[Failure] = []
        self.selected: dict[tuple[str, str], dict[str, np.ndarray]] = {}
        self.times = Times()
        self.events = 0
        """Of the items that are complete; what was restored is not among them."""
        self._settled = Counts()
        self._recent = Counts()
        self._open: dict[tuple[str, str], _File] = {}
        self._known: set[tuple[str, str]] = set()

    @property
    def counts(self) -> Counts:
        """The sums of all complete files."""
        return self._settled + self._recent

    def settle(self) -> Counts:
        """Return the sums of the files that were completed since this was called last."""
        recent, self._recent = self._recent, Counts()
        self._settled = self._settled + recent
        return recent

    def expect(self, info: FileInfo, items: list[WorkItem]) -> None:
        """Announce a file and its items."""
        self._known.add((info.dataset, info.path))
        self._open[info.dataset, info.path] = _File(info, items)

    def restore(self, infos: Iterable[FileInfo], counts: Counts) -> None:
        """Take in files that were completed before, and the sum of them all."""
        for info in infos:
            self._known.add((info.dataset, info.path))
            self.complete.append(info)
        self._settled = self._settled + counts

    def expects(self, item: WorkItem) -> bool:
        """Whether this item, or what it is a piece of, is still to come."""
        file = self._open.get((item.dataset, item.path))
        return file is not None and file.around(item) is not None

    def missing(self, file: FileInfo) -> list[WorkItem]:
        """Return what is to be done of a file that is waited for."""
        found = self._open.get((file.dataset, file.path))
        if found is None:
            return []
        return [found.rest(WorkItem(file.dataset, file.path, *limits)) for limits in sorted(found.waiting.items())]

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

    def add(self, result: Partial | Failure) -> FileInfo | None:
        """Take in one result; a second result of the same item changes nothing. Return the file that it completes.

        Raises
        ------
        FileError
            If the sums of a completed file are none.
        """
        if isinstance(result, Failure):
            key = result.dataset, result.path
            if result not in self.failures and key not in self.selected:
                self.failures.append(result)
                self._known.add(key)
                self._open.pop(key, None)
                self.times.close(*key)
            return None
        item = result.item
        file = self._open.get((item.dataset, item.path))
        whole = None if file is None else file.around(item)
        if file is None or whole is None:
            return None
        if file.add(result, whole):
            self.events += whole.stop - whole.start
        return None if file.waiting else self._close(file)

    def _close(self, file: _File) -> FileInfo:
        key = file.info.dataset, file.info.path
        del self._open[key]
        self.times.close(*key)
        for partial in file.done:
            sparse.add(self._recent, partial.sums)
        self.complete.append(file.info)
        parts = [partial.selected for partial in sorted(file.done, key=lambda part: part.item) if partial.selected]
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}
        order = np.argsort(joined.get("entry", ()), kind="stable")  # a GPU finds them in any order
        self.selected[key] = {name: values[order] for name, values in joined.items()}
        return file.info

    def finish(self) -> None:
        """Close the books: every file announced is either complete or a failure."""
        for file in list(self._open.values()):
            start, stop = min(file.waiting.items())
            self.add(Failure(file.info.dataset, file.info.path, start, stop, f"{file.info.path}: no result came back"))
        self.complete.sort()
        self.failures.sort()
