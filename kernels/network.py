"""Dense networks: layers of float64 sums in a fixed order, bias first, then input after input."""

from __future__ import annotations

from typing import NamedTuple

from gpuhiggs.kernels import real
from gpuhiggs.kernels.language import Float64, Int64, scalar

WIDTH = 256
"""Capacity of a layer."""
LINEAR, RELU, TANH, LOGISTIC = range(4)
"""Activations."""


class Network(NamedTuple):
    """The layers of a model, after the inputs' ``(x - offset) * scale``."""

    offset: Float64
    scale: Float64
    parameter: Float64
    """Layer after layer: the biases, then for each unit the weights of what it takes."""
    width: Int64
    """Of the inputs and of each layer, shape (layers + 1,)."""
    activation: Int64
    layers: int


@scalar
def logistic(x):
    """Return 1 / (1 + e^-x), without overflow."""
    if x >= 0:
        return 1.0 / (1.0 + real.exp(-x))
    rising = real.exp(x)
    return rising / (1.0 + rising)


@scalar
def activated(kind, x):
    """Apply an activation; NaN stays NaN."""
    if kind == RELU:
        return 0.0 if x < 0.0 else x
    if kind == TANH:
        return real.tanh(x)
    if kind == LOGISTIC:
        return logistic(x)
    return x


@scalar
def propagate(network, inputs, units):
    """Run the inputs through all layers; return where in *units*, of 2 · WIDTH places, the outputs begin."""
    n = network.width[0]
    for i in range(n):
        units[i] = (inputs[i] - network.offset[i]) * network.scale[i]
    source, target, place = 0, WIDTH, 0
    for layer in range(network.layers):
        kind, m = network.activation[layer], network.width[layer + 1]
        weight = place + m
        for j in range(m):
            total = network.parameter[place + j]
            for i in range(n):
                total += network.parameter[weight + i] * units[source + i]
            units[target + j] = activated(kind, total)
            weight += n
        place, n = weight, m
        source, target = target, source
    return source
