"""How far shifts reach: the largest factors by which they raise the pt of objects, for the channels' preselections."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..columns import Extra
from ..kernels import lookup, shifts

Rows = list[tuple[int, int, int, int, float]]
"""Of a side of a shift: (classes, kind, size, branch, sign)."""


def reach(tables: lookup.Lookup, moved: Sequence[Rows], extras: Sequence[Extra]) -> shifts.Reach:
    """Return the largest factors; computed as the kernel computes its own, so that rounding cannot pass them.

    What calibrations move, their columns tell when they are there.
    """
    most = dict.fromkeys(shifts.OBJECTS, 1.0)
    for rows in moved:
        for bit, name in enumerate(shifts.OBJECTS):
            factor = 1.0
            for classes, kind, size, branch, _ in rows:
                if classes & 1 << bit and not (kind >= shifts.ADDED and extras[branch].calibrated >= 0):
                    factor *= _factor(tables, kind, size)
            most[name] = max(most[name], factor)
    return shifts.Reach(**most, lepton=max(most["muon"], most["electron"]))


def _factor(tables: lookup.Lookup, kind: int, size: int) -> float:
    if kind >= shifts.ADDED:
        return math.inf
    return largest(tables, size) if kind == shifts.FACTOR else 1.0 + largest(tables, size)


def largest(tables: lookup.Lookup, reference: int) -> float:
    """Return the largest size that a correction can give; ∞ where a formula makes it."""
    if reference < 0:
        return abs(float(tables.values[~reference]))
    nodes = tables.nodes
    match int(nodes[reference]):
        case lookup.BINNING:
            n_axes = int(nodes[reference + 3])
            bins = math.prod(int(nodes[reference + 5 + 4 * axis]) for axis in range(n_axes))
            first = reference + 4 + 4 * n_axes
            inner = [int(nodes[reference + 2]), *map(int, nodes[first : first + bins])]
        case lookup.CATEGORY:
            n = int(nodes[reference + 2])
            inner = [int(nodes[reference + 3]), *map(int, nodes[reference + 4 + n : reference + 4 + 2 * n])]
        case lookup.ERROR:
            return 0.0
        case _:
            return math.inf
    return max(largest(tables, one) for one in inner)
