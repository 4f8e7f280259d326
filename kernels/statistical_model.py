"""A binned statistical model as flat arrays, and the scratch memory of its evaluation.

Bins are those of all channels, one after the other. A *block* is one sample in one channel, an *entry* one of its bins.
An entry is worth

    y = F · G · T,   F = Π factors of the block,   G = Π per-bin parameters,   T = nominal + Σ_h [S_h x + A_h a(x)]

and a bin ν = Σ y + x·e, where e is the MC error of the bin and x its pull (``likelihood`` says how it is profiled).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Kinds of factors: the parameter itself; up^θ or down^-θ; the same with a polynomial inside |θ| < 1 (HistFactory's
# code 4); Combine's asymmetric log-normal; a ratio of polynomials of several parameters.
VALUE, EXPONENTIAL, CODE4, ASYMMETRIC, RATIONAL = range(5)
# MC statistics of a bin: none; one factor of the marked samples (HistFactory); one shift of the total (Combine).
NO_ERROR, SCALED, ADDED = range(3)

Array = np.ndarray


class Model(NamedTuple):
    """A model; int64 and float64 arrays of one dimension, ``_start`` arrays one longer than what they partition."""

    lower: Array
    """Bounds of each parameter."""
    upper: Array
    step: Array
    """The scale of each parameter, before any fit knows better."""
    factor_kind: Array
    factor_parameter: Array
    """The parameter of each factor; of a rational one its number."""
    factor_up: Array
    """ln of the factor at θ = 1, and at θ = -1."""
    factor_down: Array
    factor_series: Array
    """Six coefficients a factor: 1 + Σ a_i θ^i, i = 1 … 6."""
    rational_start: Array
    """Of each rational factor: first of its `variables`."""
    variable: Array
    """The parameters of all rational factors."""
    numerator_start: Array
    """Of each rational factor: first of its terms above, and below, the line."""
    denominator_start: Array
    coefficient: Array
    """Of each term."""
    power_start: Array
    power: Array
    """Of each term: the power of each of its factor's variables."""
    block_start: Array
    """Entries of each block."""
    block_bin: Array
    """First bin of each block."""
    block_crop: Array
    """1 where a template ends at zero, as Combine's."""
    block_factor_start: Array
    block_factor: Array
    shape_start: Array
    """Shapes of each block."""
    shape_parameter: Array
    shape_linear: Array
    """1 for straight lines on each side (code 0), 0 for code 4p."""
    shape_scale: Array
    """x = scale · θ."""
    shape_first: Array
    """First and last + 1 of the block's bins that the shape changes."""
    shape_last: Array
    shift_start: Array
    odd: Array
    """S and A of each of these bins, shape after shape."""
    even: Array
    nominal: Array
    """Of each entry."""
    entry_error: Array
    """MC error of each entry (`ADDED`), or 1 where the bin's factor multiplies it (`SCALED`)."""
    entry_factor_start: Array
    """Parameters that multiply single entries."""
    entry_factor: Array
    bin_error: Array
    """`NO_ERROR`, `SCALED`, `ADDED`."""
    bin_parameter: Array
    """The parameter of each bin's MC statistics, -1 without, with its nominal value, width and auxiliary result."""
    bin_center: Array
    bin_width: Array
    bin_auxiliary: Array
    floor: Array
    """Yield under which -ln L is continued as a parabola."""
    gaussian: Array
    """Constrained parameters, and 1/σ."""
    sharpness: Array
    poisson: Array
    """Parameters constrained by a count, and the count expected at parameter 1."""
    scale: Array
    correlated_i: Array
    """Terms v r_i r_j of correlated Gaussian constraints, beyond Σ r²/2."""
    correlated_j: Array
    correlated_v: Array


class Scratch(NamedTuple):
    """Memory of one evaluation; every array has one row a thread."""

    factor: Array
    factor_slope: Array
    through: Array
    """Derivative of each factor by its parameter, and d(-ln L)/d(factor)."""
    variable_slope: Array
    product: Array
    """Product of each block's factors."""
    template: Array
    by_entry: Array
    yields: Array
    bins: Array
    """Expected events, MC error, and the derivatives of -ln L by both."""
    error: Array
    by_bins: Array
    by_error: Array


def scratch(model: Model, rows: int) -> Scratch:
    """Allocate the memory of *rows* evaluations at a time."""
    n_factors, n_entries, n_bins = len(model.factor_kind), len(model.nominal), len(model.floor)
    sizes = [n_factors] * 3 + [2 * len(model.variable), len(model.block_bin)] + [n_entries] * 3 + [n_bins] * 4
    return Scratch(*(np.zeros((rows, max(size, 1))) for size in sizes))
