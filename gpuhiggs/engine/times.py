"""Where the time of a run went, by worker and by file, in room that does not grow with the work items."""

from __future__ import annotations

import heapq
from typing import NamedTuple

SLOWEST = 20
"""Files that are kept."""


class Worker(NamedTuple):
    """What one process has done."""

    items: int = 0
    events: int = 0
    seconds: float = 0.0
    """In work items, of which ..."""
    read_seconds: float = 0.0
    peak_memory: int = 0
    """In bytes."""


class SlowFile(NamedTuple):
    """A file that took long."""

    seconds: float
    """Over all its work items, those of every attempt and of every worker."""
    read_seconds: float
    events: int
    dataset: str
    path: str


class Times:
    """Adds up what work items took."""

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        """By the name of the process, ``host:process id``."""
        self.slowest: list[SlowFile] = []
        """The files that took longest, the slowest first."""
        self._open: dict[tuple[str, str], SlowFile] = {}

    def add(self, worker: str, done: Worker, dataset: str, path: str) -> None:
        """Add an item that a worker has done, of a file."""
        before = self.workers.get(worker, Worker())
        self.workers[worker] = Worker(
            before.items + done.items,
            before.events + done.events,
            before.seconds + done.seconds,
            before.read_seconds + done.read_seconds,
            max(before.peak_memory, done.peak_memory),
        )
        file = self._open.get((dataset, path), SlowFile(0.0, 0.0, 0, dataset, path))
        self._open[dataset, path] = file._replace(
            seconds=file.seconds + done.seconds,
            read_seconds=file.read_seconds + done.read_seconds,
            events=file.events + done.events,
        )

    @property
    def total(self) -> Worker:
        """All workers together; the memory is that of the largest."""
        found = self.workers.values()
        return Worker(
            sum(one.items for one in found),
            sum(one.events for one in found),
            sum(one.seconds for one in found),
            sum(one.read_seconds for one in found),
            max((one.peak_memory for one in found), default=0),
        )

    def close(self, dataset: str, path: str) -> None:
        """Rank a file of which nothing more will come."""
        file = self._open.pop((dataset, path), None)
        if file is not None:
            self.slowest = heapq.nlargest(SLOWEST, [*self.slowest, file])
