"""Operations on float64 that are exact, rounded once, or kept as an unevaluated sum ``high + low``.

The elementary functions (:mod:`.real`) are built from these: bit casts, powers of two, and the sums and products of
T. J. Dekker, Numer. Math. 18 (1971) 224, and D. E. Knuth, The Art of Computer Programming 2, §4.2.2. None of them needs
a fused multiply-add, and none survives one.
"""

from __future__ import annotations

import math

import numpy as np

from gpuhiggs.kernels.language import scalar

INF = math.inf
NAN = math.nan
EXPONENT_BIAS = 1023
FRACTION_BITS = 52
SIGN = -(1 << 63)
LOW_HALF = (1 << 27) - 1
"""The bits of the fraction that :func:`upper` clears."""
NO_FRACTION = 4503599627370496.0
"""2⁵²: from here on every float64 is an integer."""


@scalar
def bits(x):
    """Return the bits of a float64 as an int64."""
    return np.float64(x).view(np.int64)


@scalar
def from_bits(pattern):
    """Return the float64 that has the bits of an int64."""
    return np.int64(pattern).view(np.float64)


@scalar
def is_nan(x):
    """Whether x is not a number."""
    return x != x


@scalar
def copysign(x, sign):
    """Return x with the sign bit of *sign*, which may be a zero."""
    return from_bits((bits(x) & ~SIGN) | (bits(sign) & SIGN))


@scalar
def is_negative(x):
    """Whether the sign bit is set: true for -0.0."""
    return bits(x) < 0


@scalar
def sqrt(x):
    """Return √x, correctly rounded; √-0 = -0, and NaN for x < 0 and for NaN."""
    if x >= 0.0:
        return math.sqrt(x)
    return NAN


@scalar
def floor(x):
    """Return the largest integer not above x, as a float64; exact. ±0 and ±∞ are returned as they are, NaN as NaN."""
    if not abs(x) < NO_FRACTION:
        return NAN if x != x else x
    whole = np.float64(np.int64(x))
    if whole == x:
        return x
    return whole - 1.0 if whole > x else whole


@scalar
def power_of_two(k):
    """Return 2^k for an integer -1022 <= k <= 1023."""
    return from_bits((k + EXPONENT_BIAS) << FRACTION_BITS)


@scalar
def scaled(x, k):
    """Return x·2^k, rounded once, for |x| < 2 and |k| <= 2044: ∞ where it is too large, subnormal where it is small."""
    if -1022 <= k <= 1022:
        return x * power_of_two(k)
    if k > 0 and x >= power_of_two(1024 - k):
        return INF
    half = k >> 1
    return x * power_of_two(half) * power_of_two(k - half)


@scalar
def upper(x):
    """Return x with the lower half of its fraction cleared: 26 bits are left, so products of two such are exact."""
    return from_bits(bits(x) & ~LOW_HALF)


@scalar
def two_product(a, b):
    """Return a·b as high + low, to 2⁻¹⁰⁴ (Dekker's product with a split by bits instead of Veltkamp's)."""
    high = a * b
    a_high = upper(a)
    b_high = upper(b)
    a_low = a - a_high
    b_low = b - b_high
    return high, ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low


@scalar
def fast_two_sum(a, b):
    """Return a + b as high + low, exact; needs |a| >= |b| or a = 0 (Dekker)."""
    high = a + b
    return high, (a - high) + b


@scalar
def two_sum(a, b):
    """Return a + b as high + low, exact, for any a and b (Knuth)."""
    high = a + b
    b_part = high - a
    return high, (a - (high - b_part)) + (b - b_part)


@scalar
def two_quotient(a, a_low, b, b_low):
    """Return (a + a_low)/(b + b_low) as high + low, to about 2⁻¹⁰⁰; one division."""
    inverse = 1.0 / b
    high = a * inverse
    back, back_low = two_product(high, b)
    return high, ((((a - back) - back_low) + a_low) - high * b_low) * inverse
