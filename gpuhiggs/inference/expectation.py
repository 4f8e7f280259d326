"""The expected yields of a flat model and their derivatives, as plain NumPy on whole vectors.

`evaluate` goes from parameters to yields; `pull_back` goes the other way, from the derivative of any function by the
expected yields to its derivative by the parameters. Every number needed twice is kept in `Expectation`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gpuhiggs.inference.flat_model import FlatModel, sum_by
from gpuhiggs.inference.interpolation import FloatArray, respond


class Expectation(NamedTuple):
    """What a model expects at one parameter point.

    Attributes
    ----------
    bins
        Expected events of each bin, shape (bins,).
    yields
        Expected events of each entry, shape (entries,).
    block_factors, entry_factors
        The values of the factors, in the model's shapes (M, blocks) and (N, entries).
    by_block, by_entry
        Their products for each entry, shape (entries,).
    template
        Shifted templates, before any factor, shape (entries,).
    slopes
        Derivatives of the responses, shape (responses,).
    """

    bins: FloatArray
    yields: FloatArray
    block_factors: FloatArray
    entry_factors: FloatArray
    by_block: FloatArray
    by_entry: FloatArray
    template: FloatArray
    slopes: FloatArray


def evaluate(model: FlatModel, theta: FloatArray) -> Expectation:
    """Return the expected yields at the parameters `theta`, shape (parameters,)."""
    responses = model.responses
    values, slopes = respond(theta[responses.parameter], responses.polynomials, responses.innermost, responses.n_norms)
    factors = np.concatenate((theta, values[: responses.n_norms], _ONE))
    block_factors, entry_factors = factors[model.block_factors], factors[model.entry_factors]
    by_block, by_entry = block_factors.prod(axis=0)[model.block], entry_factors.prod(axis=0)
    template = model.nominal
    if len(responses.shifts):
        template = template + values[responses.n_norms :] @ responses.shifts
    yields = by_block * by_entry * template
    bins = sum_by(model.bin, yields, model.n_bins)
    return Expectation(bins, yields, block_factors, entry_factors, by_block, by_entry, template, slopes)


def pull_back(model: FlatModel, at: Expectation, bin_slopes: FloatArray) -> FloatArray:
    """Return Σ_b slope_b ∂ν_b/∂θ, shape (parameters,), for `bin_slopes` of shape (bins,)."""
    n_parameters, n_norms = len(model.parameters), model.responses.n_norms
    slopes = bin_slopes[model.bin]
    of_factors = slopes * at.template
    of_block = np.add.reduceat(of_factors * at.by_entry, model.block_start)
    of_entry = of_factors * at.by_block
    terms = (_times_others(at.block_factors, of_block), _times_others(at.entry_factors, of_entry))
    by_factor = sum_by(model.scatter, np.concatenate(terms), n_parameters + n_norms + 1)
    by_response = by_factor[n_parameters:-1]
    if len(model.responses.shifts):
        by_weight = model.responses.shifts @ (slopes * at.by_block * at.by_entry)
        by_response = np.concatenate((by_response, by_weight))
    through_responses = sum_by(model.responses.parameter, by_response * at.slopes, n_parameters)
    return by_factor[:n_parameters] + through_responses


def _times_others(factors: FloatArray, column_slopes: FloatArray) -> FloatArray:
    """Return, flat, each column's slope times the product of all its factors but one; exact where one is 0."""
    n_rows = len(factors)
    if n_rows == 1:
        return column_slopes
    others = np.empty_like(factors)
    if n_rows > 1:
        others[0] = 1.0
        np.multiply.accumulate(factors[:-1], axis=0, out=others[1:])
        others[:-1] *= np.multiply.accumulate(factors[:0:-1], axis=0)[::-1]
    return (others * column_slopes).ravel()


_ONE = np.ones(1)
