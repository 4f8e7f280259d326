"""The maximum-likelihood fit and its result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np

from gpuhiggs.errors import InputError
from gpuhiggs.inference import batch, curvature, minimum, minuit
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.flat_model import FlatModel, FloatArray, IndexArray
from gpuhiggs.inference.likelihood import Likelihood
from gpuhiggs.inference.minimum import Minimum

NEXT_TO_NOTHING = 1e-4
"""Fraction of a bin's templates at which a fit that ends there has run into the end of the likelihood."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A fitted parameter.

    Attributes
    ----------
    value
        Value at the maximum of the likelihood.
    error
        Standard deviation from the inverse Hessian; 0 for a parameter that is fixed or leans on a bound, NaN where the
        Hessian has no inverse.
    minus, plus
        MINOS errors, where -ln L rises by 1/2: `minus` is negative. None where not asked for or not found.
    """

    value: float
    error: float
    minus: float | None = None
    plus: float | None = None


@dataclass(frozen=True)
class FitResult:
    """A maximum of the likelihood.

    Attributes
    ----------
    parameters
        Estimates by name, in the model's order.
    nll
        -ln L at the maximum, constants included.
    converged
        A minimum was found, the Hessian and the gradient there prove it, and every bin with events expects some.
        If False, no number of this result is to be trusted, and `notes` say why.
    notes
        What went wrong or is worth knowing, as sentences: not converged, a MINOS error not found, and so on.
    at_bounds
        Names of the parameters that ended at a bound: their errors mean little.
    free
        Names of the parameters of `covariance`, in its order.
    covariance
        Covariance matrix of the free parameters, shape (free, free).
    n_evaluations
        Evaluations of -ln L and of its gradient.
    """

    parameters: dict[str, Estimate]
    nll: float
    converged: bool
    notes: tuple[str, ...]
    at_bounds: tuple[str, ...]
    free: tuple[str, ...]
    covariance: FloatArray
    n_evaluations: int

    def values(self) -> dict[str, float]:
        """Return the fitted values by name, as `asimov`, `draw_toys` and another fit's `start` take them."""
        return {name: estimate.value for name, estimate in self.parameters.items()}

    def to_json(self) -> dict[str, object]:
        """Return the JSON form; NaN, which JSON does not know, becomes null. The covariance is left out."""
        estimates = {
            name: {
                key: None if value is None or math.isnan(value) else value for key, value in asdict(estimate).items()
            }
            for name, estimate in self.parameters.items()
        }
        return {
            "parameters": estimates,
            "nll": self.nll,
            "twice_nll": 2.0 * self.nll,
            "converged": self.converged,
            "notes": list(self.notes),
            "at_bounds": list(self.at_bounds),
            "n_evaluations": self.n_evaluations,
        }


def fit(
    model: FlatModel,
    data: Data,
    *,
    fixed: Mapping[str, float] | None = None,
    start: Mapping[str, float] | None = None,
    minos: Sequence[str] = (),
    minimiser: Literal["newton", "minuit"] = "newton",
) -> FitResult:
    """Fit all parameters that are not fixed.

    Parameters
    ----------
    model, data
        What to fit to what.
    fixed
        Parameters to hold, at these values; added to those that the model fixes.
    start
        Values to start from, by name, instead of the initial ones.
    minos
        Parameters whose MINOS errors are wanted.
    minimiser
        The project's own, of second order (`kernels.minimum`), or iminuit's MIGRAD and MINOS with the same gradient.

    Raises
    ------
    InputError
        A name is no parameter of the model, a value is out of its bounds, a MINOS parameter is fixed, or a bin with
        observed events expects none at the start.
    """
    theta = model.values({**(start or {}), **(fixed or {})})
    held = frozenset(model.index(name) for name in fixed or {}) | model.held()
    asked = [model.index(name) for name in minos]
    _check_start(model, data, theta, held, asked)
    likelihood = Likelihood(model, data)
    profiled = batch.profiled_bins(model, held | set(asked))
    moved = free_parameters(model, held, profiled)
    if not len(moved):
        theta = likelihood.profiled(theta, profiled)[2]
        found = Minimum(theta, np.zeros((0, 0)), converged=True, n_evaluations=1)
    elif minimiser == "minuit":
        found = minuit.minimise(minuit.Objective(likelihood, theta, moved, profiled), minos)
    else:
        found = minimum.minimise(likelihood, theta, moved, profiled, minos)
    return _result(likelihood, found, moved, profiled)


def free_parameters(model: FlatModel, held: frozenset[int], profiled: IndexArray) -> IndexArray:
    """Return the positions of the parameters that a fit moves: not held, and not profiled in closed form."""
    closed = set(model.arrays.bin_parameter[profiled == 1].tolist())
    return np.array([i for i in range(len(model.parameters)) if i not in held and i not in closed], dtype=np.int64)


def _check_start(model: FlatModel, data: Data, theta: FloatArray, held: frozenset[int], asked: Sequence[int]) -> None:
    for value, parameter in zip(theta, model.parameters, strict=True):
        if not parameter.bounds[0] <= value <= parameter.bounds[1]:
            msg = f"parameter {parameter.name!r}: {value:g} is not within its bounds {parameter.bounds}"
            raise InputError(msg)
    for position in held.intersection(asked):
        msg = f"MINOS errors of {model.parameters[position].name!r} are asked for, but it is fixed"
        raise InputError(msg)
    expected = batch.expected(model, theta)[0]
    for position in np.flatnonzero((data.counts > 0.0) & (expected <= model.arrays.floor)).tolist():
        fixed = ", ".join(f"{model.parameters[i].name} = {theta[i]:g}" for i in sorted(held)) or "nothing"
        msg = (
            f"{model.bin_name(position)}: {data.counts[position]:g} observed events, but {expected[position]:g}"
            f" are expected (fixed: {fixed}): merge the bin with a neighbour, or give it the background that it has"
        )
        raise InputError(msg)


def _result(likelihood: Likelihood, found: Minimum, moved: IndexArray, profiled: IndexArray) -> FitResult:
    model, theta = likelihood.model, found.theta
    short = [
        f"{model.bin_name(position)} expects no events at the minimum: the likelihood ends there"
        for position in likelihood.below_floor(theta, NEXT_TO_NOTHING).tolist()
    ]
    places, covariance = curvature.complete(likelihood, theta, moved, found.covariance, profiled)
    if short:
        covariance = np.full_like(covariance, np.nan)
    free = tuple(model.parameters[i].name for i in places)
    errors = dict(zip(free, np.sqrt(np.diag(covariance)), strict=True))
    estimates = {
        parameter.name: Estimate(
            float(value), float(errors.get(parameter.name, 0.0)), *found.minos.get(parameter.name, (None, None))
        )
        for parameter, value in zip(model.parameters, theta, strict=True)
    }
    return FitResult(
        parameters=estimates,
        nll=likelihood.nll(theta),
        converged=found.converged and not short,
        notes=(*found.notes, *short),
        at_bounds=tuple(name for name in free if _at_bound(estimates[name].value, model.bounds(name))),
        free=free,
        covariance=covariance,
        n_evaluations=found.n_evaluations,
    )


def _at_bound(value: float, bounds: tuple[float, float]) -> bool:
    return any(abs(value - bound) < 1e-4 * (1.0 + abs(bound)) for bound in bounds if math.isfinite(bound))
