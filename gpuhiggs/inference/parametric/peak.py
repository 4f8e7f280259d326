"""Peaks: the double-sided Crystal Ball and sums of Gaussians, by their cumulative distributions.

Both are given at a reference mass, and move and widen together: at mass m with scale factor s and resolution factor r
the peak is at s·(μ + m - m_ref), with widths times r.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from iminuit import Minuit
from scipy.special import erf, ndtr

from gpuhiggs.errors import InputError, RunError
from gpuhiggs.inference.flat_model import FloatArray


@dataclass(frozen=True)
class CrystalBall:
    """A Gaussian with power-law tails on both sides, from `alpha` widths outwards (Oreglia, SLAC-R-236 (1980) app. D).

    All lengths in GeV; `reference` is the mass for which the shape was found.
    """

    mean: float
    width: float
    alpha_low: float
    n_low: float
    alpha_high: float
    n_high: float
    reference: float = 125.0

    def cumulative(self, x: FloatArray, mass: float, scale: float = 1.0, resolution: float = 1.0) -> FloatArray:
        """Return the share of the peak below each x."""
        t = (x - scale * (self.mean + mass - self.reference)) / (self.width * resolution)
        root = np.sqrt(2.0)
        low_edge, high_edge = np.exp(-0.5 * self.alpha_low**2), np.exp(-0.5 * self.alpha_high**2)
        low = low_edge * self.n_low / (self.alpha_low * (self.n_low - 1.0))
        high = high_edge * self.n_high / (self.alpha_high * (self.n_high - 1.0))
        core = np.sqrt(np.pi / 2.0) * (erf(self.alpha_high / root) + erf(self.alpha_low / root))
        below = low * _tail(-t, self.alpha_low, self.n_low)
        inside = np.clip(t, -self.alpha_low, self.alpha_high)
        middle = low + np.sqrt(np.pi / 2.0) * (erf(inside / root) + erf(self.alpha_low / root))
        above = low + core + high * (1.0 - _tail(t, self.alpha_high, self.n_high))
        found = np.where(t < -self.alpha_low, below, np.where(t > self.alpha_high, above, middle))
        return np.asarray(found / (low + core + high))


def _tail(t: FloatArray, alpha: float, n: float) -> FloatArray:
    """Return the share of a power-law tail beyond t, 1 at its start."""
    beyond = np.maximum(t - alpha, 0.0)
    return np.asarray((1.0 + beyond * alpha / n) ** (1.0 - n))


@dataclass(frozen=True)
class GaussianSum:
    """A sum of Gaussians; `shares` add up to 1."""

    shares: tuple[float, ...]
    means: tuple[float, ...]
    widths: tuple[float, ...]
    reference: float = 125.0

    def __post_init__(self) -> None:
        if not (len(self.shares) == len(self.means) == len(self.widths)) or abs(sum(self.shares) - 1.0) > 1e-6:
            msg = f"Gaussians: shares {self.shares} must add up to 1, one for each of {self.means} and {self.widths}"
            raise InputError(msg)

    def cumulative(self, x: FloatArray, mass: float, scale: float = 1.0, resolution: float = 1.0) -> FloatArray:
        """Return the share of the peak below each x."""
        total = np.zeros_like(x)
        for share, mean, width in zip(self.shares, self.means, self.widths, strict=True):
            total += share * ndtr((x - scale * (mean + mass - self.reference)) / (width * resolution))
        return total


Peak = CrystalBall | GaussianSum

NO_CORE = 0.2
"""Widths from the middle within which a tail does not begin: a peak that wants it so has been made of too little."""


def fit_peak(edges: FloatArray, values: FloatArray, variances: FloatArray, reference: float = 125.0) -> CrystalBall:
    """Fit a double-sided Crystal Ball to a simulated histogram, by χ² with its MC errors.

    Raises
    ------
    RunError
        The fit did not converge.
    InputError
        Fewer filled bins than parameters.
    """
    use = variances > 0.0
    if use.sum() < 8:
        msg = f"{int(use.sum())} filled bins, expected at least 8 for a peak of 7 parameters"
        raise InputError(msg)
    centers = (edges[1:] + edges[:-1]) / 2.0
    mean = float(np.average(centers, weights=np.maximum(values, 0.0)))
    width = float(np.sqrt(np.average((centers - mean) ** 2, weights=np.maximum(values, 0.0))))

    def peak(shape: Sequence[float]) -> CrystalBall:
        mean, width, alpha_low, n_low, alpha_high, n_high = map(float, shape)
        return CrystalBall(mean, width, alpha_low, n_low, alpha_high, n_high, reference)

    def chi2(events: float, *shape: float) -> float:
        expected = events * np.diff(peak(shape).cumulative(edges, reference))
        return float(((values - expected)[use] ** 2 / variances[use]).sum())

    names = ["events", *(field.name for field in fields(CrystalBall) if field.name != "reference")]
    minuit = Minuit(chi2, float(values.sum()), mean, 0.8 * width, 1.5, 4.0, 1.5, 4.0, name=names)
    minuit.limits = [
        (0, None),
        (edges[0], edges[-1]),
        (0.1 * width, 5 * width),
        (NO_CORE, 6),
        (1.05, 200),
        (NO_CORE, 6),
        (1.05, 200),
    ]
    minuit.migrad()
    if not minuit.valid:
        minuit.simplex().migrad()
    if not minuit.valid:
        msg = f"the fit of the peak did not converge: χ² {minuit.fval:.1f} for {int(use.sum())} bins"
        raise RunError(msg)
    found = peak(list(minuit.values)[1:])
    if min(found.alpha_low, found.alpha_high) < 1.05 * NO_CORE:
        msg = f"the fitted peak has no core: {found}; {int(use.sum())} bins are filled: too few simulated events?"
        raise RunError(msg)
    return found


def fit_gaussians(
    edges: FloatArray, values: FloatArray, variances: FloatArray, reference: float = 125.0, terms: int = 3
) -> GaussianSum:
    """Fit a sum of Gaussians to a simulated histogram, by χ² with its MC errors.

    Raises
    ------
    RunError
        The fit did not converge.
    InputError
        Fewer filled bins than parameters.
    """
    use = variances > 0.0
    if use.sum() < 3 * terms:
        msg = f"{int(use.sum())} filled bins, expected at least {3 * terms} for {terms} Gaussians"
        raise InputError(msg)
    centers = (edges[1:] + edges[:-1]) / 2.0
    mean = float(np.average(centers, weights=np.maximum(values, 0.0)))
    width = float(np.sqrt(np.average((centers - mean) ** 2, weights=np.maximum(values, 0.0))))

    def peak(parameters: Sequence[float]) -> GaussianSum:
        rest, shares = 1.0, []
        for fraction in parameters[: terms - 1]:  # each of what is left, so that they add up to 1
            shares.append(rest * float(fraction))
            rest -= shares[-1]
        places = [tuple(map(float, parameters[k : k + terms])) for k in (terms - 1, 2 * terms - 1)]
        return GaussianSum((*shares, rest), places[0], places[1], reference)

    def chi2(events: float, *parameters: float) -> float:
        expected = events * np.diff(peak(parameters).cumulative(edges, reference))
        return float(((values - expected)[use] ** 2 / variances[use]).sum())

    start = [0.6] * (terms - 1) + [mean] * terms + [width * 0.7 * 1.8**k for k in range(terms)]
    names = ["events", *(f"share{k}" for k in range(terms - 1))]
    names += [f"{word}{k}" for word in ("mean", "width") for k in range(terms)]
    minuit = Minuit(chi2, float(values.sum()), *start, name=names)
    spread = [(mean - 3 * width, mean + 3 * width)] * terms
    minuit.limits = [(0, None), *[(0.01, 0.99)] * (terms - 1), *spread, *[(0.2 * width, 6 * width)] * terms]
    minuit.migrad()
    if not minuit.valid:
        minuit.simplex().migrad()
    if not minuit.valid:
        msg = f"the fit of {terms} Gaussians did not converge: χ² {minuit.fval:.1f} for {int(use.sum())} bins"
        raise RunError(msg)
    return peak(list(minuit.values)[1:])
