"""-ln L with some parameters held and all others at their best, at many points at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from gpuhiggs.errors import InputError
from gpuhiggs.inference import batch
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.fit import FitResult, fit, free_parameters
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.likelihood import saturated


class Profile:
    """The profile of -ln L of one data set in some parameters.

    Parameters
    ----------
    model, data
        What to fit to what.
    parameters
        Names of the parameters that will be held.
    fixed
        Other parameters to hold throughout, at these values.
    best
        The fit with the parameters free, if it is there already.
    """

    def __init__(
        self,
        model: FlatModel,
        data: Data,
        parameters: Sequence[str],
        *,
        fixed: Mapping[str, float] | None = None,
        best: FitResult | None = None,
    ) -> None:
        self.model, self.data, self.parameters = model, data, tuple(parameters)
        self.best = best or fit(model, data, fixed=fixed)
        self._places = [model.index(name) for name in parameters]
        held = model.held() | {model.index(name) for name in fixed or {}}
        if stuck := [name for name in parameters if model.index(name) in held]:
            msg = f"{', '.join(stuck)}: held already"
            raise InputError(msg)
        self._profiled = batch.profiled_bins(model, held | set(self._places))
        moved = free_parameters(model, held, self._profiled)
        start = model.values({**self.best.values(), **(fixed or {})})
        self._rows = data.counts[np.newaxis], data.auxiliary[np.newaxis]
        self._constant = float(saturated(model, *self._rows)[0])
        found = batch.minimise(
            model, *self._rows, start[np.newaxis], moved=moved, profiled=self._profiled, covariance=True
        )
        assert found.covariance is not None
        self._theta, self._covariance, self._all = found.theta[0], found.covariance[0], moved
        self._moved = np.array([i for i in moved if i not in self._places], dtype=np.int64)

    def at(self, points: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.bool_], FloatArray]:
        """Return -ln L, constants included, whether each fit converged, and all parameters.

        Shapes (points,), (points,) and (points, parameters), for `points` of shape (points, held parameters). A start
        is the best fit moved along its own valley; a fit that fails is tried again from its neighbours' results.
        """
        values = np.asarray(points, dtype=np.float64).reshape(-1, len(self._places))
        start = self._starts(values)
        inverse = self._inverse()
        found = self._fit(start, inverse)
        nll, is_good, theta = found.nll, found.converged.copy(), found.theta
        for attempt in range(3):
            bad = np.flatnonzero(~is_good)
            if not len(bad):
                break
            near = np.flatnonzero(is_good)
            again = start[bad].copy()
            if attempt != 1 and len(near):
                scale = np.ptp(values, axis=0) + 1e-300
                for k, point in enumerate(bad):
                    distance = np.abs((values[near] - values[point]) / scale).sum(axis=1)
                    again[k] = theta[near[np.argmin(distance)]]
                again[:, self._places] = values[bad]
            elif attempt == 1:
                again[:, self._moved] = self.model.initial()[self._moved]
            result = self._fit(again, None)
            better = result.converged | (result.nll < nll[bad])
            nll[bad[better]], theta[bad[better]] = result.nll[better], result.theta[better]
            is_good[bad] = result.converged
        return nll + self._constant, is_good, theta

    def _starts(self, values: FloatArray) -> FloatArray:
        """Move the best fit to each point, the others following by its covariance."""
        column = {int(p): j for j, p in enumerate(self._all)}
        held = [column[p] for p in self._places]
        moved = [column[int(p)] for p in self._moved]
        start = np.repeat(self._theta[np.newaxis], len(values), axis=0)
        step = values - self._theta[self._places]
        inner = self._covariance[np.ix_(held, held)]
        if np.all(np.isfinite(inner)) and np.linalg.matrix_rank(inner) == len(held):
            follow = self._covariance[np.ix_(moved, held)] @ np.linalg.inv(inner)
            limit = 3.0 * self.model.arrays.step[self._moved]
            start[:, self._moved] += np.clip(step @ follow.T, -limit, limit)
        start[:, self._places] = values
        return start

    def _inverse(self) -> FloatArray | None:
        """Return the inverse Hessian of the others at the best fit, for all points."""
        column = {int(p): j for j, p in enumerate(self._all)}
        held = [column[p] for p in self._places]
        moved = [column[int(p)] for p in self._moved]
        inner = self._covariance[np.ix_(held, held)]
        outer = self._covariance[np.ix_(moved, moved)]
        if not np.all(np.isfinite(outer)):
            return None
        if np.linalg.matrix_rank(inner) == len(held):
            cross = self._covariance[np.ix_(moved, held)]
            outer = outer - cross @ np.linalg.inv(inner) @ cross.T
        missing = np.diag(outer) <= 0.0
        return np.asarray(outer + np.diag(np.where(missing, self.model.arrays.step[self._moved] ** 2, 0.0)))

    def _fit(self, start: FloatArray, inverse: FloatArray | None) -> batch.Minima:
        return batch.minimise(
            self.model, *self._rows, start, moved=self._moved, profiled=self._profiled, inverse=inverse
        )
