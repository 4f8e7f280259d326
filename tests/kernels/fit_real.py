"""Fit the polynomials of the elementary functions: ``python tests/kernels/fit_real.py`` prints them as Python tuples.

Each is the Chebyshev interpolant (close to the minimax polynomial) of what is left of a function after its exactly
known leading terms, in powers of ``z = t²`` unless said otherwise, computed with 60 digits and rounded to float64.
The number of coefficients is the smallest that leaves an error below 2⁻⁵⁶ of the function.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp

Function = Callable[[mp.mpf], mp.mpf]


def _odd(function: Function) -> Function:
    """Return (f(t) - t)/t³ for an odd function with f(t) = t + O(t³)."""
    return lambda z: (function(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3


def _log_tail(z: mp.mpf) -> mp.mpf:
    """Return (2·atanh(t) - 2t - 2t³/3)/t⁵."""
    t = mp.sqrt(z)
    return (2 * mp.atanh(t) - 2 * t - 2 * t**3 / 3) / t**5


def _scaled_erfc(t: mp.mpf) -> mp.mpf:
    """Return exp(x²)·erfc(x) as a function of t = (2 - x)/(x + 3)."""
    x = (2 - 3 * t) / (1 + t)
    return mp.exp(x * x) * mp.erfc(x)


def polynomials() -> dict[str, tuple[float, ...]]:
    """Coefficients from the constant term up, by ``module.NAME``."""
    with mp.workdps(60):
        half_ln2, eighth_turn, tan_pi_8 = mp.log(2) / 2, mp.pi / 4, mp.sqrt(2) - 1
        log_end, power_log_end = tan_pi_8**2, mp.mpf("0.072")  # the largest (x - c)/(x + c)
        fits: dict[str, tuple[Function, mp.mpf, mp.mpf, int]] = {
            "exponential.SINH": (_odd(mp.sinh), 0, half_ln2**2, 5),
            "exponential.COSH": (lambda z: (mp.cosh(mp.sqrt(z)) - 1 - z / 2) / z**2, 0, half_ln2**2, 5),
            "exponential.LOG": (_odd(lambda t: 2 * mp.atanh(t) - t), 0, log_end**2, 7),
            "exponential.LOG_TAIL": (_log_tail, 0, power_log_end**2, 5),
            "circular.SIN": (_odd(mp.sin), 0, eighth_turn**2, 6),
            "circular.COS": (lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2, 0, eighth_turn**2, 6),
            "angle.ATAN": (_odd(mp.atan), 0, tan_pi_8**2, 11),
            "angle.ASIN": (_odd(mp.asin), 0, mp.mpf(1) / 4, 13),
            "error_function.ERF": (lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1, 0, mp.mpf(225) / 256, 12),
            "error_function.ERFC": (_scaled_erfc, -mp.mpf(4) / 9, mp.mpf(17) / 63, 16),
        }
        return {
            name: tuple(float(c) for c in mp.chebyfit(function, [start, stop], n, asc=True))
            for name, (function, start, stop, n) in fits.items()
        }


if __name__ == "__main__":
    for name, coefficients in polynomials().items():
        print(f"{name} = (\n" + "".join(f"    {c!r},\n" for c in coefficients) + ")")  # noqa: T201
