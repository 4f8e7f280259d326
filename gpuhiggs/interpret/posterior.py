"""The Bayesian answer: samples of the posterior of couplings or operators.

`sample` draws by NUTS (nutpie, the extra ``bayes``). `weighted` is fast and needs no extra: points of a Student t
around the best fit, weighed by the posterior over their density; where the posterior is far from such a shape, few of
them count, and it says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InputError, RunError
from ..inference import sampling
from .combination import Problem
from .measurements import Array

TAILS = 8.0
"""Degrees of freedom of the Student t: heavier tails than those of the posterior."""
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
        """Return parameters, dx/dz and d ln|dx/dz| / dz at coordinates *z*."""
        x, slope, jacobian = self.centre + self.scale * z, self.scale.copy(), np.zeros_like(z)
        b = self.bounded
        share = 1.0 / (1.0 + np.exp(-np.clip(z[b], -35, 35)))
        span = self.high[b] - self.low[b]
        x[b], slope[b], jacobian[b] = self.low[b] + span * share, span * share * (1 - share), 1 - 2 * share
        return x, slope, jacobian

    def start(self, rng: np.random.Generator) -> Array:
        """Return coordinates near the best fit."""
        z = rng.normal(0.0, 0.3, self.size)
        b = np.flatnonzero(self.bounded)
        span = self.high[b] - self.low[b]
        share = np.clip((self.centre[b] - self.low[b]) / span, 0.02, 0.98)
        z[b] += np.log(share / (1 - share))
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
    """Sample the posterior by importance: the same priors as `sample`, in a second.

    Parameters
    ----------
    problem
        What `prepare` returns.
    draws
        Points of the proposal, all evaluated together; as many come back, drawn by their weights.
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
    likelihood = problem.likelihood()
    best = problem.best(likelihood)
    names, bounds = problem.model.names, problem.model.bounds
    free = [i for i in range(len(names)) if i not in problem.held]
    n = len(free)
    curvature = likelihood.normal(best.points, best.theta, free, likelihood.predictions(best.points))[1][0]
    try:
        spread = np.linalg.inv(np.linalg.cholesky(curvature)).T
    except np.linalg.LinAlgError as error:
        unknown = ", ".join(names[i] for i in free)
        msg = f"the posterior of {problem.model.name}: the measurements do not determine all of {unknown}"
        raise RunError(msg) from error
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((draws, len(curvature)))
    stretch = np.sqrt(TAILS / rng.chisquare(TAILS, draws))
    step = stretch[:, None] * (normal @ spread.T)
    log_proposal = -0.5 * (TAILS + len(curvature)) * np.log1p(stretch**2 * (normal**2).sum(axis=1) / TAILS)
    points = np.repeat(best.points, draws, axis=0)
    points[:, free] += step[:, :n]
    theta = best.theta + step[:, n:]
    within = np.all((points >= bounds[0]) & (points <= bounds[1]), axis=1)
    log_weight = np.full(draws, -np.inf)
    for block in np.array_split(np.flatnonzero(within), max(1, draws // 2000)):
        residuals = likelihood.residuals(likelihood.predictions(points[block]), theta[block])
        log_weight[block] = -0.5 * ((residuals**2).sum(axis=1) + (theta[block] ** 2).sum(axis=1)) - log_proposal[block]
    log_weight[np.isnan(log_weight)] = -np.inf
    if not np.isfinite(log_weight.max()):
        msg = f"the posterior of {problem.model.name}: no point of the proposal lies within the parameters' bounds"
        raise RunError(msg)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    ess = float(1.0 / (weight**2).sum())
    chosen = np.searchsorted(np.cumsum(weight), (np.arange(draws) + rng.random()) / draws).clip(max=draws - 1)
    samples = points[chosen][:, free]
    kept = tuple(names[i] for i in free)
    marginals = {name: _marginal(samples[:, k], None, ess) for k, name in enumerate(kept)}
    return Posterior(kept, samples[None], marginals, _priors(problem, free), ess >= sampling.MIN_EFFECTIVE)


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
