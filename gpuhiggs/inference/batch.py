"""Many evaluations or fits of one model at a time, on all cores: the kernels of `kernels.minimum` on threads.

Arrays have the fit as their first index. What all fits share, counts say, has one row.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gpuhiggs.inference.flat_model import FlatModel, FloatArray, IndexArray
from gpuhiggs.kernels import launch, launch_cuda
from gpuhiggs.kernels.minimum import CONVERGED, FLAT, Fits, memory
from gpuhiggs.kernels.statistical_model import Scratch, scratch

__all__ = ["CONVERGED", "FLAT", "TOLERANCE", "Minima", "evaluate", "expected", "minimise", "profiled_bins"]

TOLERANCE = 1e-9
"""A fit stops this near to the minimum in -ln L: 4.5e-5 σ of a parameter."""
_MODULE = "gpuhiggs.kernels.minimum"
_FIT = launch.Loop(_MODULE, "fit_range", ("model", "fits", "memory", "is_warm", "tolerance", "wanted"))


class Minima(NamedTuple):
    """The minima of many fits.

    Attributes
    ----------
    theta
        Parameters at the minima, shape (fits, parameters).
    nll
        -ln L there up to a constant of the data: half the deviance from the saturated model, constraints included.
    distance
        How far -ln L would still fall, by the parabola there.
    status
        `CONVERGED`, `FLAT` (some direction does not curve up) or not converged, shape (fits,).
    evaluations
        Evaluations of -ln L and its gradient.
    moved
        Positions of the parameters of `covariance`.
    covariance
        Shape (fits, moved, moved); with zeros for parameters held or at a bound. None if not asked for.
    """

    theta: FloatArray
    nll: FloatArray
    distance: FloatArray
    status: IndexArray
    evaluations: IndexArray
    moved: IndexArray
    covariance: FloatArray | None

    @property
    def converged(self) -> npt.NDArray[np.bool_]:
        """Which fits converged, shape (fits,)."""
        return np.asarray(self.status == CONVERGED)


def profiled_bins(model: FlatModel, keep: Collection[int] = ()) -> IndexArray:
    """Return which bins have their MC statistics in closed form: all but those of the parameters to *keep*."""
    owner = model.arrays.bin_parameter
    return ((owner >= 0) & ~np.isin(owner, list(keep))).astype(np.int64)


def minimise(
    model: FlatModel,
    counts: FloatArray,
    auxiliary: FloatArray,
    start: FloatArray,
    *,
    moved: IndexArray,
    held: IndexArray | None = None,
    profiled: IndexArray | None = None,
    inverse: FloatArray | None = None,
    covariance: bool = False,
    tolerance: float = TOLERANCE,
) -> Minima:
    """Fit many times.

    Parameters
    ----------
    counts, auxiliary
        Data sets, shapes (fits or 1, bins) and (fits or 1, constraints).
    start
        Where each fit starts, shape (fits, parameters); kept as it is.
    moved
        Positions of the parameters that the fits may move.
    held
        Of these, what each fit holds: 1 or 0, shape (fits or 1, moved).
    profiled
        Bins whose MC statistics are profiled in closed form, `profiled_bins`; their parameters are none of `moved`.
    inverse
        An inverse Hessian of the moved parameters that is about right for all fits; made by each fit if None.
    covariance
        Whether the covariance is wanted, and the minimum proven by it.
    """
    n, m = len(start), len(moved)
    theta = np.clip(start, model.arrays.lower, model.arrays.upper)
    fits = _fits(
        model, counts, auxiliary, theta, moved, profiled_bins(model) if profiled is None else profiled,
        held=held, inverse=inverse, covariance=covariance,
    )  # fmt: skip
    is_warm = inverse is not None
    _in_threads(
        launch.compiled_loop(_FIT),
        n,
        lambda: (
            model.arrays,
            fits,
            memory(scratch(model.arrays, 1), len(model.parameters), m),
            is_warm,
            float(tolerance),
            covariance,
        ),
    )
    return Minima(
        fits.theta,
        fits.nll,
        fits.distance,
        fits.status,
        fits.evaluations,
        fits.moved,
        fits.covariance if covariance else None,
    )


def evaluate(
    model: FlatModel,
    counts: FloatArray,
    auxiliary: FloatArray,
    theta: FloatArray,
    profiled: IndexArray | None = None,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return -ln L, as in `Minima.nll`, and its gradient at many points, and the points with profiled parameters set.

    Shapes (points,), (points, parameters) and (points, parameters). Nothing is profiled unless `profiled` says so.
    """
    nll, gradients, points, _ = _evaluated(model, counts, auxiliary, theta, profiled)
    return nll, gradients, points


def expected(model: FlatModel, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the expected events of each bin, MC statistics included, and of each entry without, at one point."""
    nothing = np.zeros((1, model.n_bins)), model.constraints.nominal[np.newaxis]
    _, _, _, work = _evaluated(model, *nothing, theta[np.newaxis], None)
    arrays = model.arrays
    owner = np.maximum(arrays.bin_parameter, 0)
    pulls = np.where(arrays.bin_parameter >= 0, (theta[owner] - arrays.bin_center) / arrays.bin_width, 0.0)
    by_entry = np.concatenate(
        [
            np.full(entries.stop - entries.start, product)
            for (_, _, entries), product in zip(model.blocks, work.product[0], strict=True)
        ]
    )
    return work.bins[0] + pulls * work.error[0], by_entry * work.by_entry[0] * work.template[0]


def _evaluated(
    model: FlatModel, counts: FloatArray, auxiliary: FloatArray, theta: FloatArray, profiled: IndexArray | None
) -> tuple[FloatArray, FloatArray, FloatArray, Scratch]:
    n = len(theta)
    fits = _fits(model, counts, auxiliary, theta, np.zeros(0, dtype=np.int64), profiled, evaluation=True)
    work = scratch(model.arrays, 1)
    place = memory(work, len(model.parameters), 0)
    launch.compiled_loop(_FIT)(0, n, 0, model.arrays, fits, place, False, TOLERANCE, False)
    return fits.nll, fits.gradient, fits.theta, work


def _fits(
    model: FlatModel,
    counts: FloatArray,
    auxiliary: FloatArray,
    theta: FloatArray,
    moved: IndexArray,
    profiled: IndexArray | None,
    *,
    held: IndexArray | None = None,
    inverse: FloatArray | None = None,
    covariance: bool = False,
    evaluation: bool = False,
) -> Fits:
    n, m = len(theta), len(moved)
    return Fits(
        counts=np.ascontiguousarray(counts, dtype=np.float64),
        auxiliary=np.ascontiguousarray(auxiliary, dtype=np.float64),
        profiled=np.zeros(model.n_bins, dtype=np.int64) if profiled is None else profiled,
        moved=np.ascontiguousarray(moved, dtype=np.int64),
        held=np.zeros((1, m), dtype=np.int64) if held is None else np.ascontiguousarray(held, dtype=np.int64),
        theta=np.array(theta, dtype=np.float64, order="C"),
        inverse=np.zeros((1, 1, 1)) if inverse is None else np.ascontiguousarray(inverse)[np.newaxis],
        covariance=np.zeros((n, m, m)) if covariance else np.zeros((1, 1, 1)),
        gradient=np.zeros_like(theta, dtype=np.float64) if evaluation else np.zeros((1, 0)),
        nll=np.zeros(n),
        distance=np.zeros(n),
        status=np.zeros(n, dtype=np.int64),
        evaluations=np.zeros(n, dtype=np.int64),
    )


def ptx(model: FlatModel) -> str:
    """Return the PTX of the CUDA build, one thread a fit; no GPU is needed. Nothing launches it yet."""
    moved = np.arange(len(model.parameters))
    fits = _fits(model, np.zeros((1, model.n_bins)), np.zeros((1, 1)), model.initial()[np.newaxis], moved, None)
    place = memory(scratch(model.arrays, 1), len(model.parameters), len(moved))
    return launch_cuda.loop_ptx(_FIT, (model.arrays, fits, place, False, TOLERANCE, False))


def _in_threads(loop: Callable[..., None], n: int, arguments: Callable[[], tuple[Any, ...]]) -> None:
    """Run a loop over [0, n) in pieces; every thread has its own arguments."""
    workers = min(len(os.sched_getaffinity(0)), n)
    if workers <= 1:
        if n:
            loop(0, n, 0, *arguments())
        return
    size = max(1, min(64, n // (4 * workers)))
    free = [arguments() for _ in range(workers)]
    loop(0, 0, 0, *free[0])  # compiles once, before any thread could do so too

    def piece(first: int) -> None:
        own = free.pop()
        try:
            loop(first, min(first + size, n), 0, *own)
        finally:
            free.append(own)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(piece, range(0, n, size)))
