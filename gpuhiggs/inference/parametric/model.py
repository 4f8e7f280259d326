"""The likelihood of categories with a peak and a background each, and its fit by iminuit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from iminuit import Minuit
from scipy.special import gammaln

from gpuhiggs.errors import InputError
from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.inference.parametric.background import Background
from gpuhiggs.inference.parametric.peak import Peak


@dataclass(frozen=True)
class Nuisance:
    """A constrained parameter, N(0, 1): relative changes of the peak's position, width and yield at +1 σ, by category.

    A category that is not named is not changed.
    """

    name: str
    scale: Mapping[str, float] = field(default_factory=dict)
    resolution: Mapping[str, float] = field(default_factory=dict)
    rate: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Category:
    """Fine bins of a mass with their counts; signal events for strength 1, in all masses; a background function."""

    name: str
    edges: FloatArray
    counts: FloatArray
    peak: Peak
    signal: float
    background: Background

    def __post_init__(self) -> None:
        counts, edges = np.asarray(self.counts), np.asarray(self.edges)
        if counts.shape != (len(edges) - 1,) or np.any(np.diff(edges) <= 0.0):
            msg = f"category {self.name!r}: {counts.shape} counts for {len(edges)} edges, which must rise"
            raise InputError(msg)
        if not np.all(np.isfinite(counts) & (counts >= 0.0)):
            msg = f"category {self.name!r}: counts must be finite and not negative"
            raise InputError(msg)


@dataclass(frozen=True)
class MassFit:
    """A fit: values, Hessian errors, MINOS errors (minus negative) where asked for, -ln L, whether it converged."""

    values: dict[str, float]
    errors: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    nll: float
    converged: bool
    covariance: FloatArray

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        parameters = {
            name: {
                "value": value,
                "error": self.errors[name],
                "minus": self.intervals.get(name, (None, None))[0],
                "plus": self.intervals.get(name, (None, None))[1],
            }
            for name, value in self.values.items()
        }
        return {"parameters": parameters, "nll": self.nll, "converged": self.converged}


class MassModel:
    """Parameters: ``mu``, ``mass`` (GeV), one for each nuisance, and ``CATEGORY_b0``, … of the backgrounds.

    `rates` are signal and background by category; the signal is mu · signal · peak(mass, scale, resolution), with
    each nuisance's changes as exponentials, so that no width or yield can become negative.
    """

    def __init__(self, categories: Sequence[Category], nuisances: Sequence[Nuisance] = (), mass: float = 125.0) -> None:
        self.categories, self.nuisances, self.mass = tuple(categories), tuple(nuisances), mass
        known = {category.name for category in categories}
        for nuisance in nuisances:
            for part in (nuisance.scale, nuisance.resolution, nuisance.rate):
                if unknown := set(part) - known:
                    msg = f"nuisance {nuisance.name!r}: unknown category {', '.join(sorted(unknown))}"
                    raise InputError(msg)
        self.names = ["mu", "mass", *(n.name for n in nuisances)]
        self._slices = []
        for category in categories:
            n = category.background.n_parameters
            self._slices.append(slice(len(self.names), len(self.names) + n))
            self.names += [f"{category.name}_b{k}" for k in range(n)]

    def background(self, category: str) -> list[str]:
        """Return the names of the parameters of one category's background."""
        names = [c.name for c in self.categories]
        return self.names[self._slices[names.index(category)]]

    def start(self) -> FloatArray:
        """Return parameters to start from."""
        parts = [c.background.start(max(float(c.counts.sum()), 1.0)) for c in self.categories]
        return np.concatenate([[1.0, self.mass], np.zeros(len(self.nuisances)), *parts])

    def bounds(self) -> list[tuple[float, float]]:
        """Return the bounds of the parameters; the peak stays in the window."""
        low = max(float(c.edges[0]) for c in self.categories)
        high = min(float(c.edges[-1]) for c in self.categories)
        found = [(-np.inf, np.inf), (low, high), *[(-7.0, 7.0)] * len(self.nuisances)]
        return found + [bound for c in self.categories for bound in c.background.bounds()]

    def rates(self, parameters: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
        """Return expected signal and background of each category's bins."""
        thetas = parameters[2 : 2 + len(self.nuisances)]
        found = []
        for category, place in zip(self.categories, self._slices, strict=True):
            scale, resolution, rate = (
                self._factor(part, category.name, thetas) for part in ("scale", "resolution", "rate")
            )
            peak = category.peak.cumulative(category.edges, parameters[1], scale, resolution)
            signal = parameters[0] * category.signal * rate * np.diff(peak)
            found.append((signal, category.background.rates(category.edges, parameters[place])))
        return found

    def _factor(self, part: str, category: str, thetas: FloatArray) -> float:
        """Return the product of all nuisances' changes of one part of a category."""
        logs = [np.log1p(getattr(nuisance, part).get(category, 0.0)) for nuisance in self.nuisances]
        return float(np.exp(sum(log * theta for log, theta in zip(logs, thetas, strict=True))))

    def nll(self, parameters: FloatArray) -> float:
        """Return -ln L, constants included; where a bin expects nothing it goes on as a steep parabola."""
        parameters = np.asarray(parameters)
        thetas = parameters[2 : 2 + len(self.nuisances)]
        total = 0.5 * float(thetas @ thetas) + 0.5 * len(thetas) * np.log(2.0 * np.pi)
        for category, (signal, background) in zip(self.categories, self.rates(parameters), strict=True):
            nu, n = signal + background, category.counts
            floor = 1e-9 * max(float(n.sum()), 1.0) / len(n)
            safe = np.maximum(nu, floor)
            short = np.minimum(nu / floor - 1.0, 0.0)
            total += float((nu - n * np.log(safe) + gammaln(n + 1.0) + short * ((n + floor) * short / 2.0 - n)).sum())
        return float(total)

    def fit(
        self,
        *,
        fixed: Mapping[str, float] | None = None,
        start: Mapping[str, float] | None = None,
        minos: Sequence[str] = (),
    ) -> MassFit:
        """Fit; hold parameters at values, start from others, with MINOS errors of those named.

        Raises
        ------
        InputError
            A name is no parameter.
        """
        values = dict(zip(self.names, self.start().tolist(), strict=True))
        for name, value in {**(start or {}), **(fixed or {})}.items():
            if name not in values:
                msg = f"no parameter {name!r}; known: {', '.join(self.names)}"
                raise InputError(msg)
            values[name] = value
        minuit = Minuit(self.nll, np.array(list(values.values())), name=self.names)
        minuit.errordef = Minuit.LIKELIHOOD
        minuit.limits = self.bounds()
        minuit.errors = [max(0.02 * abs(v), 0.05) for v in values.values()]
        minuit.tol = 0.01
        for name in fixed or {}:
            minuit.fixed[name] = True
        minuit.migrad()
        if not minuit.valid:
            minuit.simplex().migrad()
        minuit.hesse()
        intervals = {}
        for name in minos:
            minuit.minos(name)
            found = minuit.merrors[name]
            if found.is_valid:
                intervals[name] = float(found.lower), float(found.upper)
        return MassFit(
            dict(zip(self.names, map(float, minuit.values), strict=True)),
            dict(zip(self.names, map(float, minuit.errors), strict=True)),
            intervals,
            float(minuit.fval),
            bool(minuit.valid and minuit.accurate),
            np.asarray(minuit.covariance) if minuit.covariance is not None else np.full((len(values),) * 2, np.nan),
        )

    def scan(self, parameter: str, values: Sequence[float] | FloatArray) -> tuple[MassFit, FloatArray]:
        """Return the free fit, and -2 ln L/L_max at each value of a parameter: of the mass, say."""
        best = self.fit()
        points, start = [], best.values
        for value in values:
            point = self.fit(fixed={parameter: float(value)}, start=start)
            points.append(point.nll if point.converged else np.nan)
            start = point.values
        return best, 2.0 * (np.array(points) - best.nll)
