"""Ranges: a file cut into work items along its baskets or clusters."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping, Sequence

from .table import Volume


def cut(entries: int, most: int, edges: Sequence[int] = ()) -> list[int]:
    """Cut events into nearly equal ranges of at most *most*, at *edges* where there is one near; no events: one range.

    A range that begins at an edge shares no basket or cluster with the one before, so nothing is decoded twice.
    """
    cuts = [0]
    while cuts[-1] < entries or len(cuts) == 1:
        start, left = cuts[-1], entries - cuts[-1]
        n = max(1, -(-left // most))
        size = -(-left // n)
        least = max(size // 2 + 1, left - (n - 1) * most)  # the rest is to fit into n - 1 ranges
        near = edges[bisect.bisect_left(edges, start + least) : bisect.bisect_right(edges, start + most)]
        cuts.append(min(near, key=lambda edge: abs(edge - start - size), default=start + size) if n > 1 else entries)
    return cuts


def cover(ranges: Iterable[tuple[int, int]], start: int, stop: int) -> list[tuple[int, int]] | None:
    """Choose ranges that hold all events of [start, stop), in order; None: some are in none of them."""
    chosen: list[tuple[int, int]] = []
    end, waiting = start, sorted(ranges, reverse=True)
    while end < stop or not chosen:
        best = (0, -1)
        while waiting and waiting[-1][0] <= end:
            best = max(best, waiting.pop(), key=lambda one: one[1])
        if best[1] <= end and (best[1] < end or end < stop):
            return None
        chosen.append(best)
        end = best[1]
    return chosen


def event_bytes(volumes: Mapping[str, Volume], entries: int) -> float:
    """Return the bytes that an event takes in memory, about."""
    return sum(volume.size for volume in volumes.values()) / max(entries, 1)
