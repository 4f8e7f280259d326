"""MC statistics profiled in closed form (Barlow-Beeston "lite": Conway, arXiv:1103.0354).

A factor γ that is alone in its bin meets one bin, ν = γS + U, and one normal constraint, γ = a ± σ. Then

    d(-ln L)/dγ = S - nS/(γS + U) + (γ - a)/σ² = 0

is the quadratic Sγ² + [U + S(σ²S - a)]γ + U(σ²S - a) - nσ²S = 0, whose roots lie on either side of ν = 0. The one with
ν >= 0 is the best γ, exactly, for any values of the other parameters. A minimiser then never sees these parameters, and
its minimum, errors and MINOS intervals for the others are those of the full likelihood.
"""

from __future__ import annotations

import numpy as np

from gpuhiggs.inference.expectation import evaluate
from gpuhiggs.inference.flat_model import IndexArray, sum_by
from gpuhiggs.inference.interpolation import FloatArray
from gpuhiggs.inference.likelihood import Likelihood


class BinFactorProfile:
    """The best MC-statistics factors of a likelihood, as functions of the other parameters.

    Parameters
    ----------
    likelihood
        The likelihood.
    keep
        Parameters (positions) that are not to be profiled: fixed ones, and those whose interval is asked for.
    """

    def __init__(self, likelihood: Likelihood, keep: frozenset[int] = frozenset()) -> None:
        factors, constraints = likelihood.model.bin_factors, likelihood.model.constraints
        chosen = np.array([parameter not in keep for parameter in factors.parameter], dtype=np.bool_)
        self.parameter: IndexArray = factors.parameter[chosen]
        self._bin = factors.bin[chosen]
        self._width = constraints.width[factors.constraint[chosen]]
        self._center = likelihood.data.auxiliary[factors.constraint[chosen]]
        self._counts = likelihood.data.counts[self._bin]
        self._model = likelihood.model
        bounds = np.array([likelihood.model.parameters[i].bounds for i in self.parameter]).reshape(-1, 2)
        self._lower, self._upper = bounds[:, 0], bounds[:, 1]

    def best(self, theta: FloatArray) -> FloatArray:
        """Return `theta` with the profiled factors at their best values, shape (parameters,)."""
        if not len(self.parameter):
            return theta
        scaled, fixed = self._split(theta)
        pull = self._width**2 * scaled - self._center
        linear = fixed + scaled * pull
        constant = fixed * pull - self._counts * self._width**2 * scaled
        root = np.sqrt(np.maximum(linear**2 - 4.0 * scaled * constant, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):  # either form can cancel; each is taken where it does not
            values = np.where(linear > 0.0, -2.0 * constant / (linear + root), (root - linear) / (2.0 * scaled))
        best = theta.copy()
        best[self.parameter] = np.clip(np.where(scaled == 0.0, self._center, values), self._lower, self._upper)
        return best

    def variances(self, theta: FloatArray) -> FloatArray:
        """Return the variances of the profiled factors at `theta` when all other parameters are known."""
        scaled, fixed = self._split(theta)
        expected = theta[self.parameter] * scaled + fixed
        with np.errstate(divide="ignore", invalid="ignore"):
            from_counts = np.where(self._counts > 0.0, self._counts * (scaled / expected) ** 2, 0.0)
        return 1.0 / (from_counts + 1.0 / self._width**2)

    def _split(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the events of each bin that its factor multiplies, at factor 1, and the others."""
        theta = theta.copy()
        theta[self.parameter] = 1.0
        yields = evaluate(self._model, theta).yields
        multiplied = self._model.bin_factors.entries * yields
        scaled = sum_by(self._model.bin, multiplied, self._model.n_bins)[self._bin]
        fixed = sum_by(self._model.bin, yields - multiplied, self._model.n_bins)[self._bin]
        return scaled, fixed
