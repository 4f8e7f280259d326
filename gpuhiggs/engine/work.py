"""Work that is to be done: a queue that grows while it is worked on, and how its entries are mapped.

Whoever works on it, one process or a cluster, calls :meth:`Work.take` until nothing is left *and* nothing is under
way: each result may have put more work in. An entry that failed comes back after a while: it is put in with a delay.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple


class Lost(NamedTuple):
    """An argument whose result a mapper could not get, whatever became of it: a worker died, memory ran out."""

    argument: Any
    error: str


class Work:
    """A queue in two ranks, first in first out: what is urgent goes first, what is delayed when its time has come."""

    def __init__(self, split: Callable[[Any], tuple[Any, ...]] = lambda argument: (argument,)) -> None:
        """Begin with nothing to do.

        Parameters
        ----------
        split
            Cuts an entry that takes too long into parts whose results, all together, stand for its own; one that
            cannot be cut it returns as it is.
        """
        self.split = split
        self._urgent: deque[Any] = deque()
        self._later: deque[Any] = deque()
        self._delayed: list[tuple[float, int, Any]] = []
        self._order = itertools.count()

    def put(self, argument: Any, *, urgent: bool = False, delay: float = 0.0) -> None:
        """Add an entry; *delay* in seconds."""
        if delay > 0.0:
            heapq.heappush(self._delayed, (time.monotonic() + delay, next(self._order), argument))
        else:
            (self._urgent if urgent else self._later).append(argument)

    def take(self) -> Any:
        """Take the next entry out; None if there is none at present."""
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            self._urgent.append(heapq.heappop(self._delayed)[2])
        if self._urgent:
            return self._urgent.popleft()
        return self._later.popleft() if self._later else None

    def wait(self) -> float | None:
        """Return the seconds until :meth:`take` has something; None if nothing is left at all."""
        if self._urgent or self._later:
            return 0.0
        return max(0.0, self._delayed[0][0] - time.monotonic()) if self._delayed else None


Mapper = Callable[[Callable[[Any], Any], Work], Iterator[Any]]
"""Applies a function to all work and yields the results in any order, or :class:`Lost` for one that has none."""


def serially(function: Callable[[Any], Any], work: Work) -> Iterator[Any]:
    """Apply *function* in this process, to one entry after the other."""
    while (pause := work.wait()) is not None:
        time.sleep(pause)
        argument = work.take()
        if argument is not None:
            yield function(argument)


def threaded(pool: ThreadPoolExecutor, threads: int) -> Mapper:
    """Return what applies a function on threads of this process: kernels and decompression release the GIL."""

    def apply(function: Callable[[Any], Any], work: Work) -> Iterator[Any]:
        under_way: set[Future[Any]] = set()
        while (pause := work.wait()) is not None or under_way:
            while len(under_way) < threads and (argument := work.take()) is not None:
                under_way.add(pool.submit(function, argument))
            if not under_way:
                time.sleep(pause or 0.0)
                continue
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                yield future.result()

    return apply


def of(arguments: Any) -> Work:
    """Return a queue of *arguments*."""
    work = Work()
    for argument in arguments:
        work.put(argument)
    return work
