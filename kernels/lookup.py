"""Corrections: trees of binnings, categories, formulas, transforms and random numbers, looked up in flat tables.

A *reference* is where a value comes from: ``ref < 0`` is the constant ``values[~ref]``, any other the node that begins
at ``nodes[ref]``. An *operand* is the same for one input: a variable, or the constant ``values[~operand]``. Nodes are::

    BINNING    flow, outside, axes, (operand, bins, uniform, edges) an axis, reference of each bin (last axis fastest)
    CATEGORY   operand, keys, otherwise, key …, reference …                       keys rise
    FORMULA    operations, operation …                                            see lookup_formula
    TRANSFORM  variable, whole, rule, content                                     variable: where the rule's value goes
    RANDOM     distribution, inputs, input …                                      see lookup_hash
    COMPOUND   input operation, output operation, copies, updates, parts, (operand, variable) …, variable …, reference …
    ERROR      code

``edges`` is where in the values the edges begin; of a uniform axis, its lower and its upper end. What every node does
is what correctionlib does (schema version 2), value by value.
"""

from __future__ import annotations

from typing import NamedTuple

from gpuhiggs.kernels import lookup_formula as formula
from gpuhiggs.kernels import lookup_hash as hashing
from gpuhiggs.kernels.exact import NAN, copysign, floor
from gpuhiggs.kernels.language import Float64, Int64, local_int, scalar

BINNING, CATEGORY, FORMULA, TRANSFORM, RANDOM, COMPOUND, ERROR = range(7)
OUTSIDE, CLAMP, WRAP = range(3)
"""What becomes of a value outside of a binning: the reference ``outside``, the nearest bin, the periodic bin."""
ADD, MULTIPLY, DIVIDE, LAST = range(4)

FOUND, OUT_OF_RANGE, UNKNOWN_KEY = range(3)
"""What :func:`evaluate` says of an evaluation; with anything but FOUND the value is NaN."""

RULES = 8
"""How many transforms may be rules of one another; the compiler refuses more."""


class Lookup(NamedTuple):
    """The tables of any number of corrections."""

    nodes: Int64
    values: Float64


@scalar
def load(tables, variables, operand):
    """Return the value of an operand."""
    return variables[operand] if operand >= 0 else tables.values[~operand]


@scalar
def uniform_bin(low, high, n, flow, x):
    """Return the bin of x among *n* of one width, *n* itself for a value outside; NaN counts as above."""
    if not (x >= low and x < high):
        if flow == OUTSIDE:
            return n
        if flow == CLAMP:
            return 0 if x < low else n - 1
    place = (x - low) / (high - low)
    if flow == WRAP and not (x >= low and x < high):
        place = place - floor(place)
    place = place * n
    return int(place) if place < n else n - 1


@scalar
def variable_bin(values, edges, n, flow, x):
    """Return the bin of x among *n* with the edges that begin at *edges*, *n* for a value outside; NaN is above."""
    low = values[edges]
    high = values[edges + n]
    if flow == WRAP:
        place = (x - low) / (high - low)
        x = low + (place - floor(place)) * (high - low)
    if x < low:
        return n if flow == OUTSIDE else 0
    if not x < high:
        return n if flow == OUTSIDE else n - 1
    below = 0
    above = n
    while above - below > 1:
        middle = (below + above) >> 1
        if values[edges + middle] <= x:
            below = middle
        else:
            above = middle
    return below


@scalar
def bin_reference(tables, node, variables):
    """Return the reference that a binning leads to."""
    nodes, values = tables.nodes, tables.values
    flow = nodes[node + 1]
    n_axes = nodes[node + 3]
    axis = node + 4
    place = 0
    for _ in range(n_axes):
        x = load(tables, variables, nodes[axis])
        n = nodes[axis + 1]
        edges = nodes[axis + 3]
        if nodes[axis + 2] == 1:
            found = uniform_bin(values[edges], values[edges + 1], n, flow, x)
        else:
            found = variable_bin(values, edges, n, flow, x)
        if found == n:
            return nodes[node + 2]
        place = place * n + found
        axis += 4
    return nodes[axis + place]


@scalar
def category_reference(tables, node, variables):
    """Return the reference that a category leads to: binary search."""
    nodes = tables.nodes
    x = load(tables, variables, nodes[node + 1])
    n = nodes[node + 2]
    keys = node + 4
    low = 0
    high = n
    while low < high:
        middle = (low + high) >> 1
        if float(nodes[keys + middle]) < x:
            low = middle + 1
        else:
            high = middle
    if low < n and float(nodes[keys + low]) == x:
        return nodes[keys + n + low]
    return nodes[node + 3]


@scalar
def follow(tables, reference, variables):
    """Return where binnings and categories lead: a constant or a node of another kind."""
    while reference >= 0:
        kind = tables.nodes[reference]
        if kind == BINNING:
            reference = bin_reference(tables, reference, variables)
        elif kind == CATEGORY:
            reference = category_reference(tables, reference, variables)
        else:
            break
    return reference


@scalar
def tabulated(tables, root, variables):
    """Return what :func:`evaluate` does, for corrections of binnings and categories alone: less to compile and run.

    Whether a correction is one says :attr:`gpuhiggs.corrections.Library.tabulated`.
    """
    reference = follow(tables, root, variables)
    if reference < 0:
        return tables.values[~reference], FOUND
    return NAN, tables.nodes[reference + 1]


@scalar
def rounded(x):
    """Return the integral float64 nearest to x; halves go away from zero."""
    size = abs(x)
    whole = floor(size)
    return copysign(whole + 1.0 if size - whole >= 0.5 else whole, x)


@scalar
def descend(tables, reference, variables):
    """Return the value that a tree gives, and FOUND or why there is none."""
    nodes = tables.nodes
    pending = local_int(RULES)
    depth = 0
    while True:
        reference = follow(tables, reference, variables)
        kind = nodes[reference] if reference >= 0 else FORMULA
        if kind == TRANSFORM:
            pending[depth] = reference
            depth += 1
            reference = nodes[reference + 3]
            continue
        if kind == ERROR:
            return NAN, nodes[reference + 1]
        if reference < 0:
            value = tables.values[~reference]
        elif kind == FORMULA:
            value = formula.run(tables, reference + 2, nodes[reference + 1], variables)
        else:
            value = hashing.random(tables, nodes[reference + 1], reference + 3, nodes[reference + 2], variables)
        if depth == 0:
            return value, FOUND
        depth -= 1
        transform = pending[depth]
        variables[nodes[transform + 1]] = rounded(value) if nodes[transform + 2] == 1 else value
        reference = nodes[transform + 4]


@scalar
def updated(before, operation, value):
    """Return a running value after one part of a compound correction."""
    if operation == ADD:
        return before + value
    if operation == MULTIPLY:
        return before * value
    return before / value if operation == DIVIDE else value


@scalar
def compound(tables, node, variables):
    """Return the value of corrections applied one after the other, each to inputs that those before have changed."""
    nodes = tables.nodes
    n_copies, n_updates, n_parts = nodes[node + 3], nodes[node + 4], nodes[node + 5]
    copies = node + 6
    updates = copies + 2 * n_copies
    parts = updates + n_updates
    for i in range(n_copies):
        variables[nodes[copies + 2 * i + 1]] = load(tables, variables, nodes[copies + 2 * i])
    result = 0.0
    for part in range(n_parts):
        value, code = descend(tables, nodes[parts + part], variables)
        if code != FOUND:
            return NAN, code
        for i in range(n_updates):
            variable = nodes[updates + i]
            variables[variable] = updated(variables[variable], nodes[node + 1], value)
        result = value if part == 0 else updated(result, nodes[node + 2], value)
    return result, FOUND


@scalar
def evaluate(tables, root, variables):
    """Return the value of a correction, and FOUND, OUT_OF_RANGE or UNKNOWN_KEY; in the last two cases it is NaN.

    Parameters
    ----------
    tables
        A :class:`Lookup`.
    root
        The correction's reference.
    variables
        Scratch memory of one event: the inputs as float64, in the order that the correction was compiled for, then
        room for what transforms and compounds change (``slots`` in all).
    """
    if root >= 0 and tables.nodes[root] == COMPOUND:
        return compound(tables, root, variables)
    return descend(tables, root, variables)
