"""The expected yields of a binned model, and the way back from their slopes to those of the parameters."""

from __future__ import annotations

from .language import scalar
from .real import exp, sqrt
from .response import even_weight, respond
from .statistical_model import ADDED, RATIONAL, SCALED

CROP = 1e-2
"""Fraction of a nominal yield under which a cropped template bends to zero: at a sharp edge no minimum is smooth."""


@scalar
def morph(model, block, theta, template):
    """Shift the template of a block; Combine's end at zero."""
    first, last = model.block_start[block], model.block_start[block + 1]
    for entry in range(first, last):
        template[entry] = model.nominal[entry]
    for shape in range(model.shape_start[block], model.shape_start[block + 1]):
        x = model.shape_scale[shape] * theta[model.shape_parameter[shape]]
        if x != 0.0:
            weight, _, _ = even_weight(x, model.shape_linear[shape] == 1)
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
def crop_slope(model, block, entry, value):
    """Return how a template, bent to zero at its end, follows what it would be without: 1 but near the end."""
    if model.block_crop[block] == 0:
        return 1.0
    end = CROP * model.nominal[entry]
    if value < end:
        return value / end
    return 0.0 if value <= 0.0 else 1.0


@scalar
def expect(model, theta, work):
    """Fill in the yields of every entry and bin, without MC statistics, and the MC error of every bin."""
    respond(model, theta, work)
    factor, products = work.factor, work.product
    template, by_entry = work.template, work.by_entry
    bins, error = work.bins, work.error
    for b in range(model.n_bins):
        bins[b] = 0.0
        error[b] = 0.0
    for block in range(model.n_blocks):
        product = 1.0
        for k in range(model.block_factor_start[block], model.block_factor_start[block + 1]):
            product *= factor[model.block_factor[k]]
        products[block] = product
        morph(model, block, theta, template)
        start = model.block_start[block]
        shift = model.block_bin[block] - start
        for entry in range(start, model.block_start[block + 1]):
            own = 1.0
            for k in range(model.entry_factor_start[entry], model.entry_factor_start[entry + 1]):
                own *= theta[model.entry_factor[k]]
            by_entry[entry] = own
            value = product * own * template[entry]
            b = entry + shift
            bins[b] += value
            if model.bin_error[b] == SCALED:
                error[b] += model.entry_error[entry] * value
            elif model.bin_error[b] == ADDED:
                error[b] += (product * model.entry_error[entry]) * (product * model.entry_error[entry])
    for b in range(model.n_bins):
        if model.bin_error[b] == SCALED:
            error[b] *= model.bin_width[b]
        elif model.bin_error[b] == ADDED:
            error[b] = sqrt(error[b])


@scalar
def pull_back(model, theta, work, gradient):
    """Add Σ_b (∂ν_b/∂θ)·by_bins + (∂e_b/∂θ)·by_error to the gradient by the parameters."""
    factor, slope, through = work.factor, work.factor_slope, work.through
    template, by_entry = work.template, work.by_entry
    yields, products = work.yields, work.product
    by_bins, by_error, error = work.by_bins, work.by_error, work.error
    variable_slope = work.variable_slope
    for f in range(model.n_factors):
        slope[f] = 0.0
    for block in range(model.n_blocks):
        start = model.block_start[block]
        shift = model.block_bin[block] - start
        product = products[block]
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
            yields[entry] = crop_slope(model, block, entry, template[entry]) * by_yield * product * by_entry[entry]
        for shape in range(model.shape_start[block], model.shape_start[block + 1]):
            x = model.shape_scale[shape] * theta[model.shape_parameter[shape]]
            _, growth, _ = even_weight(x, model.shape_linear[shape] == 1)
            at = model.shift_start[shape]
            low = start + model.shape_first[shape]
            odd = 0.0
            even = 0.0
            for k in range(model.shape_last[shape] - model.shape_first[shape]):
                odd += yields[low + k] * model.odd[at + k]
                even += yields[low + k] * model.even[at + k]
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
    for f in range(model.n_factors):
        p = model.factor_parameter[f]
        if model.factor_kind[f] == RATIONAL:
            for v in range(model.rational_start[p], model.rational_start[p + 1]):
                gradient[model.variable[v]] += slope[f] * variable_slope[v]
        else:
            gradient[p] += slope[f] * through[f]
