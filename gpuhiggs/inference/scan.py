"""The profile likelihood of one or two parameters on a grid, and its contours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import contourpy
import numpy as np
import numpy.typing as npt
from scipy.stats import chi2

from gpuhiggs.errors import InputError
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.fit import FitResult
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.profile import Profile

CONFIDENCE = (0.68, 0.95)


def _intervals(values: FloatArray, heights: FloatArray, level: float) -> list[tuple[float | None, float | None]]:
    """Return where heights are below a level, as pairs of crossings; None where the grid ends before."""
    below = heights < level
    found: list[tuple[float | None, float | None]] = []
    start: float | None = None
    for k in range(len(values)):
        if below[k] and (k == 0 or not below[k - 1]):
            start = None if k == 0 else _crossing(values, heights, k - 1, level)
        if below[k] and (k == len(values) - 1 or not below[k + 1]):
            found.append((start, None if k == len(values) - 1 else _crossing(values, heights, k, level)))
    return found


def _crossing(values: FloatArray, heights: FloatArray, k: int, level: float) -> float:
    """Return where the root of the heights, nearly a straight line, crosses between two points."""
    a, b = (np.sqrt(max(height, 0.0)) for height in heights[k : k + 2])
    return float(values[k] + (np.sqrt(level) - a) / (b - a) * (values[k + 1] - values[k]))


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

    def intervals(self, confidence: float) -> list[tuple[float | None, float | None]]:
        """Return the intervals of a confidence level (Wilks); None where the grid ends first."""
        order = np.argsort(self.values)
        values, heights = np.asarray(self.values)[order], np.asarray(self.twice_nll)[order]
        return _intervals(values, heights, float(chi2.ppf(confidence, 1)))

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, without the best fit."""
        return {
            "parameter": self.parameter,
            "values": list(self.values),
            "twice_nll": list(self.twice_nll),
            "converged": list(self.converged),
            "intervals": {f"{c:g}": [list(pair) for pair in self.intervals(c)] for c in CONFIDENCE},
        }


@dataclass(frozen=True)
class Scan2DResult:
    """-2 ln L of two parameters with all others profiled.

    Attributes
    ----------
    parameters
        Names of both.
    x, y
        Their values.
    twice_nll, converged
        Shape (x, y), as in `ScanResult`.
    best
        The fit with both free.
    """

    parameters: tuple[str, str]
    x: FloatArray
    y: FloatArray
    twice_nll: FloatArray
    converged: npt.NDArray[np.bool_]
    best: FitResult

    def contour(self, confidence: float) -> list[FloatArray]:
        """Return the lines, each (points, 2), that enclose a confidence level of both parameters: 2.28 at 68 %."""
        generator = contourpy.contour_generator(self.x, self.y, self.twice_nll.T)
        return [np.asarray(line) for line in generator.lines(float(chi2.ppf(confidence, 2)))]

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, without the best fit."""
        return {
            "parameters": list(self.parameters),
            "x": self.x.tolist(),
            "y": self.y.tolist(),
            "twice_nll": self.twice_nll.tolist(),
            "converged": self.converged.tolist(),
            "contours": {f"{c:g}": [line.tolist() for line in self.contour(c)] for c in CONFIDENCE},
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
    """Fit all other parameters at each value of one, all points together.

    Parameters
    ----------
    model, data
        What to fit to what.
    parameter, values
        The scanned parameter and its values.
    best
        The fit with the parameter free, if it is there already.
    fixed
        Other parameters to hold, at these values.

    Raises
    ------
    InputError
        No values, a value that is no finite number or out of bounds, or as `fit`.
    """
    _check(model, parameter, values)
    profile = Profile(model, data, [parameter], fixed=fixed, best=best)
    nll, converged, _ = profile.at(np.asarray(values)[:, np.newaxis])
    return ScanResult(
        parameter=parameter,
        values=tuple(float(value) for value in values),
        twice_nll=tuple((2.0 * (nll - profile.best.nll)).tolist()),
        converged=tuple(bool(one) and profile.best.converged for one in converged),
        best=profile.best,
    )


def profile_scan_2d(
    model: FlatModel,
    data: Data,
    parameters: tuple[str, str],
    x: Sequence[float] | FloatArray,
    y: Sequence[float] | FloatArray,
    *,
    best: FitResult | None = None,
    fixed: Mapping[str, float] | None = None,
) -> Scan2DResult:
    """Fit all other parameters on a grid of two; arguments and errors as those of `profile_scan`."""
    for name, values in zip(parameters, (x, y), strict=True):
        _check(model, name, values)
    profile = Profile(model, data, parameters, fixed=fixed, best=best)
    grid = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    nll, converged, _ = profile.at(grid.reshape(-1, 2))
    shape = grid.shape[:2]
    return Scan2DResult(
        parameters,
        np.asarray(x, dtype=np.float64),
        np.asarray(y, dtype=np.float64),
        2.0 * (nll.reshape(shape) - profile.best.nll),
        converged.reshape(shape) & profile.best.converged,
        profile.best,
    )


def grid_around(model: FlatModel, best: FitResult, parameter: str, points: int = 41, widths: float = 3.0) -> FloatArray:
    """Return values of a parameter so many errors around its best value, within its bounds."""
    estimate = best.parameters[parameter]
    low, high = model.bounds(parameter)
    size = estimate.error if np.isfinite(estimate.error) and estimate.error > 0.0 else 1.0
    return np.linspace(max(low, estimate.value - widths * size), min(high, estimate.value + widths * size), points)


def _check(model: FlatModel, parameter: str, values: Sequence[float] | FloatArray) -> None:
    if not len(values) or not np.all(np.isfinite(values)):
        msg = f"scan of {parameter!r}: values {np.asarray(values).tolist()}, expected at least one, all finite"
        raise InputError(msg)
    low, high = model.bounds(parameter)
    if min(values) < low or max(values) > high:
        msg = f"scan of {parameter!r}: values from {min(values):g} to {max(values):g} are not within {low, high}"
        raise InputError(msg)
