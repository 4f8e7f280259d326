"""Which function describes a background: the F-test within a family, discrete profiling across families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import chi2

from gpuhiggs.errors import RunError
from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.inference.parametric.background import FAMILIES, Background
from gpuhiggs.inference.parametric.model import Category, MassFit, MassModel, Nuisance

PENALTY = 0.5
"""Added to -ln L for each parameter of a background (Dauncey et al., arXiv:1408.6865)."""


@dataclass(frozen=True)
class FTest:
    """The order that a family needs.

    Attributes
    ----------
    chosen
        The function of the highest order that still improves the fit.
    steps
        Of each order tried: -ln L and the p-value of its improvement over the order before, 1 for the first.
    """

    chosen: Background
    steps: tuple[tuple[int, float, float], ...]


def choose_order(
    category: Category, family: str, *, highest: int = 6, p_value: float = 0.05, mass: float = 125.0
) -> FTest:
    """Raise the order until the improvement of a background-only fit is not significant (χ² of the new parameters).

    Raises
    ------
    RunError
        Not even the lowest order can be fitted.
    """
    steps: list[tuple[int, float, float]] = []
    chosen: Background | None = None
    before: MassFit | None = None
    for order in range(1, highest + 1):
        background = FAMILIES[family](order)
        result = MassModel([replace(category, background=background)], mass=mass).fit(fixed={"mu": 0.0, "mass": mass})
        if before is None or chosen is None:
            if not result.converged:
                continue
            chosen, before = background, result
            steps.append((order, result.nll, 1.0))
            continue
        degrees = background.n_parameters - chosen.n_parameters
        p = float(chi2.sf(max(2.0 * (before.nll - result.nll), 0.0), degrees))
        steps.append((order, result.nll, p))
        if not result.converged or p > p_value:
            break
        chosen, before = background, result
    if chosen is None:
        msg = f"category {category.name!r}: no function of the family {family} could be fitted"
        raise RunError(msg)
    return FTest(chosen, tuple(steps))


@dataclass(frozen=True)
class Envelope:
    """The profile of a parameter over functions, too.

    Attributes
    ----------
    values
        Values of the scanned parameter.
    curves
        Of each function: -2 ln L with its penalty, above the lowest of all.
    twice_nll
        The lowest of them at each value.
    functions
        Which function that is.
    best
        Value and fit of the lowest.
    """

    parameter: str
    values: FloatArray
    curves: dict[str, FloatArray]
    twice_nll: FloatArray
    functions: tuple[str, ...]
    best: MassFit

    def interval(self, rise: float = 1.0) -> tuple[float, float]:
        """Return where the envelope is below a rise; NaN where the values end first."""
        inside = np.flatnonzero(self.twice_nll <= rise)
        if not len(inside):
            return np.nan, np.nan
        edges = []
        for place, step in ((int(inside[0]), -1), (int(inside[-1]), 1)):
            other = place + step
            if not 0 <= other < len(self.values):
                edges.append(np.nan)
                continue
            share = (rise - self.twice_nll[place]) / (self.twice_nll[other] - self.twice_nll[place])
            edges.append(float(self.values[place] + share * (self.values[other] - self.values[place])))
        return edges[0], edges[1]


def envelope(
    category: Category,
    functions: Sequence[Background],
    values: Sequence[float] | FloatArray,
    *,
    parameter: str = "mu",
    nuisances: Sequence[Nuisance] = (),
    mass: float | None = 125.0,
) -> Envelope:
    """Profile the choice of function as a discrete nuisance parameter (Dauncey et al., arXiv:1408.6865).

    Parameters
    ----------
    mass
        The peak's mass, or None to fit it.

    Raises
    ------
    RunError
        No function could be fitted.
    """
    held = {} if mass is None or parameter == "mass" else {"mass": mass}
    curves: dict[str, FloatArray] = {}
    fits: dict[str, tuple[float, MassFit]] = {}
    for function in functions:
        model = MassModel([replace(category, background=function)], nuisances, mass or 125.0)
        free = model.fit(fixed=held)
        if not free.converged:
            continue
        penalty = PENALTY * function.n_parameters
        heights, start = [], free.values
        for value in values:
            point = model.fit(fixed={**held, parameter: float(value)}, start=start)
            heights.append(2.0 * (point.nll + penalty) if point.converged else np.inf)
            start = point.values if point.converged else free.values
        curves[function.name] = np.array(heights)
        fits[function.name] = free.nll + penalty, free
    if not curves:
        msg = f"category {category.name!r}: none of {', '.join(f.name for f in functions)} could be fitted"
        raise RunError(msg)
    name = min(fits, key=lambda key: fits[key][0])
    lowest = 2.0 * fits[name][0]
    stacked = np.array(list(curves.values()))
    which = np.argmin(stacked, axis=0)
    return Envelope(
        parameter,
        np.asarray(values, dtype=np.float64),
        {key: curve - lowest for key, curve in curves.items()},
        stacked.min(axis=0) - lowest,
        tuple(list(curves)[k] for k in which),
        fits[name][1],
    )
