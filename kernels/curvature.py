"""The Hessian of -ln L, exact, after an evaluation of the gradient.

With m the expected events of a bin, e its MC error and φ(m, e) its term in -ln L, the pull x at its best,

    ∂²(-ln L)/∂θ_i∂θ_j = Σ_b [φ_mm m_i m_j + φ_me (m_i e_j + e_i m_j) + φ_ee e_i e_j + φ_m m_ij + φ_e e_ij].

The first derivatives m_i, e_i make one row a bin (:mod:`.derivatives`), over the parameters that matter to its channel;
the first three terms are products of rows. Where the pull is a parameter of the fit, the term is f(m + x e).
"""

from __future__ import annotations

from .derivatives import add_block, number_parameters
from .language import part, scalar
from .likelihood import poisson_curve
from .statistical_model import ADDED, NO_ERROR, SCALED


@scalar
def profiled_curves(kind, n, m, e, x, x0, width, floor):
    """Second derivatives φ_mm, φ_me, φ_ee of a bin's term with its pull at its best."""
    rate = m + x * e
    if kind == ADDED and rate <= 0.0:  # x = -m/e
        return 1.0 / (e * e), (2.0 * x - x0) / (e * e), x * (3.0 * x - 2.0 * x0) / (e * e)
    curve = poisson_curve(n, rate, floor)
    if kind == SCALED and (m + x0 * e <= floor or x <= -1.0 / width or x >= 9.0 / width):  # the pull does not move
        return curve, curve * x, curve * x * x
    slope = (x0 - x) / e  # at the best x: x - x₀ + e f' = 0
    across, along, own = curve * e, slope + curve * x * e, curve * e * e + 1.0
    return (
        curve - across * across / own,
        curve * x - across * along / own,
        curve * x * x - along * along / own,
    )


@scalar
def add_product(inner, n, rate, error, mm, me, ee):
    """Add φ_mm m mᵀ + φ_me (m eᵀ + e mᵀ) + φ_ee e eᵀ to the lower half."""
    for i in range(n):
        by_rate, by_error = mm * rate[i] + me * error[i], me * rate[i] + ee * error[i]
        if by_rate != 0.0 or by_error != 0.0:
            line = part(inner, i * n)
            for j in range(i + 1):
                line[j] = line[j] + (by_rate * rate[j] + by_error * error[j])


@scalar
def add_square(inner, n, rate, mm):
    """Add φ_mm m mᵀ to the lower half."""
    for i in range(n):
        by_rate = mm * rate[i]
        if by_rate != 0.0:
            line = part(inner, i * n)
            for j in range(i + 1):
                line[j] = line[j] + by_rate * rate[j]


@scalar
def add_bin(model, counts, auxiliary, profiled, theta, work, slot, inner, n, b, rate, error):
    """Add what the row of a bin contributes to the Hessian of its channel."""
    m, e, p = work.bins[b], work.error[b], model.bin_parameter[b]
    if p < 0 or model.bin_error[b] == NO_ERROR:
        add_square(inner, n, rate, poisson_curve(counts[b], m, model.floor[b]))
        return
    kind, width = model.bin_error[b], model.bin_width[b]
    x = (theta[p] - model.bin_center[b]) / width
    if profiled[b] == 1:
        x0 = (auxiliary[model.bin_auxiliary[b]] - model.bin_center[b]) / width
        mm, me, ee = profiled_curves(kind, counts[b], m, e, x, x0, width, model.floor[b])
        if e == 0.0:  # there is nothing for the pull to move
            curve = poisson_curve(counts[b], m, model.floor[b])
            mm, me, ee = curve, curve * x, curve * x * x - work.by_bins[b] * work.by_bins[b]
    else:
        curve = poisson_curve(counts[b], m + x * e, model.floor[b])
        mm, me, ee = curve, curve * x, curve * x * x
        own = slot[p]
        if own >= 0:
            rate[own] = rate[own] + e / width
            for i in range(n):
                cross = work.by_bins[b] * error[i] / width
                high, low = (own, i) if own > i else (i, own)
                inner[high * n + low] = inner[high * n + low] + cross
    if kind == ADDED and e > 0.0:  # e is a root: e_ij has -e_i e_j / e
        ee -= work.by_error[b] / e
    add_product(inner, n, rate, error, mm, me, ee)


@scalar
def add_constraints(model, auxiliary, theta, place, matrix, n):
    """Add the auxiliary measurements."""
    for k in range(model.n_gaussian):
        i = place[model.gaussian[k]]
        if i >= 0:
            matrix[i * n + i] = matrix[i * n + i] + model.sharpness[k] * model.sharpness[k]
    for k in range(model.n_correlated):
        a, b = model.correlated_i[k], model.correlated_j[k]
        i, j = place[model.gaussian[a]], place[model.gaussian[b]]
        if i >= 0 and j >= 0:
            value = model.correlated_v[k] * model.sharpness[a] * model.sharpness[b]
            matrix[i * n + j] = matrix[i * n + j] + value
            matrix[j * n + i] = matrix[j * n + i] + value
    for k in range(model.n_poisson):
        p = model.poisson[k]
        i = place[p]
        if i >= 0:
            scale = model.scale[k]
            curve = poisson_curve(auxiliary[model.n_gaussian + k], theta[p] * scale, 1e-9 * scale)
            matrix[i * n + i] = matrix[i * n + i] + curve * scale * scale


@scalar
def hessian(model, counts, auxiliary, profiled, theta, work, rows, matrix):
    """Set the Hessian by the parameters that have a place; the gradient at *theta* has been evaluated in *work*."""
    size = rows.n_moved
    for k in range(size * size):
        matrix[k] = 0.0
    for channel in range(model.n_channels):
        n = number_parameters(model, profiled, rows, channel)
        inner, slot = part(rows.inner, 0), part(rows.slot, 0)
        first, last = model.channel_bin[channel], model.channel_bin[channel + 1]
        rate, error = part(rows.by_rate, 0), part(rows.by_error, 0)
        for k in range(n * n):
            inner[k] = 0.0
        for k in range(n * (last - first)):
            rate[k] = 0.0
            error[k] = 0.0
        for block in range(model.channel_block[channel], model.channel_block[channel + 1]):
            add_block(model, theta, work, rows, inner, n, block, first)
        for b in range(first, last):
            at = (b - first) * n
            add_bin(model, counts, auxiliary, profiled, theta, work, slot, inner, n, b, part(rate, at), part(error, at))
        for a in range(n):
            i = rows.touched[a]
            for b in range(a + 1):
                j, value = rows.touched[b], inner[a * n + b]
                matrix[i * size + j] = matrix[i * size + j] + value
                if i != j:
                    matrix[j * size + i] = matrix[j * size + i] + value
        for p in range(model.n_parameters):
            slot[p] = -1
    add_constraints(model, auxiliary, theta, rows.place, matrix, size)
