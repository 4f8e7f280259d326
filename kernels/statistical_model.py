"""A binned statistical model as flat arrays, and the scratch memory of its evaluation.

Bins are those of all channels, one after the other. A *block* is one sample in one channel, an *entry* one of its bins.
An entry is worth

    y = F · G · T,   F = Π factors of the block,   G = Π per-bin parameters,   T = nominal + Σ_h [S_h x + A_h a(x)]

and a bin ν = Σ y + x·e, where e is the MC error of the bin and x its pull (``likelihood`` says how it is profiled).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .language import Float64, Int64

# Kinds of factors: the parameter itself; up^θ or down^-θ; the same with a polynomial inside |θ| < 1 (HistFactory's
# code 4); Combine's asymmetric log-normal; a ratio of polynomials of several parameters.
VALUE, EXPONENTIAL, CODE4, ASYMMETRIC, RATIONAL = range(5)
# MC statistics of a bin: none; one factor of the marked samples (HistFactory); one shift of the total (Combine).
NO_ERROR, SCALED, ADDED = range(3)


class Model(NamedTuple):
    """A model; int64 and float64 arrays of one dimension, ``_start`` arrays one longer than what they partition."""

    n_parameters: int
    n_factors: int
    n_variables: int
    """Variables of all rational factors."""
    n_channels: int
    n_blocks: int
    n_entries: int
    n_bins: int
    n_gaussian: int
    n_poisson: int
    n_correlated: int
    longest_channel: int
    """Bins of the largest channel, and variables of all factors of the block that has most."""
    longest_block: int
    channel_bin: Int64
    """Bins of each channel."""
    channel_block: Int64
    """Blocks of each channel."""
    lower: Float64
    """Bounds of each parameter."""
    upper: Float64
    step: Float64
    """The scale of each parameter, before any fit knows better."""
    factor_kind: Int64
    factor_parameter: Int64
    """The parameter of each factor; of a rational one its number."""
    factor_up: Float64
    """ln of the factor at θ = 1, and at θ = -1."""
    factor_down: Float64
    factor_series: Float64
    """Six coefficients a factor: 1 + Σ a_i θ^i, i = 1 … 6."""
    rational_start: Int64
    """Of each rational factor: first of its `variables`."""
    variable: Int64
    """The parameters of all rational factors."""
    numerator_start: Int64
    """Of each rational factor: first of its terms above, and below, the line."""
    denominator_start: Int64
    coefficient: Float64
    """Of each term."""
    power_start: Int64
    power: Int64
    """Of each term: the power of each of its factor's variables."""
    block_start: Int64
    """Entries of each block."""
    block_bin: Int64
    """First bin of each block."""
    block_crop: Int64
    """1 where a template ends at zero, as Combine's."""
    block_factor_start: Int64
    block_factor: Int64
    shape_start: Int64
    """Shapes of each block."""
    shape_parameter: Int64
    shape_linear: Int64
    """1 for straight lines on each side (code 0), 0 for code 4p."""
    shape_scale: Float64
    """x = scale · θ."""
    shape_first: Int64
    """First and last + 1 of the block's bins that the shape changes."""
    shape_last: Int64
    shift_start: Int64
    odd: Float64
    """S and A of each of these bins, shape after shape."""
    even: Float64
    nominal: Float64
    """Of each entry."""
    entry_error: Float64
    """MC error of each entry (`ADDED`), or 1 where the bin's factor multiplies it (`SCALED`)."""
    entry_factor_start: Int64
    """Parameters that multiply single entries."""
    entry_factor: Int64
    bin_error: Int64
    """`NO_ERROR`, `SCALED`, `ADDED`."""
    bin_parameter: Int64
    """The parameter of each bin's MC statistics, -1 without, with its nominal value, width and auxiliary result."""
    bin_center: Float64
    bin_width: Float64
    bin_auxiliary: Int64
    floor: Float64
    """Yield under which -ln L is continued as a parabola."""
    gaussian: Int64
    """Constrained parameters, and 1/σ."""
    sharpness: Float64
    poisson: Int64
    """Parameters constrained by a count, and the count expected at parameter 1."""
    scale: Float64
    correlated_i: Int64
    """Terms v r_i r_j of correlated Gaussian constraints, beyond Σ r²/2."""
    correlated_j: Int64
    correlated_v: Float64


class Scratch(NamedTuple):
    """Memory of one evaluation at a time."""

    factor: Float64
    through: Float64
    """Derivative of each factor by its parameter; the second one."""
    bent: Float64
    factor_slope: Float64
    """d(-ln L)/d(factor)."""
    variable_slope: Float64
    """Derivatives of each rational factor by its variables; the same of the polynomials under the line."""
    product: Float64
    """Product of each block's factors."""
    template: Float64
    by_entry: Float64
    yields: Float64
    bins: Float64
    """Expected events, MC error, and the derivatives of -ln L by both."""
    error: Float64
    by_bins: Float64
    by_error: Float64


def scratch(model: Model) -> Scratch:
    """Allocate the memory of one evaluation at a time."""
    sizes = [model.n_factors] * 4 + [2 * model.n_variables, model.n_blocks] + [model.n_entries] * 3 + [model.n_bins] * 4
    return Scratch(*map(np.zeros, sizes))
