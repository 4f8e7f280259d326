"""Pieces: entries of the column cache read together and put together to the events that are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import native
from .entry import Stored, Task
from .values import Values


class Piece(NamedTuple):
    """A part of a branch: some events of an entry."""

    path: Path
    shape: str | None
    low: int
    high: int
    """Its events, counted from the entry's first."""
    events: int
    """Of the whole entry."""


class Reading:
    """The entries that are read together."""

    def __init__(self) -> None:
        self.arrays: dict[Path, np.ndarray] = {}
        self._tasks: list[tuple[Path, Task]] = []
        self._stored: dict[str, list[tuple[int, int]]] | None = None

    def stored(self, folder: Path) -> dict[str, list[tuple[int, int]]]:
        """Return the ranges of events that there are of each branch, by the hash of its name."""
        if self._stored is None:
            self._stored = {}
            for path in folder.glob("*-*-*.column"):
                branch, first, last = path.stem.split("-")
                self._stored.setdefault(branch, []).append((int(first), int(last)))
        return self._stored

    def add(self, path: Path, entry: Stored) -> None:
        """Have an entry decoded with the others."""
        self.arrays[path], tasks = entry.tasks()
        self._tasks += [(path, task) for task in tasks]

    def decode(self, threads: int) -> dict[Path, Exception]:
        """Do all tasks; return what went wrong, and forget the arrays that are damaged."""
        damaged: dict[Path, Exception] = {}
        remaining = iter(self._tasks)

        def work() -> None:
            for path, task in remaining:
                try:
                    task()
                except Exception as error:
                    damaged[path] = error

        if threads == 1:
            work()
        else:
            with ThreadPoolExecutor(threads) as pool:
                for done in [pool.submit(work) for _ in range(threads)]:
                    done.result()
        for path in damaged:
            del self.arrays[path]
        return damaged


def offsets_of(counts: np.ndarray) -> np.ndarray:
    """Return the offsets that counts add up to, from 0."""
    offsets = native.added(counts)
    if offsets is None:
        offsets = np.zeros(counts.size + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
    return offsets


def joined(
    pieces: list[Piece],
    arrays: Mapping[Path, np.ndarray],
    offsets: Mapping[str, np.ndarray],
    put_together: dict[tuple[Any, ...], np.ndarray],
) -> Values:
    """Put the pieces of a branch together; branches of one shape get the same offsets."""
    if len(pieces) == 1 and pieces[0].high - pieces[0].low == pieces[0].events:
        [one] = pieces
        return Values(arrays[one.path], None if one.shape is None else offsets[one.shape])
    if any(one.shape is None for one in pieces):
        return Values(np.concatenate([arrays[one.path][one.low : one.high] for one in pieces]), None)
    bounds = [(offsets[str(one.shape)], one) for one in pieces]
    content = np.concatenate([arrays[one.path][edges[one.low] : edges[one.high]] for edges, one in bounds])
    key = tuple((one.shape, one.low, one.high) for one in pieces)
    if key not in put_together:
        put_together[key] = offsets_of(
            np.concatenate([np.diff(edges[one.low : one.high + 1]) for edges, one in bounds])
        )
    return Values(content, put_together[key])
