"""Many pseudo-data sets fitted at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpuhiggs.errors import InputError
from gpuhiggs.inference import batch, curvature
from gpuhiggs.inference.data import Data, asimov, stack
from gpuhiggs.inference.fit import free_parameters
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.likelihood import Likelihood, saturated


@dataclass(frozen=True)
class ToyFits:
    """Fits of many data sets.

    Attributes
    ----------
    names
        Names of all parameters.
    values, errors
        Shape (toys, parameters). Errors, from each fit's own Hessian, are NaN where they were not asked for, and for MC
        statistics in closed form.
    nll, deviance
        -ln L, and twice its distance from the saturated model, constraints included; shape (toys,).
    converged
        Whether each fit did.
    """

    names: tuple[str, ...]
    values: FloatArray
    errors: FloatArray
    nll: FloatArray
    deviance: FloatArray
    converged: npt.NDArray[np.bool_]

    def of(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Return values and errors of one parameter."""
        place = self.names.index(name)
        return self.values[:, place], self.errors[:, place]

    def pulls(self, name: str, truth: float) -> FloatArray:
        """Return (value - truth)/error of the toys that converged."""
        values, errors = self.of(name)
        use = self.converged & (errors > 0.0)
        return (values[use] - truth) / errors[use]


def fit_toys(
    model: FlatModel,
    toys: Sequence[Data],
    *,
    parameters: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
    errors: bool = True,
) -> ToyFits:
    """Fit data sets, all from the same start and with the same first Hessian: that of the Asimov data set there.

    Parameters
    ----------
    parameters
        The start: the initial values, and these.
    fixed
        Parameters to hold, at these values.
    errors
        Whether errors are wanted, and each minimum proven by its Hessian.

    Raises
    ------
    InputError
        No toys, or a parameter is not known.
    """
    if not toys:
        msg = "no data sets to fit"
        raise InputError(msg)
    start = model.values({**(parameters or {}), **(fixed or {})})
    held = model.held() | {model.index(name) for name in fixed or {}}
    profiled = batch.profiled_bins(model, held)
    moved = free_parameters(model, held, profiled)
    counts, auxiliary = stack(toys)
    found = batch.minimise(
        model, counts, auxiliary, np.repeat(start[np.newaxis], len(toys), axis=0),
        moved=moved, profiled=profiled, inverse=first_inverse(model, start, moved, profiled), covariance=errors,
    )  # fmt: skip
    found = _again(model, counts, auxiliary, start, found, profiled)
    sizes = np.full_like(found.theta, np.nan)
    if found.covariance is not None:
        sizes[:, moved] = np.sqrt(np.maximum(np.diagonal(found.covariance, axis1=1, axis2=2), 0.0))
    return ToyFits(
        names=model.names,
        values=found.theta,
        errors=sizes,
        nll=found.nll + saturated(model, counts, auxiliary),
        deviance=2.0 * found.nll,
        converged=found.converged,
    )


def first_inverse(
    model: FlatModel, theta: FloatArray, moved: npt.NDArray[np.int64], profiled: npt.NDArray[np.int64]
) -> FloatArray | None:
    """Return the inverse Hessian of the Asimov data set at *theta*; None if there is none."""
    if not len(moved):
        return None
    try:
        data = asimov(model, dict(zip(model.names, theta.tolist(), strict=True)))
    except InputError:
        return None
    matrix = curvature.hessian(Likelihood(model, data), theta, moved, profiled)
    try:
        np.linalg.cholesky(matrix)
    except np.linalg.LinAlgError:
        return None
    return np.asarray(np.linalg.inv(matrix))


def _again(
    model: FlatModel,
    counts: FloatArray,
    auxiliary: FloatArray,
    start: FloatArray,
    found: batch.Minima,
    profiled: npt.NDArray[np.int64],
) -> batch.Minima:
    """Fit the data sets again that did not converge: each with Hessians of its own, from where it was and elsewhere."""
    generator = np.random.default_rng(2)
    for attempt in range(3):
        bad = np.flatnonzero(~found.converged)
        if not len(bad):
            break
        again = found.theta[bad] if attempt == 0 else np.repeat(start[np.newaxis], len(bad), axis=0)
        if attempt == 2:
            size = model.arrays.step[found.moved]
            again[:, found.moved] += 0.5 * size * generator.standard_normal((len(bad), len(found.moved)))
        rows = (counts[bad] if len(counts) > 1 else counts, auxiliary[bad] if len(auxiliary) > 1 else auxiliary)
        result = batch.minimise(
            model, *rows, again, moved=found.moved, profiled=profiled, covariance=found.covariance is not None
        )
        better = result.converged | (result.nll < found.nll[bad])
        for field in ("theta", "nll", "distance", "status", "covariance"):
            old, new = getattr(found, field), getattr(result, field)
            if old is not None:
                old[bad[better]] = new[better]
    return found
