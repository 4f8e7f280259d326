"""The Bayesian answer: samples of the posterior of couplings or operators.

`weighted` is fast and needs no extra: weighted points, all evaluated together (`importance`); where the posterior has
several separate parts, few of them count, and it says so. `sample` draws by NUTS (nutpie, the extra ``bayes``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, RunError
from ..inference import sampling
from . import importance
from .combination import Problem
from .measurements import Array

NEAR = 8.0
"""A bound closer than this many standard deviations is respected; one beyond them changes nothing."""


@dataclass(frozen=True)
class Marginal:
    """The marginal posterior of a parameter; ``r_hat`` (None without chains) and ``ess`` say how well it is sampled."""

    mean: float
    sd: float
    median: float
    low_68: float
    high_68: float
    low_95: float
    high_95: float
    r_hat: float | None
    ess: float


@dataclass(frozen=True)
class Posterior:
    """Samples of a posterior.

    Attributes
    ----------
    names
        Parameters of interest.
    samples
        Shape (chains, draws, parameters).
    marginals
        By name.
    priors
        By name, in words: flat within bounds for parameters, unit Gaussian for each nuisance.
    converged
        Every R̂ is below and every effective sample size above the limits.
    """

    names: tuple[str, ...]
    samples: Array
    marginals: dict[str, Marginal]
    priors: dict[str, str]
    converged: bool

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, without the samples."""
        return {
            "parameters": {name: vars(marginal) for name, marginal in self.marginals.items()},
            "priors": self.priors,
            "converged": self.converged,
        }


class _Density:
    """ln of the posterior and its gradient, in coordinates that are near a unit Gaussian.

    A parameter with a bound nearby is the logistic function of its coordinate, so that it stays within.
    """

    def __init__(self, problem: Problem) -> None:
        self.likelihood = problem.likelihood()
        self.best = problem.best(self.likelihood)
        n = self.likelihood.n_parameters
        self.free = [i for i in range(n) if i not in problem.held]
        self.low, self.high = problem.model.bounds[:, self.free]
        self.centre = self.best.points[0, self.free].copy()
        self.scale = np.sqrt(np.diag(self.likelihood.covariance(self.best, problem.held)))
        span = np.where(np.isfinite(self.high - self.low), self.high - self.low, np.inf)
        self.scale = np.where((self.scale > 0) & (self.scale < span), self.scale, np.minimum(span / 4, 1.0))
        room = np.minimum(self.centre - self.low, self.high - self.centre)
        self.bounded = room < NEAR * self.scale
        self.size = len(self.free) + self.likelihood.n_theta

    def parameters(self, z: Array) -> tuple[Array, Array, Array]:
        """Return parameters, dx/dz and d ln|dx/dz| / dz at coordinates *z*, each of shape (..., free)."""
        x, jacobian = self.centre + self.scale * z, np.zeros_like(z)
        slope = np.broadcast_to(self.scale, z.shape).copy()
        b = self.bounded
        share = 1.0 / (1.0 + np.exp(-np.clip(z[..., b], -35, 35)))
        span = self.high[b] - self.low[b]
        x[..., b], slope[..., b] = self.low[b] + span * share, span * share * (1 - share)
        jacobian[..., b] = 1 - 2 * share
        return x, slope, jacobian

    def middle(self) -> Array:
        """Return the coordinates of the best fit, those of a parameter at a bound a little inside."""
        z = np.zeros(self.size)
        b = np.flatnonzero(self.bounded)
        share = np.clip((self.centre[b] - self.low[b]) / (self.high[b] - self.low[b]), 0.02, 0.98)
        z[b] = np.log(share / (1 - share))
        z[len(self.free) :] = self.best.theta[0]
        return z

    def spread(self, z: Array) -> Array:
        """Return the covariance that the slopes of the rates give at coordinates *z*."""
        n = len(self.free)
        x, slope, _ = self.parameters(z[:n])
        points = self.best.points[:1].copy()
        points[0, self.free] = x
        curvature = self.likelihood.normal(points, z[None, n:], self.free, self.likelihood.predictions(points))[1][0]
        by_z = np.concatenate([slope, np.ones(len(z) - n)])
        return np.asarray(np.linalg.inv(by_z[:, None] * curvature * by_z + 0.1 * np.eye(len(z))))

    def many(self, z: Array) -> Array:
        """Return ln of the density at many points, shape (N, coordinates)."""
        n, found = len(self.free), np.empty(len(z))
        for block in np.array_split(np.arange(len(z)), max(1, len(z) // 2000)):
            x, slope, _ = self.parameters(z[block, :n])
            points = np.repeat(self.best.points[:1], len(block), axis=0)
            points[:, self.free] = x
            theta = z[block, n:]
            residuals = self.likelihood.residuals(self.likelihood.predictions(points), theta)
            found[block] = -0.5 * ((residuals**2).sum(axis=1) + (theta**2).sum(axis=1))
            found[block] += np.log(np.maximum(slope[:, self.bounded], 1e-300)).sum(axis=1)
        return found

    def start(self, rng: np.random.Generator) -> Array:
        """Return coordinates near the best fit."""
        z = rng.normal(0.0, 0.3, self.size)
        n = len(self.free)
        z[:n] += self.middle()[:n]
        return z

    def __call__(self, z: Array) -> tuple[float, Array]:
        """Return ln of the density and its gradient at *z*, shape (coordinates,)."""
        n = len(self.free)
        x, slope, jacobian = self.parameters(z[:n])
        points = self.best.points[:1].copy()
        points[0, self.free] = x
        theta = z[None, n:]
        predictions = self.likelihood.predictions(points)
        gradient, _ = self.likelihood.normal(points, theta, self.free, predictions)
        residuals = self.likelihood.residuals(predictions, theta)
        value = -0.5 * (residuals @ residuals.T).item() - 0.5 * (theta @ theta.T).item()
        value += float(np.log(np.maximum(slope[self.bounded], 1e-300)).sum())
        found = -gradient[0]
        found[:n] = found[:n] * slope + jacobian
        return value, found


def sample(problem: Problem, *, draws: int = 1000, tune: int = 500, chains: int = 4, seed: int = 1) -> Posterior:
    """Sample the posterior of a model's parameters, nuisances integrated out.

    Priors are flat within the bounds of each parameter, and unit Gaussians for the nuisances.

    Parameters
    ----------
    problem
        What `prepare` returns.
    draws, tune, chains
        Of the sampler; the chains take turns.
    seed
        The same seed gives the same samples.

    Raises
    ------
    MissingExtraError
        If nutpie is not installed.
    InputError
        If draws, tune or chains are too few to judge convergence.
    RunError
        If the sampler fails.
    """
    density = _Density(problem)
    n = len(density.free)
    samples, r_hat, ess = sampling.sample(
        density,
        lambda z: density.parameters(z[:n])[0],
        density.start,
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
    )
    names = tuple(problem.model.names[i] for i in density.free)
    marginals = {
        name: _marginal(samples[..., k].ravel(), float(r_hat[k]), float(ess[k])) for k, name in enumerate(names)
    }
    priors = _priors(problem, density.free)
    converged = bool(r_hat.max() <= sampling.MAX_R_HAT and ess.min() >= sampling.MIN_EFFECTIVE)
    return Posterior(names, samples, marginals, priors, converged)


def weighted(problem: Problem, *, draws: int = 20_000, seed: int = 1) -> Posterior:
    """Sample the posterior by weighted points: the same priors as `sample`, in a second or a few.

    Parameters
    ----------
    problem
        What `prepare` returns.
    draws
        Points that come back, drawn by their weights.
    seed
        The same seed gives the same samples.

    Raises
    ------
    InputError
        If there are fewer than 1,000 draws.
    RunError
        If the measurements do not determine all parameters.
    """
    if draws < 1000:
        msg = f"weighing points of a proposal needs ≥ 1000 draws, got {draws}"
        raise InputError(msg)
    density = _Density(problem)
    names, n = problem.model.names, len(density.free)
    middle = density.middle()
    try:
        covariance = density.spread(middle)
        np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        unknown = ", ".join(names[i] for i in density.free)
        msg = f"the posterior of {problem.model.name}: the measurements do not determine all of {unknown}"
        raise RunError(msg) from error
    drawn = importance.sample(density.many, middle, covariance, draws=draws, rng=np.random.default_rng(seed))
    samples = density.parameters(drawn.points[:, :n])[0]
    kept = tuple(names[i] for i in density.free)
    marginals = {name: _marginal(samples[:, k], None, drawn.effective) for k, name in enumerate(kept)}
    converged = drawn.effective >= sampling.MIN_EFFECTIVE
    return Posterior(kept, samples[None], marginals, _priors(problem, density.free), converged)


def _priors(problem: Problem, free: Sequence[int]) -> dict[str, str]:
    low, high = problem.model.bounds
    priors = {problem.model.names[i]: f"flat from {low[i]:g} to {high[i]:g}" for i in free}
    return priors | ({"theory nuisances": "unit Gaussian each"} if problem.likelihood().n_theta else {})


def _marginal(values: Array, r_hat: float | None, ess: float) -> Marginal:
    median, low_68, high_68, low_95, high_95 = (
        float(q) for q in np.quantile(values, [0.5, 0.15865, 0.84135, 0.025, 0.975])
    )
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    return Marginal(mean, sd, median, low_68, high_68, low_95, high_95, r_hat, ess)
