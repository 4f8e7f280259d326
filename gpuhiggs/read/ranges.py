"""Ranges: a file cut into work items along its baskets or clusters."""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence

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


def event_bytes(volumes: Mapping[str, Volume], entries: int) -> float:
    """Return the bytes that an event takes in memory, about."""
    return sum(volume.size for volume in volumes.values()) / max(entries, 1)
