"""The fits behind the figures, each made once: every data set by itself, and all together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import GpuhiggsError, InputError
from ...interpret import Combination, Problem, combine, prepare
from ...interpret.combination import CL95
from ...interpret.command import read_inputs
from ...interpret.intervals import crossing
from ...interpret.measurements import Measurements, check_overlap
from ...interpret.models import VIEWS

TOGETHER, OWN = "combination", "own runs"
"""Sets beside the published ones: these together, and the finished runs together."""


class Interval(NamedTuple):
    """A fitted value, and where its profile likelihood crosses 68 % and 95 %; None where it does not."""

    value: float
    low_68: float | None
    high_68: float | None
    low_95: float | None
    high_95: float | None


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
        self._fit = cache(self._fit_uncached)
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
        return "Inputs: " + "; ".join(f"{item.title}, {item.sqrt_s:g} TeV ({item.source})" for item in items) + "."

    def fit(self, which: str, model: str) -> Combination:
        """Return a model fitted to a set.

        Raises
        ------
        InputError, RunError
            As `combine` does.
        """
        return self._fit(which, model)

    def intervals(self, which: str, model: str) -> dict[str, Interval]:
        """Return value and intervals of the fitted parameters of a model."""
        return self._intervals(which, model)

    def _problem_uncached(self, which: str, model: str) -> Problem:
        return prepare(model, self.inputs(which, model))

    def _fit_uncached(self, which: str, model: str) -> Combination:
        return combine(model, self.inputs(which, model))

    def _intervals_uncached(self, which: str, model: str) -> dict[str, Interval]:
        return intervals(self.problem(which, model))


def _inputs(names: tuple[str, ...], view: str) -> tuple[Measurements, ...]:
    model = next((model for model, taken in VIEWS.items() if taken == view), "mu")
    return tuple(read_inputs(names, model))


def intervals(problem: Problem) -> dict[str, Interval]:
    """Return value, 68 % and 95 % intervals of the fitted parameters, by name."""
    likelihood = problem.likelihood()
    best = problem.best(likelihood)
    names, x = problem.model.names, best.points[0]
    fitted = [i for i in range(len(names)) if i not in problem.held]
    errors = np.zeros(len(names))
    fixed = {*problem.held, *problem.at_bound(x)}
    errors[[i for i in fitted if i not in fixed]] = np.sqrt(np.diag(likelihood.covariance(best, sorted(fixed))))
    sides = [crossing(likelihood, best, fitted, errors, level, held=problem.held) for level in (1.0, CL95)]
    made = {}
    for k, i in enumerate(fitted):
        edges = [
            None if (distance := side[k]) is None else float(x[i] + sign * distance)
            for both in sides
            for sign, side in zip((-1, 1), both, strict=True)
        ]
        made[names[i]] = Interval(float(x[i]), *edges)
    return made


def mathtext(title: str) -> str:
    """Return a title with its superscripts in mathtext: a figure's font may lack them."""
    return title.replace("⁻¹", "$^{-1}$")
