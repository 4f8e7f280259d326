"""Boundaries in a score: the ones of the highest expected significance, found exactly.

The significance of parts that are fitted together adds in squares, so that the best division is a sum over parts, and
dynamic programming over a grid of candidates finds its maximum: no starting point, no chance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.errors import InputError

Floats = NDArray[np.float64]

CANDIDATES = 100
"""Quantiles of the signal's score between which boundaries may lie."""
LEAST_BACKGROUND = 50
"""Simulated background events, effectively, that each part must have: fewer, and the optimum chases fluctuations."""


class Division(NamedTuple):
    """The best division of a score, and what it gains.

    ``q0`` is the expected test statistic of discovery, Σ over parts 2((s + b) ln(1 + s/b) - s) (Cowan et al.,
    arXiv:1007.1727, eq. 97), ``q0_undivided`` that of one part.
    """

    boundaries: tuple[float, ...]
    q0: float
    q0_undivided: float


def q0(signal: float, background: float) -> float:
    """Return the median of q0 for a counting experiment; 0 without background."""
    if not (background > 0 and signal > 0):
        return 0.0
    return 2.0 * ((signal + background) * math.log1p(signal / background) - signal)


def divide(
    signal: Floats, signal_weight: Floats, background: Floats, background_weight: Floats, parts: int
) -> Division:
    """Find the boundaries.

    Parameters
    ----------
    signal, background
        Scores of events, of models that have not seen them.
    signal_weight, background_weight
        Events expected.
    parts
        At most so many; fewer where the background does not suffice.

    Raises
    ------
    InputError
        Without signal, or without LEAST_BACKGROUND events of background.
    """
    if not signal_weight.sum() > 0 or not _effective(background_weight) >= LEAST_BACKGROUND:
        msg = f"boundaries: {len(signal)} events of signal, {len(background)} of background are too few"
        raise InputError(msg)
    edges = np.unique(np.quantile(signal, np.linspace(0, 1, CANDIDATES + 1)[1:-1]))
    s = np.bincount(np.searchsorted(edges, signal, side="right"), signal_weight, len(edges) + 1)
    place = np.searchsorted(edges, background, side="right")
    b = np.bincount(place, background_weight, len(edges) + 1)
    b2 = np.bincount(place, background_weight**2, len(edges) + 1)
    sums = [np.concatenate([[0.0], np.cumsum(column)]) for column in (s, b, b2)]
    n = len(edges) + 1
    gain = np.full((n + 1, n + 1), -np.inf)
    for first in range(n):
        for last in range(first + 1, n + 1):
            in_s, in_b, in_b2 = (float(column[last] - column[first]) for column in sums)
            if in_b > 0 and in_b**2 / in_b2 >= LEAST_BACKGROUND:
                gain[first, last] = q0(in_s, in_b)
    best, chosen = gain[0, n], [0, n]
    reached = gain[0].copy()
    paths: list[NDArray[np.int64]] = []
    for extra in range(1, parts):
        total = reached[:, None] + gain
        paths.append(np.argmax(total, axis=0))
        reached = np.max(total, axis=0)
        if reached[n] > best * (1 + 1e-9):
            best, chosen = reached[n], _walk(paths[:extra], n)
    return Division(tuple(float(edges[k - 1]) for k in chosen[1:-1]), float(best), float(gain[0, n]))


def _walk(paths: list[NDArray[np.int64]], end: int) -> list[int]:
    places = [end]
    for path in reversed(paths):
        places.append(int(path[places[-1]]))
    return [0, *reversed(places)]


def _effective(weight: Floats) -> float:
    return float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0.0
