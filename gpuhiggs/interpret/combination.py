"""A fit of a model to published measurements, and everything that is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from ..errors import InputError, RunError
from . import theory
from .intervals import crossing
from .likelihood import Likelihood, Minima
from .measurements import Array, Measurements, Supplement, check_overlap
from .model import Model
from .models import find
from .strength_models import mu

CL95 = float(stats.chi2.isf(0.05, 1))
"""3.84: how far -2 ln L rises at a limit on one parameter at 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A fitted parameter.

    Attributes
    ----------
    value
        At the minimum of -2 ln L.
    error
        Mean of `minus` and `plus`; the standard deviation from the curvature where one of them is not found.
    minus, plus
        Where -2 ln L, all else profiled, has risen by 1: `minus` is negative. Where a bound comes first, the distance
        to it. None if neither was found.
    upper_95, lower_95
        Limits at 95 %, for parameters whose SM value is an end of their range, and for κ_λ.
    at_bound
        The value is at a bound: its errors are no Gaussian ones.
    """

    value: float
    error: float
    minus: float | None
    plus: float | None
    upper_95: float | None = None
    lower_95: float | None = None
    at_bound: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; a limit that was not asked for is left out."""
        found: dict[str, Any] = {"value": self.value, "error": self.error, "minus": self.minus, "plus": self.plus}
        found |= {key: at for key in ("upper_95", "lower_95") if (at := getattr(self, key)) is not None}
        if self.at_bound:
            found["at_bound"] = True
        return found


@dataclass(frozen=True)
class Combination:
    """A model fitted to measurements.

    Attributes
    ----------
    model, data
        Names of the model and of the inputs.
    parameters
        Estimates by name, in the model's order.
    free
        Names of the rows of `correlation`: fitted and not at a bound.
    correlation
        Shape (free, free).
    chi2
        -2 ln L at the minimum, pulls of the theory nuisances included.
    ndof
        Measured rates minus fitted parameters.
    chi2_sm
        -2 ln L of the SM, theory nuisances profiled.
    p_sm
        Probability of a larger `chi2_sm` - `chi2` if the SM is true, with as many degrees of freedom as parameters.
    budget
        Parts of the error by parameter, see `budget.split`; None where not asked for, or where the model has none.
    pulls
        Theory nuisances at the minimum, in standard deviations.
    notes
        What a reader has to know: held parameters, inputs that joined.
    converged
        The minimum was found.
    """

    model: str
    data: tuple[str, ...]
    parameters: dict[str, Estimate]
    free: tuple[str, ...]
    correlation: Array
    chi2: float
    ndof: int
    chi2_sm: float
    p_sm: float | None
    pulls: dict[str, float]
    notes: tuple[str, ...]
    converged: bool
    budget: dict[str, dict[str, float | None]] | None = None

    @property
    def p_value(self) -> float | None:
        """Probability of a larger `chi2`; None without degrees of freedom."""
        return float(stats.chi2.sf(self.chi2, self.ndof)) if self.ndof > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "model": self.model,
            "data": list(self.data),
            "parameters": {name: estimate.to_json() for name, estimate in self.parameters.items()},
            "correlation": {
                name: dict(zip(self.free, row.round(6).tolist(), strict=True))
                for name, row in zip(self.free, self.correlation, strict=True)
            },
            "chi2": self.chi2,
            "ndof": self.ndof,
            "p_value": self.p_value,
            "chi2_sm": self.chi2_sm,
            "p_sm": self.p_sm,
            "budget": self.budget,
            "pulls": self.pulls,
            "notes": list(self.notes),
            "converged": self.converged,
        }


@dataclass(frozen=True)
class Problem:
    """A model and inputs made ready to fit: supplements joined, parameters without any information held."""

    model: Model
    inputs: tuple[Measurements, ...]
    held: tuple[int, ...]
    notes: tuple[str, ...]

    def likelihood(self, **options: bool) -> Likelihood:
        """Return -2 ln L; options as `Likelihood` takes them."""
        return Likelihood(self.model, self.inputs, **options)

    def standard(self) -> float:
        """Return -2 ln L of the SM at its central cross sections."""
        reference = Likelihood(None, self.inputs, signal_theory=self.model.compare)
        return float(reference.minimise(np.empty((1, 0))).twice_nll[0])

    def standard_profiled(self) -> float:
        """Return -2 ln L of the SM with the nuisances of the model profiled: to compare it with the model's points."""
        model = self.model
        standard = replace(mu(self.inputs), production_theory=model.production_theory, decay_theory=model.decay_theory)
        likelihood = Likelihood(standard, self.inputs)
        return float(likelihood.minimise(np.ones((1, 1)), (0,)).twice_nll[0])

    def at_bound(self, x: Array) -> list[int]:
        """Return the positions of the parameters of a point, shape (parameters,), that are at a bound."""
        low, high = self.model.bounds
        margin = 1e-7 * np.maximum(1.0, abs(x))
        return [i for i in range(len(x)) if x[i] - low[i] < margin[i] or high[i] - x[i] < margin[i]]

    def best(self, likelihood: Likelihood) -> Minima:
        """Return the lowest of the minima that are reached from the model's starting points.

        From each also by way of the minimum with symmetric errors: V(μ) makes valleys far from the measured values.
        """
        starts = self.model.start[None]
        if self.model.starts is not None:
            starts = np.concatenate([starts, self.model.starts])
        starts = np.concatenate([starts, likelihood.symmetric().minimise(starts, self.held).points])
        found = likelihood.minimise(starts, self.held)
        k = int(np.argmin(found.twice_nll))
        lowest = Minima(*(part[k : k + 1] for part in found))
        return lowest if lowest.converged[0] else likelihood.minimise(lowest.points, self.held, n_steps=5000)


def prepare(model: Model | str, inputs: Sequence[Measurements]) -> Problem:
    """Check that inputs may be combined, and see what of the model they say anything about.

    Raises
    ------
    InputError
        If there are no inputs, or they overlap, the model is unknown, or it needs what they do not measure.
    """
    if not inputs:
        msg = "nothing to combine: no data given"
        raise InputError(msg)
    check_overlap(inputs)
    if isinstance(model, str):
        model = find(model)(inputs)
    joined = tuple(item.joined(model.names) for item in inputs)
    notes = [note for item in joined for note in item.notes]
    notes += [
        f"{entry.name} of {item.name} joins: it constrains {', '.join(sorted({*entry.joins} & {*model.names}))}"
        for item in joined
        for entry in item.entries
        if isinstance(entry, Supplement)
    ]
    notes += [
        f"{item.name}: its own cross sections by production mode, which tell more of tH than its strengths by decay do"
        for item in joined
        if item.view == "production"
    ]
    informed = _sensitivity(model, joined)
    smallest = [max(1e-9, 1.0 / parameter.widest) for parameter in model.parameters]
    held = tuple(np.flatnonzero(np.linalg.norm(informed, axis=1) < smallest).tolist())
    if len(held) == len(model.parameters):
        msg = f"{', '.join(item.name for item in inputs)} says nothing about any parameter of {model.name}"
        raise InputError(msg)
    notes += [f"{model.names[i]} is held at {model.start[i]:g}: the inputs do not measure it" for i in held]
    return Problem(model, joined, held, tuple(notes))


def _sensitivity(model: Model, inputs: Sequence[Measurements]) -> Array:
    """Return ∂r/∂x near the start, shape (parameters, measured)."""
    likelihood = Likelihood(model, inputs, signal_theory=False)
    near = np.clip(model.start + 1e-3, *model.bounds)[None]
    theta = np.zeros((1, likelihood.n_theta))
    return np.asarray(likelihood.jacobian(near, theta, list(range(len(model.parameters))))[0])


def combine(model: Model | str, inputs: Sequence[Measurements], *, budget: bool = False) -> Combination:
    """Fit a model to measurements.

    Parameters
    ----------
    model
        A model, or the name of one of `models.MODELS`.
    inputs
        Independent of each other but for the theory nuisances, which they share.
    budget
        Split the errors into their parts.

    Raises
    ------
    InputError
        As `prepare` does.
    RunError
        If the fit does not converge.
    """
    problem = prepare(model, inputs)
    likelihood = problem.likelihood()
    found = describe(problem, likelihood, problem.best(likelihood))
    if budget and problem.model.budget:
        from .budget import split

        found = replace(found, budget=split(problem))
    return found


def describe(problem: Problem, likelihood: Likelihood, best: Minima) -> Combination:
    """Return all that is said about a fit with this minimum.

    Raises
    ------
    RunError
        If the fit does not converge.
    """
    if not best.converged[0]:
        msg = f"the fit of {problem.model.name} to {', '.join(i.name for i in problem.inputs)} did not converge"
        raise RunError(msg)
    model, x = problem.model, best.points[0]
    at_bound = problem.at_bound(x)
    fixed = sorted({*at_bound, *problem.held})
    free = [i for i in range(len(x)) if i not in fixed]
    covariance = likelihood.covariance(best, fixed)
    errors = np.zeros(len(x))
    errors[free] = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    parameters = _estimates(problem, likelihood, best, errors, at_bound)
    fitted = len(x) - len(problem.held)
    chi2_sm = problem.standard()
    scale = np.maximum(errors[free], 1e-100)  # 0: where no rate changes to first order
    chi2 = float(best.twice_nll[0])
    pulls = dict(zip(theory.NAMES, best.theta[0].round(4).tolist(), strict=False)) if likelihood.n_theta else {}
    return Combination(
        model=model.name,
        data=tuple(item.name for item in problem.inputs),
        parameters=parameters,
        free=tuple(model.names[i] for i in free),
        correlation=covariance / np.outer(scale, scale),
        chi2=chi2,
        ndof=likelihood.n_measured - fitted,
        chi2_sm=chi2_sm,
        p_sm=float(stats.chi2.sf(max(0.0, chi2_sm - chi2), fitted)),
        pulls=pulls,
        notes=problem.notes,
        converged=bool(best.converged[0]),
    )


def _estimates(
    problem: Problem, likelihood: Likelihood, best: Minima, errors: Array, at_bound: Sequence[int]
) -> dict[str, Estimate]:
    """Return what the profile likelihood says of each parameter; *errors* (parameters,) are those of the curvature."""
    model, x = problem.model, best.points[0]
    fitted = [i for i in range(len(x)) if i not in problem.held]
    below, above = crossing(likelihood, best, fitted, errors, 1.0, held=problem.held)
    limited = [i for i in fitted if model.parameters[i].limit]
    far = dict(
        zip(
            limited,
            zip(*crossing(likelihood, best, limited, errors, CL95, held=problem.held), strict=True),
            strict=True,
        )
    )
    parameters = {}
    for i, parameter in enumerate(model.parameters):
        minus, plus = (below[fitted.index(i)], above[fitted.index(i)]) if i in fitted else (None, None)
        error = errors[i] if minus is None or plus is None else (minus + plus) / 2
        limits = {}
        if i in far:
            down, up = far[i]
            if parameter.limit != "lower":
                limits["upper_95"] = None if up is None else float(x[i] + up)
            if parameter.limit != "upper":
                limits["lower_95"] = None if down is None else float(x[i] - down)
        parameters[parameter.name] = Estimate(
            float(x[i]), float(error), None if minus is None else -minus, plus, at_bound=i in at_bound, **limits
        )
    return parameters
