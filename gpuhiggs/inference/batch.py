"""Many evaluations or fits of one model at a time, on all cores: the kernels of `kernels.minimum` on threads.

Arrays have the fit as their first index. What all fits share, counts say, has one row.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gpuhiggs.inference.flat_model import FlatModel, FloatArray, IndexArray
from gpuhiggs.kernels import launch, launch_cuda
from gpuhiggs.kernels.fits import CONVERGED, CURVE, EVALUATE, FIT, FLAT, Fits, Memory, memory
from gpuhiggs.kernels.statistical_model import Scratch

__all__ = ["CONVERGED", "FLAT", "TOLERANCE", "Minima", "evaluate", "expected", "hessian", "minimise", "profiled_bins"]

TOLERANCE = 1e-9
"""A fit stops this near to the minimum in -ln L: 4.5e-5 σ of a parameter."""
_LOOP = launch.Loop("gpuhiggs.kernels.minimum", "fit_range", ("model", "fits", "memory"))


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
    return np.asarray((owner >= 0) & ~np.isin(owner, list(keep)), dtype=np.int64)


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
    theta = np.clip(start, model.arrays.lower, model.arrays.upper)
    bins = profiled_bins(model) if profiled is None else profiled
    fits = _fits(model, counts, auxiliary, theta, moved, bins, task=FIT, wanted=covariance, tolerance=tolerance)
    if held is not None:
        fits = fits._replace(held=np.ascontiguousarray(held, dtype=np.int64), held_stride=_stride(held))
    if inverse is not None:
        fits = fits._replace(inverse=np.ascontiguousarray(inverse), is_warm=1)
    _in_threads(model, fits)
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
    fits, _ = _evaluated(model, counts, auxiliary, theta, profiled)
    return fits.nll, fits.gradient, fits.theta


def hessian(
    model: FlatModel,
    counts: FloatArray,
    auxiliary: FloatArray,
    theta: FloatArray,
    moved: IndexArray,
    profiled: IndexArray | None = None,
) -> FloatArray:
    """Return the Hessian of -ln L by the moved parameters at many points, shape (points, moved, moved).

    Where MC statistics are profiled it is that of the profile, none of whose parameters is among *moved*.
    """
    return np.asarray(_evaluated(model, counts, auxiliary, theta, profiled, moved)[0].covariance)


def expected(model: FlatModel, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the expected events of each bin, MC statistics included, and of each entry without, at one point."""
    nothing = np.zeros((1, model.n_bins)), model.constraints.nominal[np.newaxis]
    _, work = _evaluated(model, *nothing, theta[np.newaxis], None)
    arrays = model.arrays
    owner = np.maximum(arrays.bin_parameter, 0)
    pulls = np.where(arrays.bin_parameter >= 0, (theta[owner] - arrays.bin_center) / arrays.bin_width, 0.0)
    by_entry = np.repeat(work.product, np.diff(arrays.block_start))
    return work.bins + pulls * work.error, by_entry * work.by_entry * work.template


def _evaluated(
    model: FlatModel,
    counts: FloatArray,
    auxiliary: FloatArray,
    theta: FloatArray,
    profiled: IndexArray | None,
    moved: IndexArray | None = None,
) -> tuple[Fits, Scratch]:
    """Evaluate -ln L at many points, and its Hessian by the moved parameters; the memory is as after the last one."""
    task = EVALUATE if moved is None else CURVE
    by = np.zeros(0, dtype=np.int64) if moved is None else moved
    fits = _fits(model, counts, auxiliary, np.asarray(theta, dtype=np.float64), by, profiled, task=task)
    place = memory(model.arrays, fits.moved)
    launch.run_loop(_LOOP, _records(model, fits, place), 0, len(theta))
    return fits, place.work


def _fits(
    model: FlatModel,
    counts: FloatArray,
    auxiliary: FloatArray,
    theta: FloatArray,
    moved: IndexArray,
    profiled: IndexArray | None,
    *,
    task: int,
    wanted: bool = False,
    tolerance: float = TOLERANCE,
) -> Fits:
    n, m = len(theta), len(moved)
    return Fits(
        task=task,
        is_warm=0,
        wanted=int(wanted),
        tolerance=tolerance,
        counts_stride=_stride(counts),
        auxiliary_stride=_stride(auxiliary),
        held_stride=0,
        n_moved=m,
        counts=np.ascontiguousarray(counts, dtype=np.float64),
        auxiliary=np.ascontiguousarray(auxiliary, dtype=np.float64),
        profiled=np.zeros(model.n_bins, dtype=np.int64) if profiled is None else profiled,
        moved=np.ascontiguousarray(moved, dtype=np.int64),
        held=np.zeros(m, dtype=np.int64),
        theta=np.array(theta, dtype=np.float64, order="C"),
        inverse=np.zeros(0),
        covariance=np.zeros((n, m, m)) if wanted or task == CURVE else np.zeros((0, m, m)),
        gradient=np.zeros(theta.shape if task != FIT else 0),
        nll=np.zeros(n),
        distance=np.zeros(n),
        status=np.zeros(n, dtype=np.int64),
        evaluations=np.zeros(n, dtype=np.int64),
    )


def _stride(rows: FloatArray | IndexArray) -> int:
    """Return how far the row of a fit is from that of the one before: 0 if all share one."""
    return rows.shape[1] if len(rows) > 1 else 0


def _records(model: FlatModel, fits: Fits, place: Memory) -> list[launch.Record]:
    return [model.record, launch.record(Fits, fits), launch.record(Memory, place)]


def ptx() -> str:
    """Return the PTX of the CUDA build, one thread a fit; no GPU is needed. Nothing launches it yet."""
    return launch_cuda.loop_ptx(_LOOP, (0, 0, 0))


def _in_threads(model: FlatModel, fits: Fits) -> None:
    """Run the fits in pieces; every thread has its own memory."""
    n = len(fits.theta)
    workers = max(min(len(os.sched_getaffinity(0)), n), 1)
    free = [_records(model, fits, memory(model.arrays, fits.moved)) for _ in range(workers)]
    if workers == 1:
        launch.run_loop(_LOOP, free[0], 0, n)
        return
    size = max(1, min(64, n // (4 * workers)))
    launch.run_loop(_LOOP, free[0], 0, 0)  # compiles once, before any thread could do so too

    def piece(first: int) -> None:
        own = free.pop()
        try:
            launch.run_loop(_LOOP, own, first, min(first + size, n))
        finally:
            free.append(own)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(piece, range(0, n, size)))
