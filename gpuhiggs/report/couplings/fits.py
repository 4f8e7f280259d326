"""The fits behind the figures, each made once: every data set by itself, and all together."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import GpuhiggsError, InputError, RunError
from ...interpret import Combination, Problem, prepare
from ...interpret.combination import CL95, describe
from ...interpret.command import read_inputs
from ...interpret.intervals import crossing
from ...interpret.likelihood import Likelihood, Minima
from ...interpret.measurements import Measurements, check_overlap
from ...interpret.models import VIEWS

TOGETHER, OWN = "combination", "own runs"
"""Sets beside the published ones: these together, and the finished runs together."""


EFFECTIVE = ("kappa-effective", "kappa-loops")
"""Models of coupling modifiers with effective loops, the most general first."""


class Interval(NamedTuple):
    """A fitted value, and where its profile likelihood crosses 68 % and 95 %; None where it does not."""

    value: float
    low_68: float | None
    high_68: float | None
    low_95: float | None
    high_95: float | None


class Fitted(NamedTuple):
    """A fit, and what it takes to ask more of it."""

    problem: Problem
    likelihood: Likelihood
    best: Minima
    result: Combination


class Fits:
    """Fits of all that a report was given.

    Own runs are a set by themselves and not combined with publications: their data may be simulated, or part of those
    of a publication. ``gpuhiggs combine`` does that where it is asked for.

    Parameters
    ----------
    data
        Names of published measurements; those that share events with an earlier one are shown by themselves only.
    folders
        Finished runs; those without a fitted strength are in `left_out`.
    """

    def __init__(self, data: Sequence[str], folders: Sequence[Path]) -> None:
        self.left_out: list[str] = []
        self.published = tuple(dict.fromkeys(data))
        self._inputs = cache(_inputs)
        self._fits: dict[tuple[str, str], Fitted | GpuhiggsError] = {}
        self._intervals = cache(self._intervals_uncached)
        self.problem = cache(self._problem_uncached)
        self.together = self._apart()
        self.own = tuple(str(folder) for folder in dict.fromkeys(folders) if self._has_strength(folder))

    def _apart(self) -> tuple[str, ...]:
        """Return the published sets that share no events."""
        kept: list[Measurements] = []
        for name in self.published:
            (item,) = self._inputs((name,), "strengths")
            try:
                check_overlap([*kept, item])
            except InputError as error:
                self.left_out.append(f"{error}: {name} is not part of the combination")
                continue
            kept.append(item)
        return tuple(item.name for item in kept)

    def _has_strength(self, folder: Path) -> bool:
        try:
            read_inputs([str(folder)], "mu")
        except GpuhiggsError as error:
            self.left_out.append(str(error))
            return False
        return True

    @cached_property
    def sets(self) -> tuple[str, ...]:
        """Names of the sets that are fitted: each published one, and all together if there are several; or own runs."""
        if not self.published:
            return (OWN,) if self.own else ()
        return (*self.published, TOGETHER) if len(self.together) > 1 else self.published

    @property
    def best(self) -> str:
        """The set with the most information: all together, or the first."""
        return TOGETHER if TOGETHER in self.sets else self.sets[0]

    def names(self, which: str) -> tuple[str, ...]:
        """Return the data of a set."""
        return {TOGETHER: self.together, OWN: self.own}.get(which, (which,))

    def inputs(self, which: str, model: str = "mu") -> list[Measurements]:
        """Return the measurements of a set as *model* takes them."""
        return list(self._inputs(self.names(which), VIEWS.get(model, "strengths")))

    def title(self, which: str) -> str:
        """Return what a set is called in a legend."""
        return mathtext(self.plain(which))

    def plain(self, which: str) -> str:
        """Return what a set is called in a table."""
        if which == TOGETHER:
            return "Combination"
        parts = dict.fromkeys(part for item in self.inputs(which) for part in item.title.split(" + "))
        return next(iter(parts)) if len(parts) == 1 else "Own runs"

    def sources(self, which: str | None = None) -> str:
        """Say what went in, with sources: the end of a caption."""
        shown = [which] if which else [one for one in self.sets if one != TOGETHER]
        items = [item for one in shown for item in self.inputs(one)]
        return (
            "Inputs: " + "; ".join(f"{_once(item.title)}, {item.sqrt_s:g} TeV ({item.source})" for item in items) + "."
        )

    def fit(self, which: str, model: str) -> Combination:
        """Return a model fitted to a set.

        Raises
        ------
        InputError, RunError
            As `combine` does.
        """
        return self._fit(which, model).result

    @cached_property
    def kappas(self) -> str:
        """The most general model of coupling modifiers with effective loops that every set determines.

        Raises
        ------
        GpuhiggsError
            If there is none.
        """
        *general, last = EFFECTIVE
        for model in general:
            with contextlib.suppress(GpuhiggsError):
                for which in self.sets:
                    self.fit(which, model)
                return model
        for which in self.sets:
            self.fit(which, last)
        return last

    def of_kappas(self) -> str:
        """Say in a caption which model `kappas` is."""
        return self.problem(self.best, self.kappas).model.title

    def intervals(self, which: str, model: str) -> dict[str, Interval]:
        """Return value and intervals of the fitted parameters of a model."""
        return self._intervals(which, model)

    def _problem_uncached(self, which: str, model: str) -> Problem:
        return prepare(model, self.inputs(which, model))

    def _fit(self, which: str, model: str) -> Fitted:
        key = (which, model)
        if key not in self._fits:
            try:
                self._fits[key] = fitted(self.problem(which, model))
            except GpuhiggsError as error:  # not tried again for the next figure
                self._fits[key] = error
        found = self._fits[key]
        if isinstance(found, GpuhiggsError):
            raise found
        return found

    def _intervals_uncached(self, which: str, model: str) -> dict[str, Interval]:
        return intervals(self._fit(which, model))


def _once(title: str) -> str:
    """Return the title of several runs without what is the same."""
    return " + ".join(dict.fromkeys(title.split(" + ")))


def _inputs(names: tuple[str, ...], view: str) -> tuple[Measurements, ...]:
    model = next((model for model, taken in VIEWS.items() if taken == view), "mu")
    return tuple(read_inputs(names, model))


def fitted(problem: Problem) -> Fitted:
    """Fit a model.

    Raises
    ------
    RunError
        If the data do not determine the parameters, or the fit does not converge.
    """
    likelihood, free = problem.likelihood(), len(problem.model.parameters) - len(problem.held)
    if free > likelihood.n_measured:
        msg = f"{likelihood.n_measured} measured rates do not determine the {free} parameters of {problem.model.name}"
        raise RunError(msg)
    best = problem.best(likelihood)
    result = describe(problem, likelihood, best)
    if open_ := _undetermined(problem, result):
        msg = f"the data do not determine {', '.join(open_)} of {problem.model.name}"
        raise RunError(msg)
    return Fitted(problem, likelihood, best, result)


def _undetermined(problem: Problem, result: Combination) -> list[str]:
    """Return the parameters whose 68 % interval is all of their range."""
    found = []
    for i, parameter in enumerate(problem.model.parameters):
        one = result.parameters[parameter.name]
        if i not in problem.held and one.minus is not None and one.plus is not None:
            width = parameter.high - parameter.low
            if (
                one.value + one.minus < parameter.low + 1e-3 * width
                and one.value + one.plus > parameter.high - 1e-3 * width
            ):
                found.append(parameter.name)
    return found


def intervals(found: Fitted) -> dict[str, Interval]:
    """Return value, 68 % and 95 % intervals of the fitted parameters, by name."""
    names, parameters, held = found.problem.model.names, found.result.parameters, found.problem.held
    places = [i for i in range(len(names)) if i not in held]
    errors = np.array([parameters[name].error for name in names])
    far = crossing(found.likelihood, found.best, places, errors, CL95, held=held)
    made = {}
    for i, below, above in zip(places, *far, strict=True):
        one = parameters[names[i]]
        shifts = (one.minus, one.plus, None if below is None else -below, above)
        made[names[i]] = Interval(one.value, *(None if shift is None else one.value + shift for shift in shifts))
    return made


def mathtext(title: str) -> str:
    """Return a title with its superscripts in mathtext: a figure's font may lack them."""
    return title.replace("⁻¹", "$^{-1}$")
