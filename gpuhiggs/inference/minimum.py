"""The minimum of -ln L by the project's own second-order minimiser, with likelihood intervals from batches of fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gpuhiggs.inference import batch
from gpuhiggs.inference.curvature import flatness, hessian, leaning
from gpuhiggs.inference.flat_model import FloatArray, IndexArray
from gpuhiggs.inference.likelihood import Likelihood

RETRIES = 4
"""Starts elsewhere, within half a width of each parameter, before a fit is called not converged."""


@dataclass(frozen=True)
class Minimum:
    """A minimum: all parameters, the covariance of the moved ones, intervals by name, and whether to trust it."""

    theta: FloatArray
    covariance: FloatArray
    converged: bool
    notes: tuple[str, ...] = ()
    n_evaluations: int = 0
    minos: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)


def minimise(
    likelihood: Likelihood, theta: FloatArray, moved: IndexArray, profiled: IndexArray, minos: Sequence[str] = ()
) -> Minimum:
    """Fit, from other starts too if need be; then find the intervals of the parameters named in *minos*."""
    rows = likelihood.data.counts[np.newaxis], likelihood.data.auxiliary[np.newaxis]
    model, generator, evaluations = likelihood.model, np.random.default_rng(1), 0
    found = best = None
    for attempt in range(1 + RETRIES):
        start = theta.copy()
        if attempt:
            width = 0.5 if attempt < RETRIES else 2.0
            start[moved] += width * model.arrays.step[moved] * generator.standard_normal(len(moved))
        found = batch.minimise(model, *rows, start[np.newaxis], moved=moved, profiled=profiled, covariance=True)
        evaluations += int(found.evaluations[0])
        if best is None or found.converged[0] or found.nll[0] < best.nll[0]:
            best = found
        if found.converged[0]:
            break
    assert best is not None
    assert best.covariance is not None
    if not best.converged[0]:
        return _failure(likelihood, best, moved, profiled, evaluations)
    names = [model.index(name) for name in minos]
    intervals, notes, count = crossings(likelihood, best, profiled, names, 0.5)
    by_name = {model.parameters[i].name: interval for i, interval in intervals.items()}
    is_lowest = not any("lower minimum" in note for note in notes)
    return Minimum(best.theta[0], best.covariance[0], is_lowest, tuple(notes), evaluations + count, by_name)


def _failure(
    likelihood: Likelihood, found: batch.Minima, moved: IndexArray, profiled: IndexArray, evaluations: int
) -> Minimum:
    """Say why there is no minimum."""
    theta = found.theta[0]
    _, gradient, _ = likelihood.profiled(theta, profiled)
    free = np.flatnonzero(~leaning(likelihood.model, theta, gradient, moved).astype(bool))
    names = [likelihood.model.parameters[i].name for i in moved[free]]
    matrix = hessian(likelihood, theta, moved, profiled)[np.ix_(free, free)]
    note = flatness(matrix, names)
    if not note:
        note = f"-ln L falls by another {found.distance[0]:.3g} nearby: no minimum was found"
    covariance = np.full((len(moved), len(moved)), np.nan)
    return Minimum(theta, covariance, False, (note,), evaluations)


def crossings(
    likelihood: Likelihood, best: batch.Minima, profiled: IndexArray, parameters: Sequence[int], rise: float
) -> tuple[dict[int, tuple[float | None, float | None]], list[str], int]:
    """Find where the profile of -ln L has risen by *rise*: (lower, upper) distances from the best value.

    All sides of all parameters are found together, by false position on √(rise), which is nearly a straight line.
    Returns the distances by position, what went wrong as sentences, and the number of evaluations.
    """
    model, moved, arrays = likelihood.model, best.moved, likelihood.model.arrays
    assert best.covariance is not None
    column = {int(p): j for j, p in enumerate(moved)}
    sides = [(p, sign) for p in parameters for sign in (-1.0, 1.0)]
    notes: list[str] = []
    found: dict[tuple[int, float], float | None] = dict.fromkeys(sides)
    wanted, evaluations = np.sqrt(2.0 * rise), 0
    size = {p: float(np.sqrt(best.covariance[0][column[p], column[p]])) for p in parameters}
    size = {p: s if s > 0.0 else float(arrays.step[p]) for p, s in size.items()}
    room = {(p, s): abs((arrays.upper if s > 0 else arrays.lower)[p] - best.theta[0, p]) for p, s in sides}
    inside = {side: (0.0, 0.0) for side in sides}
    outside: dict[tuple[int, float], tuple[float, float] | None] = dict.fromkeys(sides)
    trial = {side: min(wanted * size[side[0]], room[side]) for side in sides}
    start = {side: best.theta[0] for side in sides}
    open_sides = [side for side in sides if room[side] > 0.0]
    for _ in range(40):
        if not open_sides:
            break
        points = np.array([start[side] for side in open_sides])
        held = np.zeros((len(open_sides), len(moved)), dtype=np.int64)
        for k, side in enumerate(open_sides):
            p, j = side[0], column[side[0]]
            goal = best.theta[0, p] + side[1] * trial[side]
            if best.covariance[0][j, j] > 0.0:  # the others follow along the best fit's own valley
                points[k, moved] += (goal - points[k, p]) * best.covariance[0][:, j] / best.covariance[0][j, j]
            points[k, p] = goal
            held[k, j] = 1
        result = batch.minimise(
            model, likelihood.data.counts[np.newaxis], likelihood.data.auxiliary[np.newaxis], points,
            moved=moved, held=held, profiled=profiled, inverse=_usable(best.covariance[0], arrays.step[moved]),
        )  # fmt: skip
        evaluations += int(result.evaluations.sum())
        still = []
        for k, side in enumerate(open_sides):
            p, name = side[0], model.parameters[side[0]].name
            height = 2.0 * (result.nll[k] - best.nll[0])
            if height < -1e-3:
                notes.append(f"the interval of {name!r} meets a lower minimum: start from there")
                continue
            here = trial[side], float(np.sqrt(max(height, 0.0)))
            if abs(here[1] - wanted) < 1e-5:
                found[side] = here[0] if result.converged[k] else None
                continue
            start[side] = result.theta[k]
            if here[1] < wanted:
                inside[side] = here
                if here[0] >= room[side]:
                    continue
            else:
                outside[side] = here
            trial[side] = _next(inside[side], outside[side], wanted, room[side])
            still.append(side)
        open_sides = still
    for p in parameters:
        for sign, word in ((-1.0, "lower"), (1.0, "upper")):
            if found[p, sign] is None and not any("lower minimum" in note for note in notes):
                name = model.parameters[p].name
                notes.append(f"MINOS found no {word} error of {name!r}: -ln L does not rise by 1/2 within its bounds")
    pairs = {p: (None if (low := found[p, -1.0]) is None else -low, found[p, 1.0]) for p in parameters}
    return pairs, notes, evaluations


def _next(inside: tuple[float, float], outside: tuple[float, float] | None, wanted: float, room: float) -> float:
    """Return where to look next, between the last point inside and the first outside."""
    if outside is None:
        slope = inside[1] / inside[0] if inside[0] > 0.0 else 0.0
        ahead = wanted / slope if slope > 0.0 else np.inf
        return float(min(max(min(ahead, 4.0 * inside[0]), 1.001 * inside[0]), room))
    share = 0.5  # bisect where -ln L is far from a parabola
    if outside[1] < 3.0 * wanted:
        share = (wanted - inside[1]) / (outside[1] - inside[1])
    return float(inside[0] + min(max(share, 0.02), 0.98) * (outside[0] - inside[0]))


def _usable(covariance: FloatArray, step: FloatArray) -> FloatArray:
    """Return a covariance as a first inverse Hessian: parameters without a variance get one from their scale."""
    missing = np.diag(covariance) <= 0.0
    return np.asarray(covariance + np.diag(np.where(missing, step**2, 0.0)))
