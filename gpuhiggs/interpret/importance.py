"""Samples of a density by weighted points, whose proposal learns from them (adaptive importance sampling).

Points are drawn from a Student t and weighed by the density over the proposal's. Its mean and covariance are then those
of the weighted points, and so on (Cappé et al., arXiv:0710.4242, with one component): a density with bounds or a bend
is met after a few rounds. All points of a round are evaluated together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .measurements import Array

TAILS = 8.0
"""Degrees of freedom of the Student t: heavier tails than those of the density."""
WIDER = 1.2
"""How much wider than its points a proposal is made: too narrow a one gives few points large weights."""
ROUNDS = 12
ENOUGH = 0.1
"""Effective share of the points with which learning ends."""
LEAST = 0.05
"""Where fewer count, their weights are flattened until so many do: the proposal learns from many points, not one."""


class Drawn(NamedTuple):
    """Points, shape (draws, coordinates), all of one weight, and how many independent ones they are worth."""

    points: Array
    effective: float


def sample(
    log_density: Callable[[Array], Array], mean: Array, covariance: Array, *, draws: int, rng: np.random.Generator
) -> Drawn:
    """Draw from a density of unbounded coordinates.

    Parameters
    ----------
    log_density
        Points (N, coordinates) → ln of the density, up to a constant, shape (N,).
    mean, covariance
        Of the first proposal.
    draws
        Points of each round, and of the result.
    rng
        Source of randomness.
    """
    best, tried = (-1.0, mean, covariance), 0
    for _ in range(ROUNDS):
        points, log_weight = _round(log_density, mean, covariance, draws // 2, rng)
        share = _effective(log_weight) / len(points)
        tried = 0 if share > 1.05 * best[0] else tried + 1
        best = max(best, (share, mean, covariance), key=lambda one: one[0])
        if share > ENOUGH or (tried > 1 and best[0] > LEAST):
            break
        weight = _weights(_flattened(log_weight))
        mean = weight @ points
        away = points - mean
        covariance = WIDER * (weight[:, None] * away).T @ away + 1e-6 * np.diag(np.diag(covariance))
    _, mean, covariance = best
    points, log_weight = _round(log_density, mean, covariance, draws, rng)
    edges = np.cumsum(_weights(log_weight))
    chosen = np.searchsorted(edges, (np.arange(draws) + rng.random()) / draws).clip(max=draws - 1)
    return Drawn(points[chosen], _effective(log_weight))


def _round(
    log_density: Callable[[Array], Array], mean: Array, covariance: Array, draws: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Return points of the proposal and ln of their weights."""
    normal = rng.standard_normal((draws, len(mean)))
    stretch = np.sqrt(TAILS / rng.chisquare(TAILS, draws))
    points = mean + stretch[:, None] * (normal @ np.linalg.cholesky(covariance).T)
    log_proposal = -0.5 * (TAILS + len(mean)) * np.log1p(stretch**2 * (normal**2).sum(axis=1) / TAILS)
    found = log_density(points) - log_proposal
    return points, np.where(np.isfinite(found), found, -np.inf)


def _weights(log_weight: Array) -> Array:
    weight = np.exp(log_weight - log_weight.max())
    return np.asarray(weight / weight.sum())


def _effective(log_weight: Array) -> float:
    if not np.isfinite(log_weight.max()):
        return 0.0
    return float(1.0 / (_weights(log_weight) ** 2).sum())


def _flattened(log_weight: Array) -> Array:
    """Return the weights to a power of at most 1, such that at least `LEAST` of the points count."""
    low, high = 0.0, 1.0
    if _effective(log_weight) >= LEAST * len(log_weight):
        return log_weight
    for _ in range(30):
        power = (low + high) / 2
        enough = _effective(power * log_weight) >= LEAST * len(log_weight)
        low, high = (power, high) if enough else (low, power)
    return low * log_weight
