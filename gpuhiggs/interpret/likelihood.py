"""-2 ln L of rates that were measured with asymmetric, correlated errors, and its minima, many at a time.

Each rate has the variance V(μ) = σ₋σ₊ + (σ₊ - σ₋)(μ - μ̂), which is σ₊² at one upper error and σ₋² at one lower (Barlow,
physics/0406120, the variable Gaussian); -2 ln L = rᵀ C⁻¹ r + θᵀθ with r = (μ - μ̂)/√V(μ). Being a sum of squares, it is
minimised by damped Gauss-Newton steps (Levenberg-Marquardt), all points of a scan, plane or set of toys together.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from ..errors import RunError
from . import sm, theory
from .kappa import Rates
from .measurements import Array, Measurements, positive_definite
from .model import Model

Mask = npt.NDArray[np.bool_]
Predictions = list[tuple[Array, Array | None]]
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
        What predicts the rates; None stands for the SM at its central cross sections, while partial widths keep their
        uncertainties. How the experiments treat both in p-values is not published; this choice was made after a look
        at ATLAS' seven p-values, which it meets within 0.05 (without either: 0.05; with both: 0.07).
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

    def symmetric(self) -> Likelihood:
        """Return the same with symmetric errors: it has no valley far away, where V(μ) is held at its lowest."""
        other = copy(self)
        other.terms = [term._replace(slope=np.zeros_like(term.slope)) for term in self.terms]
        return other

    def _rates(self, points: Array, term: Terms) -> Rates:
        if self.model is None:
            ones = np.ones((*points.shape[:-1], len(term.values)))
            # The SM has no invisible decays.
            return Rates(
                ones * [entry.decay != "inv" for entry in term.inputs.entries], sm.branching_ratios(term.inputs.m_h)
            )
        return self.model.predict(points, term.inputs)

    def predictions(self, points: Array) -> Predictions:
        """Return the rates of each input (B, N) and what nuisances change in their logarithms (B, nuisances, N)."""
        found: Predictions = []
        for term in self.terms:
            rates = self._rates(points, term)
            effect = None
            if term.nuisances:
                effect = theory.effects(term.inputs, rates.branching, production=self.production, decay=self.decay)
                effect *= term.inputs.theory_scale
            found.append((rates.strength, effect))
        return found

    def residuals(self, predictions: Predictions, theta: Array) -> Array:
        """Return the whitened residuals of the rates, shape (..., measured)."""
        whole = [_residuals(term, *part, theta)[0] for term, part in zip(self.terms, predictions, strict=True)]
        return np.concatenate(whole, axis=-1)

    def jacobian(self, points: Array, theta: Array, free: Sequence[int]) -> Array:
        """Return ∂r/∂x of the *free* parameters by central differences within their bounds, (B, free, measured)."""
        bounds = self.bounds
        steps = 1e-5 * np.maximum(1.0, abs(points[:, free]))
        moved = np.repeat(points[None], 2 * len(free), axis=0)
        for i, position in enumerate(free):
            moved[2 * i, :, position] = np.minimum(points[:, position] + steps[:, i], bounds[1, position])
            moved[2 * i + 1, :, position] = np.maximum(points[:, position] - steps[:, i], bounds[0, position])
        residuals = self.residuals(self.predictions(moved), np.broadcast_to(theta, (len(moved), *theta.shape)))
        found = np.empty((len(points), len(free), self.n_measured))
        for i, position in enumerate(free):
            span = moved[2 * i, :, position] - moved[2 * i + 1, :, position]
            found[:, i] = (residuals[2 * i] - residuals[2 * i + 1]) / span[:, None]
        return found

    def normal(self, points: Array, theta: Array, free: Sequence[int], predictions: Predictions) -> tuple[Array, Array]:
        """Return half the gradient of -2 ln L, (B, free + nuisances), and the Gauss-Newton half of its curvature."""
        n = len(free)
        gradient = np.zeros((len(points), n + self.n_theta))
        curvature = np.zeros((len(points), n + self.n_theta, n + self.n_theta))
        by_x = self.jacobian(points, theta, free) if free else np.empty((len(points), 0, self.n_measured))
        first = 0
        for term, (strength, effect) in zip(self.terms, predictions, strict=True):
            residuals, rate, by_rate = _residuals(term, strength, effect, theta)
            slope = by_x[..., first : first + len(term.values)]
            first += len(term.values)
            if effect is not None:
                slope = np.concatenate([slope, _whitened(term, (by_rate * rate)[:, None] * effect)], axis=1)
            size = slope.shape[1]
            gradient[:, :size] += (slope @ residuals[..., None])[..., 0]
            curvature[:, :size, :size] += slope @ np.swapaxes(slope, 1, 2)
        gradient[:, n:] += theta
        nuisances = np.arange(n, n + self.n_theta)
        curvature[:, nuisances, nuisances] += 1.0
        return gradient, curvature

    def minimise(
        self, points: Array, fixed: Sequence[int] | Mask = (), *, tolerance: float = 1e-9, n_steps: int = 200
    ) -> Minima:
        """Find the minimum from each of the *points*, shape (B, parameters), holding the *fixed* parameters there.

        Parameters
        ----------
        points
            Shape (B, parameters).
        fixed
            Positions, or a mask of shape (B, parameters): each point can hold its own.
        tolerance
            A step that gains less than this, relative to 1 + its -2 ln L, is the last; the next would gain far less.
        n_steps
            Not more than these.

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
        with _blas().limit(limits=1, user_api="blas"):
            return _minimise(self, np.array(points, dtype=float), mask, tolerance, n_steps)

    def covariance(self, minimum: Minima, fixed: Sequence[int] = ()) -> Array:
        """Return the covariance of the free parameters at the first of the minima; nuisances are integrated out."""
        free = [i for i in range(self.n_parameters) if i not in fixed]
        if not free:
            return np.zeros((0, 0))
        points, theta = minimum.points[:1], minimum.theta[:1]
        _, curvature = self.normal(points, theta, free, self.predictions(points))
        return np.asarray(np.linalg.pinv(curvature[0])[: len(free), : len(free)])

    @property
    def bounds(self) -> Array:
        """Lower and upper bounds of the parameters, shape (2, parameters)."""
        return np.empty((2, 0)) if self.model is None else self.model.bounds


@cache
def _blas() -> ThreadpoolController:
    """Return the control of BLAS's threads: on thousands of small matrices, they only wait for each other."""
    return ThreadpoolController()


def _residuals(term: Terms, strength: Array, effect: Array | None, theta: Array) -> tuple[Array, Array, Array]:
    """Return whitened residuals, rates with the nuisances in them, and ∂r/∂rate before whitening; all (..., N)."""
    rate = strength
    if effect is not None:
        rate = strength * np.exp((theta[..., None, :] @ effect)[..., 0, :])
    away = rate - term.values
    linear = term.product + term.slope * away
    variance = np.maximum(linear, MIN_VARIANCE)
    root = np.sqrt(variance)
    by_rate = 1.0 / root - np.where(linear > MIN_VARIANCE, 0.5 * away * term.slope / (variance * root), 0.0)
    return (away / root) @ term.whitening.T, rate, by_rate


def _whitened(term: Terms, slope: Array) -> Array:
    """Whiten the last axis of (B, nuisances, N), as one product of matrices."""
    return np.asarray(slope.reshape(-1, slope.shape[-1]) @ term.whitening.T).reshape(slope.shape)


def _minimise(likelihood: Likelihood, points: Array, fixed: Mask, tolerance: float, n_steps: int) -> Minima:
    bounds = likelihood.bounds
    free = np.flatnonzero(~fixed.all(axis=0)).tolist()
    points[:, free] = np.clip(points[:, free], bounds[0, free], bounds[1, free])
    theta = np.zeros((len(points), likelihood.n_theta))
    predictions = likelihood.predictions(points)  # of the points in `todo`, kept while only θ moves
    value = _squares(likelihood.residuals(predictions, theta))
    damping = np.full(len(points), 1e-3 if free else 0.0)
    converged = np.zeros(len(points), dtype=bool)
    todo = np.arange(len(points)) if free or likelihood.n_theta else np.arange(0)
    converged[:] = not len(todo)
    for _ in range(n_steps):
        if not len(todo):
            break
        x, t = points[todo], theta[todo]
        gradient, curvature = likelihood.normal(x, t, free, predictions)
        step, foreseen = _step(gradient, curvature, damping[todo], x[:, free], bounds[:, free], fixed[todo][:, free])
        new_x = x.copy()
        new_x[:, free] = np.clip(x[:, free] + step[:, : len(free)], bounds[0, free], bounds[1, free])
        new_t = t + step[:, len(free) :]
        moved = likelihood.predictions(new_x) if free else predictions
        trial = _squares(likelihood.residuals(moved, new_t)) + _squares(new_t)
        better = trial <= value[todo]
        gain = value[todo] - trial
        points[todo[better]], theta[todo[better]] = new_x[better], new_t[better]
        value[todo[better]] = trial[better]
        damping[todo] = np.where(
            better, damping[todo] * _relief(gain, foreseen), np.maximum(damping[todo], 1e-4) * 10.0
        )
        done = (better & (gain < tolerance * (1.0 + trial))) | (damping[todo] > 1e12)
        converged[todo] = done
        todo = todo[~done]
        predictions = likelihood.predictions(points[todo]) if free else _kept(predictions, ~done)
    if not np.all(np.isfinite(value)):
        msg = f"the model predicts no number at {points[~np.isfinite(value)][0].tolist()}"
        raise RunError(msg)
    return Minima(points, theta, value, converged)


def _kept(predictions: Predictions, rows: Mask) -> Predictions:
    if rows.all():
        return predictions
    return [(s[rows], effect if effect is None or effect.ndim == 2 else effect[rows]) for s, effect in predictions]


def _squares(residuals: Array) -> Array:
    return np.asarray(np.einsum("...m,...m->...", residuals, residuals))


def _relief(gain: Array, foreseen: Array) -> Array:
    """Return the factor on the damping after a step that gained: less where it gained what was foreseen.

    Where it gained less, rates bend more than their slopes say (Nielsen, IMM-REP-1999-05), and damping has to stay.
    """
    ratio = np.clip(gain / np.maximum(foreseen, 1e-300), 0.0, 2.0)
    return np.asarray(np.maximum(0.1, 1.0 - (2.0 * ratio - 1.0) ** 3))


def _step(
    gradient: Array, curvature: Array, damping: Array, x: Array, bounds: Array, fixed: Mask
) -> tuple[Array, Array]:
    """Return the damped Gauss-Newton step, and what it is foreseen to gain; a parameter on a bound does not move."""
    n = x.shape[1]
    if n:
        leaning = ((x <= bounds[0]) & (gradient[:, :n] > 0)) | ((x >= bounds[1]) & (gradient[:, :n] < 0))
        held = np.zeros(gradient.shape, dtype=bool)
        held[:, :n] = fixed | leaning
        gradient = np.where(held, 0.0, gradient)
        curvature = np.where(held[:, :, None] | held[:, None, :], 0.0, curvature)
        diagonal = np.einsum("bkk->bk", curvature)
        size = np.maximum(diagonal.max(axis=1, keepdims=True), 1e-12)
        each = np.repeat(damping[:, None], gradient.shape[1], axis=1)
        # Rates are nearly linear in the nuisances: they follow a parameter whose steps are short.
        each[:, n:] = np.maximum(np.minimum(each[:, n:], 1.0), 1e-6 * each[:, n:])
        extra = each * np.maximum(diagonal, 1e-9 * size) + held * size + 1e-14 * size
    else:
        extra = damping[:, None] * np.einsum("bkk->bk", curvature)
    index = np.arange(gradient.shape[1])
    curvature[:, index, index] += extra
    step: Array = np.asarray(-np.linalg.solve(curvature, gradient[..., None])[..., 0])
    return step, np.asarray(np.einsum("bk,bk->b", step, extra * step - gradient))
