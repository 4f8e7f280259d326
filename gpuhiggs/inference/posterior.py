"""The posterior of a model, drawn by nutpie's NUTS with our gradient; an unconverged one is refused.

The prior of a constrained parameter is what its auxiliary measurement says of it, that of any other is flat within its
bounds. Bounded parameters are drawn as logarithms or logits, with the Jacobian of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gpuhiggs.errors import InputError, RunError
from gpuhiggs.inference import batch, sampling
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.fit import fit, free_parameters
from gpuhiggs.inference.flat_model import FlatModel, FloatArray, IndexArray
from gpuhiggs.inference.likelihood import Likelihood


@dataclass(frozen=True)
class Posterior:
    """A converged posterior.

    Attributes
    ----------
    names
        Names of the parameters drawn.
    draws
        Shape (chains, draws, parameters).
    r_hat, effective
        R̂ and the smaller of bulk and tail effective sample sizes, shape (parameters,).
    priors
        The prior of each parameter, in words.
    """

    names: tuple[str, ...]
    draws: FloatArray
    r_hat: FloatArray
    effective: FloatArray
    priors: dict[str, str]

    def of(self, name: str) -> FloatArray:
        """Return the draws of one parameter, of all chains."""
        if name not in self.names:
            msg = f"no parameter {name!r} was drawn; known: {', '.join(self.names)}"
            raise InputError(msg)
        return self.draws[:, :, self.names.index(name)].ravel()

    def interval(self, name: str, probability: float = 0.6827) -> tuple[float, float]:
        """Return the central credible interval."""
        tail = (1.0 - probability) / 2.0
        low, high = np.quantile(self.of(name), [tail, 1.0 - tail])
        return float(low), float(high)

    def upper_limit(self, name: str, probability: float = 0.95) -> float:
        """Return the value below which the parameter is with a probability."""
        return float(np.quantile(self.of(name), probability))

    def to_json(self) -> dict[str, object]:
        """Return the JSON form: of each parameter its mean, deviation, interval and diagnostics, without the draws."""
        found = {}
        for k, name in enumerate(self.names):
            values, interval = self.of(name), self.interval(name)
            found[name] = {
                "mean": float(values.mean()),
                "deviation": float(values.std(ddof=1)),
                "median": float(np.median(values)),
                "interval": list(interval),
                "upper_limit": self.upper_limit(name),
                "r_hat": float(self.r_hat[k]),
                "effective": float(self.effective[k]),
                "prior": self.priors[name],
            }
        return {"parameters": found, "chains": self.draws.shape[0], "draws": self.draws.shape[1]}


class _Coordinates:
    """Unbounded coordinates of the drawn parameters, about of unit size."""

    def __init__(self, model: FlatModel, center: FloatArray, errors: FloatArray, places: IndexArray) -> None:
        self.low, self.high = (np.array([model.parameters[i].bounds[k] for i in places]) for k in (0, 1))
        self.has_low, self.has_high = np.isfinite(self.low), np.isfinite(self.high)
        inside = 1e-3 * errors
        center = np.where(self.has_low, np.maximum(center, self.low + inside), center)
        self.center = np.where(self.has_high, np.minimum(center, self.high - inside), center)
        self.scale = np.where(self.has_low | self.has_high, 1.0, errors)

    def theta(self, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, float]:
        """Return parameters, their derivatives, those of the log-Jacobian, and the log-Jacobian."""
        theta, slope = self.center + self.scale * x, self.scale.copy()
        curve = np.zeros_like(x)
        with np.errstate(over="ignore"):
            both = self.has_low & self.has_high
            share = 0.5 * (1.0 + np.tanh(0.5 * x))
            span = np.where(both, self.high - self.low, 1.0)
            theta = np.where(both, np.where(both, self.low, 0.0) + span * share, theta)
            slope = np.where(both, span * share * (1.0 - share), slope)
            curve = np.where(both, 1.0 - 2.0 * share, curve)
            for one, edge, sign in ((self.has_low & ~both, self.low, 1.0), (self.has_high & ~both, self.high, -1.0)):
                growth = np.exp(x)
                theta = np.where(one, np.where(one, edge, 0.0) + sign * growth, theta)
                slope = np.where(one, sign * growth, slope)
                curve = np.where(one, 1.0, curve)
        size = np.abs(x)  # ln(s(1-s)) of the logistic s, without overflow
        logistic = np.log(span) - size - 2.0 * np.log1p(np.exp(-size))
        jacobian = np.where(both, logistic, np.where(self.has_low | self.has_high, x, np.log(self.scale)))
        return theta, slope, curve, float(jacobian.sum())

    def start(self) -> FloatArray:
        """Return the coordinates of the center."""
        x = np.zeros(len(self.center))
        both = self.has_low & self.has_high
        for k in range(len(x)):
            if both[k]:
                share = (self.center[k] - self.low[k]) / (self.high[k] - self.low[k])
                x[k] = np.log(share / (1.0 - share))
            elif self.has_low[k]:
                x[k] = np.log(self.center[k] - self.low[k])
            elif self.has_high[k]:
                x[k] = np.log(self.high[k] - self.center[k])
        return x


def sample_posterior(
    model: FlatModel,
    data: Data,
    *,
    draws: int = 1000,
    tune: int = 1000,
    chains: int = 4,
    seed: int = 1,
    fixed: Mapping[str, float] | None = None,
    profile_bins: bool = False,
) -> Posterior:
    """Draw from the posterior.

    Parameters
    ----------
    draws, tune, chains
        Draws kept, and first steps thrown away, of each chain.
    fixed
        Parameters to hold, at these values.
    profile_bins
        Set the factors of the simulation's statistics to their best values at each point, instead of drawing them: many
        times faster, and the same where bins have more than a few simulated events.

    Raises
    ------
    MissingExtraError
        nutpie is not installed.
    RunError
        The best fit or the chains did not converge: R̂ above 1.01, or fewer than 400 effective draws of a parameter.
    """
    best = fit(model, data, fixed=fixed)
    if not best.converged:
        msg = f"posterior: {' '.join(best.notes)}"
        raise RunError(msg)
    held = model.held() | {model.index(name) for name in fixed or {}}
    bins = batch.profiled_bins(model, held) if profile_bins else np.zeros(model.n_bins, dtype=np.int64)
    places = free_parameters(model, held, bins)
    theta = model.values({**best.values(), **(fixed or {})})
    errors = np.array([best.parameters[model.names[i]].error for i in places])
    errors = np.where(errors > 0.0, errors, model.arrays.step[places])
    coordinates, likelihood = _Coordinates(model, theta[places], errors, places), Likelihood(model, data)

    def log_density(x: FloatArray) -> tuple[float, FloatArray]:
        values, slope, curve, jacobian = coordinates.theta(x)
        point = theta.copy()
        point[places] = values
        nll, gradient, _ = likelihood.profiled(point, bins)
        return jacobian - nll, curve - gradient[places] * slope

    first = coordinates.start()
    names = tuple(model.names[i] for i in places)
    chains_found = sampling.sample(
        log_density,
        lambda x: coordinates.theta(x)[0],
        lambda spread: first + 0.1 * spread.standard_normal(len(first)),
        draws=draws,
        tune=tune,
        chains=chains,
        seed=seed,
    ).check(names)
    return Posterior(names, *chains_found, _priors(model, names))


def _priors(model: FlatModel, names: tuple[str, ...]) -> dict[str, str]:
    priors = {}
    for name in names:
        parameter = model.parameters[model.index(name)]
        low, high = parameter.bounds
        free = "flat" if np.isinf(low) and np.isinf(high) else f"flat in [{low:g}, {high:g}]"
        priors[name] = free if parameter.constraint is None else str(parameter.constraint)
    return priors
