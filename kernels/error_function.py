"""The error function; import it from :mod:`.real`.

Near 0 it is a polynomial, further out 1 - exp(-x²)·[exp(x²)·erfc x], where the bracket is a smooth function.
"""

from __future__ import annotations

from gpuhiggs.kernels.exact import NAN, copysign, power_of_two, upper
from gpuhiggs.kernels.exponential import exp_parts
from gpuhiggs.kernels.language import scalar

ALL_BUT_ONE = 6.0
"""From here on 1 - erf x is below half an ulp of 1."""

# Polynomials, from the constant term up: tests/kernels/fit_real.py makes them, tests/kernels/test_real.py compares.
ERF = (
    0.12837916709551256,
    -0.376126389031837,
    0.11283791670952198,
    -0.026866170644508157,
    0.005223977618583903,
    -0.0008548326577474217,
    0.00012055314563830252,
    -1.4925148308491612e-05,
    1.645294611968375e-06,
    -1.625443618410487e-07,
    1.3935959482578172e-08,
    -8.233551170498576e-10,
)
ERFC = (
    0.25539567631050575,
    0.5339823092674483,
    0.5110865058207213,
    0.3764243996274078,
    0.2039465603070211,
    0.07128989014355162,
    0.007769788732960357,
    -0.005955694293492008,
    -0.0023785694887697353,
    0.000492998137600959,
    0.00042482739457269935,
    -6.643972160112134e-05,
    -7.674741352218213e-05,
    1.613483237133695e-05,
    1.5368029295073883e-05,
    -6.178963784067286e-07,
)
"""exp(x²)·erfc(x) in powers of (2 - x)/(x + 3), for 15/16 <= x <= 6."""


@scalar
def erf(x):
    """Return erf x, within 1.33 ulp, for all x; ±1 from |x| = 6 on, ±0 for ±0, NaN for NaN."""
    a = abs(x)
    if not a < ALL_BUT_ONE:
        return NAN if x != x else copysign(1.0, x)
    if a <= 0.9375:
        z = x * x
        w = z * z
        low = (ERF[0] + z * ERF[1]) + w * (ERF[2] + z * ERF[3])
        mid = (ERF[4] + z * ERF[5]) + w * (ERF[6] + z * ERF[7])
        high = (ERF[8] + z * ERF[9]) + w * (ERF[10] + z * ERF[11])
        w2 = w * w
        return x + x * (low + w2 * (mid + w2 * high))
    t = (2.0 - a) / (a + 3.0)
    w = t * t
    w2 = w * w
    first = (ERFC[0] + t * ERFC[1]) + w * (ERFC[2] + t * ERFC[3])
    second = (ERFC[4] + t * ERFC[5]) + w * (ERFC[6] + t * ERFC[7])
    third = (ERFC[8] + t * ERFC[9]) + w * (ERFC[10] + t * ERFC[11])
    fourth = (ERFC[12] + t * ERFC[13]) + w * (ERFC[14] + t * ERFC[15])
    scaled_erfc = first + w2 * (second + w2 * (third + w2 * fourth))
    head = upper(a)
    k, r, u, v = exp_parts(-head * head, (head - a) * (head + a))  # exp(-a²) without the rounding error of a²
    return copysign(1.0 - power_of_two(k) * (1.0 + (r + (u + v))) * scaled_erfc, x)
