"""The Bayesian answer: samples of the posterior of couplings or operators, by NUTS (nutpie, the extra ``bayes``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..inference import sampling
from .combination import Problem
from .measurements import Array

NEAR = 8.0
"""A bound closer than this many standard deviations is respected; one beyond them changes nothing."""


@dataclass(frozen=True)
class Marginal:
    """The marginal posterior of a parameter; ``r_hat`` and ``ess`` say how well it is sampled."""

    mean: float
    sd: float
    median: float
    low_68: float
    high_68: float
    low_95: float
    high_95: float
    r_hat: float
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
    priors = {name: f"flat from {density.low[k]:g} to {density.high[k]:g}" for k, name in enumerate(names)}
    if density.likelihood.n_theta:
        priors["theory nuisances"] = "unit Gaussian each"
    converged = bool(r_hat.max() <= sampling.MAX_R_HAT and ess.min() >= sampling.MIN_EFFECTIVE)
    return Posterior(names, samples, marginals, priors, converged)


def _marginal(values: Array, r_hat: float, ess: float) -> Marginal:
    median, low_68, high_68, low_95, high_95 = (
        float(q) for q in np.quantile(values, [0.5, 0.15865, 0.84135, 0.025, 0.975])
    )
    mean, sd = float(values.mean()), float(values.std(ddof=1))
    return Marginal(mean, sd, median, low_68, high_68, low_95, high_95, r_hat, ess)
