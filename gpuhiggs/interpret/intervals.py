"""Where a profile likelihood crosses a level: all parameters and both sides together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .likelihood import Likelihood, Minima
from .measurements import Array

N_STEPS = 30
TOLERANCE = 1e-3
"""On the root of the rise of -2 ln L, relative."""
GAIN = 1e-6
"""A minimisation ends where a step gains less, relative to -2 ln L: a hundredth of what the tolerance allows."""


def profile(likelihood: Likelihood, start: Array, position: int, values: Array, held: Sequence[int] = ()) -> Minima:
    """Minimise at each of the *values* of one parameter, all together, from the point *start* (parameters,)."""
    points = np.repeat(start[None], len(values), axis=0)
    points[:, position] = values
    return likelihood.minimise(points, sorted({position, *held}))


def crossing(
    likelihood: Likelihood,
    best: Minima,
    positions: Sequence[int],
    errors: Array,
    level: float,
    *,
    held: Sequence[int] = (),
) -> tuple[list[float | None], list[float | None]]:
    """Find how far below and above its best value each parameter lies where -2 ln L has risen by *level*.

    Each crossing is bracketed and then closed in on by the secant of the root of the rise, which is nearly a straight
    line, and by halves. Where a bound comes first, the distance to the bound is returned.

    Parameters
    ----------
    likelihood, best
        And its minimum.
    positions
        Of the parameters that are wanted.
    errors
        A guess of all parameters' errors, shape (parameters,); 0 where there is none.
    level
        Above the minimum.
    held
        Parameters that are not fitted.

    Returns
    -------
    below, above
        Distances, positive; None where none was found.
    """
    searches = [(position, side) for position in positions for side in (-1, 1)]
    if not searches:
        return [], []
    found = _search(likelihood, best, searches, errors, np.sqrt(level), held)
    return found[0::2], found[1::2]


def _search(
    likelihood: Likelihood,
    best: Minima,
    searches: Sequence[tuple[int, int]],
    errors: Array,
    root: float,
    held: Sequence[int],
) -> list[float | None]:
    """Return the distance of each (parameter, side) at which the root of the rise is *root*."""
    x, bounds = best.points[0], likelihood.bounds
    index, sides = np.array(searches).T
    room = np.where(sides > 0, bounds[1, index] - x[index], x[index] - bounds[0, index])
    guess = np.where(errors[index] > 0, errors[index] * root, 0.1 * np.maximum(0.1, abs(x[index])))
    t = np.minimum(guess, room)
    low, f_low = np.zeros(len(t)), np.full(len(t), -root)
    high, f_high = np.full(len(t), np.inf), np.full(len(t), np.nan)
    answer = np.where(room > 0, np.nan, 0.0)
    last = np.repeat(best.points[:1], len(t), axis=0)
    todo = np.flatnonzero(room > 0)
    for step in range(1, N_STEPS + 1):
        if not len(todo):
            break
        at = x[index[todo]] + sides[todo] * t[todo]
        lowest, last[todo] = _profiled(likelihood, last[todo], index[todo], at, held)
        rise = lowest - best.twice_nll[0]
        f = np.sqrt(np.maximum(rise, 0.0)) - root
        below = f < 0
        low[todo], f_low[todo] = np.where(below, t[todo], low[todo]), np.where(below, f, f_low[todo])
        high[todo], f_high[todo] = np.where(below, high[todo], t[todo]), np.where(below, f_high[todo], f)
        # -2 ln L jumps where another minimum becomes the lowest: there the bracket closes, and nothing else.
        closed = high[todo] - low[todo] < TOLERANCE * low[todo]
        done = (abs(f) < TOLERANCE * root) | (below & (t[todo] >= room[todo])) | closed
        answer[todo[done]] = t[todo[done]]
        todo = todo[~done]
        open_end = np.isinf(high[todo])
        steep = np.clip(root / np.maximum(f_low[todo] + root, 1e-9), 1.2, 4.0)
        with np.errstate(invalid="ignore"):  # of the ends that are still open
            share = np.clip(f_low[todo] / (f_low[todo] - f_high[todo]), 0.05, 0.95)
            share = share if step % 3 else np.full(len(todo), 0.5)
            inside = low[todo] + share * (high[todo] - low[todo])
        t[todo] = np.minimum(np.where(open_end, t[todo] * steep, inside), room[todo])
    return [None if np.isnan(value) else float(value) for value in answer]


def _profiled(
    likelihood: Likelihood, last: Array, index: Array, values: Array, held: Sequence[int]
) -> tuple[Array, Array]:
    """Return the lowest -2 ln L of each search, its parameter held at a value and the others free, and where it is.

    They start from *last* (searches, parameters), where they were before, and from the model's other starting points.
    """
    model = likelihood.model
    others = np.empty((0, last.shape[1])) if model is None or model.starts is None else model.starts
    points, fixed, owner = [], [], []
    for row, (position, value) in enumerate(zip(index, values, strict=True)):
        starts = np.concatenate([last[row : row + 1], others])
        starts[:, position] = value
        points.append(np.unique(starts, axis=0))
        fixed.append(np.zeros(points[-1].shape, dtype=bool))
        fixed[-1][:, [position, *held]] = True
        owner += [row] * len(points[-1])
    found = likelihood.minimise(np.concatenate(points), np.concatenate(fixed), tolerance=GAIN)
    order = np.lexsort((found.twice_nll, np.array(owner)))
    first = order[np.unique(np.array(owner)[order], return_index=True)[1]]
    return found.twice_nll[first], found.points[first]
