"""Predicted rates at named points of the models beyond the SM, beside the measured ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .combination import CL95, Problem, prepare
from .measurements import Measurements

POINTS: dict[str, tuple[str, dict[str, float]]] = {
    "2hdm-I-aligned": ("2hdm-I", {"cos_beta_alpha": 0.1, "tan_beta": 5.0}),
    "2hdm-II-aligned": ("2hdm-II", {"cos_beta_alpha": 0.02, "tan_beta": 2.0}),
    "2hdm-II-wrong-sign": ("2hdm-II", {"cos_beta_alpha": 0.2, "tan_beta": 10.0}),
    "2hdm-X-leptophilic": ("2hdm-X", {"cos_beta_alpha": 0.02, "tan_beta": 10.0}),
    "2hdm-Y-flipped": ("2hdm-Y", {"cos_beta_alpha": 0.02, "tan_beta": 10.0}),
    "hmssm-light": ("hmssm", {"m_A": 400.0, "tan_beta": 5.0}),
    "hmssm-decoupled": ("hmssm", {"m_A": 1500.0, "tan_beta": 10.0}),
    "singlet-10": ("singlet", {"sin2_theta": 0.10}),
    "mchm4-f800": ("mchm4", {"xi": (246.22 / 800.0) ** 2}),
    "mchm5-f800": ("mchm5", {"xi": (246.22 / 800.0) ** 2}),
}
"""Model and parameters by name: points near what the data still allow, and one in each branch of it."""


class Rate(NamedTuple):
    """One rate over the SM: measured, with its errors, and predicted."""

    measurement: str
    value: float
    minus: float
    plus: float
    predicted: float


class Benchmark(NamedTuple):
    """A point of a model against the data.

    ``rise``: -2 ln L above the model's best fit; ``rise_sm`` that of the SM, so that their difference compares the
    two. ``excluded``: at 95 %, 3.84 for one parameter, 5.99 for two.
    """

    name: str
    model: str
    parameters: dict[str, float]
    rates: tuple[Rate, ...]
    rise: float
    rise_sm: float
    excluded: bool

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**self._asdict(), "rates": [rate._asdict() for rate in self.rates]}


def benchmark(name: str, model: str, values: dict[str, float], inputs: Sequence[Measurements]) -> Benchmark:
    """Compare one point of a model with measurements.

    Raises
    ------
    InputError
        If the model is unknown, or as `prepare` says.
    """
    problem = prepare(model, inputs)
    likelihood = problem.likelihood()
    best = float(problem.best(likelihood).twice_nll[0])
    point = np.array([[values[parameter] for parameter in problem.model.names]])
    there = float(likelihood.minimise(point, range(point.shape[1])).twice_nll[0])
    standard = problem.standard_profiled()
    lowest = min(best, there)
    level = CL95 if point.shape[1] == 1 else 5.991
    return Benchmark(
        name, model, values, _rates(problem, point), there - lowest, standard - lowest, there - lowest > level
    )


def _rates(problem: Problem, point: np.ndarray) -> tuple[Rate, ...]:
    found = []
    for item in problem.inputs:
        predicted = problem.model.predict(point, item).strength[0]
        for entry, rate in zip(item.entries, predicted, strict=True):
            found.append(Rate(f"{item.name}: {entry.name}", entry.value, entry.minus, entry.plus, float(rate)))
    return tuple(found)


def benchmarks(inputs: Sequence[Measurements]) -> list[Benchmark]:
    """Compare all `POINTS` with measurements."""
    return [benchmark(name, model, values, inputs) for name, (model, values) in POINTS.items()]
