"""The expected yields of a binned model, and the way back from their slopes to those of the parameters."""

from __future__ import annotations

from .language import scalar
from .real import exp, sqrt
from .statistical_model import ADDED, ASYMMETRIC, CODE4, EXPONENTIAL, RATIONAL, SCALED, VALUE

CROP = 1e-2
"""Fraction of a nominal yield under which a cropped template bends to zero: at a sharp edge no minimum is smooth."""


@scalar
def exponential(theta, up, down):
    """up^θ above 0 and down^-θ below, from logarithms; and the slope."""
    slope = up if theta >= 0.0 else -down
    value = exp(theta * slope)
    return value, slope * value


@scalar
def code4(theta, up, down, series, at):
    """HistFactory's code 4 (CERN-OPEN-2012-016 §4.1)."""
    if theta >= 1.0 or theta <= -1.0:
        return exponential(theta, up, down)
    value = 0.0
    slope = 0.0
    for k in range(5, -1, -1):
        slope = slope * theta + (k + 1) * series[at + k]
        value = (value + series[at + k]) * theta
    return 1.0 + value, slope


@scalar
def asymmetric(theta, up, down):
    """Give Combine's asymmetric log-normal (`ProcessNormalization::logKappaForX`): smooth inside |θ| < 1/2."""
    if theta >= 0.5 or theta <= -0.5:
        return exponential(theta, up, down)
    mean, half = 0.5 * (up - down), 0.5 * (up + down)
    t = 2.0 * theta
    t2 = t * t
    log_kappa = mean + half * 0.125 * t * (t2 * (3.0 * t2 - 10.0) + 15.0)
    value = exp(theta * log_kappa)
    return value, value * (log_kappa + theta * half * 0.25 * (t2 * (15.0 * t2 - 30.0) + 15.0))


@scalar
def even_weight(x, linear):
    """a(x) of a shape, and its slope: 8|x|, or x²(15 - 10x² + 3x⁴) inside |x| < 1."""
    if linear or x >= 1.0 or x <= -1.0:
        return (8.0 * x, 8.0) if x > 0.0 else (-8.0 * x, -8.0 if x < 0.0 else 0.0)
    x2 = x * x
    return x2 * (15.0 - x2 * (10.0 - 3.0 * x2)), x * (30.0 - x2 * (40.0 - 18.0 * x2))


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
    start, stop, half = model.rational_start[number], model.rational_start[number + 1], len(model.variable)
    first, last = model.numerator_start[number], model.numerator_start[number + 1]
    middle = model.denominator_start[number]
    above = polynomial(model, number, first, middle, theta, slopes, start)
    below = polynomial(model, number, middle, last, theta, slopes, half + start)
    for v in range(start, stop):
        slopes[v] = (slopes[v] - above / below * slopes[half + v]) / below
    return above / below


@scalar
def respond(model, theta, factor, through, variable_slope):
    """Fill in the value of every factor and its slope by its own parameter."""
    for f in range(len(model.factor_kind)):
        kind, p = model.factor_kind[f], model.factor_parameter[f]
        if kind == VALUE:
            factor[f], through[f] = theta[p], 1.0
        elif kind == EXPONENTIAL:
            factor[f], through[f] = exponential(theta[p], model.factor_up[f], model.factor_down[f])
        elif kind == CODE4:
            factor[f], through[f] = code4(
                theta[p], model.factor_up[f], model.factor_down[f], model.factor_series, 6 * f
            )
        elif kind == ASYMMETRIC:
            factor[f], through[f] = asymmetric(theta[p], model.factor_up[f], model.factor_down[f])
        elif kind == RATIONAL:
            factor[f] = rational(model, p, theta, variable_slope)


@scalar
def morph(model, block, theta, template):
    """Shift the template of a block; Combine's end at zero."""
    first, last = model.block_start[block], model.block_start[block + 1]
    for entry in range(first, last):
        template[entry] = model.nominal[entry]
    for shape in range(model.shape_start[block], model.shape_start[block + 1]):
        x = model.shape_scale[shape] * theta[model.shape_parameter[shape]]
        if x != 0.0:
            weight, _ = even_weight(x, model.shape_linear[shape] == 1)
            at = model.shift_start[shape]
            low = model.shape_first[shape]
            for k in range(model.shape_last[shape] - low):
                template[first + low + k] += x * model.odd[at + k] + weight * model.even[at + k]
    if model.block_crop[block] == 1:
        for entry in range(first, last):
            end = CROP * model.nominal[entry]
            if template[entry] < end:
                template[entry] = end * exp(template[entry] / end - 1.0)
            elif template[entry] < 0.0:
                template[entry] = 0.0


@scalar
def expect(model, theta, work, row):
    """Fill in the yields of every entry and bin, without MC statistics, and the MC error of every bin."""
    factor, template = work.factor[row], work.template[row]
    by_entry, yields, bins, error = work.by_entry[row], work.yields[row], work.bins[row], work.error[row]
    respond(model, theta, factor, work.through[row], work.variable_slope[row])
    for b in range(len(model.floor)):
        bins[b] = 0.0
        error[b] = 0.0
    for block in range(len(model.block_bin)):
        product = 1.0
        for k in range(model.block_factor_start[block], model.block_factor_start[block + 1]):
            product *= factor[model.block_factor[k]]
        work.product[row, block] = product
        morph(model, block, theta, template)
        start = model.block_start[block]
        shift = model.block_bin[block] - start
        for entry in range(start, model.block_start[block + 1]):
            own = 1.0
            for k in range(model.entry_factor_start[entry], model.entry_factor_start[entry + 1]):
                own *= theta[model.entry_factor[k]]
            by_entry[entry] = own
            value = product * own * template[entry]
            yields[entry] = value
            b = entry + shift
            bins[b] += value
            if model.bin_error[b] == SCALED:
                error[b] += model.entry_error[entry] * value
            elif model.bin_error[b] == ADDED:
                error[b] += (product * model.entry_error[entry]) * (product * model.entry_error[entry])
    for b in range(len(model.floor)):
        if model.bin_error[b] == SCALED:
            error[b] *= model.bin_width[b]
        elif model.bin_error[b] == ADDED:
            error[b] = sqrt(error[b])


@scalar
def pull_back(model, theta, work, row, gradient):
    """Add Σ_b (∂ν_b/∂θ)·by_bins + (∂e_b/∂θ)·by_error to the gradient by the parameters."""
    factor, slope, through = work.factor[row], work.factor_slope[row], work.through[row]
    template, by_entry = work.template[row], work.by_entry[row]
    by_bins, by_error, error = work.by_bins[row], work.by_error[row], work.error[row]
    for f in range(len(model.factor_kind)):
        slope[f] = 0.0
    for block in range(len(model.block_bin)):
        start = model.block_start[block]
        shift = model.block_bin[block] - start
        product = work.product[row, block]
        by_product = 0.0
        for entry in range(start, model.block_start[block + 1]):
            b = entry + shift
            by_yield = by_bins[b]
            if model.bin_error[b] == SCALED:
                by_yield += by_error[b] * model.bin_width[b] * model.entry_error[entry]
            elif model.bin_error[b] == ADDED and error[b] > 0.0:
                size = model.entry_error[entry]
                by_product += by_error[b] * product * size * size / error[b]
            by_product += by_yield * by_entry[entry] * template[entry]
            first, last = model.entry_factor_start[entry], model.entry_factor_start[entry + 1]
            for k in range(first, last):
                others = by_yield * product * template[entry]
                for other in range(first, last):
                    if other != k:
                        others *= theta[model.entry_factor[other]]
                gradient[model.entry_factor[k]] += others
            share = 1.0
            if model.block_crop[block] == 1:
                end = CROP * model.nominal[entry]
                if template[entry] < end:
                    share = template[entry] / end
                elif template[entry] <= 0.0:
                    share = 0.0
            work.yields[row, entry] = share * by_yield * product * by_entry[entry]
        for shape in range(model.shape_start[block], model.shape_start[block + 1]):
            x = model.shape_scale[shape] * theta[model.shape_parameter[shape]]
            _, growth = even_weight(x, model.shape_linear[shape] == 1)
            at = model.shift_start[shape]
            low = start + model.shape_first[shape]
            odd = 0.0
            even = 0.0
            for k in range(model.shape_last[shape] - model.shape_first[shape]):
                odd += work.yields[row, low + k] * model.odd[at + k]
                even += work.yields[row, low + k] * model.even[at + k]
            gradient[model.shape_parameter[shape]] += model.shape_scale[shape] * (odd + growth * even)
        first, last = model.block_factor_start[block], model.block_factor_start[block + 1]
        if product != 0.0:
            for k in range(first, last):
                f = model.block_factor[k]
                slope[f] += by_product * product / factor[f]
        else:
            for k in range(first, last):
                others = by_product
                for other in range(first, last):
                    if other != k:
                        others *= factor[model.block_factor[other]]
                slope[model.block_factor[k]] += others
    for f in range(len(model.factor_kind)):
        p = model.factor_parameter[f]
        if model.factor_kind[f] == RATIONAL:
            for v in range(model.rational_start[p], model.rational_start[p + 1]):
                gradient[model.variable[v]] += slope[f] * work.variable_slope[row, v]
        else:
            gradient[p] += slope[f] * through[f]
