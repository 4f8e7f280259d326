"""Exponentials and logarithms; the import place is :mod:`.real`.

exp: x = n·ln 2 + r with |r| <= ln 2/2 (Cody and Waite), then exp r = cosh r + sinh r, two short polynomials that are
evaluated side by side, serve the hyperbolic functions as they are, and need no division.

log: x = 2^k·m with m in [√½, √2), then log m = 2·atanh((m - 1)/(m + 1)).
"""

from __future__ import annotations

from .exact import (
    FRACTION_BITS,
    INF,
    NAN,
    bits,
    floor,
    from_bits,
    is_negative,
    is_nan,
    ordered_sum,
    product,
    quotient,
    scaled,
    upper,
)
from .language import scalar

ROUND = 6755399441055744.0
"""1.5·2⁵²: added to |x| < 2⁵¹, it leaves x rounded to an integer in the low bits of the sum."""
ROUND_BITS = 0x4338000000000000
INV_LN2 = 1.4426950408889634
LN2_HIGH = 0.6931471805598903
"""42 bits of ln 2, so that its product with an 11-bit integer is exact."""
LN2_LOW = 5.497923018708371e-14
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
SMALLEST_NORMAL = 2.2250738585072014e-308
TWO_54 = 18014398509481984.0
TWO_THIRDS = 0.6666666666666666
TWO_THIRDS_LOW = 3.700743415417188e-17
INV_LN10 = 0.4342944819032518
INV_LN10_HIGH = 0.4342944771051407
"""Its first 26 bits."""
INV_LN10_LOW = 4.798111141615973e-09
LOG10_2_HIGH = 0.30102999566395283
"""42 bits of log₁₀ 2."""
LOG10_2_LOW = 2.8363394551044964e-14
HUGE_POWER = 18446744073709551616.0
"""2⁶⁴: to a power this large every float64 but ±1 overflows or vanishes."""

# Polynomials, from the constant term up: tests/kernels/fit_real.py makes them, tests/kernels/test_real.py compares.
SINH = (
    0.16666666666666669,
    0.008333333333330065,
    0.00019841269863040545,
    2.7557268480310024e-06,
    2.5100375832561234e-08,
)
COSH = (
    0.041666666666666664,
    0.0013888888888886554,
    2.4801587317135164e-05,
    2.755728298405588e-07,
    2.091122972975856e-09,
)
LOG = (
    0.666666666666667,
    0.39999999999899505,
    0.28571428625975487,
    0.2222221113479508,
    0.18182889125261723,
    0.15331721600556042,
    0.14616449685043406,
)
LOG_TAIL = (
    0.40000000000000024,
    0.2857142857133856,
    0.2222222227107745,
    0.18181808251607398,
    0.1538557450045883,
    0.13285967273890614,
    0.1291349606680315,
)


@scalar
def exp_parts(x, x_low):
    """Return k, r, u, v: exp(x + x_low) = 2^k·(1 + r + u + v), where sinh = r + u and cosh = 1 + v of the reduced argument.

    For |x| < 2000 and |x_low| < ulp(x); |r| <= 0.35, |u| <= 0.008, |v| <= 0.061, and r carries no error.
    """
    shifted = x * INV_LN2 + ROUND
    k = bits(shifted) - ROUND_BITS
    n = shifted - ROUND
    high = x - n * LN2_HIGH
    low = n * LN2_LOW - x_low
    r = high - low
    r_low = (high - r) - low
    z = r * r
    w = z * z
    odd = (SINH[0] + z * SINH[1]) + (w * (SINH[2] + z * SINH[3]) + w * w * SINH[4])
    even = (COSH[0] + z * COSH[1]) + (w * (COSH[2] + z * COSH[3]) + w * w * COSH[4])
    u = r * z * odd + r_low
    v = 0.5 * z + (w * even + r * r_low)
    return k, r, u, v


@scalar
def exp(x):
    """Return eˣ, within ERR_EXP ulp; ∞ above 709.78, subnormal below -708.4, 0 below -745.13, NaN for NaN."""
    if not -746.0 < x < 710.0:
        return NAN if x != x else INF if x > 0.0 else 0.0
    k, r, u, v = exp_parts(x, 0.0)
    return scaled(1.0 + (r + (u + v)), k)


@scalar
def log_parts(x):
    """Return n, f: x = 2ⁿ·(1 + f), n an integral float64 and √½ <= 1 + f < √2, for x positive and finite; exact."""
    shift = 0
    if x < SMALLEST_NORMAL:
        x = x * TWO_54
        shift = -54
    pattern = bits(x)
    k = (pattern - SQRT_HALF_BITS) >> FRACTION_BITS
    return float(k + shift), from_bits(pattern - (k << FRACTION_BITS)) - 1.0


@scalar
def log_series(f):
    """Return h, t: log(1 + f) = f - (h - t) for √½ <= 1 + f < √2; h = f²/2 and |t| <= 0.05."""
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    tail = (LOG[4] + z * LOG[5]) + w * LOG[6]
    r = z * ((LOG[0] + z * LOG[1]) + (w * (LOG[2] + z * LOG[3]) + w * w * tail))
    h = 0.5 * f * f
    return h, s * (h + r)


@scalar
def log_plus(x, c):
    """Return log x + c for x positive and finite; as precise as :func:`log` where c does not matter or |c| <= |log x|/8."""
    n, f = log_parts(x)
    h, t = log_series(f)
    return n * LN2_HIGH - ((h - (t + (n * LN2_LOW + c))) - f)


@scalar
def log(x):
    """Return ln x, within ERR_LOG ulp, subnormal x included; -∞ for ±0, ∞ for ∞, NaN for x < 0 and for NaN."""
    if not 0.0 < x < INF:
        return -INF if x == 0.0 else x if x > 0.0 else NAN
    return log_plus(x, 0.0)


@scalar
def log_double(x):
    """Return ln x as high + low, to about 2⁻⁶⁵, for x positive and finite."""
    n, f = log_parts(x)
    d, d_low = ordered_sum(2.0, f)
    s, s_low = quotient(f, 0.0, d, d_low)
    z, z_low = product(s, s)
    z_low += 2.0 * s * s_low
    w = z * z
    tail = (LOG_TAIL[4] + z * LOG_TAIL[5]) + w * LOG_TAIL[6]
    t = z * ((LOG_TAIL[0] + z * LOG_TAIL[1]) + (w * (LOG_TAIL[2] + z * LOG_TAIL[3]) + w * w * tail))
    q, q_low = ordered_sum(TWO_THIRDS, t + TWO_THIRDS_LOW)
    p, p_low = product(z, q)  # log(1 + f) = 2s + s·p
    p_low += z * q_low + z_low * q
    g, g_low = product(s, p)
    g_low += s * p_low + s_low * p
    a, a_low = ordered_sum(n * LN2_HIGH, 2.0 * s)
    b, b_low = ordered_sum(a, g)
    return ordered_sum(b, b_low + (a_low + (g_low + 2.0 * s_low + n * LN2_LOW)))


@scalar
def log10(x):
    """Return log₁₀ x, within ERR_LOG10 ulp; exact for powers of ten; special values as :func:`log`."""
    if not 0.0 < x < INF:
        return -INF if x == 0.0 else x if x > 0.0 else NAN
    n, f = log_parts(x)
    h, t = log_series(f)
    a = upper(f - h)
    rest = ((f - a) - h) + t
    high, low = ordered_sum(n * LOG10_2_HIGH, a * INV_LN10_HIGH)
    return high + (low + (n * LOG10_2_LOW + (a * INV_LN10_LOW + rest * INV_LN10)))


@scalar
def positive_power(x, y):
    """Return x^y for x positive and finite and |y| < 2⁶⁴."""
    high, low = log_double(x)
    p, p_low = product(y, high)
    if not -746.0 < p < 710.0:
        return INF if p > 0.0 else 0.0
    k, r, u, v = exp_parts(p, p_low + y * low)
    return scaled(1.0 + (r + (u + v)), k)


@scalar
def pow_special(x, y):
    """Return x^y where x is not positive, a value is not finite, or |y| >= 2⁶⁴."""
    if y == 0.0 or x == 1.0:
        return 1.0
    if x != x or y != y:
        return NAN
    base = abs(x)
    if abs(y) >= HUGE_POWER:
        return 1.0 if base == 1.0 else INF if (base > 1.0) == (y > 0.0) else 0.0
    whole = floor(y) == y
    sign = -1.0 if whole and floor(0.5 * y) != 0.5 * y and is_negative(x) else 1.0
    if base == 0.0 or base == INF:
        return sign * (0.0 if (base == 0.0) == (y > 0.0) else INF)
    return sign * positive_power(base, y) if whole else NAN


@scalar
def pow(x, y):
    """Return x^y, within ERR_POW ulp wherever the result is a normal number.

    As in C99: 1 for y = ±0 and for x = 1, whatever the other is (NaN too), otherwise NaN for a NaN; NaN for x < 0 with y
    not an integer; the sign of x survives an odd y only; (±0)^y is ±0, 0, ±∞ or ∞; for infinite y, 0 or ∞ by whether
    |x| is below or above 1, and (-1)^±∞ = 1.
    """
    if 0.0 < x < INF and abs(y) < HUGE_POWER:
        return positive_power(x, y)
    return pow_special(x, y)
