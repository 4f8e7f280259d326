"""-2 ln L of rates that were measured with asymmetric, correlated errors, and its minima, many at a time.

Each rate has the variance V(μ) = σ₋σ₊ + (σ₊ - σ₋)(μ - μ̂), which is σ₊² at one upper error and σ₋² at one lower (Barlow,
physics/0406120, the variable Gaussian); -2 ln L = rᵀ C⁻¹ r + θᵀθ with r = (μ - μ̂)/√V(μ). Being a sum of squares, it is
minimised by damped Gauss-Newton steps (Levenberg-Marquardt), all points of a scan, plane or set of toys together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import RunError
from . import sm, theory
from .kappa import Rates
from .measurements import Array, Measurements, positive_definite
from .model import Model

Mask = npt.NDArray[np.bool_]
MIN_VARIANCE = 1e-4
"""V(μ) falls linearly and is held here, far below any published variance."""


class Terms(NamedTuple):
    """One input made ready: ``whitening`` is the inverse of the Cholesky factor of the correlation matrix."""

    inputs: Measurements
    values: Array
    product: Array
    slope: Array
    whitening: Array
    nuisances: bool


class Minima(NamedTuple):
    """Minima at B points: ``points`` (B, parameters), ``theta`` (B, nuisances); ``twice_nll``, ``converged`` (B,)."""

    points: Array
    theta: Array
    twice_nll: Array
    converged: Array


def _terms(inputs: Measurements, errors: Array, correlation: Array, *, nuisances: bool, own_theory: bool) -> Terms:
    low, high = errors
    product = low * high
    if own_theory and inputs.theory is not None:
        product = product + inputs.theory**2
    whitening = np.linalg.inv(np.linalg.cholesky(correlation))
    return Terms(inputs, inputs.values, product, high - low, whitening, nuisances)


def statistical_correlation(inputs: Measurements) -> Array:
    """Return the correlations of the statistical errors, which no publication gives by themselves.

    Events that go to one category are missing in another: what is statistical is negative. Positive correlations come
    from systematic uncertainties in common and are left out.
    """
    negative = np.where(inputs.correlation < 0, inputs.correlation, np.eye(len(inputs.entries)))
    return positive_definite(negative, inputs.name, repair=True)


class Likelihood:
    """-2 ln L of a model against measurements.

    Parameters
    ----------
    model
        What predicts the rates; None stands for the SM at its central cross sections. Partial widths keep their
        uncertainties. So made, the p-values that ATLAS publishes come out within 0.03; with the
        uncertainties of cross sections profiled as well they are 0.03 to 0.06 too high.
    inputs
        What was measured; independent of each other but for the theory nuisances.
    signal_theory
        Whether uncertainties of the SM prediction count at all.
    statistical
        Take statistical errors only.
    """

    def __init__(
        self,
        model: Model | None,
        inputs: Sequence[Measurements],
        *,
        signal_theory: bool = True,
        statistical: bool = False,
    ) -> None:
        self.model = model
        self.production = signal_theory and model is not None and model.production_theory
        self.decay = signal_theory and (model is None or model.decay_theory)
        own_theory = signal_theory and (model is None or model.production_theory)
        self.terms = []
        for entry in inputs:
            stat = entry.stat_errors
            errors, correlation = entry.errors, entry.correlation
            if statistical and stat is not None:
                errors, correlation = stat, statistical_correlation(entry)
            nuisances = (self.production or self.decay) and not entry.theory_in_errors and entry.theory is None
            self.terms.append(_terms(entry, errors, correlation, nuisances=nuisances, own_theory=own_theory))
        self.n_parameters = 0 if model is None else len(model.parameters)
        self.n_theta = len(theory.NAMES) if any(term.nuisances for term in self.terms) else 0
        self.n_measured = sum(len(term.values) for term in self.terms)

    def _rates(self, points: Array, term: Terms) -> Rates:
        if self.model is None:
            ones = np.ones((*points.shape[:-1], len(term.values)))
            # The SM has no invisible decays.
            return Rates(
                ones * [entry.decay != "inv" for entry in term.inputs.entries], sm.branching_ratios(term.inputs.m_h)
            )
        return self.model.predict(points, term.inputs)

    def predictions(self, points: Array) -> list[tuple[Array, Array | None]]:
        """Return the rates of each input (B, N) and what nuisances change in their logarithms (B, N, nuisances)."""
        found: list[tuple[Array, Array | None]] = []
        for term in self.terms:
            rates = self._rates(points, term)
            effect = None
            if term.nuisances:
                effect = theory.effects(term.inputs, rates.branching, production=self.production, decay=self.decay)
            found.append((rates.strength, effect))
        return found

    def residuals(self, predictions: list[tuple[Array, Array | None]], theta: Array) -> tuple[Array, Array]:
        """Return r (B, M) and ∂r/∂θ (B, M, nuisances); the pulls of the nuisances are the last of r."""
        residuals, slopes = [], []
        for term, (strength, effect) in zip(self.terms, predictions, strict=True):
            rate = strength
            if effect is not None:
                rate = strength * np.exp(np.einsum("...nk,...k->...n", effect, theta))
            away = rate - term.values
            linear = term.product + term.slope * away
            variance = np.maximum(linear, MIN_VARIANCE)
            root = np.sqrt(variance)
            residuals.append((away / root) @ term.whitening.T)
            if effect is None:
                slopes.append(np.zeros((*residuals[-1].shape, self.n_theta)))
                continue
            by_rate = 1.0 / root - np.where(linear > MIN_VARIANCE, 0.5 * away * term.slope / (variance * root), 0.0)
            slopes.append(term.whitening @ ((by_rate * rate)[..., None] * effect))
        if self.n_theta:
            residuals.append(theta)
            slopes.append(np.broadcast_to(np.eye(self.n_theta), (*theta.shape, self.n_theta)))
        return np.concatenate(residuals, axis=-1), np.concatenate(slopes, axis=-2)

    def jacobian(self, points: Array, theta: Array, free: Sequence[int], bounds: Array) -> Array:
        """Return ∂r/∂x of the *free* parameters by central differences that stay within the bounds, (B, M, free)."""
        steps = 1e-5 * np.maximum(1.0, abs(points[:, free]))
        moved = np.repeat(points[None], 2 * len(free), axis=0)
        for i, position in enumerate(free):
            moved[2 * i, :, position] = np.minimum(points[:, position] + steps[:, i], bounds[1, position])
            moved[2 * i + 1, :, position] = np.maximum(points[:, position] - steps[:, i], bounds[0, position])
        wide = np.broadcast_to(theta, (len(moved), *theta.shape))
        residuals, _ = self.residuals(self.predictions(moved), wide)
        columns = []
        for i, position in enumerate(free):
            span = moved[2 * i, :, position] - moved[2 * i + 1, :, position]
            columns.append((residuals[2 * i] - residuals[2 * i + 1]) / span[:, None])
        return np.stack(columns, axis=-1)

    def minimise(self, points: Array, fixed: Sequence[int] | Mask = (), *, n_steps: int = 200) -> Minima:
        """Find the minimum from each of the *points*, shape (B, parameters), holding the *fixed* parameters there.

        *fixed* is a sequence of positions, or a mask of shape (B, parameters): each point can hold its own.

        Raises
        ------
        RunError
            If the model predicts no number somewhere.
        """
        mask = np.zeros(points.shape, dtype=bool)
        if isinstance(fixed, np.ndarray):
            mask = fixed
        else:
            mask[:, list(fixed)] = True
        return _minimise(self, np.array(points, dtype=float), mask, n_steps)

    def covariance(self, minimum: Minima, fixed: Sequence[int] = ()) -> Array:
        """Return the covariance of the free parameters at the first of the minima; nuisances are integrated out."""
        bounds = self.bounds
        free = [i for i in range(self.n_parameters) if i not in fixed]
        if not free:
            return np.zeros((0, 0))
        points, theta = minimum.points[:1], minimum.theta[:1]
        _, by_theta = self.residuals(self.predictions(points), theta)
        slope = np.concatenate([self.jacobian(points, theta, free, bounds), by_theta], axis=-1)[0]
        return np.asarray(np.linalg.pinv(slope.T @ slope)[: len(free), : len(free)])

    @property
    def bounds(self) -> Array:
        """Lower and upper bounds of the parameters, shape (2, parameters)."""
        return np.empty((2, 0)) if self.model is None else self.model.bounds


def _minimise(likelihood: Likelihood, points: Array, fixed: Mask, n_steps: int) -> Minima:
    bounds = likelihood.bounds
    free = np.flatnonzero(~fixed.all(axis=0)).tolist()
    points[:, free] = np.clip(points[:, free], bounds[0, free], bounds[1, free])
    theta = np.zeros((len(points), likelihood.n_theta))
    value = np.full(len(points), np.inf)
    damping = np.full(len(points), 1e-3)
    converged = np.zeros(len(points), dtype=bool)
    todo = np.arange(len(points))
    if not free and not likelihood.n_theta:
        residuals, _ = likelihood.residuals(likelihood.predictions(points), theta)
        return Minima(points, theta, _squares(residuals), ~converged)
    predictions = likelihood.predictions(points)  # of the points in `todo`, kept while only θ moves
    for _ in range(n_steps):
        x, t = points[todo], theta[todo]
        residuals, by_theta = likelihood.residuals(predictions, t)
        value[todo] = _squares(residuals)
        slope = np.concatenate([likelihood.jacobian(x, t, free, bounds), by_theta], axis=-1) if free else by_theta
        step = _step(residuals, slope, damping[todo], x[:, free], bounds[:, free], fixed[todo][:, free])
        new_x = x.copy()
        new_x[:, free] = np.clip(x[:, free] + step[:, : len(free)], bounds[0, free], bounds[1, free])
        new_t = t + step[:, len(free) :]
        moved = likelihood.predictions(new_x) if free else predictions
        trial = _squares(likelihood.residuals(moved, new_t)[0])
        better = trial <= value[todo]
        gain = value[todo] - trial
        points[todo[better]], theta[todo[better]] = new_x[better], new_t[better]
        damping[todo] = np.where(better, damping[todo] / 10.0, damping[todo] * 10.0)
        done = (better & (gain < 1e-9 * (1.0 + trial))) | (damping[todo] > 1e12)
        value[todo[better]] = trial[better]
        converged[todo] = done
        todo = todo[~done]
        if not len(todo):
            break
        if free:
            predictions = likelihood.predictions(points[todo])
        else:
            kept = ~done
            predictions = [(s[kept], None if e is None else (e if e.ndim == 2 else e[kept])) for s, e in predictions]
    if not np.all(np.isfinite(value)):
        msg = f"the model predicts no number at {points[~np.isfinite(value)][0].tolist()}"
        raise RunError(msg)
    return Minima(points, theta, value, converged)


def _squares(residuals: Array) -> Array:
    return np.asarray(np.einsum("...m,...m->...", residuals, residuals))


def _step(residuals: Array, slope: Array, damping: Array, x: Array, bounds: Array, fixed: Mask) -> Array:
    """Return the damped Gauss-Newton step; a parameter that leans on a bound does not move."""
    transposed = np.swapaxes(slope, -1, -2)
    gradient = np.einsum("bkm,bm->bk", transposed, residuals)
    normal = transposed @ slope
    n = x.shape[1]
    leaning = ((x <= bounds[0]) & (gradient[:, :n] > 0)) | ((x >= bounds[1]) & (gradient[:, :n] < 0))
    held = np.concatenate([fixed | leaning, np.zeros((len(x), slope.shape[-1] - n), dtype=bool)], axis=1)
    gradient = np.where(held, 0.0, gradient)
    normal = np.where(held[:, :, None] | held[:, None, :], 0.0, normal)
    diagonal = np.einsum("bkk->bk", normal)
    size = np.maximum(diagonal.max(axis=1, keepdims=True), 1e-12)
    extra = damping[:, None] * np.maximum(diagonal, 1e-9 * size) + held * size + 1e-14 * size
    index = np.arange(slope.shape[-1])
    normal[:, index, index] += extra
    return np.asarray(-np.linalg.solve(normal, gradient[..., None])[..., 0])
