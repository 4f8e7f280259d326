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
from gpuhiggs.inference import batch
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.flat_model import FlatModel, FloatArray, IndexArray
from gpuhiggs.inference.layout import FLOOR


def saturated(model: FlatModel, counts: FloatArray, auxiliary: FloatArray) -> FloatArray:
    """Return -ln L of the best conceivable model: that of rates equal to the counts; shape (data sets,).

    `batch.Minima.nll` counts from there.
    """
    n = np.concatenate([counts, auxiliary[:, len(model.constraints.gaussian) :]], axis=1)
    terms = n - xlogy(n, n) + gammaln(n + 1.0)
    constant = np.log(model.constraints.width).sum() + len(model.constraints.gaussian) * math.log(2.0 * math.pi) / 2.0
    if model.constraints.correlation is not None:
        constant += np.linalg.slogdet(model.constraints.correlation)[1] / 2.0
    return np.asarray(terms.sum(axis=1) + constant)


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
        self._rows = data.counts[np.newaxis], data.auxiliary[np.newaxis]
        self._constant = float(saturated(model, *self._rows)[0])

    def nll(self, theta: FloatArray) -> float:
        """Return -ln L."""
        return self.nll_and_gradient(theta)[0]

    def gradient(self, theta: FloatArray) -> FloatArray:
        """Return the gradient of -ln L, shape (parameters,)."""
        return self.nll_and_gradient(theta)[1]

    def nll_and_gradient(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Return -ln L and its gradient in one evaluation."""
        value, gradient, _ = batch.evaluate(self.model, *self._rows, theta[np.newaxis])
        return float(value[0]) + self._constant, gradient[0]

    def profiled(self, theta: FloatArray, bins: IndexArray) -> tuple[float, FloatArray, FloatArray]:
        """Return -ln L and its gradient with the MC statistics of `bins` at their best, and the parameters then."""
        value, gradient, points = batch.evaluate(self.model, *self._rows, theta[np.newaxis], bins)
        return float(value[0]) + self._constant, gradient[0], points[0]

    def below_floor(self, theta: FloatArray, fraction: float = FLOOR) -> IndexArray:
        """Return the bins that expect less than a fraction of their templates, or nothing where events are observed.

        A bin that expects exactly nothing, and has nothing, is one that no sample reaches here.
        """
        (rates, entries), arrays = batch.expected(self.model, theta), self.model.arrays
        lengths, reach = np.diff(arrays.block_start), arrays.floor / FLOOR
        places = np.arange(len(entries)) + np.repeat(arrays.block_bin - arrays.block_start[:-1], lengths)
        is_zero = np.bincount(places, np.abs(entries), self.model.n_bins) <= 1e-12 * reach
        return np.flatnonzero(np.where(is_zero, self.data.counts > 0.0, rates < fraction * reach))
