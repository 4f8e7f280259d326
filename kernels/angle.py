"""Angles from coordinates: the inverse circular functions, in radians; import them from :mod:`.real`.

An angle is n·π/4 + a, where tan a is one quotient that is kept to twice the precision.
"""

from __future__ import annotations

from gpuhiggs.kernels.exact import INF, NAN, copysign, fast_two_sum, is_negative, sqrt, two_product, two_quotient
from gpuhiggs.kernels.language import scalar

QUARTER_PI = 0.7853981633974483
"""Its last three bits are zero: multiples up to π are exact."""
QUARTER_PI_LOW = 3.061616997868383e-17
TAN_EIGHTH_PI = 0.41421356237309503
VANISHING = 8.673617379884035e-19
"""2⁻⁶⁰: a ratio of this size changes no angle but one near zero."""
SMALL = 3.054936363499605e-151
"""2⁻⁵⁰⁰: between it and 2⁵⁰⁰ no product or inverse that :func:`octant_angle` makes leaves the range of float64."""
LARGE = 3.273390607896142e150
TWO_600 = 4.149515568880993e180
INV_TWO_600 = 2.409919865102884e-181

# Polynomials, from the constant term up: tests/kernels/fit_real.py makes them, tests/kernels/test_real.py compares.
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
def octant_angle(low, high, swapped, negative):
    """Return the angle in [0, π] of a point whose coordinates have the sizes low <= high.

    *swapped*: the abscissa is the smaller one; *negative*: it is negative. For low/high > 2⁻⁶⁰ and 2⁻⁵⁰⁰ < high < 2⁵⁰⁰.
    """
    if low > TAN_EIGHTH_PI * high:
        octants = 1.0
        a, a_low = fast_two_sum(high, -low)
        a, a_low = -a, -a_low
        b, b_low = fast_two_sum(high, low)
    else:
        octants = 0.0
        a, a_low, b, b_low = low, 0.0, high, 0.0
    t, t_low = two_quotient(a, a_low, b, b_low)
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
    angle, angle_low = fast_two_sum(octants * QUARTER_PI, t)
    return angle + (angle_low + (octants * QUARTER_PI_LOW + rest))


@scalar
def atan2(y, x):
    """Return the angle of the point (x, y) in [-π, π], within 0.88 ulp, for all x and y.

    As in C99: the sign is that of y; for y = ±0 it is ±0 if x is positive or +0, ±π if x is negative or -0; ±π/2 for
    x = ±0 and for y = ±∞; ±π/4 or ±3π/4 if both are infinite; NaN for a NaN.
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
    if not SMALL < high < LARGE:
        scale = TWO_600 if high < 1.0 else INV_TWO_600
        low, high = low * scale, high * scale
    return copysign(octant_angle(low, high, swapped, is_negative(x)), y)


@scalar
def atan(x):
    """Return atan x, within 0.83 ulp, for all x; ±π/2 for ±∞, ±0 for ±0, NaN for NaN."""
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
def asin(x):
    """Return asin x in [-π/2, π/2], within 0.64 ulp, for -1 <= x <= 1; ±0 for ±0, NaN outside and for NaN."""
    a = abs(x)
    if not a <= 1.0:
        return NAN
    if a <= 0.5:
        return x if a < VANISHING else x + asin_rest(x, x * x)
    z = 0.5 - 0.5 * a  # asin a = π/2 - 2·asin √((1 - a)/2)
    s = sqrt(z)
    rest = 0.0
    if s > 0.0:
        back, back_low = two_product(s, s)
        rest = asin_rest(s, z) + ((z - back) - back_low) / (2.0 * s)
    angle, angle_low = fast_two_sum(2.0 * QUARTER_PI, -2.0 * s)
    return copysign(angle + (angle_low + (2.0 * QUARTER_PI_LOW - 2.0 * rest)), x)


@scalar
def acos(x):
    """Return acos x in [0, π], within 0.70 ulp, for -1 <= x <= 1; 0 for 1, NaN outside and for NaN."""
    a = abs(x)
    if not a <= 1.0:
        return NAN
    if a <= 0.5:
        angle, angle_low = fast_two_sum(2.0 * QUARTER_PI, -x)
        return angle + (angle_low + (2.0 * QUARTER_PI_LOW - asin_rest(x, x * x)))
    if a == 1.0:
        return 0.0 if x > 0.0 else 4.0 * QUARTER_PI
    z = 0.5 - 0.5 * a  # acos a = 2·asin √((1 - a)/2)
    s = sqrt(z)
    back, back_low = two_product(s, s)
    rest = asin_rest(s, z) + ((z - back) - back_low) / (2.0 * s)
    if x > 0.0:
        return 2.0 * (s + rest)
    angle, angle_low = fast_two_sum(4.0 * QUARTER_PI, -2.0 * s)
    return angle + (angle_low + (4.0 * QUARTER_PI_LOW - 2.0 * rest))
