"""Many fits of one model: what they are given, what they give back, and the memory of one at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .curvature import hessian
from .derivatives import Rows, rows
from .language import Float64, Int64, part, scalar
from .likelihood import nll_and_gradient
from .statistical_model import Model, Scratch, scratch

CONVERGED, NOT_CONVERGED, FLAT = range(3)
EVALUATE, CURVE, FIT = range(3)


class Fits(NamedTuple):
    """Arrays have the fit as their first index; a ``_stride`` of 0 is for what all fits share."""

    task: int
    """`EVALUATE`: -ln L and its full gradient; `CURVE`: the Hessian too; `FIT`."""
    is_warm: int
    """Whether to start from the inverse Hessian given."""
    wanted: int
    """Whether the covariance is, and the minimum proven by it."""
    tolerance: float
    counts_stride: int
    auxiliary_stride: int
    held_stride: int
    n_moved: int
    counts: Float64
    auxiliary: Float64
    profiled: Int64
    """Which bins have their MC statistics in closed form."""
    moved: Int64
    """Parameters that a fit may move."""
    held: Int64
    """Of these, the ones that it does not: shape (fits, moved)."""
    theta: Float64
    """Start, then minimum: shape (fits, parameters)."""
    inverse: Float64
    """Inverse Hessian: where to start (moved, moved)."""
    covariance: Float64
    """Inverse Hessian at the minimum, or the Hessian: (fits, moved, moved)."""
    gradient: Float64
    """Of evaluations: (fits, parameters)."""
    nll: Float64
    distance: Float64
    """How far -ln L would fall at most, by the parabola at the minimum."""
    status: Int64
    evaluations: Int64


class Memory(NamedTuple):
    """Memory of one fit at a time."""

    work: Scratch
    rows: Rows
    gradient: Float64
    before: Float64
    trial: Float64
    step: Float64
    change: Float64
    product: Float64
    stuck: Int64
    inverse: Float64
    """Inverse Hessian of a quasi-Newton fit; the Hessian of one of Newton's."""
    matrix: Float64
    """Its factor; what stuck parameters have to do with each other."""


def memory(model: Model, moved: np.ndarray) -> Memory:
    """Allocate the memory of one fit at a time."""
    n, n_parameters = len(moved), model.n_parameters
    place = np.full(n_parameters, -1, dtype=np.int64)
    place[moved] = np.arange(n)
    return Memory(
        work=scratch(model),
        rows=rows(model, place, n),
        gradient=np.zeros(n_parameters),
        before=np.zeros(n),
        trial=np.zeros(n_parameters),
        step=np.zeros(n),
        change=np.zeros(n),
        product=np.zeros(n),
        stuck=np.zeros(n, dtype=np.int64),
        inverse=np.zeros(n * n),
        matrix=np.zeros(n * n),
    )


@scalar
def gradient_at(model, fits, fit, memory, theta, out):
    """Return -ln L at *theta* and set the gradient by the moved parameters."""
    counts = part(fits.counts, fit * fits.counts_stride)
    auxiliary = part(fits.auxiliary, fit * fits.auxiliary_stride)
    full = part(memory.gradient, 0)
    value = nll_and_gradient(model, counts, auxiliary, fits.profiled, theta, full, memory.work)
    for j in range(fits.n_moved):
        out[j] = full[fits.moved[j]]
    fits.evaluations[fit] = fits.evaluations[fit] + 1
    return value


@scalar
def hessian_at(model, fits, fit, memory, theta, matrix):
    """Set the Hessian by the moved parameters at the point *theta* of the last evaluation."""
    counts = part(fits.counts, fit * fits.counts_stride)
    auxiliary = part(fits.auxiliary, fit * fits.auxiliary_stride)
    hessian(model, counts, auxiliary, fits.profiled, theta, memory.work, memory.rows, matrix)


@scalar
def rounding(model, fits, fit):
    """Return by how much -ln L is uncertain."""
    noise = 1e-12
    for b in range(model.n_bins):
        noise += 1e-15 * fits.counts[fit * fits.counts_stride + b]
    return noise


@scalar
def at_wall(model, p, value, direction):
    """Whether a parameter is at a bound and would go beyond it."""
    return (value <= model.lower[p] and direction < 0.0) or (value >= model.upper[p] and direction > 0.0)


@scalar
def stick(model, fits, fit, memory, theta, gradient):
    """Mark the parameters that do not move: held, or leaning on a bound."""
    for j in range(fits.n_moved):
        p = fits.moved[j]
        is_held = fits.held[fit * fits.held_stride + j] == 1
        memory.stuck[j] = 1 if is_held or at_wall(model, p, theta[p], -gradient[j]) else 0


@scalar
def stick_more(model, fits, memory, theta, step):
    """Mark parameters at a bound that the step would take beyond it; whether there are any."""
    found = False
    for j in range(fits.n_moved):
        p = fits.moved[j]
        if memory.stuck[j] == 0 and at_wall(model, p, theta[p], step[j]):
            memory.stuck[j] = 1
            found = True
    return found


@scalar
def search(model, fits, fit, memory, value, slope, noise):
    """Go along the step until -ln L falls enough (Armijo); return the new -ln L, and whether it does.

    The new point is in *trial*, its gradient in *change*. A rise by *noise*, the rounding of -ln L, is none.
    """
    theta, trial = part(fits.theta, fit * model.n_parameters), part(memory.trial, 0)
    n, step = fits.n_moved, part(memory.step, 0)
    length, limit = 1.0, -1
    for j in range(n):
        p = fits.moved[j]
        room = model.upper[p] - theta[p] if step[j] > 0.0 else theta[p] - model.lower[p]
        size = step[j] if step[j] > 0.0 else -step[j]
        if size > 0.0 and length * size > room:
            length, limit = room / size, j
    for attempt in range(30):
        for p in range(model.n_parameters):
            trial[p] = theta[p]
        for j in range(n):
            p = fits.moved[j]
            at = theta[p] + length * step[j]
            is_limit = j == limit and attempt == 0
            if at > model.upper[p] or (is_limit and step[j] > 0.0):
                at = model.upper[p]
            if at < model.lower[p] or (is_limit and step[j] < 0.0):
                at = model.lower[p]
            trial[p] = at
        found = gradient_at(model, fits, fit, memory, trial, part(memory.change, 0))
        if found <= value + 1e-4 * length * slope + noise:
            return found, True
        shorter = -slope * length * length / (2.0 * (found - value - slope * length))
        length = shorter if shorter > 0.1 * length and shorter < 0.5 * length else 0.3 * length
    return value, False


@scalar
def accept(model, fits, fit, memory):
    """Move to the point of the search: *step* and *change* become those of parameters and gradient."""
    theta, gradient = part(fits.theta, fit * model.n_parameters), part(memory.before, 0)
    for j in range(fits.n_moved):
        p, new = fits.moved[j], memory.change[j]
        memory.step[j] = memory.trial[p] - theta[p]
        memory.change[j] = new - gradient[j]
        gradient[j] = new
    for p in range(model.n_parameters):
        theta[p] = memory.trial[p]
