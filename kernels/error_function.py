"""The error function; the import place is :mod:`.real`."""

from __future__ import annotations

from .exact import NAN, copysign
from .exponential import exp
from .language import scalar

ALL_BUT_ONE = 6.0
"""From here on 1 - erf x is below half an ulp of 1."""

# Polynomials, from the constant term up: tests/kernels/fit_real.py makes them, tests/kernels/test_real.py compares.
ERF = (
    0.1283791670955126,
    -0.3761263890318375,
    0.11283791670954879,
    -0.026866170645076792,
    0.0052239776248180145,
    -0.000854832698083379,
    0.0001205533111164271,
    -1.4925595266831182e-05,
    1.6461000484121368e-06,
    -1.6350312701054695e-07,
    1.4659775274047436e-08,
    -1.1372848856791674e-09,
    5.957176147748911e-11,
)
ERFC = (
    0.22392935763141023,
    2.371569725125163,
    11.127869360557462,
    41.02269138553714,
    113.85751700075511,
    212.2532186799,
    157.9144520487479,
    -367.9533668095443,
    -1007.4710892481849,
    424.7607281054702,
    4393.065142927212,
    -260.9485676701511,
    -20627.42060628046,
    2830.637309900629,
    100321.025996593,
)
"""exp(x²)·erfc(x) in powers of 1/(x + 3) - 0.1875, for 1 <= x <= 6."""


@scalar
def erf(x):
    """Return erf x, within ERR_ERF ulp, for all x; ±1 above |x| = 6, ±0 for ±0, NaN for NaN."""
    a = abs(x)
    if not a < ALL_BUT_ONE:
        return NAN if x != x else copysign(1.0, x)
    if a <= 1.0:
        z = x * x
        w = z * z
        even = ERF[0] + w * (ERF[2] + w * (ERF[4] + w * (ERF[6] + w * (ERF[8] + w * (ERF[10] + w * ERF[12])))))
        odd = ERF[1] + w * (ERF[3] + w * (ERF[5] + w * (ERF[7] + w * (ERF[9] + w * ERF[11]))))
        return x + x * (even + z * odd)
    t = 1.0 / (a + 3.0) - 0.1875
    w = t * t
    even = ERFC[8] + w * (ERFC[10] + w * (ERFC[12] + w * ERFC[14]))
    even = ERFC[0] + w * (ERFC[2] + w * (ERFC[4] + w * (ERFC[6] + w * even)))
    odd = ERFC[1] + w * (ERFC[3] + w * (ERFC[5] + w * (ERFC[7] + w * (ERFC[9] + w * (ERFC[11] + w * ERFC[13])))))
    return copysign(1.0 - exp(-a * a) * (even + t * odd), x)
