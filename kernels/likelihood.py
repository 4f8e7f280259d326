"""-ln L of a binned model and its gradient.

    -ln L(θ) = Σ_b [ν_b - n_b - n_b ln(ν_b/n_b)] + Σ_normal r²/2 + Σ_poisson [as for bins],   r = (θ - aux)/σ

up to constants of the data, so that a perfect fit has 0. In a *profiled* bin the pull x of its MC statistics takes its
best value, which has a closed form (Barlow-Beeston "lite": Conway, arXiv:1103.0354): with m events expected at x = 0,
the MC error e and the auxiliary result x₀, d(-ln L)/dx = e - n e/ν + x - x₀ = 0 is a quadratic equation of ν = m + x e,

    ν² - (m + x₀ e - e²) ν - n e² = 0,

of which one root is not negative. By the envelope theorem the derivatives by the other parameters are the partial ones.
"""

from __future__ import annotations

from .language import scalar
from .real import log, sqrt
from .statistical_model import ADDED, NO_ERROR, SCALED
from .yields import expect, pull_back


@scalar
def poisson_term(n, rate, floor):
    """ν - n - n ln(ν/n) and its slope; under *floor* a parabola that joins in value and slope."""
    if n == 0.0 and (floor <= 0.0 or (rate >= floor and rate > 0.0)):
        return rate, 1.0
    if rate >= floor and rate > 0.0:
        return rate - n - n * log(rate / n), 1.0 - n / rate
    step = rate / floor - 1.0
    value = rate - n + step * ((n + floor) * step / 2.0 - n)
    if n > 0.0:
        value -= n * log(floor / n)
    return value, 1.0 - n / floor + (n / floor + 1.0) * step


@scalar
def poisson_curve(n, rate, floor):
    """Return the curvature of :func:`poisson_term`."""
    if n == 0.0 and (floor <= 0.0 or (rate >= floor and rate > 0.0)):
        return 0.0
    if rate >= floor and rate > 0.0:
        return n / (rate * rate)
    return (n / floor + 1.0) / floor


@scalar
def best_rate(n, m, e, x0):
    """Return the rate of a bin at the best value of its pull."""
    t = m + x0 * e - e * e
    root = sqrt(t * t + 4.0 * n * e * e)
    if t >= 0.0:
        return (t + root) / 2.0
    return 2.0 * n * e * e / (root - t)


@scalar
def profile(kind, n, m, e, x0, width, floor):
    """Best pull of a profiled bin, its term in -ln L and the slope by ν."""
    if kind == SCALED and m + x0 * e <= floor:  # a factor of 0 is no way out of a negative yield
        value, slope = poisson_term(n, m + x0 * e, floor)
        return x0, value, slope
    rate = best_rate(n, m, e, x0)
    x = x0 + e * (n / rate - 1.0) if rate > 0.0 else -m / e
    if kind == SCALED and (x < -1.0 / width or x > 9.0 / width):  # the factor 1 + width·x stays within 0 and 10
        x = -1.0 / width if x < 0.0 else 9.0 / width
        rate = m + x * e
    elif kind == ADDED and rate <= 0.0:  # n = 0: the rate stays at 0, and x follows
        return x, 0.0, (x0 - x) / e
    value, slope = poisson_term(n, rate, floor)
    return x, value, slope


@scalar
def bin_terms(model, counts, auxiliary, profiled, theta, work, gradient):
    """Sum the terms of all bins; keep their slopes, and set the parameters of profiled bins."""
    total = 0.0
    bins, error = work.bins, work.error
    by_bins, by_error = work.by_bins, work.by_error
    for b in range(model.n_bins):
        n, m, e = counts[b], bins[b], error[b]
        p = model.bin_parameter[b]
        if p < 0 or model.bin_error[b] == NO_ERROR:
            value, slope = poisson_term(n, m, model.floor[b])
            by_error[b] = 0.0
        elif profiled[b] == 1:
            x0 = (auxiliary[model.bin_auxiliary[b]] - model.bin_center[b]) / model.bin_width[b]
            if e != 0.0:
                x, value, slope = profile(model.bin_error[b], n, m, e, x0, model.bin_width[b], model.floor[b])
            else:
                x = x0
                value, slope = poisson_term(n, m, model.floor[b])
            theta[p] = model.bin_center[b] + model.bin_width[b] * x
            by_error[b] = slope * x
        else:
            x = (theta[p] - model.bin_center[b]) / model.bin_width[b]
            value, slope = poisson_term(n, m + x * e, model.floor[b])
            by_error[b] = slope * x
            gradient[p] += slope * e / model.bin_width[b]
        by_bins[b] = slope
        total += value
    return total


@scalar
def constraint_terms(model, auxiliary, theta, gradient):
    """Sum the terms of the auxiliary measurements, and add their slopes."""
    total = 0.0
    n_gaussian = model.n_gaussian
    for k in range(n_gaussian):
        r = (theta[model.gaussian[k]] - auxiliary[k]) * model.sharpness[k]
        total += 0.5 * r * r
        gradient[model.gaussian[k]] += r * model.sharpness[k]
    for k in range(model.n_correlated):
        i, j, v = model.correlated_i[k], model.correlated_j[k], model.correlated_v[k]
        r_i = (theta[model.gaussian[i]] - auxiliary[i]) * model.sharpness[i]
        r_j = (theta[model.gaussian[j]] - auxiliary[j]) * model.sharpness[j]
        total += v * r_i * r_j
        gradient[model.gaussian[i]] += v * r_j * model.sharpness[i]
        gradient[model.gaussian[j]] += v * r_i * model.sharpness[j]
    for k in range(model.n_poisson):
        p = model.poisson[k]
        n = auxiliary[n_gaussian + k]
        value, slope = poisson_term(n, theta[p] * model.scale[k], 1e-9 * model.scale[k])
        total += value
        gradient[p] += slope * model.scale[k]
    return total


@scalar
def nll_and_gradient(model, counts, auxiliary, profiled, theta, gradient, work):
    """Return -ln L and set its gradient; the parameters of profiled bins are set to their best values."""
    for p in range(model.n_parameters):
        gradient[p] = 0.0
    expect(model, theta, work)
    total = bin_terms(model, counts, auxiliary, profiled, theta, work, gradient)
    total += constraint_terms(model, auxiliary, theta, gradient)
    pull_back(model, theta, work, gradient)
    for b in range(model.n_bins):
        if profiled[b] == 1 and model.bin_parameter[b] >= 0:
            gradient[model.bin_parameter[b]] = 0.0
    return total
