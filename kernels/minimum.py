"""The minimum of -ln L: quasi-Newton steps with bounds, from a Hessian by differences of the analytic gradient.

A fit keeps the inverse Hessian C of all its parameters. Parameters that are held, or lean on a bound, count as *stuck*:
a step for the others alone is -C(g - Eλ) with λ such that the stuck ones do not move, which needs no other inverse. So
one C serves fits with different parameters held. C is updated by BFGS (Nocedal & Wright, Numerical Optimization, §6.1),
and made again from gradients at the minimum, where it must be positive definite to prove it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .language import scalar
from .likelihood import nll_and_gradient
from .matrices import factorise, invert
from .statistical_model import Array, Scratch

CONVERGED, NOT_CONVERGED, FLAT = range(3)
STEP = 1e-4
"""Step of the Hessian's differences in units of a parameter's scale."""


class Fits(NamedTuple):
    """Many fits of one model; the first index of every array is the fit, or 0 where all share one row."""

    counts: Array
    auxiliary: Array
    profiled: Array
    """Which bins have their MC statistics in closed form."""
    moved: Array
    """Parameters that a fit may move."""
    held: Array
    """Of these, the ones that it does not: shape (fits, moved)."""
    theta: Array
    """Start, then minimum: shape (fits, parameters)."""
    inverse: Array
    """Inverse Hessian: where to start (1, moved, moved)."""
    covariance: Array
    """Inverse Hessian at the minimum: (fits, moved, moved) or (1, 1, 1) if not wanted."""
    gradient: Array
    """Of evaluations: (fits, parameters); of fits (1, 0)."""
    nll: Array
    distance: Array
    """How far -ln L would fall at most, by the parabola at the minimum."""
    status: Array
    evaluations: Array


class Memory(NamedTuple):
    """Memory of a fit: one row a thread."""

    work: Scratch
    gradient: Array
    before: Array
    trial: Array
    step: Array
    change: Array
    product: Array
    stuck: Array
    inverse: Array
    small: Array
    scale: Array


@scalar
def gradient_at(model, fits, fit, memory, row, theta, out):
    """Return -ln L at *theta* and set the gradient by the moved parameters."""
    counts = fits.counts[fit if len(fits.counts) > 1 else 0]
    auxiliary = fits.auxiliary[fit if len(fits.auxiliary) > 1 else 0]
    full = memory.gradient[row]
    value = nll_and_gradient(model, counts, auxiliary, fits.profiled, theta, full, memory.work, row)
    for j in range(len(fits.moved)):
        out[j] = full[fits.moved[j]]
    fits.evaluations[fit] += 1
    return value


@scalar
def hessian(model, fits, fit, memory, row):
    """Set the inverse Hessian at the fit's parameters; whether it is that of a minimum.

    Stuck parameters have a row of their own scale alone. Where there is no inverse, the diagonal is raised.
    """
    theta, inverse, trial = fits.theta[fit], memory.inverse[row], memory.trial[row]
    above, below, scale = memory.step[row], memory.change[row], memory.scale[row]
    n = len(fits.moved)
    held = memory.stuck[row]
    for p in range(len(theta)):
        trial[p] = theta[p]
    for j in range(n):
        p = fits.moved[j]
        size = STEP * scale[j]
        high, low = theta[p] + size, theta[p] - size
        high = model.upper[p] if high > model.upper[p] else high
        low = model.lower[p] if low < model.lower[p] else low
        if held[j] == 1:
            for k in range(n):
                inverse[j, k] = 0.0
            continue
        trial[p] = high
        gradient_at(model, fits, fit, memory, row, trial, above)
        trial[p] = low
        gradient_at(model, fits, fit, memory, row, trial, below)
        trial[p] = theta[p]
        for k in range(n):
            inverse[j, k] = (above[k] - below[k]) / (high - low)
    for j in range(n):
        for k in range(j):
            mean = 0.5 * (inverse[j, k] + inverse[k, j]) if held[j] == 0 and held[k] == 0 else 0.0
            inverse[j, k] = mean
            inverse[k, j] = mean
        if held[j] == 1:
            inverse[j, j] = 1.0 / (scale[j] * scale[j])
        above[j] = inverse[j, j]
    raised = 0.0
    while True:
        if factorise(inverse, n):
            invert(inverse, n)
            return raised == 0.0
        raised = 1e-6 if raised == 0.0 else raised * 10.0
        for j in range(n):
            for k in range(j):
                inverse[j, k] = inverse[k, j]
            size = above[j] if above[j] > 0.0 else -above[j]
            floor = 1e-3 / (scale[j] * scale[j])
            inverse[j, j] = above[j] + raised * (size if size > floor else floor)
        if raised > 1e12:
            return False


@scalar
def direct(model, fits, fit, memory, row, theta, gradient):
    """Set the step towards the minimum with the stuck parameters at rest; return half its slope, negative."""
    n = len(fits.moved)
    stuck, inverse, step, small = memory.stuck[row], memory.inverse[row], memory.step[row], memory.small[row]
    held = fits.held[fit if len(fits.held) > 1 else 0]
    for j in range(n):
        p = fits.moved[j]
        stuck[j] = held[j]
        if (theta[p] <= model.lower[p] and gradient[j] > 0.0) or (theta[p] >= model.upper[p] and gradient[j] < 0.0):
            stuck[j] = 1
    while True:
        for j in range(n):
            total = 0.0
            for k in range(n):
                total += inverse[j, k] * gradient[k]
            step[j] = -total
        m = 0
        for j in range(n):
            if stuck[j] == 1:
                i = 0
                for k in range(j + 1):
                    if stuck[k] == 1:
                        small[m, i] = inverse[j, k]
                        i += 1
                m += 1
        if m > 0:
            repel(inverse, stuck, step, small, memory.product[row], n, m)
        blocked = False
        for j in range(n):
            p = fits.moved[j]
            out = (theta[p] <= model.lower[p] and step[j] < 0.0) or (theta[p] >= model.upper[p] and step[j] > 0.0)
            if stuck[j] == 0 and out:
                stuck[j] = 1
                blocked = True
        if not blocked:
            break
    slope = 0.0
    for j in range(n):
        if stuck[j] == 1:
            step[j] = 0.0
        slope += step[j] * gradient[j]
    return 0.5 * slope


@scalar
def repel(inverse, stuck, step, small, force, n, m):
    """Take from *step* what would move the stuck parameters: C E (EᵀCE)⁻¹ Eᵀ step."""
    factorise(small, m)
    i = 0
    for j in range(n):
        if stuck[j] == 1:
            value = step[j]
            for k in range(i):
                value -= small[i, k] * force[k]
            force[i] = value / small[i, i]
            i += 1
    for i in range(m - 1, -1, -1):
        value = force[i]
        for k in range(i + 1, m):
            value -= small[k, i] * force[k]
        force[i] = value / small[i, i]
    i = 0
    for j in range(n):
        if stuck[j] == 1:
            for k in range(n):
                step[k] -= inverse[k, j] * force[i]
            i += 1


@scalar
def search(model, fits, fit, memory, row, value, slope, noise):
    """Go along the step until -ln L falls enough (Armijo); return the new -ln L, or *value* if it does not.

    The new point is in *trial*, its gradient in *change*. A rise by *noise*, the rounding of -ln L, is none.
    """
    theta, trial, step = fits.theta[fit], memory.trial[row], memory.step[row]
    n = len(fits.moved)
    length, limit = 1.0, -1
    for j in range(n):
        p = fits.moved[j]
        room = model.upper[p] - theta[p] if step[j] > 0.0 else theta[p] - model.lower[p]
        size = step[j] if step[j] > 0.0 else -step[j]
        if size > 0.0 and length * size > room:
            length, limit = room / size, j
    for attempt in range(30):
        for p in range(len(theta)):
            trial[p] = theta[p]
        for j in range(n):
            p = fits.moved[j]
            trial[p] = theta[p] + length * step[j]
            if trial[p] > model.upper[p] or (j == limit and attempt == 0 and step[j] > 0.0):
                trial[p] = model.upper[p]
            if trial[p] < model.lower[p] or (j == limit and attempt == 0 and step[j] < 0.0):
                trial[p] = model.lower[p]
        found = gradient_at(model, fits, fit, memory, row, trial, memory.change[row])
        if found <= value + 1e-4 * length * slope + noise:
            return found, True
        shorter = -slope * length * length / (2.0 * (found - value - slope * length))
        length = shorter if shorter > 0.1 * length and shorter < 0.5 * length else 0.3 * length
    return value, False


@scalar
def learn(inverse, step, change, product, n):
    """Update the inverse Hessian by BFGS from a step and the change of the gradient along it."""
    curvature = 0.0
    for j in range(n):
        curvature += step[j] * change[j]
    bend = 0.0
    for j in range(n):
        total = 0.0
        for k in range(n):
            total += inverse[j, k] * change[k]
        product[j] = total
        bend += change[j] * total
    if not curvature > 1e-12 * bend:
        return
    rho = 1.0 / curvature
    for j in range(n):
        along = rho * (1.0 + rho * bend) * step[j] - rho * product[j]
        back = rho * step[j]
        for k in range(n):
            inverse[j, k] += along * step[k] - back * product[k]


@scalar
def descend(model, fits, fit, memory, row, tolerance, most):
    """Step until the minimum is nearer than *tolerance*; return -ln L and the distance."""
    theta, gradient = fits.theta[fit], memory.before[row]
    trial, step, change = memory.trial[row], memory.step[row], memory.change[row]
    n = len(fits.moved)
    value = gradient_at(model, fits, fit, memory, row, theta, gradient)
    distance = 0.0
    noise = 1e-12
    for b in range(len(model.floor)):
        noise += 1e-15 * fits.counts[fit if len(fits.counts) > 1 else 0, b]
    for _ in range(most):
        slope = 2.0 * direct(model, fits, fit, memory, row, theta, gradient)
        distance = -0.5 * slope
        if not distance > tolerance:
            break
        found, is_lower = search(model, fits, fit, memory, row, value, slope, noise)
        if not is_lower:
            break
        value = found
        for j in range(n):
            p = fits.moved[j]
            step[j] = trial[p] - theta[p]
            new = change[j]
            change[j] = new - gradient[j]
            gradient[j] = new
        for p in range(len(theta)):
            theta[p] = trial[p]
        learn(memory.inverse[row], step, change, memory.product[row], n)
    return value, distance


@scalar
def polish(model, fits, fit, memory, row, value):
    """Take the last step in full, unless it would leave the bounds or rise; return -ln L."""
    theta, trial, step = fits.theta[fit], memory.trial[row], memory.step[row]
    for p in range(len(theta)):
        trial[p] = theta[p]
    for j in range(len(fits.moved)):
        p = fits.moved[j]
        trial[p] = theta[p] + step[j]
        if trial[p] > model.upper[p] or trial[p] < model.lower[p]:
            return value
    found = gradient_at(model, fits, fit, memory, row, trial, memory.change[row])
    if not found <= value + 1e-9:
        return value
    for p in range(len(theta)):
        theta[p] = trial[p]
    return found


@scalar
def fit_one(model, fits, fit, memory, row, is_warm, tolerance, wanted):
    """Run one fit. *is_warm*: start from the inverse Hessian given; *wanted*: prove the minimum by its own."""
    n = len(fits.moved)
    inverse, scale = memory.inverse[row], memory.scale[row]
    fits.evaluations[fit] = 0
    for j in range(n):
        memory.stuck[row, j] = fits.held[fit if len(fits.held) > 1 else 0, j]
        scale[j] = model.step[fits.moved[j]]
        for k in range(n):
            inverse[j, k] = fits.inverse[0, j, k] if is_warm else 0.0
    if not is_warm:
        hessian(model, fits, fit, memory, row)
    value, distance = 0.0, 0.0
    status = NOT_CONVERGED
    for attempt in range(12):
        # a Hessian costs as much as 2n steps: it must be worth it
        most = 15 + n // 3 if attempt < 6 else 100 + n
        value, distance = descend(model, fits, fit, memory, row, tolerance, most)
        if not wanted and not distance > tolerance:
            status = CONVERGED
            break
        is_minimum = hessian(model, fits, fit, memory, row)
        gradient_at(model, fits, fit, memory, row, fits.theta[fit], memory.before[row])
        distance = -direct(model, fits, fit, memory, row, fits.theta[fit], memory.before[row])
        if not distance > 100.0 * tolerance or (attempt > 3 and not distance > 1e-6):
            status = CONVERGED if is_minimum else FLAT
            if is_minimum:  # to the bottom of the parabola, which is exact to the square of the distance
                value = polish(model, fits, fit, memory, row, value)
            if is_minimum or attempt > 2:
                break
    fits.nll[fit] = value
    fits.distance[fit] = distance
    fits.status[fit] = status
    if wanted:
        for j in range(n):
            for k in range(n):
                is_free = memory.stuck[row, j] == 0 and memory.stuck[row, k] == 0
                fits.covariance[fit, j, k] = inverse[j, k] if is_free else 0.0


@scalar
def fit_range(first, last, row, model, fits, memory, is_warm, tolerance, wanted):
    """Run the fits first … last on one thread, with the memory of *row*.

    A fit that moves nothing is an evaluation: it sets -ln L, its full gradient and the profiled parameters.
    """
    for fit in range(first, last):
        if len(fits.moved) > 0:
            fit_one(model, fits, fit, memory, row, is_warm, tolerance, wanted)
        else:
            fits.nll[fit] = gradient_at(model, fits, fit, memory, row, fits.theta[fit], memory.step[row])
            for p in range(fits.gradient.shape[1]):
                fits.gradient[fit, p] = memory.gradient[row, p]


def memory(work: Scratch, n_parameters: int, n_moved: int) -> Memory:
    """Allocate the memory of as many fits at a time as *work* has rows."""
    rows, n = len(work.bins), max(n_moved, 1)
    return Memory(
        work=work,
        gradient=np.zeros((rows, n_parameters)),
        before=np.zeros((rows, n)),
        trial=np.zeros((rows, n_parameters)),
        step=np.zeros((rows, n)),
        change=np.zeros((rows, n)),
        product=np.zeros((rows, n)),
        stuck=np.zeros((rows, n), dtype=np.int64),
        inverse=np.zeros((rows, n, n)),
        small=np.zeros((rows, n, n)),
        scale=np.zeros((rows, n)),
    )
