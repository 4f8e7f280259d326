"""How a modifier's effect depends on its parameter θ, between and beyond the variations given at θ = ±1.

HistFactory's codes (CERN-OPEN-2012-016 §4.1; ROOT's `PiecewiseInterpolation` and `FlexibleInterpVar`). With u, d the
factors and U, D the shifts of the template at θ = +1, -1:

- code 1: f = u^θ for θ >= 0, d^-θ below;
- code 4: the same for |θ| >= 1; inside, 1 + Σ a_i θ^i up to i = 6, which joins in value, slope and curvature;
- code 0: shift = U θ for θ >= 0, -D θ below;
- code 4p: the same for |θ| >= 1; inside, θ (U-D)/2 + θ² (15 - 10 θ² + 3 θ⁴) (U+D)/16.

Both shift codes are S θ + A a(θ) with S = (U-D)/2 and A = (U+D)/16, so a model keeps S and A as one matrix.

There are no branches: with c the point of [-1, 1] nearest to θ, every code is its polynomial at c, continued from c to
θ by the exponential or straight line that it joins there. Codes 1 and 0 have no inside: their c is 1 or -1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


def code4_polynomials(up: FloatArray, down: FloatArray) -> FloatArray:
    """Return the coefficients of code 4's polynomials and of their derivatives, shape (2, 7, n), by rising power.

    `up` and `down`, shape (n,), are positive. The odd and the even coefficients each solve three equations: value,
    slope and curvature at ±1.
    """
    log_up, log_down = np.log(up), np.log(down)
    slope_up, slope_down = up * log_up, -down * log_down
    curve_up, curve_down = up * log_up**2, down * log_down**2
    odd, odd_slope, odd_curve = (up - down) / 2, (slope_up + slope_down) / 2, (curve_up - curve_down) / 2
    a5 = (3 * odd - 3 * odd_slope + odd_curve) / 8
    a3 = (odd_slope - odd) / 2 - 2 * a5
    a1 = odd - a3 - a5
    even, even_slope, even_curve = (up + down) / 2 - 1, (slope_up - slope_down) / 2, (curve_up + curve_down) / 2
    a6 = (8 * even - 5 * even_slope + even_curve) / 8
    a4 = even_slope / 2 - even - 2 * a6
    a2 = even - a4 - a6
    zero, one = np.zeros_like(up), np.ones_like(up)
    return np.array([[one, a1, a2, a3, a4, a5, a6], [a1, 2 * a2, 3 * a3, 4 * a4, 5 * a5, 6 * a6, zero]])


LINEAR = np.array(
    [[[0.0], [1.0], [0.0], [0.0], [0.0], [0.0], [0.0]], [[1.0], [0.0], [0.0], [0.0], [0.0], [0.0], [0.0]]]
)
"""θ itself, in the form of `code4_polynomials`."""

CODE4P = np.array(
    [[[0.0], [0.0], [15.0], [0.0], [-10.0], [0.0], [3.0]], [[0.0], [30.0], [0.0], [-40.0], [0.0], [18.0], [0.0]]]
)
"""a(θ), in the form of `code4_polynomials`."""


def respond(
    theta: FloatArray, polynomials: FloatArray, innermost: FloatArray, n_norms: int
) -> tuple[FloatArray, FloatArray]:
    """Return the values of factors f(θ) and of shift weights, θ or a(θ), and their derivatives by θ; all of shape (n,).

    Parameters
    ----------
    theta
        The parameter of each, shape (n,).
    polynomials
        The polynomial of each and its derivative, shape (2, 7, n).
    innermost
        Smallest |c| of each: 0, or 1 for codes 1 and 0; shape (n,).
    n_norms
        How many are factors, which come first.
    """
    near = np.copysign(np.minimum(np.maximum(np.abs(theta), innermost), 1.0), theta)
    powers = np.empty((7, len(theta)))
    powers[0] = 1.0
    powers[1:] = near
    np.multiply.accumulate(powers, axis=0, out=powers)
    value, slope = np.einsum("kin,in->kn", polynomials, powers)
    beyond = theta - near
    growth = np.exp(
        beyond[:n_norms] * slope[:n_norms] / value[:n_norms]
    )  # the logarithmic slope at ±1 is the code's own
    value[:n_norms] *= growth
    slope[:n_norms] *= growth
    value[n_norms:] += slope[n_norms:] * beyond[n_norms:]
    return value, slope
