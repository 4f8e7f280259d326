"""Quasi-Newton steps towards the minimum of -ln L, from an inverse Hessian that is about right.

Parameters that are held, or lean on a bound, are *stuck*: a step for the others alone is -C(g - Eλ) with λ such that
the stuck ones do not move, which needs no other inverse. So one C serves fits with different parameters held. C is
updated by BFGS (Nocedal & Wright, Numerical Optimization, §6.1).
"""

from __future__ import annotations

from .fits import accept, gradient_at, rounding, search, stick, stick_more
from .language import part, scalar
from .matrices import dot, factorise, solve


@scalar
def direct(model, fits, fit, memory, theta):
    """Set the step towards the minimum with the stuck parameters at rest; return its slope, negative."""
    n, gradient = fits.n_moved, part(memory.before, 0)
    inverse, step, stuck = part(memory.inverse, 0), part(memory.step, 0), memory.stuck
    stick(model, fits, fit, memory, theta, gradient)
    while True:
        times(inverse, gradient, step, n)
        for j in range(n):
            step[j] = -step[j]
        repel(memory, inverse, step, n)
        if not stick_more(model, fits, memory, theta, step):
            break
    for j in range(n):
        if stuck[j] == 1:
            step[j] = 0.0
    return dot(step, gradient, n)


@scalar
def times(matrix, x, product, n):
    """Multiply a symmetric matrix and a vector."""
    for j in range(n):
        product[j] = 0.0
    for k in range(n):
        line, share = part(matrix, k * n), x[k]
        if share != 0.0:
            for j in range(n):
                product[j] = product[j] + share * line[j]


@scalar
def repel(memory, inverse, step, n):
    """Take from *step* what would move the stuck parameters: C E (EᵀCE)⁻¹ Eᵀ step."""
    small, force, m = part(memory.matrix, 0), part(memory.product, 0), 0
    for j in range(n):
        m += memory.stuck[j]
    if m == 0:
        return
    a = 0
    for j in range(n):
        if memory.stuck[j] == 1:
            b = 0
            for k in range(n):
                if memory.stuck[k] == 1:
                    small[a * m + b] = inverse[j * n + k]
                    b += 1
            a += 1
    factorise(small, force, m)
    a = 0
    for j in range(n):
        if memory.stuck[j] == 1:
            force[a] = step[j]
            a += 1
    solve(small, force, m)
    a = 0
    for j in range(n):
        if memory.stuck[j] == 1:
            line = part(inverse, j * n)
            for k in range(n):
                step[k] = step[k] - line[k] * force[a]
            a += 1


@scalar
def learn(memory, n):
    """Update the inverse Hessian by BFGS from a step and the change of the gradient along it."""
    inverse, product = part(memory.inverse, 0), part(memory.product, 0)
    step, change = part(memory.step, 0), part(memory.change, 0)
    times(inverse, change, product, n)
    curvature, bend = dot(step, change, n), dot(change, product, n)
    if not curvature > 1e-12 * bend:
        return
    rho = 1.0 / curvature
    for j in range(n):
        along = rho * (1.0 + rho * bend) * step[j] - rho * product[j]
        back = rho * step[j]
        line = part(inverse, j * n)
        for k in range(n):
            line[k] = line[k] + (along * step[k] - back * product[k])


@scalar
def descend(model, fits, fit, memory, most):
    """Step until the minimum is nearer than the tolerance, or *most* times; return -ln L and the distance."""
    theta = part(fits.theta, fit * model.n_parameters)
    value = gradient_at(model, fits, fit, memory, theta, part(memory.before, 0))
    distance, noise = 0.0, rounding(model, fits, fit)
    for _ in range(most):
        slope = direct(model, fits, fit, memory, theta)
        distance = -0.5 * slope
        if not distance > fits.tolerance:
            break
        value, is_lower = search(model, fits, fit, memory, value, slope, noise)
        if not is_lower:
            break
        accept(model, fits, fit, memory)
        learn(memory, fits.n_moved)
    return value, distance
