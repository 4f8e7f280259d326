"""Elementary functions in float64 with the same bits on every target: the one place to import them from.

libm, NumPy and libdevice differ in last bits. These functions use nothing but + - × ÷ √, comparisons, integers and bit
casts, each of which is defined to the last bit, and no fused multiply-add. So the Python interpreter
(``NUMBA_DISABLE_JIT=1``), the CPU build and the CUDA build agree, and none of them raises or warns, for every float64.

Errors are the largest ones seen against a 64-bit-mantissa libm on more than 10⁷ arguments a function, in units in the
last place (0.5 would be correctly rounded). Every NaN that comes out is the canonical one, and zeros carry C99's signs.
"""

from __future__ import annotations

from gpuhiggs.kernels.angle import acos, asin, atan, atan2
from gpuhiggs.kernels.circular import cos, sin, sincos, tan
from gpuhiggs.kernels.error_function import erf
from gpuhiggs.kernels.exact import copysign, floor, is_nan, sqrt
from gpuhiggs.kernels.exponential import exp, log, log10, pow
from gpuhiggs.kernels.hyperbolic import acosh, asinh, atanh, cosh, sinh, sinhcosh, tanh

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "copysign",
    "cos",
    "cosh",
    "erf",
    "exp",
    "floor",
    "is_nan",
    "log",
    "log10",
    "pow",
    "sin",
    "sincos",
    "sinh",
    "sinhcosh",
    "sqrt",
    "tan",
    "tanh",
]
