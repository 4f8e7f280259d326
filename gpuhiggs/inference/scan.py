"""The profile likelihood of one parameter along a grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gpuhiggs.errors import InputError
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.fit import FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel, FloatArray


@dataclass(frozen=True)
class ScanResult:
    """-2 ln L of one parameter with all others profiled.

    Attributes
    ----------
    parameter
        Name of the parameter.
    values
        Its values.
    twice_nll
        -2 ln(L/L_max) at each of them: 1 at one standard deviation, 3.84 at the edge of a 95 % interval.
    converged
        Whether the fit of the other parameters converged, at each of them.
    best
        The fit with the parameter free, where L = L_max.
    """

    parameter: str
    values: tuple[float, ...]
    twice_nll: tuple[float, ...]
    converged: tuple[bool, ...]
    best: FitResult

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, without the best fit."""
        return {
            "parameter": self.parameter,
            "values": list(self.values),
            "twice_nll": list(self.twice_nll),
            "converged": list(self.converged),
        }


def profile_scan(
    model: FlatModel,
    data: Data,
    parameter: str,
    values: Sequence[float] | FloatArray,
    *,
    best: FitResult | None = None,
    fixed: Mapping[str, float] | None = None,
) -> ScanResult:
    """Fit all other parameters at each value of one; each fit starts from the one before.

    Parameters
    ----------
    model, data
        What to fit to what.
    parameter, values
        The scanned parameter and its values, in the order of the scan.
    best
        The fit with the parameter free, if it is there already.
    fixed
        Other parameters to hold, at these values.

    Raises
    ------
    InputError
        No values, a value that is no finite number, or as `fit`.
    """
    if not len(values) or not np.all(np.isfinite(values)):
        msg = f"scan of {parameter!r}: values {list(values)}, expected at least one, all finite"
        raise InputError(msg)
    best = best or fit(model, data, fixed=fixed)
    start, points = best.values(), []
    for value in values:
        points.append(fit(model, data, fixed={**(fixed or {}), parameter: float(value)}, start=start))
        start = points[-1].values()
    return ScanResult(
        parameter=parameter,
        values=tuple(float(value) for value in values),
        twice_nll=tuple(2.0 * (point.nll - best.nll) for point in points),
        converged=tuple(point.converged and best.converged for point in points),
        best=best,
    )
