"""Circular functions of an angle in radians; import them from :mod:`.real`.

x = n·π/2 + a with π/2 in three parts (Cody and Waite). For large x, whole turns are taken off first, as many as 14 bits
can count at a time.
"""

from __future__ import annotations

from gpuhiggs.kernels.exact import INF, NAN, bits, fast_two_sum, from_bits, two_quotient
from gpuhiggs.kernels.exponential import ROUND
from gpuhiggs.kernels.language import scalar

TWO_OVER_PI = 0.6366197723675814
HALF_PI_1 = 1.5707963267923333
"""36 bits of π/2; then the next 36, then 53 more. A product of the first two with a 17-bit integer is exact."""
HALF_PI_2 = 2.5633441515839558e-12
HALF_PI_3 = 1.0562999066987428e-23
INV_TURN = 0.15915494309189535
TURN_1 = 6.283185307169333
TURN_2 = 1.0253376606335823e-11
TURN_3 = 4.225199626794971e-23
UPPER_14 = -(1 << 39)
"""A mask: the sign, the exponent and the first 14 bits of a float64; more would be no integer just above the limit."""
LARGEST_DIRECT = 100000.0
"""63,662 quarter turns, or 15,915 turns: a number of 14 bits."""

# Polynomials, from the constant term up: tests/kernels/fit_real.py makes them, tests/kernels/test_real.py compares.
SIN = (
    -0.16666666666666666,
    0.008333333333330948,
    -0.00019841269836758574,
    2.755731610255244e-06,
    -2.5051131845003624e-08,
    1.5918129294866608e-10,
)
COS = (
    0.041666666666666664,
    -0.0013888888888887398,
    2.480158729876569e-05,
    -2.7557317271729793e-07,
    2.08761462684032e-09,
    -1.1382632425521717e-11,
)


@scalar
def unwound(x):
    """Return x less whole turns, at most LARGEST_DIRECT in size; NaN for ±∞ and NaN."""
    if not abs(x) < INF:
        return NAN
    while abs(x) > LARGEST_DIRECT:
        n = from_bits(bits(x * INV_TURN) & UPPER_14)
        x = ((x - n * TURN_1) - n * TURN_2) - n * TURN_3
    return x


@scalar
def circular_parts(x):
    """Return quadrant, r, u, c, v: x = quadrant·π/2 + a mod 2π, |a| <= π/4, sin a = r + u and cos a = c + v.

    For |x| <= LARGEST_DIRECT; |u| <= 0.08, |v| <= 0.02, r carries no error and c hardly any.
    """
    shifted = x * TWO_OVER_PI + ROUND
    n = shifted - ROUND
    first = x - n * HALF_PI_1
    second = n * HALF_PI_2
    third = n * HALF_PI_3
    r = first - (second + third)
    r_low = ((first - r) - second) - third
    z = r * r
    w = z * z
    odd = (SIN[0] + z * SIN[1]) + (w * (SIN[2] + z * SIN[3]) + w * w * (SIN[4] + z * SIN[5]))
    even = (COS[0] + z * COS[1]) + (w * (COS[2] + z * COS[3]) + w * w * (COS[4] + z * COS[5]))
    c, c_low = fast_two_sum(1.0, -0.5 * z)
    u = r * z * odd + r_low * c
    v = w * even + (c_low - r * r_low)
    return bits(shifted) & 3, r, u, c, v


@scalar
def sincos(x):
    """Return sin x (within 0.92 ulp) and cos x (0.90 ulp) for |x| <= 1e5, at little more than the cost of one.

    Beyond 1e5 the results stay within [-1, 1], but their absolute error grows to 2⁻⁶⁵·|x|. sin ±0 = ±0; NaN for ±∞ and
    NaN.
    """
    if not abs(x) <= LARGEST_DIRECT:
        x = unwound(x)
        if x != x:
            return NAN, NAN
    if x == 0.0:
        return x, 1.0
    quadrant, r, u, c, v = circular_parts(x)
    sine = r + u
    cosine = c + v
    if quadrant & 1:
        sine, cosine = cosine, sine
    return (-sine if quadrant & 2 else sine), (-cosine if (quadrant + 1) & 2 else cosine)


@scalar
def sin(x):
    """Return sin x: the first of :func:`sincos`."""
    return sincos(x)[0]


@scalar
def cos(x):
    """Return cos x: the second of :func:`sincos`."""
    return sincos(x)[1]


@scalar
def tan(x):
    """Return tan x, within 1.21 ulp for |x| <= 1e5; beyond, as :func:`sincos`. tan ±0 = ±0; NaN for ±∞ and NaN."""
    if not abs(x) <= LARGEST_DIRECT:
        x = unwound(x)
        if x != x:
            return NAN
    if x == 0.0:
        return x
    quadrant, r, u, c, v = circular_parts(x)
    a, a_low = fast_two_sum(r, u)
    b, b_low = fast_two_sum(c, v)
    if quadrant & 1:
        a, a_low, b, b_low = -b, -b_low, a, a_low
    high, low = two_quotient(a, a_low, b, b_low)
    return high + low
