"""The minimum of -ln L within bounds: by Newton's method with the exact Hessian.

Quasi-Newton steps come first where a good inverse Hessian is known already, as along a scan or for toys. The Hessian
at the minimum must be positive definite to prove it; its inverse is the covariance.
"""

from __future__ import annotations

from .fits import (
    CONVERGED,
    CURVE,
    FIT,
    FLAT,
    NOT_CONVERGED,
    Fits,
    Memory,
    accept,
    gradient_at,
    hessian_at,
    rounding,
    search,
    stick,
    stick_more,
)
from .language import part, record, record_of, scalar
from .matrices import dot, factorise, invert, solve
from .quasi_newton import descend
from .statistical_model import Model

STEPS = 60
"""Of Newton's: a fit that takes more does not converge."""
ATTEMPTS = 6
"""Before a fit is called not converged, with quasi-Newton steps in between."""
NEAR = 1e-6
"""A distance at which a fit whose -ln L does not fall any more has converged: 1e-3 σ of a parameter."""

EDGE = 1e-4
"""Half the width, in units of each parameter's scale, over which an edge of -ln L counts as curvature."""
FAR = 10.0
"""The longest step without a parabola, in units of each parameter's scale."""


@scalar
def factorise_free(model, fits, memory):
    """Factorise the Hessian of the parameters that are not stuck; whether it is positive definite as it is.

    Otherwise its diagonal is raised. Stuck parameters have a row of their own scale alone.
    """
    n, hessian, matrix = fits.n_moved, part(memory.inverse, 0), part(memory.matrix, 0)
    raised = 0.0
    while raised < 1e12:
        for j in range(n):
            line, own = part(matrix, j * n), part(hessian, j * n)
            scale = model.step[fits.moved[j]]
            least, size = 1e-3 / (scale * scale), own[j] if own[j] > 0.0 else -own[j]
            for k in range(j, n):
                line[k] = own[k] if memory.stuck[j] == 0 and memory.stuck[k] == 0 else 0.0
            if memory.stuck[j] == 1:
                line[j] = 1.0 / (scale * scale)
            else:
                line[j] = own[j] + raised * (size if size > least else least)
        if factorise(matrix, part(memory.product, 0), n):
            return raised == 0.0
        raised = 1e-6 if raised == 0.0 else raised * 10.0
    return False


@scalar
def differences(model, fits, fit, memory, theta, matrix):
    """Set the Hessian from gradients at both sides: an edge, where a template ends at zero, is curvature too."""
    n, trial, above, below = fits.n_moved, part(memory.trial, 0), part(memory.change, 0), part(memory.product, 0)
    for p in range(model.n_parameters):
        trial[p] = theta[p]
    for j in range(n):
        p = fits.moved[j]
        high, low = theta[p] + EDGE * model.step[p], theta[p] - EDGE * model.step[p]
        high = model.upper[p] if high > model.upper[p] else high
        low = model.lower[p] if low < model.lower[p] else low
        trial[p] = high
        gradient_at(model, fits, fit, memory, trial, above)
        trial[p] = low
        gradient_at(model, fits, fit, memory, trial, below)
        trial[p] = theta[p]
        for k in range(n):
            matrix[j * n + k] = (above[k] - below[k]) / (high - low)
    for j in range(n):
        for k in range(j):
            mean = 0.5 * (matrix[j * n + k] + matrix[k * n + j])
            matrix[j * n + k] = mean
            matrix[k * n + j] = mean


@scalar
def newton_step(model, fits, fit, memory, theta, is_smooth):
    """Set Newton's step with the stuck parameters at rest; return its slope, negative, and if it is to a minimum."""
    n, step, gradient = fits.n_moved, part(memory.step, 0), part(memory.before, 0)
    if is_smooth:
        hessian_at(model, fits, fit, memory, theta, part(memory.inverse, 0))
    else:
        differences(model, fits, fit, memory, theta, part(memory.inverse, 0))
    stick(model, fits, fit, memory, theta, gradient)
    while True:
        is_minimum = factorise_free(model, fits, memory)
        for j in range(n):
            step[j] = -gradient[j] if memory.stuck[j] == 0 else 0.0
        solve(part(memory.matrix, 0), step, n)
        if not stick_more(model, fits, memory, theta, step):
            break
    if not is_minimum:
        shorten(model, fits, step)
    return dot(step, gradient, n), is_minimum


@scalar
def shorten(model, fits, step):
    """Make a step no longer than *FAR*: where -ln L does not curve up, a parabola's bottom means nothing."""
    longest = FAR
    for j in range(fits.n_moved):
        size = step[j] / model.step[fits.moved[j]]
        size = size if size > 0.0 else -size
        longest = size if size > longest else longest
    for j in range(fits.n_moved):
        step[j] = step[j] * (FAR / longest)


@scalar
def newton(model, fits, fit, memory, is_smooth):
    """Take Newton's steps to the minimum; return -ln L, the distance left and the status."""
    theta = part(fits.theta, fit * model.n_parameters)
    value = gradient_at(model, fits, fit, memory, theta, part(memory.before, 0))
    distance, noise, is_stopped = 0.0, rounding(model, fits, fit), False
    for _ in range(STEPS if is_smooth else 3):
        slope, is_minimum = newton_step(model, fits, fit, memory, theta, is_smooth)
        distance = -0.5 * slope
        if not distance > (NEAR if is_stopped or not is_smooth else fits.tolerance):
            if is_minimum:  # to the bottom of the parabola, which is exact to the square of the distance
                value = polish(model, fits, fit, memory, value)
            return value, distance, CONVERGED if is_minimum else FLAT
        if is_stopped:
            break
        value, is_lower = search(model, fits, fit, memory, value, slope, noise)
        is_stopped = not is_lower
        if is_lower:
            accept(model, fits, fit, memory)
        else:
            gradient_at(model, fits, fit, memory, theta, part(memory.before, 0))
    return value, distance, NOT_CONVERGED


@scalar
def polish(model, fits, fit, memory, value):
    """Take the last step in full, unless it would leave the bounds or rise; return -ln L."""
    theta, trial = part(fits.theta, fit * model.n_parameters), part(memory.trial, 0)
    for p in range(model.n_parameters):
        trial[p] = theta[p]
    for j in range(fits.n_moved):
        p = fits.moved[j]
        trial[p] = theta[p] + memory.step[j]
        if trial[p] > model.upper[p] or trial[p] < model.lower[p]:
            return value
    found = gradient_at(model, fits, fit, memory, trial, part(memory.change, 0))
    if not found <= value + 1e-9:
        return value
    for p in range(model.n_parameters):
        theta[p] = trial[p]
    return found


@scalar
def fit_one(model, fits, fit, memory):
    """Run one fit."""
    n, value, distance, status = fits.n_moved, 0.0, 0.0, NOT_CONVERGED
    if fits.is_warm == 1:
        for k in range(n * n):
            memory.inverse[k] = fits.inverse[k]
        value, distance = descend(model, fits, fit, memory, 15 + n // 3)
        if not distance > fits.tolerance:
            status = CONVERGED
    for attempt in range(ATTEMPTS):
        if status == CONVERGED and fits.wanted == 0:
            break
        value, distance, status = newton(model, fits, fit, memory, attempt == 0)
        if status != NOT_CONVERGED:
            break
        start_from_factor(fits, memory)
        descend(model, fits, fit, memory, 100 + n)
    fits.nll[fit] = value
    fits.distance[fit] = distance
    fits.status[fit] = status
    if fits.wanted == 1:
        keep_covariance(fits, fit, memory)


@scalar
def start_from_factor(fits, memory):
    """Set the inverse Hessian to that of the last factor: quasi-Newton steps get past edges of -ln L."""
    n, matrix, inverse = fits.n_moved, part(memory.matrix, 0), part(memory.inverse, 0)
    invert(matrix, part(memory.product, 0), n)
    for k in range(n * n):
        inverse[k] = matrix[k]


@scalar
def keep_covariance(fits, fit, memory):
    """Invert the factor of the last Hessian; what is stuck has no covariance."""
    n, matrix = fits.n_moved, part(memory.matrix, 0)
    invert(matrix, part(memory.product, 0), n)
    for j in range(n):
        for k in range(n):
            is_free = memory.stuck[j] == 0 and memory.stuck[k] == 0
            fits.covariance[(fit * n + j) * n + k] = matrix[j * n + k] if is_free else 0.0


@scalar
def evaluate_one(model, fits, fit, memory):
    """Evaluate -ln L, its full gradient and, if asked for, its Hessian; set the profiled parameters."""
    theta, n = part(fits.theta, fit * model.n_parameters), fits.n_moved
    fits.nll[fit] = gradient_at(model, fits, fit, memory, theta, part(memory.step, 0))
    for p in range(model.n_parameters):
        fits.gradient[fit * model.n_parameters + p] = memory.gradient[p]
    if fits.task == CURVE:
        hessian_at(model, fits, fit, memory, theta, part(fits.covariance, fit * n * n))


@scalar
def fit_range(first, last, row, model, fits, memory):
    """Work on the fits first … last on one thread, with the memory of number *row*."""
    model = record(model, Model)
    fits = record(fits, Fits)
    memory = record_of(memory, Memory, row)
    for fit in range(first, last):
        fits.evaluations[fit] = 0
        if fits.task == FIT:
            fit_one(model, fits, fit, memory)
        else:
            evaluate_one(model, fits, fit, memory)
