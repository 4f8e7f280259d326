"""Profiling the choice of each category's background function, with whatever else is fitted.

As in `envelope` the choice is a discrete nuisance parameter (Dauncey et al., arXiv:1408.6865); with several categories
it is found by turns: that of one category at a time, the parameters which it shares with others held, then all
parameters together, until no turn improves anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpuhiggs.errors import RunError
from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.inference.parametric.background import Background
from gpuhiggs.inference.parametric.envelope import PENALTY
from gpuhiggs.inference.parametric.model import Category, MassFit, MassModel, Nuisance

TURNS = 5
Candidates = Mapping[str, Sequence[Background]]


@dataclass(frozen=True)
class Choice:
    """A function for each category, the fit with them, and its -ln L with the penalties for their parameters."""

    functions: dict[str, Background]
    fit: MassFit
    penalised: float


@dataclass(frozen=True)
class Spectra:
    """Categories with the functions that each may have, and their nuisances; `mass` is where the peak starts, GeV."""

    categories: tuple[Category, ...]
    candidates: Candidates
    nuisances: tuple[Nuisance, ...] = ()
    mass: float = 125.0

    def model(self, functions: Mapping[str, Background]) -> MassModel:
        """Return the model with these functions."""
        made = [replace(category, background=functions[category.name]) for category in self.categories]
        return MassModel(made, self.nuisances, self.mass)

    def choose(
        self,
        *,
        fixed: Mapping[str, float] | None = None,
        start: Choice | None = None,
        minos: Sequence[str] = (),
    ) -> Choice:
        """Return the best functions and their fit.

        Raises
        ------
        RunError
            Not even one choice could be fitted.
        """
        held = dict(fixed or {})
        functions = {c.name: self.candidates[c.name][0] for c in self.categories}
        functions |= start.functions if start else {}
        fit = self._fit(functions, held, start)
        for _ in range(TURNS):
            changed = False
            shared = {name: fit.values[name] for name in ("mu", "mass", *(n.name for n in self.nuisances))}
            for category in self.categories:
                best = self._best_of(category, functions[category.name], shared)
                if best != functions[category.name]:
                    functions = {**functions, category.name: best}
                    changed = True
            if not changed:
                break
            fit = self._fit(functions, held, None)
        if minos:
            fit = self.model(functions).fit(fixed=held, start=fit.values, minos=minos)
        if not fit.converged:
            names = ", ".join(f"{name}: {function.name}" for name, function in functions.items())
            msg = f"the fit of {names} did not converge"
            raise RunError(msg)
        return Choice(functions, fit, fit.nll + PENALTY * sum(f.n_parameters for f in functions.values()))

    def _fit(self, functions: Mapping[str, Background], held: Mapping[str, float], start: Choice | None) -> MassFit:
        model = self.model(functions)
        known = {} if start is None else {n: v for n, v in start.fit.values.items() if n in model.names}
        fit = model.fit(fixed=held, start=known)
        return fit if fit.converged or not known else model.fit(fixed=held)

    def _best_of(self, category: Category, now: Background, shared: Mapping[str, float]) -> Background:
        """Return the best function of one category, with what it shares with others held."""
        nuisances = [
            Nuisance(n.name, *(_only(sizes, category.name) for sizes in (n.scale, n.resolution, n.rate)))
            for n in self.nuisances
        ]
        heights = {}
        for function in (now, *(f for f in self.candidates[category.name] if f != now)):
            model = MassModel([replace(category, background=function)], nuisances, self.mass)
            fit = model.fit(fixed=shared)
            if fit.converged:
                heights[function] = fit.nll + PENALTY * function.n_parameters
        return min(heights, key=lambda f: heights[f] - (1e-6 if f == now else 0.0)) if heights else now


def _only(sizes: Mapping[str, float], category: str) -> dict[str, float]:
    return {name: size for name, size in sizes.items() if name == category}


def profile(
    spectra: Spectra, best: Choice, parameter: str, values: Sequence[float] | FloatArray,
    fixed: Mapping[str, float] | None = None,
) -> tuple[FloatArray, list[dict[str, str]]]:  # fmt: skip
    """Return -2 ln L above that of the best choice at values of a parameter, functions and all else profiled.

    Where no choice converges it is NaN; with it the functions that were best at each value.
    """
    heights, names = np.full(len(values), np.nan), []
    order = np.argsort(np.abs(np.asarray(values) - best.fit.values[parameter]))
    known = {int(order[0]): best}
    chosen: dict[int, dict[str, str]] = {}
    for k in order.tolist():
        near = min(known, key=lambda other: abs(other - k))
        try:
            found = spectra.choose(fixed={**(fixed or {}), parameter: float(values[k])}, start=known[near])
        except RunError:
            continue
        known[k] = found
        heights[k] = 2.0 * (found.penalised - best.penalised)
        chosen[k] = {name: function.name for name, function in found.functions.items()}
    names = [chosen.get(k, {}) for k in range(len(values))]
    return heights, names
