"""Classifiers: from an event's inputs to its scores, whatever kind of model gives them."""

from __future__ import annotations

from typing import NamedTuple

from gpuhiggs.kernels import network as dense
from gpuhiggs.kernels import real, trees
from gpuhiggs.kernels.language import local, scalar

NONE, TREES, NETWORK = range(3)
"""Kinds of model."""
IDENTITY, LOGISTIC, SOFTMAX = range(3)
"""What becomes of the margins: themselves, a probability each, probabilities that add up to one."""
INPUTS = trees.INPUTS
OUTPUTS = 16
"""Capacity of scores."""


class Classifier(NamedTuple):
    """A model of any kind; the other kind's tables are empty."""

    kind: int
    inputs: int
    outputs: int
    link: int
    trees: trees.Trees
    network: dense.Network


@scalar
def margins(model, inputs, out):
    """Write the margin of each output."""
    if model.kind == TREES:
        slots = local(129)  # trees.SLOTS, which has to be a literal
        trees.prepare(model.inputs, model.trees.single, inputs, slots)
        for k in range(model.outputs):
            out[k] = trees.margin(model.trees, k, slots)
    else:
        units = local(512)  # 2 · network.WIDTH
        first = dense.propagate(model.network, inputs, units)
        for k in range(model.outputs):
            out[k] = units[first + k]


@scalar
def scores(model, inputs, out):
    """Write the score of each output; NaN where the model cannot say."""
    margins(model, inputs, out)
    if model.link == LOGISTIC:
        for k in range(model.outputs):
            out[k] = dense.logistic(out[k])
    elif model.link == SOFTMAX:
        highest = out[0]
        for k in range(1, model.outputs):
            if out[k] > highest:
                highest = out[k]
        total = 0.0
        for k in range(model.outputs):
            out[k] = real.exp(out[k] - highest)
            total += out[k]
        for k in range(model.outputs):
            out[k] = out[k] / total
