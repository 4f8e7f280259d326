"""SMEFT in the Warsaw basis: rates as polynomials of Wilson coefficients, c in TeV⁻² (Λ = 1 TeV).

A production bin scales as 1 + Σ A_i c_i (+ Σ B_ij c_i c_j), a branching ratio as such a polynomial of the partial width
over that of the total width. ``linear`` keeps what is of the order 1/Λ² in each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from ..errors import InputError, choices
from . import sm
from .kappa import Rates
from .measurements import COMPOSITE, COMPOSITE_DECAYS, Array, Entry, Measurements
from .model import Model, Parameter
from .tables import load

NEGLIGIBLE = 1e-3
"""Sum of an operator's coefficients over all rates, below which nothing is said about it."""
DECAY_MIX = ("gammagamma", "ZZ", "WW", "tautau", "bb")
"""Decays that the STXS bins are measured in."""


class Polynomial(NamedTuple):
    """1 + a·c + cᵀ b c; ``linear``: shape (operators,), ``quadratic``: symmetric, (operators, operators)."""

    linear: Array
    quadratic: Array

    def __call__(self, c: Array, *, quadratic: bool) -> Array:
        """Evaluate at points of shape (..., operators)."""
        value = 1.0 + c @ self.linear
        return value + np.einsum("...i,ij,...j->...", c, self.quadratic, c) if quadratic else value


@cache
def operators() -> tuple[str, ...]:
    """Return the names of all operators that some rate depends on."""
    table = load("smeft")
    found: set[str] = set()
    for entry in (*table["bins"].values(), *table["decays"].values()):
        found |= set(entry["linear"]) | {name for pair in entry["quadratic"] for name in pair.split("*")}
    return tuple(sorted(found))


@cache
def _polynomial(kind: str, name: str) -> Polynomial:
    entry, names = load("smeft")[kind][name], operators()
    a, b = np.zeros(len(names)), np.zeros((len(names), len(names)))
    for operator, value in entry["linear"].items():
        a[names.index(operator)] = value
    for pair, value in entry["quadratic"].items():
        i, j = (names.index(operator) for operator in pair.split("*"))
        b[i, j] += value / 2
        b[j, i] += value / 2
    return Polynomial(a, b)


def _mixture(parts: Sequence[tuple[float, Polynomial]]) -> Polynomial:
    total = sum(weight for weight, _ in parts)
    a = sum(((w / total) * p.linear for w, p in parts), start=np.zeros(len(operators())))
    b = sum(((w / total) * p.quadratic for w, p in parts), start=np.zeros((len(operators()),) * 2))
    return Polynomial(a, b)


def _production(entry: Entry, inputs: Measurements) -> Polynomial:
    """Return how the production of an entry scales; its parts weigh as their SM cross sections."""
    table = load("smeft")
    parts: list[tuple[float, Polynomial]] = []
    for process, share in entry.production.items():
        if process in table["stxs"]:
            parts += [(share * w, _polynomial("bins", name)) for name, w in table["stxs"][process].items()]
            continue
        modes = COMPOSITE.get(process, (process,))
        if unknown := [mode for mode in modes if mode not in sm.MODES]:
            msg = f"{inputs.name}: {entry.name}: no SMEFT parametrisation of production {unknown[0]!r}"
            raise InputError(msg)
        sigma = {mode: sm.cross_section(mode, inputs.sqrt_s, inputs.m_h).value for mode in modes}
        for mode, size in sigma.items():
            weight = share * size / sum(sigma.values())
            if mode == "ZH":
                gluons = sm.cross_section("ggZH", inputs.sqrt_s, inputs.m_h).value / size
                parts.append((weight * gluons, _polynomial("bins", table["production"]["ggZH"])))
                weight *= 1 - gluons
            parts.append((weight, _polynomial("bins", table["production"][mode])))
    return _mixture(parts)


STXS_PARENTS = {"GG2H": "ggH", "QQ2HQQ": "VBF", "QQ2HLNU": "WH", "ZHLL": "ZH", "TTH": "ttH", "TH": "tH"}


@cache
def _decay_mix(parent: str) -> tuple[tuple[str, float], ...]:
    """Return the decays in which a production mode was measured, weighed by 1/σ² of its published strengths.

    The STXS bins are published for all decays together; which decays they rest on is not. The strengths of the same
    publication by production and decay tell it well enough.
    """
    weights: dict[str, float] = {}
    for item in load("atlas-run2")["strengths"]:
        names = [part for process in item["production"] for part in COMPOSITE.get(process, (process,))]
        if {*COMPOSITE.get(parent, (parent,))} & {*names} and item["decay"] in DECAY_MIX:
            size = (item["minus"] + item["plus"]) / 2
            weights[item["decay"]] = weights.get(item["decay"], 0.0) + size**-2
    return tuple(weights.items())


def _decay(entry: Entry, inputs: Measurements) -> Polynomial:
    if entry.decay == "stxs":
        prefix = next(p for p in STXS_PARENTS if entry.name.startswith(p))
        return _mixture([(w, _polynomial("decays", decay)) for decay, w in _decay_mix(STXS_PARENTS[prefix])])
    decays = COMPOSITE_DECAYS.get(entry.decay, (entry.decay,))
    of_decays = load("smeft")["decays"]
    if unknown := [decay for decay in decays if decay not in of_decays]:
        said = choices(unknown[0], of_decays)
        msg = f"{inputs.name}: {entry.name}: no SMEFT parametrisation of decay {unknown[0]!r}; {said}"
        raise InputError(msg)
    return _mixture([(sm.branching_ratio(decay, inputs.m_h), _polynomial("decays", decay)) for decay in decays])


class Parametrisation(NamedTuple):
    """The rates of a set of measurements: polynomials of production, partial and total width, stacked by entry."""

    production: Polynomial
    width: Polynomial
    total: Polynomial

    def __call__(self, c: Array, *, quadratic: bool) -> Array:
        """Return the rates over the SM, shape (..., N), at points (..., operators)."""
        if not quadratic:
            return 1.0 + c @ (self.production.linear + self.width.linear - self.total.linear).T
        return _stacked(self.production, c) * _stacked(self.width, c) / _stacked(self.total, c)


def _stacked(polynomial: Polynomial, c: Array) -> Array:
    n, k = polynomial.linear.shape
    square = np.einsum("...i,...j->...ij", c, c).reshape(*c.shape[:-1], k * k)
    return np.asarray(1.0 + c @ polynomial.linear.T + square @ polynomial.quadratic.reshape(n, k * k).T)


_KNOWN: dict[tuple[str, tuple[str, ...]], Parametrisation] = {}


def parametrisation(inputs: Measurements) -> Parametrisation:
    """Return how the rates of a set of measurements depend on all `operators`.

    Raises
    ------
    InputError
        If an entry has no parametrisation.
    """
    key = (inputs.name, tuple(entry.name for entry in inputs.entries))
    if key not in _KNOWN:
        produced = [_production(entry, inputs) for entry in inputs.entries]
        decayed = [_decay(entry, inputs) for entry in inputs.entries]
        total = [_polynomial("decays", "total")] * len(inputs.entries)
        _KNOWN[key] = Parametrisation(*(Polynomial(*(np.stack(part) for part in zip(*kind, strict=True)))
                                        for kind in (produced, decayed, total)))  # fmt: skip
    return _KNOWN[key]


def check_operators(names: Sequence[str]) -> None:
    """Refuse an operator that no rate depends on.

    Raises
    ------
    InputError
        If one is unknown or named twice.
    """
    if unknown := [name for name in names if name not in operators()]:
        msg = f"unknown operator {unknown[0]!r}; {choices(unknown[0], operators())}"
        raise InputError(msg)
    if len(set(names)) < len(names):
        msg = f"operators named twice: {', '.join(sorted({n for n in names if list(names).count(n) > 1}))}"
        raise InputError(msg)


def model(names: Sequence[str], *, quadratic: bool) -> Model:
    """Return the model in these operators; all others are 0.

    Raises
    ------
    InputError
        If an operator is unknown or named twice.
    """
    check_operators(names)
    index = [operators().index(name) for name in names]

    def predict(points: Array, item: Measurements) -> Rates:
        found = parametrisation(item)
        at = Parametrisation(*(Polynomial(p.linear[:, index], p.quadratic[:, index][:, :, index]) for p in found))
        return Rates(at(points, quadratic=quadratic), sm.branching_ratios(item.m_h))

    order = "quadratic" if quadratic else "linear"
    wide = 1e4 if not quadratic else 200.0
    starts = None
    if quadratic and len(names) == 1:  # a second minimum lies where the interference and the square cancel
        starts = np.array([[-3.0], [-0.3], [-0.03], [0.03], [0.3], [3.0]])
    parameters = tuple(Parameter(name, 0.0, -wide, wide) for name in names)
    title = f"SMEFT, {order} in the Wilson coefficients (Warsaw basis, TeV⁻²)"
    return Model(f"smeft-{order}", title, parameters, predict, (0.0,) * len(names), view="stxs", starts=starts)


def sensitive(inputs: Sequence[Measurements], *, quadratic: bool) -> tuple[str, ...]:
    """Return the operators that some rate of the inputs depends on, all others at 0."""
    size = np.zeros(len(operators()))
    for item in inputs:
        found = parametrisation(item)
        size += abs(found.production.linear + found.width.linear - found.total.linear).sum(axis=0)
        if quadratic:
            size += sum(abs(np.diagonal(part.quadratic, axis1=1, axis2=2)).sum(axis=0) for part in found)
    return tuple(name for name, value in zip(operators(), size, strict=True) if value > NEGLIGIBLE)


def _all(inputs: Sequence[Measurements], *, quadratic: bool) -> Model:
    return model(sensitive(inputs, quadratic=quadratic), quadratic=quadratic)


linear = partial(_all, quadratic=False)
quadratic = partial(_all, quadratic=True)
