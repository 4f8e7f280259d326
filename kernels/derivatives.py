"""Derivatives of the yields of a channel, after an evaluation of the gradient: first ones by bin, second ones in sums.

An entry is worth y = F·G·T. F, the product of its block's factors, is the same in all bins of the block, so what it
contributes to Σ_b (∂(-ln L)/∂y) ∂²y needs only sums over them. A factor's *term* is one of its variables; where some
factors are zero, only the products without them are left.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .language import Float64, Int64, part, scalar
from .response import even_weight, rational_curve
from .statistical_model import ADDED, RATIONAL, SCALED, Model
from .yields import CROP, crop_slope


class Rows(NamedTuple):
    """Memory of one Hessian at a time."""

    n_moved: int
    """Parameters of the Hessian."""
    place: Int64
    """Number of each parameter among them, or -1."""
    slot: Int64
    """Number of each parameter in the channel, or -1."""
    touched: Int64
    """Number in the Hessian of each parameter of the channel."""
    inner: Float64
    """The channel's Hessian, lower half."""
    by_rate: Float64
    """m_i and e_i, one row a bin."""
    by_error: Float64
    term_slot: Int64
    """Terms of a block: the variable's slot, its factor f, and f'/f, or f' where f is zero."""
    term_factor: Int64
    term_slope: Float64
    term_value: Float64
    """dF/d(variable)."""


def rows(model: Model, place: np.ndarray, n_moved: int) -> Rows:
    """Allocate the memory of a Hessian by *n_moved* parameters; *place* is the number of each parameter, or -1."""
    n, n_bins, n_terms = n_moved, model.longest_channel, model.longest_block
    return Rows(
        n_moved=n_moved,
        place=place,
        slot=np.full(model.n_parameters, -1, dtype=np.int64),
        touched=np.zeros(n, dtype=np.int64),
        inner=np.zeros(n * n),
        by_rate=np.zeros(n * n_bins),
        by_error=np.zeros(n * n_bins),
        term_slot=np.zeros(n_terms, dtype=np.int64),
        term_factor=np.zeros(n_terms, dtype=np.int64),
        term_slope=np.zeros(n_terms),
        term_value=np.zeros(n_terms),
    )


@scalar
def number_parameter(rows, p, n):
    """Give a parameter a slot, if it is one of the Hessian's and has none; return the next slot."""
    if rows.place[p] < 0 or rows.slot[p] >= 0:
        return n
    rows.slot[p] = n
    rows.touched[n] = rows.place[p]
    return n + 1


@scalar
def number_parameters(model, profiled, rows, channel):
    """Give the parameters that matter to a channel their slots; return how many there are."""
    n = 0
    for block in range(model.channel_block[channel], model.channel_block[channel + 1]):
        for k in range(model.block_factor_start[block], model.block_factor_start[block + 1]):
            f = model.block_factor[k]
            p = model.factor_parameter[f]
            if model.factor_kind[f] == RATIONAL:
                for v in range(model.rational_start[p], model.rational_start[p + 1]):
                    n = number_parameter(rows, model.variable[v], n)
            else:
                n = number_parameter(rows, p, n)
        for shape in range(model.shape_start[block], model.shape_start[block + 1]):
            n = number_parameter(rows, model.shape_parameter[shape], n)
        first, last = model.block_start[block], model.block_start[block + 1]
        for k in range(model.entry_factor_start[first], model.entry_factor_start[last]):
            n = number_parameter(rows, model.entry_factor[k], n)
    for b in range(model.channel_bin[channel], model.channel_bin[channel + 1]):
        if model.bin_parameter[b] >= 0 and profiled[b] == 0:
            n = number_parameter(rows, model.bin_parameter[b], n)
    return n


@scalar
def put(inner, n, a, b, value):
    """Add a second derivative in which the parameters *a* and *b* come from two different places."""
    if a == b:
        inner[a * n + a] = inner[a * n + a] + 2.0 * value
    elif a > b:
        inner[a * n + b] = inner[a * n + b] + value
    else:
        inner[b * n + a] = inner[b * n + a] + value


@scalar
def list_term(rows, n_terms, p, f, value, slope):
    """Append a variable of a factor, if it has a slot; return the length of the list."""
    if rows.slot[p] < 0:
        return n_terms
    rows.term_slot[n_terms] = rows.slot[p]
    rows.term_factor[n_terms] = f
    rows.term_slope[n_terms] = slope / value if value != 0.0 else slope
    return n_terms + 1


@scalar
def list_terms(model, work, rows, block):
    """List the terms of a block; return how many, the product of the factors that are not zero, and how many are."""
    n_terms, rest, zeros = 0, 1.0, 0
    for k in range(model.block_factor_start[block], model.block_factor_start[block + 1]):
        f = model.block_factor[k]
        p, value = model.factor_parameter[f], work.factor[f]
        if value != 0.0:
            rest *= value
        else:
            zeros += 1
        if model.factor_kind[f] == RATIONAL:
            for v in range(model.rational_start[p], model.rational_start[p + 1]):
                n_terms = list_term(rows, n_terms, model.variable[v], f, value, work.variable_slope[v])
        else:
            n_terms = list_term(rows, n_terms, p, f, value, work.through[f])
    for t in range(n_terms):
        is_left = without(zeros, work.factor[rows.term_factor[t]]) == 0
        rows.term_value[t] = rows.term_slope[t] * rest if is_left else 0.0
    return n_terms, rest, zeros


@scalar
def without(zeros, value):
    """Return how many zeros are left in a product without a factor of this value."""
    return zeros - 1 if value == 0.0 else zeros


@scalar
def bend_factor(model, theta, work, rows, inner, n, f, weight):
    """Add the second derivatives of one factor, times *weight*."""
    p = model.factor_parameter[f]
    if model.factor_kind[f] != RATIONAL:
        a = rows.slot[p]
        if a >= 0:
            inner[a * n + a] = inner[a * n + a] + weight * work.bent[f]
        return
    start = model.rational_start[p]
    for v in range(model.rational_start[p + 1] - start):
        a = rows.slot[model.variable[start + v]]
        for u in range(v + 1):
            b = rows.slot[model.variable[start + u]]
            if a >= 0 and b >= 0:
                curve = weight * rational_curve(model, p, theta, work.variable_slope, v, u)
                put(inner, n, a, b, 0.5 * curve if u == v else curve)


@scalar
def bend_product(model, theta, work, rows, inner, n, block, n_terms, rest, zeros, by_product, by_square):
    """Add the second derivatives of F times *by_product*, and products of its first ones times *by_square*."""
    for t in range(n_terms):
        f, slope, value, a = rows.term_factor[t], rows.term_slope[t], rows.term_value[t], rows.term_slot[t]
        left = without(zeros, work.factor[f])
        inner[a * n + a] = inner[a * n + a] + by_square * value * value
        for u in range(t):
            g = rows.term_factor[u]
            total = by_square * value * rows.term_value[u]
            if f != g and without(left, work.factor[g]) == 0:
                total += by_product * slope * rows.term_slope[u] * rest
            put(inner, n, a, rows.term_slot[u], total)
    for k in range(model.block_factor_start[block], model.block_factor_start[block + 1]):
        f = model.block_factor[k]
        value = work.factor[f]
        if without(zeros, value) == 0:
            others = rest if value == 0.0 else rest / value
            bend_factor(model, theta, work, rows, inner, n, f, by_product * others)


@scalar
def of_entry(model, work, b, entry):
    """Return d(-ln L)/d(yield) of an entry of a bin, and how much of the yield is MC error."""
    if model.bin_error[b] != SCALED:
        return work.by_bins[b], 0.0
    share = model.bin_width[b] * model.entry_error[entry]
    return work.by_bins[b] + share * work.by_error[b], share


@scalar
def others_of_entry(model, theta, entry, k, j):
    """Return the product of the parameters that multiply an entry without those numbered *k* and *j*."""
    value = 1.0
    for other in range(model.entry_factor_start[entry], model.entry_factor_start[entry + 1]):
        if other != k and other != j:
            value *= theta[model.entry_factor[other]]
    return value


@scalar
def add_entry_factors(model, theta, work, rows, inner, n, b, entry, rate, error, n_terms, product):
    """Add the derivatives by the parameters that multiply a single entry."""
    first, last = model.entry_factor_start[entry], model.entry_factor_start[entry + 1]
    weight, share = of_entry(model, work, b, entry)
    for k in range(first, last):
        a = rows.slot[model.entry_factor[k]]
        if a < 0:
            continue
        slope = work.template[entry] * others_of_entry(model, theta, entry, k, k)
        rate[a] = rate[a] + product * slope
        error[a] = error[a] + share * product * slope
        for t in range(n_terms):
            put(inner, n, a, rows.term_slot[t], weight * slope * rows.term_value[t])
        for j in range(first, k):
            c = rows.slot[model.entry_factor[j]]
            if c >= 0:
                both = work.template[entry] * others_of_entry(model, theta, entry, k, j)
                put(inner, n, a, c, weight * product * both)


@scalar
def add_shape(model, theta, work, rows, inner, n, block, shape, first_bin, n_terms):
    """Add the derivatives by the parameter of a shape."""
    s, start, product = rows.slot[model.shape_parameter[shape]], model.block_start[block], work.product[block]
    if s < 0:
        return
    scale, at = model.shape_scale[shape], model.shift_start[shape]
    _, growth, bend = even_weight(scale * theta[model.shape_parameter[shape]], model.shape_linear[shape] == 1)
    low = start + model.shape_first[shape]
    slopes, curves = 0.0, 0.0
    for k in range(model.shape_last[shape] - model.shape_first[shape]):
        entry, b = low + k, low + k - start + model.block_bin[block]
        weight, share = of_entry(model, work, b, entry)
        scaled = scale * crop_slope(model, block, entry, work.template[entry])
        bare = scaled * (model.odd[at + k] + growth * model.even[at + k])
        slope, place = work.by_entry[entry] * bare, (b - first_bin) * n + s
        rows.by_rate[place] = rows.by_rate[place] + product * slope
        rows.by_error[place] = rows.by_error[place] + share * product * slope
        slopes += weight * slope
        curves += weight * work.by_entry[entry] * scaled * scale * bend * model.even[at + k]
        for j in range(model.entry_factor_start[entry], model.entry_factor_start[entry + 1]):
            a = rows.slot[model.entry_factor[j]]
            if a >= 0:
                put(inner, n, a, s, weight * product * bare * others_of_entry(model, theta, entry, j, j))
    inner[s * n + s] = inner[s * n + s] + product * curves
    for t in range(n_terms):
        put(inner, n, s, rows.term_slot[t], rows.term_value[t] * slopes)


@scalar
def uncropped_slope(model, theta, shape, position):
    """Return the derivative by a shape's parameter of its block's template in one bin, not bent to zero."""
    k = position - model.shape_first[shape]
    if k < 0 or position >= model.shape_last[shape]:
        return 0.0
    scale, at = model.shape_scale[shape], model.shift_start[shape]
    _, growth, _ = even_weight(scale * theta[model.shape_parameter[shape]], model.shape_linear[shape] == 1)
    return scale * (model.odd[at + k] + growth * model.even[at + k])


@scalar
def bend_cropped(model, theta, work, rows, inner, n, block):
    """Add what follows from the bend of a template near its end: products of the slopes of every two shapes."""
    start = model.block_start[block]
    for entry in range(start, model.block_start[block + 1]):
        slope = crop_slope(model, block, entry, work.template[entry])
        if slope == 1.0 or slope == 0.0:
            continue
        weight, _ = of_entry(model, work, entry - start + model.block_bin[block], entry)
        weight *= work.product[block] * work.by_entry[entry] * slope / (CROP * model.nominal[entry])
        for shape in range(model.shape_start[block], model.shape_start[block + 1]):
            a = rows.slot[model.shape_parameter[shape]]
            along = weight * uncropped_slope(model, theta, shape, entry - start)
            for other in range(model.shape_start[block], shape + 1):
                b = rows.slot[model.shape_parameter[other]]
                if a >= 0 and b >= 0 and along != 0.0:
                    value = along * uncropped_slope(model, theta, other, entry - start)
                    put(inner, n, a, b, 0.5 * value if other == shape else value)


@scalar
def add_block(model, theta, work, rows, inner, n, block, first_bin):
    """Add a block: its first derivatives to the rows of its bins, its second ones to the channel's Hessian."""
    n_terms, rest, zeros = list_terms(model, work, rows, block)
    start, product, by_product, by_square = model.block_start[block], work.product[block], 0.0, 0.0
    for entry in range(start, model.block_start[block + 1]):
        b = entry - start + model.block_bin[block]
        weight, share = of_entry(model, work, b, entry)
        value, square = work.by_entry[entry] * work.template[entry], 0.0
        by_product += weight * value
        if model.bin_error[b] == ADDED and work.error[b] > 0.0:  # e² = Σ (F · entry_error)²
            square = model.entry_error[entry] * model.entry_error[entry] / work.error[b]
            by_product += work.by_error[b] * product * square
            by_square += work.by_error[b] * square
        rate, error = part(rows.by_rate, (b - first_bin) * n), part(rows.by_error, (b - first_bin) * n)
        for t in range(n_terms):
            slot = rows.term_slot[t]
            rate[slot] = rate[slot] + rows.term_value[t] * value
            error[slot] = error[slot] + rows.term_value[t] * (share * value + product * square)
        add_entry_factors(model, theta, work, rows, inner, n, b, entry, rate, error, n_terms, product)
    bend_product(model, theta, work, rows, inner, n, block, n_terms, rest, zeros, by_product, by_square)
    for shape in range(model.shape_start[block], model.shape_start[block + 1]):
        add_shape(model, theta, work, rows, inner, n, block, shape, first_bin, n_terms)
    if model.block_crop[block] == 1:
        bend_cropped(model, theta, work, rows, inner, n, block)
