"""Likelihood-ratio tests with toys; `significance` defines the statistics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpuhiggs.errors import RunError
from gpuhiggs.inference.data import Data, draw_toys
from gpuhiggs.inference.fit import FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.significance import Statistic
from gpuhiggs.inference.toys import fit_toys


def statistic_of(
    statistic: Statistic,
    value: float,
    best: npt.ArrayLike,
    nll: npt.ArrayLike,
    lowest: npt.ArrayLike,
    at_zero: npt.ArrayLike,
) -> FloatArray:
    """Return the test statistic from -ln L at the tested value, at its best and at 0; all of shape (data sets,)."""
    best, nll, lowest = np.asarray(best), np.asarray(nll), np.asarray(lowest)
    if statistic == "q_tilde":
        lowest = np.where(best < 0.0, np.asarray(at_zero), lowest)
    rise = np.maximum(2.0 * (nll - lowest), 0.0)
    if statistic == "q0":
        return np.where(best > 0.0, rise, 0.0)
    if statistic in ("q", "q_tilde"):
        return np.where(best <= value, rise, 0.0)
    return np.asarray(rise)


@dataclass(frozen=True)
class ToyTest:
    """A test with toys.

    Attributes
    ----------
    value, statistic
        Tested value, and the statistic of the data.
    null, alternative
        The statistic of toys with the tested value, and without signal.
    p_value
        Share of the first that are at least as large as that of the data, and its binomial error.
    cls
        p-value over that of the second; None for a discovery.
    n_failed
        Toys whose fits did not converge, left out.
    """

    value: float
    statistic: float
    null: FloatArray
    alternative: FloatArray
    p_value: float
    error: float
    cls: float | None
    n_failed: int

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, without the toys."""
        return {
            "value": self.value,
            "statistic": self.statistic,
            "p_value": self.p_value,
            "error": self.error,
            "cls": self.cls,
            "n_toys": len(self.null),
            "n_failed": self.n_failed,
        }


def toy_test(
    model: FlatModel,
    data: Data,
    value: float,
    n: int,
    generator: np.random.Generator,
    *,
    poi: str | None = None,
    statistic: Statistic = "q_tilde",
) -> ToyTest:
    """Test a value with toys drawn at the other parameters' best values for it (0 for `q0`), and at 0.

    Raises
    ------
    RunError
        A fit of the data did not converge, or more than 1 % of the toys' fits.
    """
    name = poi or model.poi
    value = 0.0 if statistic == "q0" else value
    best = fit(model, data)
    points = {mu: fit(model, data, fixed={name: mu}, start=best.values()) for mu in {value, 0.0}}
    if not (best.converged and all(point.converged for point in points.values())):
        msg = f"test of {name} = {value:g} with toys: a fit of the data did not converge"
        raise RunError(msg)
    seen = float(
        statistic_of(statistic, value, best.parameters[name].value, points[value].nll, best.nll, points[0.0].nll)
    )
    found, failed = [], 0
    for truth in (value,) if statistic == "q0" else (value, 0.0):
        values, n_bad = _toy_statistics(model, name, value, points[truth], n, generator, statistic)
        found.append(values)
        failed += n_bad
    if failed > 0.01 * n * len(found):
        msg = f"test of {name} = {value:g}: {failed} of {n * len(found)} toys did not converge"
        raise RunError(msg)
    null, other = found[0], found[-1] if statistic != "q0" else np.zeros(0)
    p = float(np.mean(null >= seen - 1e-9))
    below = float(np.mean(other >= seen - 1e-9)) if len(other) else None
    error = math.sqrt(max(p * (1.0 - p), 1.0 / len(null)) / len(null))
    return ToyTest(value, seen, null, other, p, error, p / below if below else None, failed)


def _toy_statistics(
    model: FlatModel,
    name: str,
    value: float,
    truth: FitResult,
    n: int,
    generator: np.random.Generator,
    statistic: Statistic,
) -> tuple[FloatArray, int]:
    toys = draw_toys(model, n, generator, truth.values())
    free = fit_toys(model, toys, parameters=truth.values(), errors=False)
    held = {mu: fit_toys(model, toys, parameters=truth.values(), fixed={name: mu}, errors=False) for mu in {value, 0.0}}
    good: Sequence[bool] = free.converged & np.all([one.converged for one in held.values()], axis=0)
    values = statistic_of(statistic, value, free.of(name)[0], held[value].nll, free.nll, held[0.0].nll)
    return values[np.asarray(good)], int(np.sum(~np.asarray(good)))
