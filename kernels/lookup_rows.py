"""Corrections over arrays: one evaluation a row, as a program of :mod:`.launch`."""

from __future__ import annotations

from typing import NamedTuple

from gpuhiggs.kernels import fill as sums  # noqa: F401 (what launch's driver expects of a program)
from gpuhiggs.kernels import lookup
from gpuhiggs.kernels.language import Float64, Sums, WrittenFloat64, WrittenInt64, local, scalar
from gpuhiggs.kernels.rows import GATES, STEPS, gate, generator_weight, preselect  # noqa: F401 (parts of the program)

SLOTS = 32
"""Capacity of the variables."""


class Inputs(NamedTuple):
    """The inputs, row by row."""

    variables: Float64
    """Shape (rows, n)."""


class Cuts(NamedTuple):
    """Which correction, how many inputs it has, and whether it is made of binnings and categories alone."""

    root: int
    n: int
    tabulated: int


class Tables(NamedTuple):
    """Lookup tables."""

    corrections: lookup.Lookup


class Out(NamedTuple):
    """What comes out."""

    errors: Sums
    values: WrittenFloat64
    codes: WrittenInt64


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Evaluate one row."""
    variables = local(SLOTS)
    for i in range(cuts.n):
        variables[i] = inputs.variables[event * cuts.n + i]
    if cuts.tabulated == 1:
        value, code = lookup.tabulated(tables.corrections, cuts.root, variables)
    else:
        value, code = lookup.evaluate(tables.corrections, cuts.root, variables)
    out.values[event] = value
    out.codes[event] = code
