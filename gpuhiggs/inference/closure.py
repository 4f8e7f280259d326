"""Whether fits say what is true: pulls, bias and coverage in toys with a known signal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from gpuhiggs.inference.data import draw_toys
from gpuhiggs.inference.flat_model import FlatModel
from gpuhiggs.inference.toys import fit_toys

WITHIN = 1.0
"""Rise of -2 ln L at the edges of a MINOS interval, of 68.3 % (Wilks)."""


@dataclass(frozen=True)
class Closure:
    """A study of toys.

    Attributes
    ----------
    n, n_failed
        Toys used, and toys whose fits did not converge.
    mean, width
        Of the likelihood pulls: ±√(-2 ln L(truth)/L_max), with the sign of value - truth.
    hessian_mean, hessian_width
        Of (value - truth)/error with the error of the Hessian, which with few events is larger above the truth than
        below: its mean is negative by about half an error's relative slope.
    bias
        Mean of value - truth, over the mean error.
    coverage
        Share of MINOS intervals that hold the truth.
    """

    parameter: str
    truth: float
    n: int
    n_failed: int
    mean: float
    width: float
    hessian_mean: float
    hessian_width: float
    bias: float
    coverage: float

    @property
    def mean_error(self) -> float:
        """Statistical error of the mean of the pulls."""
        return self.width / math.sqrt(self.n)

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {**asdict(self), "mean_error": self.mean_error}


def closure(
    model: FlatModel,
    n: int,
    generator: np.random.Generator,
    *,
    truth: Mapping[str, float] | None = None,
    poi: str | None = None,
) -> Closure:
    """Inject a signal (the initial values, and `truth`) into toys, and fit them with and without it held."""
    name = poi or model.poi
    values = dict(zip(model.names, model.values(truth).tolist(), strict=True))
    toys = draw_toys(model, n, generator, truth)
    free = fit_toys(model, toys, parameters=truth)
    held = fit_toys(model, toys, parameters=truth, fixed={name: values[name]}, errors=False)
    good = free.converged & held.converged
    found, errors = (array[good] for array in free.of(name))
    away = found - values[name]
    pulls = np.sign(away) * np.sqrt(np.maximum(2.0 * (held.nll - free.nll)[good], 0.0))
    by_hessian = away / errors
    return Closure(
        parameter=name,
        truth=values[name],
        n=int(good.sum()),
        n_failed=int(np.sum(~good)),
        mean=float(pulls.mean()),
        width=float(pulls.std(ddof=1)),
        hessian_mean=float(by_hessian.mean()),
        hessian_width=float(by_hessian.std(ddof=1)),
        bias=float(away.mean() / errors.mean()),
        coverage=float(np.mean(np.abs(pulls) <= math.sqrt(WITHIN))),
    )
