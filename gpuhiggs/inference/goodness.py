"""Whether a fitted model describes the data: statistics of goodness of fit, and their p-values with toys.

- saturated: -2 ln of the likelihood over that of the model with rates equal to the counts (Baker & Cousins, NIM 221
  (1984) 437), constraints included;
- chi2: Pearson's Σ (n - ν)²/ν over bins;
- ks, ad: Kolmogorov-Smirnov's and Anderson-Darling's distance of the cumulated counts from the cumulated rates, in the
  channel where it is largest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import chi2

from gpuhiggs.errors import InputError
from gpuhiggs.inference import batch
from gpuhiggs.inference.data import Data, draw_toys
from gpuhiggs.inference.fit import FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.likelihood import saturated
from gpuhiggs.inference.toys import fit_toys

Measure = Literal["saturated", "chi2", "ks", "ad"]
MEASURES: tuple[Measure, ...] = ("saturated", "chi2", "ks", "ad")


@dataclass(frozen=True)
class GoodnessOfFit:
    """Goodness of fit.

    Attributes
    ----------
    statistic
        Its value in the data.
    degrees
        Bins less unconstrained parameters.
    p_value
        Of the χ² distribution, for the saturated model and χ²; None for others.
    p_toys
        Share of toys that are at least as bad; None without toys.
    toys
        The statistic of each toy.
    """

    measure: Measure
    statistic: float
    degrees: int
    p_value: float | None
    p_toys: float | None
    toys: FloatArray

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, without the toys."""
        return {
            "measure": self.measure,
            "statistic": self.statistic,
            "degrees": self.degrees,
            "p_value": self.p_value,
            "p_toys": self.p_toys,
            "n_toys": len(self.toys),
        }


def goodness_of_fit(
    model: FlatModel,
    data: Data,
    measure: Measure = "saturated",
    *,
    n_toys: int = 0,
    generator: np.random.Generator | None = None,
    best: FitResult | None = None,
    fixed: Mapping[str, float] | None = None,
) -> GoodnessOfFit:
    """Compare the best fit with the data, and with toys drawn from the best fit if `n_toys` are asked for.

    Raises
    ------
    InputError
        An unknown measure, or as `fit`.
    """
    (found,) = goodness_of_fits(model, data, (measure,), n_toys=n_toys, generator=generator, best=best, fixed=fixed)
    return found


def goodness_of_fits(
    model: FlatModel,
    data: Data,
    measures: Sequence[Measure] = MEASURES,
    *,
    n_toys: int = 0,
    generator: np.random.Generator | None = None,
    best: FitResult | None = None,
    fixed: Mapping[str, float] | None = None,
) -> tuple[GoodnessOfFit, ...]:
    """Return several measures of the same fit, from the same toys, each of which is fitted once."""
    if unknown := [measure for measure in measures if measure not in MEASURES]:
        msg = f"measure {unknown[0]!r}, expected one of {', '.join(MEASURES)}"
        raise InputError(msg)
    best = best or fit(model, data, fixed=fixed)
    theta = model.values(best.values())
    constant = float(saturated(model, data.counts[np.newaxis], data.auxiliary[np.newaxis])[0])
    held = model.held() | {model.index(name) for name in fixed or {}}
    free = sum(1 for i, p in enumerate(model.parameters) if p.constraint is None and i not in held)
    degrees = int(np.sum(model.arrays.floor > 0.0)) - free
    toys: Sequence[Data] = ()
    fits = None
    if n_toys:
        toys = draw_toys(model, n_toys, generator or np.random.default_rng(0), best.values())
        fits = fit_toys(model, toys, parameters=best.values(), fixed=fixed, errors=False)
    made = []
    for measure in measures:
        statistic = _measure(measure, model, theta, data.counts, 2.0 * (best.nll - constant))
        p_value = float(chi2.sf(statistic, degrees)) if measure in ("saturated", "chi2") and degrees > 0 else None
        found = np.array(
            []
            if fits is None
            else [
                _measure(measure, model, fits.values[k], toys[k].counts, float(fits.deviance[k]))
                for k in np.flatnonzero(fits.converged).tolist()
            ]
        )
        p_toys = float(np.mean(found >= statistic)) if len(found) else None
        made.append(GoodnessOfFit(measure, statistic, degrees, p_value, p_toys, found))
    return tuple(made)


def _measure(measure: Measure, model: FlatModel, theta: FloatArray, counts: FloatArray, deviance: float) -> float:
    if measure == "saturated":
        return deviance
    rates = np.maximum(batch.expected(model, theta)[0], model.arrays.floor)
    if measure == "chi2":
        use = rates > 0.0
        return float(((counts - rates)[use] ** 2 / rates[use]).sum())
    distances = []
    for bins in model.channels.values():
        n, nu = counts[bins], rates[bins]
        if n.sum() == 0.0 or nu.sum() == 0.0:
            continue
        seen, wanted = np.cumsum(n) / n.sum(), np.cumsum(nu) / nu.sum()
        if measure == "ks":
            distances.append(float(np.abs(seen - wanted).max()))
        else:
            spread = wanted * (1.0 - wanted)
            use = spread > 1e-12
            distances.append(float(n.sum() * ((seen - wanted)[use] ** 2 / spread[use] * (nu / nu.sum())[use]).sum()))
    return max(distances, default=0.0)
