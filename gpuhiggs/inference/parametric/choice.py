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
        now = self._first(held, start)
        for _ in range(TURNS):
            before = now
            for category in self.categories:
                now = self._improved(now, category, held)
            if now is before:
                break
        if minos:
            fit = self.model(now.functions).fit(fixed=held, start=now.fit.values, minos=minos)
            now = Choice(now.functions, fit, now.penalised)
        return now

    def _first(self, held: Mapping[str, float], start: Choice | None) -> Choice:
        """Return a choice that can be fitted: that of the start, or the first of each family that can."""
        most = max(len(functions) for functions in self.candidates.values())
        tried = [dict(start.functions)] if start else []
        tried += [{name: fs[min(k, len(fs) - 1)] for name, fs in self.candidates.items()} for k in range(most)]
        for functions in tried:
            found = self._made(functions, held, start)
            if found.fit.converged:
                return found
        names = "; ".join(", ".join(f"{name}: {function.name}" for name, function in one.items()) for one in tried)
        msg = f"no choice of functions could be fitted; tried {names}"
        raise RunError(msg)

    def _improved(self, now: Choice, category: Category, held: Mapping[str, float]) -> Choice:
        """Return a better choice of one category's function, if there is one that can be fitted."""
        shared = {name: now.fit.values[name] for name in ("mu", "mass", *(n.name for n in self.nuisances))}
        heights = self._heights(category, shared)
        own = heights[now.functions[category.name]]
        for function in sorted(heights, key=lambda f: heights[f]):
            if not heights[function] < own - 1e-6:
                break
            found = self._made({**now.functions, category.name: function}, held, now)
            if found.fit.converged and found.penalised < now.penalised - 1e-6:
                return found
        return now

    def _made(self, functions: Mapping[str, Background], held: Mapping[str, float], start: Choice | None) -> Choice:
        fit = self._fit(functions, held, start)
        return Choice(dict(functions), fit, fit.nll + PENALTY * sum(f.n_parameters for f in functions.values()))

    def _fit(self, functions: Mapping[str, Background], held: Mapping[str, float], start: Choice | None) -> MassFit:
        model = self.model(functions)
        known: dict[str, float] = {}
        if start is not None:  # what is shared, and the backgrounds whose functions stay
            changed = [name for name, function in functions.items() if start.functions.get(name) != function]
            places = {name for category in changed for name in model.background(category)}
            known = {name: start.fit.values[name] for name in model.names if name not in places}
        fit = model.fit(fixed=held, start=known)
        return fit if fit.converged or not known else model.fit(fixed=held)

    def _heights(self, category: Category, shared: Mapping[str, float]) -> dict[Background, float]:
        """Return the penalised -ln L of one category with each function, what it shares with others held."""
        nuisances = [
            Nuisance(n.name, *(_only(sizes, category.name) for sizes in (n.scale, n.resolution, n.rate)))
            for n in self.nuisances
        ]
        heights = {}
        for function in self.candidates[category.name]:
            fit = MassModel([replace(category, background=function)], nuisances, self.mass).fit(fixed=shared)
            heights[function] = fit.nll + PENALTY * function.n_parameters
        return heights


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
