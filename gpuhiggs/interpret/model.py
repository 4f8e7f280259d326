"""What a model is: named parameters, and the rates that they predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from .kappa import Kappas, Rates, rates, scaling
from .measurements import Array, Measurements, View


class Parameter(NamedTuple):
    """A parameter of interest: where its fit starts, and within which bounds it stays."""

    name: str
    start: float = 1.0
    low: float = -np.inf
    high: float = np.inf
    limit: Literal["", "upper", "lower", "both"] = ""
    """Which limits at 95 % are wanted: the SM lies at an end of the range, or the field quotes an interval."""
    widest: float = np.inf
    """A parameter whose error would by itself be larger than this is not measured by the inputs: it is held."""


def strength(name: str) -> Parameter:
    """Return a parameter that may be negative, as a rate over the SM's can."""
    return Parameter(name, 1.0, -50.0, 50.0)


def positive(name: str) -> Parameter:
    """Return a coupling modifier that is taken as positive."""
    return Parameter(name, 1.0, 0.0, 10.0, widest=10.0)


@dataclass(frozen=True)
class Model:
    """A parametrisation of the rates.

    Attributes
    ----------
    name, title
        What `gpuhiggs combine --model` calls it, and what it is.
    parameters
        Parameters of interest.
    predict
        (points of shape (..., parameters), measurements) → the rates there.
    sm
        Where the model is the SM; None where no finite point is.
    production_theory, decay_theory
        Whether the uncertainties of SM cross sections and of partial widths act: not where the model itself measures
        cross sections, or branching ratios.
    view
        Which inputs it takes where a publication has both.
    starts
        Further points to start from, shape (starts, parameters): for a likelihood with several minima.
    budget
        Errors have parts; not those of coordinates such as tan β, which often end at a bound.
    compare
        The SM's χ² has the uncertainties of its predictions. Not so where every measured rate is a parameter: then it
        would be a statement about those uncertainties.
    kappas
        Points of shape (..., parameters) → coupling modifiers, of a model that has them.
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    predict: Callable[[Array, Measurements], Rates]
    sm: tuple[float, ...] | None
    production_theory: bool = True
    decay_theory: bool = True
    view: View = "strengths"
    starts: Array | None = None
    compare: bool = True
    kappas: Callable[[Array], Kappas] | None = None
    budget: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def bounds(self) -> Array:
        """Lower and upper bounds, shape (2, parameters)."""
        return np.array([[p.low for p in self.parameters], [p.high for p in self.parameters]])

    @property
    def start(self) -> Array:
        """Where a fit starts, shape (parameters,)."""
        return np.array([parameter.start for parameter in self.parameters])


def kappa_model(
    name: str,
    title: str,
    parameters: Sequence[Parameter],
    kappas: Callable[[Array], Kappas],
    *,
    sm: tuple[float, ...] | None = None,
    starts: Array | None = None,
    budget: bool = True,
) -> Model:
    """Return a model whose parameters fix coupling modifiers: *kappas* takes points of shape (..., parameters)."""

    def predict(points: Array, inputs: Measurements) -> Rates:
        return rates(scaling(kappas(points), inputs.sqrt_s, inputs.m_h), inputs)

    return Model(name, title, tuple(parameters), predict, sm, starts=starts, kappas=kappas, budget=budget)
