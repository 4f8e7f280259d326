"""Hyperbolic functions; import them from :mod:`.real`.

With |x| = k·ln 2 + a and q = 4^-k::

    sinh |x| = 2^(k-1)·[(1 + q)·sinh a + (1 - q)·cosh a]
    cosh |x| = 2^(k-1)·[(1 - q)·sinh a + (1 + q)·cosh a]

Both come from the same two polynomials, without a division, and the leading terms are summed exactly.
"""

from __future__ import annotations

from gpuhiggs.kernels.exact import (
    INF,
    NAN,
    copysign,
    fast_two_sum,
    power_of_two,
    scaled,
    sqrt,
    two_product,
    two_quotient,
    two_sum,
)
from gpuhiggs.kernels.exponential import exp_parts, log_plus
from gpuhiggs.kernels.language import scalar

LN2 = 0.6931471805599453
TINY = 7.450580596923828e-09
"""2⁻²⁷: below it asinh x = x."""
LARGE = 134217728.0
"""2²⁷: above it asinh x = ln 2x."""


@scalar
def hyperbolic_parts(x):
    """Return k, s, s_low, c, c_low: sinh x = 2^(k-1)·(s + s_low), cosh x = 2^(k-1)·(c + c_low), for 0 <= x < 2000."""
    k, r, u, v = exp_parts(x, 0.0)
    q = power_of_two(-2 * k) if k < 40 else 0.0
    minus, minus_low = fast_two_sum(1.0, -q)
    plus, plus_low = fast_two_sum(1.0, q)
    s, s_low = fast_two_sum(minus, r)
    c, c_low = fast_two_sum(plus, r)
    s_low = (s_low + minus_low) + (q * r + (plus * u + minus * v))
    c_low = (c_low + plus_low) + ((minus * u + plus * v) - q * r)
    return k, s, s_low, c, c_low


@scalar
def sinhcosh(x):
    """Return sinh x (within 1.04 ulp) and cosh x (0.67 ulp), for all x, at little more than the cost of one.

    Beyond |x| = 710.4758 they are ±∞ and ∞; sinh ±0 = ±0; NaN for NaN.
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
    """Return tanh x, within 1.10 ulp, for all x; ±0 for ±0, ±1 from |x| = 20 on, NaN for NaN."""
    a = abs(x)
    if not a < 20.0:
        return NAN if x != x else copysign(1.0, x)
    _, s, s_low, c, c_low = hyperbolic_parts(a)
    s, s_low = two_sum(s, s_low)
    c, c_low = two_sum(c, c_low)
    high, low = two_quotient(s, s_low, c, c_low)
    return copysign(high + low, x)


@scalar
def asinh(x):
    """Return asinh x, within 0.91 ulp, for all x; ±0 for ±0, ±∞ for ±∞, NaN for NaN."""
    a = abs(x)
    if not TINY < a < LARGE:
        if x != x:
            return NAN
        return x if a <= TINY or a == INF else copysign(log_plus(a, LN2), x)
    square, square_low = two_product(a, a)
    total, total_low = two_sum(1.0, square)
    root = sqrt(total)
    back, back_low = two_product(root, root)
    root_low = (((total - back) - back_low) + (total_low + square_low)) / (2.0 * root)
    y, y_low = fast_two_sum(root, a)
    return copysign(log_plus(y, (y_low + root_low) / y), x)


@scalar
def acosh(x):
    """Return acosh x, within 0.78 ulp, for x >= 1; 0 for 1, ∞ for ∞, NaN below and for NaN."""
    if not x >= 1.0:
        return NAN
    if x >= LARGE:
        return x if x == INF else log_plus(x, LN2)
    square, square_low = two_product(x, x)
    total, total_low = two_sum(square, -1.0)
    total, total_low = fast_two_sum(total, total_low + square_low)
    root = sqrt(total)
    if root == 0.0:
        return 0.0
    back, back_low = two_product(root, root)
    root_low = (((total - back) - back_low) + total_low) / (2.0 * root)
    y, y_low = fast_two_sum(x, root)
    return log_plus(y, (y_low + root_low) / y)


@scalar
def atanh(x):
    """Return atanh x, within 0.75 ulp, for -1 <= x <= 1; ±0 for ±0, ±∞ for ±1, NaN outside and for NaN."""
    a = abs(x)
    if not TINY < a < 1.0:
        return NAN if not a <= 1.0 else x if a <= TINY else copysign(INF, x)
    up, up_low = fast_two_sum(1.0, a)
    down, down_low = fast_two_sum(1.0, -a)
    ratio, ratio_low = two_quotient(up, up_low, down, down_low)
    return copysign(0.5 * log_plus(ratio, ratio_low / ratio), x)
