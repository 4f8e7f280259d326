"""Hyperbolic functions; the import place is :mod:`.real`.

With |x| = k·ln 2 + r and q = 4^-k, sinh and cosh are 2^(k-1)·[(1 ∓ q) + (1 ± q)·sinh r + (1 ∓ q)·(cosh r - 1)]: no
division, no cancellation, and both from the same two polynomials.
"""

from __future__ import annotations

from .exact import INF, NAN, any_sum, copysign, ordered_sum, power_of_two, product, quotient, scaled, sqrt
from .exponential import exp_parts, log_plus
from .language import scalar

LN2 = 0.6931471805599453
TINY = 7.450580596923828e-09
"""2⁻²⁷: below it asinh x = x."""
LARGE = 134217728.0
"""2²⁷: above it asinh x = ln 2x."""


@scalar
def hyperbolic_parts(x):
    """Return k, s, s_low, c, c_low: sinh x = 2^(k-1)·(s + s_low) and cosh x = 2^(k-1)·(c + c_low), for 0 <= x < 2000."""
    k, r, u, v = exp_parts(x, 0.0)
    q = power_of_two(-2 * k) if k < 40 else 0.0
    minus, minus_low = ordered_sum(1.0, -q)
    plus, plus_low = ordered_sum(1.0, q)
    s, s_low = ordered_sum(minus, r)
    c, c_low = ordered_sum(plus, r)
    s_low = (s_low + minus_low) + (q * r + (plus * u + minus * v))
    c_low = (c_low + plus_low) + ((minus * u + plus * v) - q * r)
    return k, s, s_low, c, c_low


@scalar
def sinhcosh(x):
    """Return sinh x and cosh x together, within ERR_SINH and ERR_COSH ulp, at little more than the cost of one.

    Infinite above |x| = 710.4758 with the sign of x in sinh; sinh ±0 = ±0; NaN for NaN.
    """
    a = abs(x)
    if not a < 711.0:
        return (NAN, NAN) if x != x else (copysign(INF, x), INF)
    k, s, s_low, c, c_low = hyperbolic_parts(a)
    return copysign(scaled(s + s_low, k - 1), x), scaled(c + c_low, k - 1)


@scalar
def sinh(x):
    """Return sinh x: the first of :func:`sinhcosh`."""
    return sinhcosh(x)[0]


@scalar
def cosh(x):
    """Return cosh x: the second of :func:`sinhcosh`."""
    return sinhcosh(x)[1]


@scalar
def tanh(x):
    """Return tanh x, within ERR_TANH ulp; ±0 for ±0, ±1 above |x| = 20, NaN for NaN."""
    a = abs(x)
    if not a < 20.0:
        return NAN if x != x else copysign(1.0, x)
    _, s, s_low, c, c_low = hyperbolic_parts(a)
    s, s_low = any_sum(s, s_low)
    c, c_low = any_sum(c, c_low)
    high, low = quotient(s, s_low, c, c_low)
    return copysign(high + low, x)


@scalar
def asinh(x):
    """Return asinh x, within ERR_ASINH ulp, for all x; ±0 and ±∞ are returned as they are, NaN as NaN."""
    a = abs(x)
    if not TINY < a < LARGE:
        if x != x:
            return NAN
        return x if a <= TINY or a == INF else copysign(log_plus(a, LN2), x)
    square, square_low = product(a, a)
    total, total_low = any_sum(1.0, square)
    root = sqrt(total)
    back, back_low = product(root, root)
    root_low = (((total - back) - back_low) + (total_low + square_low)) / (2.0 * root)
    y, y_low = ordered_sum(root, a)
    return copysign(log_plus(y, (y_low + root_low) / y), x)
