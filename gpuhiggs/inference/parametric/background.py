"""Families of smooth falling backgrounds; every function is a sum of terms, each with its number of events.

Terms are normalised in the window, so a function's parameters are events by term, and the slopes of some families.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import comb

from gpuhiggs.errors import InputError
from gpuhiggs.inference.flat_model import FloatArray


@dataclass(frozen=True)
class Background(ABC):
    """A function of a family, of some order, in bins of given edges (GeV)."""

    order: int
    family: ClassVar[str]

    def __post_init__(self) -> None:
        if self.order < 1:
            msg = f"{self.family} of order {self.order}, expected at least 1"
            raise InputError(msg)

    @property
    def name(self) -> str:
        """Family and order."""
        return f"{self.family}{self.order}"

    @property
    @abstractmethod
    def n_parameters(self) -> int:
        """Number of parameters, normalisation included."""

    @abstractmethod
    def start(self, events: float) -> FloatArray:
        """Return parameters to start from."""

    @abstractmethod
    def bounds(self) -> list[tuple[float, float]]:
        """Return the bounds of the parameters."""

    @abstractmethod
    def rates(self, edges: FloatArray, parameters: FloatArray) -> FloatArray:
        """Return expected events of each bin."""


class Bernstein(Background):
    """A polynomial of some order in Bernstein's basis, with coefficients that are not negative."""

    family = "bernstein"

    @property
    def n_parameters(self) -> int:
        """Number of coefficients."""
        return self.order + 1

    def start(self, events: float) -> FloatArray:
        """Start with a falling polynomial."""
        shape = np.linspace(1.5, 0.5, self.n_parameters)
        return np.asarray(events * shape / shape.sum())

    def bounds(self) -> list[tuple[float, float]]:
        """No term is negative."""
        return [(0.0, np.inf)] * self.n_parameters

    def rates(self, edges: FloatArray, parameters: FloatArray) -> FloatArray:
        """Integrate: ∫B_{i,n} = Σ_{j>i} B_{j,n+1}/(n+1)."""
        u = (edges - edges[0]) / (edges[-1] - edges[0])
        n = self.order + 1
        basis = np.array([comb(n, j) * u**j * (1.0 - u) ** (n - j) for j in range(n + 1)])
        integrals = np.array([basis[i + 1 :].sum(axis=0) for i in range(n)])
        return np.asarray(np.diff(parameters @ integrals))


class _Sloped(Background):
    """Terms with an exponent each."""

    first: ClassVar[float]
    step: ClassVar[float]
    steepest: ClassVar[float]

    @property
    def n_parameters(self) -> int:
        """Events and slope of each term."""
        return 2 * self.order

    def start(self, events: float) -> FloatArray:
        """Start with different slopes."""
        slopes = self.first + self.step * np.arange(self.order)
        return np.concatenate([np.full(self.order, events / self.order), slopes])

    def bounds(self) -> list[tuple[float, float]]:
        """No term is negative or rises."""
        return [(0.0, np.inf)] * self.order + [(0.0, self.steepest)] * self.order


class Exponentials(_Sloped):
    """Σ N exp(-λ m), λ in 1/GeV."""

    family = "exponential"
    first, step, steepest = 0.02, 0.03, 1.0

    def rates(self, edges: FloatArray, parameters: FloatArray) -> FloatArray:
        """Integrate each exponential."""
        total = np.zeros(len(edges) - 1)
        for events, slope in parameters.reshape(2, -1).T:
            grown = -np.expm1(-slope * (edges - edges[0])) if slope > 1e-9 else edges - edges[0]
            total += events * np.diff(grown) / grown[-1]
        return total


class PowerLaws(_Sloped):
    """Σ N m^-p."""

    family = "power"
    first, step, steepest = 3.0, 3.0, 60.0

    def rates(self, edges: FloatArray, parameters: FloatArray) -> FloatArray:
        """Integrate each power."""
        return np.asarray(sum(events * _power(edges, power) for events, power in parameters.reshape(2, -1).T))


class Laurent(Background):
    """Σ N m^-l with l = 4, 5, 3, 6, 2, …: the fixed powers that are usual for H→γγ (CMS, arXiv:1804.02716 §7)."""

    family = "laurent"

    @property
    def n_parameters(self) -> int:
        """Events of each power."""
        return self.order + 1

    def start(self, events: float) -> FloatArray:
        """Start with equal terms."""
        return np.full(self.n_parameters, events / self.n_parameters)

    def bounds(self) -> list[tuple[float, float]]:
        """Terms may cancel."""
        return [(-np.inf, np.inf)] * self.n_parameters

    def rates(self, edges: FloatArray, parameters: FloatArray) -> FloatArray:
        """Integrate each power."""
        powers = [4 + (k + 1) // 2 * (1 if k % 2 else -1) for k in range(self.n_parameters)]
        return np.asarray(sum(events * _power(edges, power) for events, power in zip(parameters, powers, strict=True)))


def _power(edges: FloatArray, power: float) -> FloatArray:
    """Return the shares of m^-power in the bins."""
    grown = (edges / edges[0]) ** (1.0 - power) if abs(power - 1.0) > 1e-9 else np.log(edges)
    return np.asarray(np.diff(grown) / (grown[-1] - grown[0]))


FAMILIES: dict[str, type[Background]] = {cls.family: cls for cls in (Bernstein, Exponentials, PowerLaws, Laurent)}
