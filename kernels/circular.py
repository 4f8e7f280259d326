"""Circular functions and their inverses, in radians; the import place is :mod:`.real`.

sin, cos, tan: x = n·π/2 + r with π/2 in three parts (Cody and Waite). Where n does not fit their 17 bits, whole turns are
taken off first, 17 bits at a time, which leaves an absolute error of about 2⁻⁷⁰·|x|.

atan2: the angle of (larger, smaller) from the nearer of 0 and π/4, whose tangent is one quotient kept to twice the
precision, then moved to its octant.
"""

from __future__ import annotations

from .exact import INF, NAN, bits, copysign, from_bits, is_negative, ordered_sum, product, quotient, sqrt
from .exponential import ROUND
from .language import scalar

TWO_OVER_PI = 0.6366197723675814
HALF_PI_1 = 1.5707963267923333
"""36 bits of π/2, then the next 36, then the rest: their products with a 17-bit integer are exact, but for the last."""
HALF_PI_2 = 2.5633441515839558e-12
HALF_PI_3 = 1.0562999066987428e-23
INV_TURN = 0.15915494309189535
TURN_1 = 6.283185307169333
TURN_2 = 1.0253376606335823e-11
TURN_3 = 4.225199626794971e-23
UPPER_17 = -(1 << 36)
LARGEST_DIRECT = 100000.0
QUARTER_PI = 0.7853981633974483
"""Its last three bits are zero: multiples up to π are exact."""
QUARTER_PI_LOW = 3.061616997868383e-17
TAN_EIGHTH_PI = 0.41421356237309503
VANISHING = 8.673617379884035e-19
"""2⁻⁶⁰: a ratio of this size changes no angle but one near zero."""

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
ATAN = (
    -0.3333333333333333,
    0.1999999999999552,
    -0.14285714284666542,
    0.11111111015256361,
    -0.09090904578123903,
    0.07692183190826087,
    -0.06664511447381948,
    0.0585814891280221,
    -0.0508544973794026,
    0.03923165829558719,
    -0.01917688711906226,
)
ASIN = (
    0.16666666666666669,
    0.07499999999998433,
    0.04464285714635543,
    0.030381944138531247,
    0.02237217294214989,
    0.017352392720869973,
    0.013971212973552933,
    0.011479177415184906,
    0.01032281435018578,
    0.005457506718640358,
    0.01740087944269402,
    -0.014851887071247204,
    0.028757851367421566,
)


@scalar
def unwound(x):
    """Return x less whole turns, at most LARGEST_DIRECT in size; NaN for ±∞ and NaN."""
    if not abs(x) < INF:
        return NAN
    while abs(x) > LARGEST_DIRECT:
        n = from_bits(bits(x * INV_TURN) & UPPER_17)
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
    u = r * z * odd + r_low
    c, c_low = ordered_sum(1.0, -0.5 * z)
    v = w * even + (c_low - r * r_low)
    return bits(shifted) & 3, r, u, c, v


@scalar
def sincos(x):
    """Return sin x and cos x together, within ERR_SIN ulp for |x| <= 1e5, at little more than the cost of one.

    Beyond 1e5 the absolute error grows like 2⁻⁷⁰·|x|, and the results stay within [-1, 1]. sin ±0 = ±0; NaN for ±∞, NaN.
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
    """Return tan x, within ERR_TAN ulp for |x| <= 1e5; beyond it as :func:`sincos`. tan ±0 = ±0; NaN for ±∞ and NaN."""
    if not abs(x) <= LARGEST_DIRECT:
        x = unwound(x)
        if x != x:
            return NAN
    if x == 0.0:
        return x
    quadrant, r, u, c, v = circular_parts(x)
    a, a_low = ordered_sum(r, u)
    b, b_low = ordered_sum(c, v)
    if quadrant & 1:
        a, a_low, b, b_low = -b, -b_low, a, a_low
    high, low = quotient(a, a_low, b, b_low)
    return high + low


@scalar
def octant_angle(low, high, swapped, negative):
    """Return the angle in [0, π] of the point whose coordinates are *low* <= *high* in size, 2⁻⁶⁰ <= low/high.

    *swapped*: the abscissa is the smaller; *negative*: it is negative. *high* lies within 2^±500.
    """
    if low > TAN_EIGHTH_PI * high:
        octants = 1.0
        a, a_low = ordered_sum(high, -low)
        a, a_low = -a, -a_low
        b, b_low = ordered_sum(high, low)
    else:
        octants = 0.0
        a, a_low, b, b_low = low, 0.0, high, 0.0
    t, t_low = quotient(a, a_low, b, b_low)
    z = t * t
    w = z * z
    w2 = w * w
    lower = (ATAN[0] + z * ATAN[1]) + w * (ATAN[2] + z * ATAN[3])
    middle = (ATAN[4] + z * ATAN[5]) + w * (ATAN[6] + z * ATAN[7])
    upper = (ATAN[8] + z * ATAN[9]) + w * ATAN[10]
    rest = t * z * (lower + w2 * (middle + w2 * upper)) + t_low
    if swapped:
        octants, t, rest = 2.0 - octants, -t, -rest
    if negative:
        octants, t, rest = 4.0 - octants, -t, -rest
    angle, angle_low = ordered_sum(octants * QUARTER_PI, t)
    return angle + (angle_low + (octants * QUARTER_PI_LOW + rest))


@scalar
def atan2(y, x):
    """Return the angle of (x, y) in [-π, π], within ERR_ATAN2 ulp, for all x and y, subnormal ones included.

    As in C99: the sign is that of y; for y = ±0, ±0 where x is positive or +0 and ±π where it is negative or -0; ±π/2 for
    x = ±0; for infinite arguments the limits, ±π/4 and ±3π/4 for two of them; NaN for a NaN.
    """
    if x != x or y != y:
        return NAN
    low = abs(y)
    high = abs(x)
    swapped = low > high
    if swapped:
        low, high = high, low
    if low == INF:
        low, high = 1.0, 1.0
    if low <= high * VANISHING:
        if swapped:
            return copysign(2.0 * QUARTER_PI, y)
        if is_negative(x):
            return copysign(4.0 * QUARTER_PI, y)
        return y if y == 0.0 else y / x
    if not 3e-151 < high < 3e150:
        scale = 4.149515568880993e180 if high < 1.0 else 2.409919865102884e-181
        low, high = low * scale, high * scale
    return copysign(octant_angle(low, high, swapped, is_negative(x)), y)


@scalar
def atan(x):
    """Return atan x, within ERR_ATAN ulp, for all x; ±π/2 for ±∞, ±0 for ±0, NaN for NaN."""
    return atan2(x, 1.0)


@scalar
def asin_rest(x, z):
    """Return asin x - x for |x| <= ½, given z = x²."""
    w = z * z
    w2 = w * w
    lower = (ASIN[0] + z * ASIN[1]) + w * (ASIN[2] + z * ASIN[3])
    middle = (ASIN[4] + z * ASIN[5]) + w * (ASIN[6] + z * ASIN[7])
    upper = ((ASIN[8] + z * ASIN[9]) + w * (ASIN[10] + z * ASIN[11])) + w2 * ASIN[12]
    return x * z * (lower + w2 * (middle + w2 * upper))


@scalar
def acos(x):
    """Return acos x in [0, π], within ERR_ACOS ulp; 0 for 1, NaN for |x| > 1 and for NaN."""
    a = abs(x)
    if not a <= 1.0:
        return NAN
    if a <= 0.5:
        angle, angle_low = ordered_sum(2.0 * QUARTER_PI, -x)
        return angle + (angle_low + (2.0 * QUARTER_PI_LOW - asin_rest(x, x * x)))
    if a == 1.0:
        return 0.0 if x > 0.0 else 4.0 * QUARTER_PI
    z = 0.5 - 0.5 * a  # acos a = 2·asin √((1 - a)/2)
    s = sqrt(z)
    back, back_low = product(s, s)
    rest = asin_rest(s, z) + ((z - back) - back_low) / (2.0 * s)
    if x > 0.0:
        return 2.0 * (s + rest)
    angle, angle_low = ordered_sum(4.0 * QUARTER_PI, -2.0 * s)
    return angle + (angle_low + (4.0 * QUARTER_PI_LOW - 2.0 * rest))
