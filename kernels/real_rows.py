"""All elementary functions over arrays, as a program of :mod:`.launch`: what a self-test compares between targets."""

from __future__ import annotations

from typing import NamedTuple

from gpuhiggs.kernels import real
from gpuhiggs.kernels.language import Float64, Sums, WrittenFloat64, scalar
from gpuhiggs.kernels.rows import GATES, STEPS, gate, generator_weight, preselect  # noqa: F401 (parts of the program)

FUNCTIONS = (
    "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "exp", "log",
    "log10", "sqrt", "floor", "erf", "atan2", "pow", "copysign",
)  # fmt: skip
"""Columns of the values."""
N = len(FUNCTIONS)


class Inputs(NamedTuple):
    """Arguments, row by row."""

    x: Float64
    y: Float64


class Cuts(NamedTuple):
    """Nothing to choose."""

    unused: int


class Tables(NamedTuple):
    """Nothing to look up."""

    unused: int


class Out(NamedTuple):
    """What comes out."""

    errors: Sums
    values: WrittenFloat64
    """Shape (rows, N)."""


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Evaluate every function at one row."""
    x, y = inputs.x[event], inputs.y[event]
    at = event * N
    values = out.values
    values[at], values[at + 1], values[at + 2] = real.sin(x), real.cos(x), real.tan(x)
    values[at + 3], values[at + 4], values[at + 5] = real.asin(x), real.acos(x), real.atan(x)
    values[at + 6], values[at + 7], values[at + 8] = real.sinh(x), real.cosh(x), real.tanh(x)
    values[at + 9], values[at + 10], values[at + 11] = real.asinh(x), real.acosh(x), real.atanh(x)
    values[at + 12], values[at + 13], values[at + 14] = real.exp(x), real.log(x), real.log10(x)
    values[at + 15], values[at + 16], values[at + 17] = real.sqrt(x), real.floor(x), real.erf(x)
    values[at + 18], values[at + 19], values[at + 20] = real.atan2(y, x), real.pow(x, y), real.copysign(x, y)
