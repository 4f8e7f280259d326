"""The likelihood of a flat model and one data set, with its gradient.

    -ln L(θ) = Σ_b [ν_b - n_b ln ν_b + ln n_b!] + Σ_normal [(aux - θ)²/2σ² + ln σ√(2π)] + Σ_poisson [as for bins]

ln x! is lnΓ(x+1), so Asimov data sets need no integers. Nothing is left out: values are those of pyhf's `-logpdf`.

Where a bin expects less than `FLOOR` of its templates, or a negative yield, -ln L goes on as a parabola of the expected
yield that joins in value and slope. It is steep, finite, and rises: a minimiser that steps there turns back. A fit that
*ends* there says so, see `below_floor`.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import gammaln, xlogy

from gpuhiggs.errors import InputError
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.expectation import evaluate, pull_back
from gpuhiggs.inference.flat_model import FlatModel, IndexArray, sum_by
from gpuhiggs.inference.interpolation import FloatArray

FLOOR = 1e-9
"""Fraction of a bin's templates under which -ln L is continued; far below any yield a fit can distinguish from 0."""


class Likelihood:
    """-ln L of `data` under `model`, and its gradient, as functions of the parameter vector, shape (parameters,)."""

    def __init__(self, model: FlatModel, data: Data) -> None:
        shapes = (data.counts.shape, data.auxiliary.shape)
        wanted = ((model.n_bins,), model.constraints.nominal.shape)
        if shapes != wanted:
            msg = f"data with counts and auxiliary measurements of shapes {shapes}, the model has {wanted}"
            raise InputError(msg)
        self.model = model
        self.data = data
        constraints, n_gaussian = model.constraints, len(model.constraints.gaussian)
        self._results, self._sharpness = np.zeros((2, len(model.parameters)))  # 0 ± ∞ where nothing is measured
        self._results[constraints.gaussian] = data.auxiliary[:n_gaussian]
        self._sharpness[constraints.gaussian] = 1.0 / constraints.width
        self._events = data.auxiliary[n_gaussian:]
        reach = np.abs(model.nominal) + np.abs(model.responses.shifts).sum(axis=0)
        self._floor = FLOOR * sum_by(model.bin, reach, model.n_bins)
        self._unreachable = (self._floor == 0.0).astype(np.float64)  # where ν = 0, and ln ν must not be asked for
        self._highest_floor = float(self._floor.max())
        self._constant = float(
            gammaln(data.counts + 1.0).sum()
            + gammaln(self._events + 1.0).sum()
            + np.log(constraints.width).sum()
            + n_gaussian * math.log(2.0 * math.pi) / 2.0
        )

    def nll(self, theta: FloatArray) -> float:
        """Return -ln L."""
        expected = evaluate(self.model, theta).bins
        value, _ = self._bin_terms(expected)
        auxiliary, _ = self._auxiliary_terms(theta)
        return value + auxiliary + self._constant

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return the gradient of -ln L, shape (parameters,)."""
        return self.nll_and_gradient(theta)[1]

    def nll_and_gradient(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return -ln L and its gradient in one evaluation."""
        expectation = evaluate(self.model, theta)
        value, slopes = self._bin_terms(expectation.bins)
        auxiliary, gradient = self._auxiliary_terms(theta)
        return value + auxiliary + self._constant, gradient + pull_back(self.model, expectation, slopes)

    def below_floor(self, theta: FloatArray) -> IndexArray:
        """Return the bins that expect less than nothing, or nothing where events are observed."""
        expected = evaluate(self.model, theta).bins
        return np.flatnonzero((expected < self._floor) | ((expected <= self._floor) & (self.data.counts > 0.0)))

    def _bin_terms(self, expected: FloatArray) -> tuple[float, FloatArray]:
        """Return Σ [ν - n ln ν], continued under the floor, and its derivative by ν."""
        is_short = bool(expected.min() < self._highest_floor)
        safe = np.maximum(expected, self._floor) + self._unreachable if is_short else expected
        value = float(expected.sum() - self.data.counts @ np.log(safe))
        slopes = 1.0 - self.data.counts / safe
        if is_short:
            short = np.flatnonzero(expected < self._floor)
            floor, counts = self._floor[short], self.data.counts[short]
            steps = expected[short] / floor - 1.0
            value += float(steps @ ((counts + floor) * steps / 2.0 - counts))
            slopes[short] += (counts / floor + 1.0) * steps
        return value, slopes

    def _auxiliary_terms(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return the constraint terms without their constants, and their gradient."""
        residuals = (theta - self._results) * self._sharpness
        value, gradient = float(residuals @ residuals) / 2.0, residuals * self._sharpness
        if len(self._events):
            constraints = self.model.constraints
            rates = theta[constraints.poisson] * constraints.events
            value += float((rates - xlogy(self._events, rates)).sum())
            gradient[constraints.poisson] += constraints.events * (1.0 - self._events / rates)
        return value, gradient
