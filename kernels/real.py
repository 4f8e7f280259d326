"""The elementary functions."""

from __future__ import annotations

from .circular import acos, atan, atan2, cos, sin, sincos, tan
from .error_function import erf
from .exact import copysign, floor, is_nan, sqrt
from .exponential import exp, log, log10, pow
from .hyperbolic import asinh, cosh, sinh, sinhcosh, tanh
