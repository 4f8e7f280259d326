"""How factors and shapes answer to their parameters: value, slope and curvature."""

from __future__ import annotations

from .language import scalar
from .real import exp
from .statistical_model import ASYMMETRIC, CODE4, EXPONENTIAL, RATIONAL, VALUE


@scalar
def exponential(theta, up, down):
    """up^θ above 0 and down^-θ below, from logarithms; the slope and the curvature."""
    slope = up if theta >= 0.0 else -down
    value = exp(theta * slope)
    return value, slope * value, slope * slope * value


@scalar
def code4(theta, up, down, series, at):
    """HistFactory's code 4 (CERN-OPEN-2012-016 §4.1)."""
    if theta >= 1.0 or theta <= -1.0:
        return exponential(theta, up, down)
    value, slope, curve = 0.0, 0.0, 0.0
    for k in range(5, -1, -1):
        a = series[at + k]
        if k > 0:
            curve = curve * theta + (k + 1) * k * a
        slope = slope * theta + (k + 1) * a
        value = (value + a) * theta
    return 1.0 + value, slope, curve


@scalar
def asymmetric(theta, up, down):
    """Give Combine's asymmetric log-normal (`ProcessNormalization::logKappaForX`): smooth inside |θ| < 1/2."""
    if theta >= 0.5 or theta <= -0.5:
        return exponential(theta, up, down)
    mean, half = 0.5 * (up - down), 0.5 * (up + down)
    t = 2.0 * theta
    t2 = t * t
    log_kappa = mean + half * 0.125 * t * (t2 * (3.0 * t2 - 10.0) + 15.0)
    growth = half * 0.25 * (t2 * (15.0 * t2 - 30.0) + 15.0)
    value = exp(theta * log_kappa)
    slope = log_kappa + theta * growth
    bend = 2.0 * growth + theta * half * 30.0 * t * (t2 - 1.0)
    return value, value * slope, value * (slope * slope + bend)


@scalar
def even_weight(x, linear):
    """a(x) of a shape, slope and curvature: 8|x|, or x²(15 - 10x² + 3x⁴) inside |x| < 1."""
    if linear or x >= 1.0 or x <= -1.0:
        return (8.0 * x, 8.0, 0.0) if x > 0.0 else (-8.0 * x, -8.0 if x < 0.0 else 0.0, 0.0)
    x2 = x * x
    return x2 * (15.0 - x2 * (10.0 - 3.0 * x2)), x * (30.0 - x2 * (40.0 - 18.0 * x2)), 30.0 - x2 * (120.0 - 90.0 * x2)


@scalar
def polynomial(model, number, first, last, theta, slopes, at):
    """Σ c Π θ^n over the terms first … last; its slopes by the variables of the factor go to *slopes* from *at* on."""
    start, stop = model.rational_start[number], model.rational_start[number + 1]
    for v in range(stop - start):
        slopes[at + v] = 0.0
    total = 0.0
    for term in range(first, last):
        powers = model.power_start[term]
        value = model.coefficient[term]
        for v in range(stop - start):
            for _ in range(model.power[powers + v]):
                value *= theta[model.variable[start + v]]
        total += value
        for v in range(stop - start):
            part = model.coefficient[term] * model.power[powers + v]
            if part != 0.0:
                for other in range(stop - start):
                    for _ in range(model.power[powers + other] - (1 if other == v else 0)):
                        part *= theta[model.variable[start + other]]
                slopes[at + v] += part
    return total


@scalar
def rational(model, number, theta, slopes):
    """Return the ratio of two polynomials; its slopes by the variables stay in the first half of *slopes*."""
    start, stop, half = model.rational_start[number], model.rational_start[number + 1], model.n_variables
    first, last = model.numerator_start[number], model.numerator_start[number + 1]
    middle = model.denominator_start[number]
    above = polynomial(model, number, first, middle, theta, slopes, start)
    below = polynomial(model, number, middle, last, theta, slopes, half + start)
    for v in range(start, stop):
        slopes[v] = (slopes[v] - above / below * slopes[half + v]) / below
    return above / below


@scalar
def polynomial_curve(model, number, first, last, theta, v, u):
    """Return the second derivative of a polynomial by the variables *v* and *u* of its factor; its value for -1."""
    start, stop = model.rational_start[number], model.rational_start[number + 1]
    total = 0.0
    for term in range(first, last):
        powers = model.power_start[term]
        value = model.coefficient[term]
        for other in range(stop - start):
            power = model.power[powers + other]
            if other == v:
                value *= power
                power -= 1
            if other == u:
                value *= power
                power -= 1
            if value != 0.0:
                for _ in range(power):
                    value *= theta[model.variable[start + other]]
        total += value
    return total


@scalar
def rational_curve(model, number, theta, slopes, v, u):
    """Return the second derivative of a ratio by two of its variables, after :func:`rational` has set *slopes*."""
    start, half = model.rational_start[number], model.n_variables
    first, last = model.numerator_start[number], model.numerator_start[number + 1]
    middle = model.denominator_start[number]
    above = polynomial_curve(model, number, first, middle, theta, -1, -1)
    below = polynomial_curve(model, number, middle, last, theta, -1, -1)
    bend = polynomial_curve(model, number, first, middle, theta, v, u)
    bend -= above / below * polynomial_curve(model, number, middle, last, theta, v, u)
    bend -= slopes[start + v] * slopes[half + start + u] + slopes[start + u] * slopes[half + start + v]
    return bend / below


@scalar
def respond(model, theta, work):
    """Fill in the value of every factor, its slope and its curvature by its own parameter."""
    factor, through, bent = work.factor, work.through, work.bent
    for f in range(model.n_factors):
        kind, p = model.factor_kind[f], model.factor_parameter[f]
        if kind == VALUE:
            factor[f], through[f], bent[f] = theta[p], 1.0, 0.0
        elif kind == EXPONENTIAL:
            factor[f], through[f], bent[f] = exponential(theta[p], model.factor_up[f], model.factor_down[f])
        elif kind == CODE4:
            factor[f], through[f], bent[f] = code4(
                theta[p], model.factor_up[f], model.factor_down[f], model.factor_series, 6 * f
            )
        elif kind == ASYMMETRIC:
            factor[f], through[f], bent[f] = asymmetric(theta[p], model.factor_up[f], model.factor_down[f])
        elif kind == RATIONAL:
            factor[f] = rational(model, p, theta, work.variable_slope)
