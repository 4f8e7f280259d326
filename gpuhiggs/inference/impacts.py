"""What the uncertainty of a parameter of interest is made of: pulls, constraints, impacts, and a budget by groups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from gpuhiggs.errors import InputError
from gpuhiggs.inference import batch
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.fit import FitResult, fit, free_parameters
from gpuhiggs.inference.flat_model import FlatModel
from gpuhiggs.inference.parameters import Gaussian, PoissonCount


@dataclass(frozen=True)
class Impact:
    """A nuisance parameter after the fit.

    Attributes
    ----------
    pull
        (value - center)/width of its constraint; None if it has none.
    constraint
        Error after the fit over the width; None if it has no constraint.
    up, down
        Shift of the parameter of interest when this one is held at its value ± its error, and all others are fitted.
    """

    name: str
    value: float
    error: float
    pull: float | None
    constraint: float | None
    up: float
    down: float

    @property
    def size(self) -> float:
        """The larger of both shifts."""
        return max(abs(self.up), abs(self.down))

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return asdict(self)


def impacts(
    model: FlatModel,
    data: Data,
    *,
    poi: str | None = None,
    names: Sequence[str] | None = None,
    best: FitResult | None = None,
    fixed: Mapping[str, float] | None = None,
) -> tuple[Impact, ...]:
    """Return the impact of parameters on one of interest, the largest first; all fits run together.

    Parameters
    ----------
    names
        Parameters, patterns or groups; None for all but those of interest and those of MC statistics.

    Raises
    ------
    InputError
        An unknown name, or as `fit`.
    """
    target = poi or model.poi
    best = best or fit(model, data, fixed=fixed)
    held = model.held() | {model.index(name) for name in fixed or {}}
    chosen = names or [p.name for p in model.parameters if not p.poi and p.kind not in ("staterror", "binerror")]
    wanted = [n for n in model.select(chosen) if model.index(n) not in held and n != target] if chosen else []
    wanted = [n for n in wanted if best.parameters[n].error > 0.0]
    if not wanted:
        return ()
    places = [model.index(name) for name in wanted]
    profiled = batch.profiled_bins(model, held | set(places) | {model.index(target)})
    moved = free_parameters(model, held, profiled)
    column = {int(p): j for j, p in enumerate(moved)}
    start = model.values({**best.values(), **(fixed or {})})
    rows = data.counts[np.newaxis], data.auxiliary[np.newaxis]
    central = batch.minimise(model, *rows, start[np.newaxis], moved=moved, profiled=profiled, covariance=True)
    assert central.covariance is not None
    covariance = central.covariance[0]
    points = np.repeat(central.theta, 2 * len(places), axis=0)
    stuck = np.zeros((2 * len(places), len(moved)), dtype=np.int64)
    for k, place in enumerate(places):
        j = column[place]
        error = best.parameters[wanted[k]].error
        low, high = model.parameters[place].bounds
        for row, sign in ((2 * k, 1.0), (2 * k + 1, -1.0)):
            value = min(max(start[place] + sign * error, low), high)
            if covariance[j, j] > 0.0:
                points[row, moved] += (value - points[row, place]) * covariance[:, j] / covariance[j, j]
            points[row, place] = value
            stuck[row, j] = 1
    inverse = covariance + np.diag(np.where(np.diag(covariance) <= 0.0, model.arrays.step[moved] ** 2, 0.0))
    found = batch.minimise(model, *rows, points, moved=moved, held=stuck, profiled=profiled, inverse=inverse)
    bad = np.flatnonzero(~found.converged)
    if len(bad):
        again = batch.minimise(model, *rows, found.theta[bad], moved=moved, held=stuck[bad], profiled=profiled)
        found.theta[bad], found.status[bad] = again.theta, again.status
    shifts = found.theta[:, model.index(target)] - central.theta[0, model.index(target)]
    shifts = np.where(found.converged, shifts, np.nan)
    made = [_impact(model, best, name, *shifts[2 * k : 2 * k + 2]) for k, name in enumerate(wanted)]
    return tuple(sorted(made, key=lambda impact: -impact.size))


def _impact(model: FlatModel, best: FitResult, name: str, up: float, down: float) -> Impact:
    estimate, constraint = best.parameters[name], model.parameters[model.index(name)].constraint
    center, width = None, None
    if isinstance(constraint, Gaussian):
        center, width = constraint.center, constraint.width
    elif isinstance(constraint, PoissonCount):
        center, width = constraint.at, 1.0 / math.sqrt(constraint.events)
    return Impact(
        name,
        estimate.value,
        estimate.error,
        None if center is None or width is None else (estimate.value - center) / width,
        None if width is None else estimate.error / width,
        float(up),
        float(down),
    )


@dataclass(frozen=True)
class Budget:
    """The uncertainty of a parameter by groups.

    Attributes
    ----------
    total
        Errors (minus, plus), `minus` negative.
    groups
        The same of each group, in the order in which they were fixed: quadrature differences of successive fits.
    statistical
        What is left with all of them fixed.
    """

    parameter: str
    total: tuple[float, float]
    groups: dict[str, tuple[float, float]]
    statistical: tuple[float, float]

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""

        def pair(values: tuple[float, float]) -> dict[str, float]:
            return {"minus": values[0], "plus": values[1]}

        return {
            "parameter": self.parameter,
            "total": pair(self.total),
            "groups": {name: pair(values) for name, values in self.groups.items()},
            "statistical": pair(self.statistical),
        }


def budget(
    model: FlatModel,
    data: Data,
    *,
    poi: str | None = None,
    groups: Sequence[str] | None = None,
    best: FitResult | None = None,
) -> Budget:
    """Fix groups one after the other at their best values, and take differences of MINOS errors in quadrature.

    Parameters
    ----------
    groups
        Names of the model's groups, in the order of fixing; None for all, and after them ``mc_statistics`` and
        ``other`` for constrained parameters that are in none.

    Raises
    ------
    InputError
        An unknown group, or as `fit`.
    """
    target = poi or model.poi
    best = best or fit(model, data)
    parts = _parts(model, target, groups)
    fixed: dict[str, float] = {}
    values, sizes = best.values(), []
    for names in [(), *parts.values()]:
        fixed |= {name: values[name] for name in names if model.index(name) not in model.held()}
        result = fit(model, data, fixed=fixed, start=values, minos=[target])
        estimate = result.parameters[target]
        if not result.converged:
            msg = f"budget of {target!r}: the fit with {', '.join(fixed) or 'nothing'} fixed: {' '.join(result.notes)}"
            raise InputError(msg)
        minus = estimate.minus if estimate.minus is not None else -estimate.error
        sizes.append((minus, estimate.plus if estimate.plus is not None else estimate.error))
    shares = {
        name: (-_difference(before[0], after[0]), _difference(before[1], after[1]))
        for name, before, after in zip(parts, sizes, sizes[1:], strict=False)
    }
    return Budget(target, sizes[0], shares, sizes[-1])


def _difference(before: float, after: float) -> float:
    return math.sqrt(max(before * before - after * after, 0.0))


def _parts(model: FlatModel, target: str, groups: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    chosen = tuple(groups) if groups is not None else tuple(model.groups)
    if unknown := [name for name in chosen if name not in model.groups]:
        msg = f"budget: no group {', '.join(unknown)}; known: {', '.join(model.groups) or 'none'}"
        raise InputError(msg)
    parts = {name: tuple(n for n in model.groups[name] if n != target) for name in chosen}
    if groups is None:
        grouped = {name for names in parts.values() for name in names}
        rest = [p for p in model.parameters if p.constraint is not None and p.name not in grouped]
        mc = tuple(p.name for p in rest if p.kind in ("staterror", "binerror"))
        other = tuple(p.name for p in rest if p.kind not in ("staterror", "binerror"))
        parts |= {name: names for name, names in (("other", other), ("mc_statistics", mc)) if names}
    return parts
