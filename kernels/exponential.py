"""Exponentials, logarithms and powers; import them from :mod:`.real`.

exp: x = k·ln 2 + r with |r| <= ln 2/2 (Cody and Waite), then exp r = cosh r + sinh r: two short polynomials that are
evaluated side by side, serve the hyperbolic functions as they are, and need no division.

log: x = 2ⁿ·m with √½ <= m < √2, then ln m = 2·atanh((m - 1)/(m + 1)).
"""

from __future__ import annotations

from gpuhiggs.kernels.exact import (
    FRACTION_BITS,
    INF,
    NAN,
    bits,
    fast_two_sum,
    floor,
    from_bits,
    is_negative,
    scaled,
    upper,
)
from gpuhiggs.kernels.language import scalar

ROUND = 6755399441055744.0
"""1.5·2⁵²: added to |x| < 2⁵¹, it leaves x rounded to an integer in the low bits of the sum."""
ROUND_BITS = 0x4338000000000000
INV_LN2 = 1.4426950408889634
LN2_HIGH = 0.6931471805598903
"""42 bits of ln 2, so that its product with an 11-bit integer is exact."""
LN2_LOW = 5.497923018708371e-14
LOG_3_4 = -0.28768207245184385
"""ln ¾ and ln 5/4 to 2⁻⁴², so that their sum with a multiple of LN2_HIGH is exact; then what is left of them."""
LOG_3_4_LOW = 6.292357389008195e-14
LOG_5_4 = 0.22314355131425145
LOG_5_4_LOW = -4.169796584527195e-14
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD
SMALLEST_NORMAL = 2.2250738585072014e-308
TWO_54 = 18014398509481984.0
TWO_THIRDS_HIGH = 0.6666666567325592
"""Its first 26 bits."""
TWO_THIRDS_LOW = 9.934107462565104e-09
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
    0.40000000000000097,
    0.28571428570477453,
    0.22222223689291729,
    0.1818102662448056,
    0.15558707862497936,
)


@scalar
def exp_parts(x, x_low):
    """Return k, r, u, v: x + x_low = k·ln 2 + a with sinh a = r + u and cosh a = 1 + v, so exp is 2^k·(1 + r + u + v).

    For |x| < 2000 and |x_low| < 2⁻⁷; |r| <= 0.35, |u| <= 0.008, |v| <= 0.061, and r carries no error.
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
    """Return eˣ, within 0.80 ulp, for all x; ∞ above 709.78, subnormal below -708.39, 0 below -745.13, NaN for NaN."""
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
    """Return ln x + c for x positive and finite, as precisely as :func:`log`; c is small against 1 or against ln x."""
    n, f = log_parts(x)
    h, t = log_series(f)
    return n * LN2_HIGH - ((h - (t + (n * LN2_LOW + c))) - f)


@scalar
def log(x):
    """Return ln x, within 0.89 ulp, for all x >= 0; -∞ for ±0, ∞ for ∞, NaN for x < 0 and for NaN."""
    if not 0.0 < x < INF:
        return -INF if x == 0.0 else x if x > 0.0 else NAN
    return log_plus(x, 0.0)


@scalar
def log_double(x):
    """Return ln x as high + low, to about 2⁻⁶⁷ of it, for x positive and finite; |low| <= 2⁻¹⁷·|high|.

    ln x = n·ln 2 + ln c + 2·atanh s, where c is the nearest of ¾, 1 and 5/4, so that |s| <= 0.072. Factors that are cut
    to 26 bits keep the products that matter exact.
    """
    n, f = log_parts(x)
    shift, log_c, log_c_low = 0.0, 0.0, 0.0
    if f < -0.134:
        shift, log_c, log_c_low = -0.25, LOG_3_4, LOG_3_4_LOW
    elif f > 0.118:
        shift, log_c, log_c_low = 0.25, LOG_5_4, LOG_5_4_LOW
    a = f - shift
    b = 2.0 + shift
    inverse = 1.0 / (b + f)
    b_high = upper(b + f)
    b_low = f - (b_high - b)
    s = a * inverse
    s_high = upper(s)
    s_low = ((a - s_high * b_high) - s_high * b_low) * inverse
    z = s * s
    w = z * z
    tail = (LOG_TAIL[0] + z * LOG_TAIL[1]) + (w * (LOG_TAIL[2] + z * LOG_TAIL[3]) + w * w * LOG_TAIL[4])
    square = s_high * s_high
    z_high = upper(square)
    z_low = (square - z_high) + s_low * (s_high + s)
    head = z_high * TWO_THIRDS_HIGH
    t_high = upper(2.0 + head)  # 2·atanh s = s·(t_high + t_low)
    t_low = (head - (t_high - 2.0)) + (w * tail + (z_low * TWO_THIRDS_HIGH + z * TWO_THIRDS_LOW))
    high, low = fast_two_sum(n * LN2_HIGH + log_c, s_high * t_high)
    return high, low + ((s_high * t_low + s_low * (t_high + t_low)) + (n * LN2_LOW + log_c_low))


@scalar
def log10(x):
    """Return log₁₀ x, within 0.76 ulp, for all x >= 0, exact for powers of ten; special values as :func:`log`."""
    if not 0.0 < x < INF:
        return -INF if x == 0.0 else x if x > 0.0 else NAN
    n, f = log_parts(x)
    h, t = log_series(f)
    a = upper(f - h)
    rest = ((f - a) - h) + t
    high, low = fast_two_sum(n * LOG10_2_HIGH, a * INV_LN10_HIGH)
    return high + (low + (n * LOG10_2_LOW + (a * INV_LN10_LOW + rest * INV_LN10)))


@scalar
def positive_power(x, y):
    """Return x^y for x positive and finite and |y| < 2⁶⁴."""
    high, low = log_double(x)
    high_high = upper(high)
    y_high = upper(y)
    p = y_high * high_high
    if not -746.0 < p < 710.0:
        return INF if p > 0.0 else 0.0
    k, r, u, v = exp_parts(p, y_high * ((high - high_high) + low) + (y - y_high) * (high + low))
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
    """Return x^y, within 0.82 ulp, for all x and y.

    As in C99: 1 for y = ±0 and for x = 1, even if the other is NaN; otherwise NaN for a NaN, and for x < 0 unless y is
    an integer. The result has the sign of x if y is an odd integer, else it is positive; this holds for the 0 or ∞ from
    x = ±0 or ±∞ too. For infinite y, 0 or ∞ by whether |x| is below or above 1, and (-1)^±∞ = 1.
    """
    if 0.0 < x < INF and abs(y) < HUGE_POWER:
        return positive_power(x, y)
    return pow_special(x, y)
