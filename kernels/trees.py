"""Boosted trees: a sum over trees in their order, with the bits of the library that trained them.

Every library's split becomes ``x < threshold ? left : right`` (``x <= t`` is ``x < next number after t``). A node is
its left child, with the right one beside it, and the slot of the value that it compares. Three ideas make the walk as
fast as it is: it takes the next child by arithmetic, not by a jump that the processor would guess wrong half of the
time; LANES trees are walked side by side, so that loads of one fill the waiting time of another; and a leaf is a node
that compares with -∞ and is its own child, so that trees of any shape take the same number of steps, and the leaf's
value lies where the threshold of a split does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gpuhiggs.kernels.exact import is_nan
from gpuhiggs.kernels.language import Float64, Int32, scalar

LANES = 8
"""Trees walked side by side: those of an output come in groups of LANES, filled up with trees of one leaf, -0.0."""
INPUTS = 64
"""Capacity of a model's inputs."""
SLOTS = 2 * INPUTS + 1
SLOT_BITS = 8
"""Bits of a node that name the slot."""
INFINITY = float("inf")


class Trees(NamedTuple):
    """The trees of a model, by output and then in their order."""

    node: Int32
    """``(left child << SLOT_BITS) | slot``."""
    threshold: Float64
    """Of a split; the value of a leaf."""
    root: Int32
    steps: Int32
    """Depth of the deepest tree of each group."""
    base: Float64
    """What the sum of each output begins with."""
    groups: int
    """Of each output."""
    single: int
    """Whether inputs and sums are float32 (XGBoost, ONNX)."""


@scalar
def rounded(value):
    """Round to float32."""
    return np.float64(np.float32(value))


@scalar
def prepare(n, single, inputs, slots):
    """Write what nodes compare: each input, -∞ for a missing one; again, +∞ for a missing one; then -∞.

    A split that sends a missing value to the left has the first slot of its input, any other the second one.
    """
    for i in range(n):
        value = rounded(inputs[i]) if single == 1 else inputs[i]
        slots[i] = -INFINITY if is_nan(value) else value
        slots[n + i] = INFINITY if is_nan(value) else value
    slots[2 * n] = -INFINITY


@scalar
def child(trees, slots, place):
    """Return the node after *place*."""
    node = trees.node[place]
    return (node >> SLOT_BITS) + (0 if slots[node & 255] < trees.threshold[place] else 1)


@scalar
def accumulate(trees, total, leaf):
    """Add the value of a leaf in the arithmetic of the model."""
    total = total + trees.threshold[leaf]
    return rounded(total) if trees.single == 1 else total


@scalar
def margin(trees, output, slots):
    """Return the sum over the trees of one output."""
    total = trees.base[output]
    for group in range(output * trees.groups, (output + 1) * trees.groups):
        first = LANES * group
        a, b, c, d = trees.root[first], trees.root[first + 1], trees.root[first + 2], trees.root[first + 3]
        e, f, g, h = trees.root[first + 4], trees.root[first + 5], trees.root[first + 6], trees.root[first + 7]
        for _ in range(trees.steps[group]):
            a, b, c, d = (
                child(trees, slots, a),
                child(trees, slots, b),
                child(trees, slots, c),
                child(trees, slots, d),
            )
            e, f, g, h = (
                child(trees, slots, e),
                child(trees, slots, f),
                child(trees, slots, g),
                child(trees, slots, h),
            )
        total = accumulate(trees, accumulate(trees, total, a), b)
        total = accumulate(trees, accumulate(trees, total, c), d)
        total = accumulate(trees, accumulate(trees, total, e), f)
        total = accumulate(trees, accumulate(trees, total, g), h)
    return total
