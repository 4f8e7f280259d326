"""A model's tables: what the kernel reads of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from gpuhiggs.classify.model import Classifier, Dense, Forest, Tree
from gpuhiggs.errors import InputError
from gpuhiggs.kernels import classifier as kernel
from gpuhiggs.kernels.network import LINEAR, LOGISTIC, RELU, TANH, Network
from gpuhiggs.kernels.trees import LANES, SLOT_BITS, Trees

_LINKS = {"identity": kernel.IDENTITY, "logistic": kernel.LOGISTIC, "softmax": kernel.SOFTMAX}
_ACTIVATIONS = {"linear": LINEAR, "relu": RELU, "tanh": TANH, "logistic": LOGISTIC}
_FILLER = Tree(input=(0,), threshold=(0.0,), left=(-1,), right=(-1,), missing_left=(True,), value=(-0.0,))
"""A tree that changes no sum: -0.0 is what nothing is changed by, the sign of a zero included."""


def tables(model: Classifier | None) -> kernel.Classifier:
    """Lay out a model for the kernel; None gives the tables of no model."""
    trees, network = _no_trees(), _no_network()
    if model is None:
        return kernel.Classifier(kernel.NONE, 0, 0, kernel.IDENTITY, trees, network)
    if model.trees is not None:
        kind, trees = kernel.TREES, _trees(model.trees, len(model.inputs))
    else:
        assert model.network is not None
        kind, network = kernel.NETWORK, _network(model.network)
    return kernel.Classifier(kind, len(model.inputs), len(model.outputs), _LINKS[model.link], trees, network)


def _trees(forest: Forest, n_inputs: int) -> Trees:
    by_output = [[tree for tree in forest.trees if tree.output == k] for k in range(len(forest.base))]
    groups = -(-max(map(len, by_output)) // LANES)
    padded = [tree for trees in by_output for tree in (*trees, *[_FILLER] * (groups * LANES - len(trees)))]
    node: list[int] = []
    threshold: list[float] = []
    root, depth = [], []
    for tree in padded:
        root.append(len(node))
        depth.append(len(tree.levels()) - 1)
        _append(tree, n_inputs, node, threshold)
    if len(node) >= 1 << (31 - SLOT_BITS):
        msg = f"classifier: {len(node)} nodes in all, there is room for {(1 << (31 - SLOT_BITS)) - 1}"
        raise InputError(msg)
    return Trees(
        node=np.array(node, dtype=np.int32),
        threshold=np.array(threshold),
        root=np.array(root, dtype=np.int32),
        steps=np.array(depth, dtype=np.int32).reshape(-1, LANES).max(axis=1),
        base=np.array(forest.base),
        groups=groups,
        single=int(forest.precision == "float32"),
    )


def _append(tree: Tree, n_inputs: int, node: list[int], threshold: list[float]) -> None:
    """Append a tree's nodes level by level, the two children of a node beside each other."""
    first = len(node)
    order = [place for level in tree.levels() for place in level]
    place = {old: first + new for new, old in enumerate(order)}
    for old in order:
        if tree.left[old] < 0:
            node.append(place[old] << SLOT_BITS | 2 * n_inputs)
            threshold.append(tree.value[old])
        else:
            slot = tree.input[old] + (0 if tree.missing_left[old] else n_inputs)
            node.append(place[tree.left[old]] << SLOT_BITS | slot)
            threshold.append(tree.threshold[old])


def _network(network: Dense) -> Network:
    parameters: list[Any] = []
    for layer in network.layers:
        parameters += [np.array(layer.biases), np.array(layer.weights).reshape(-1)]
    return Network(
        offset=np.array(network.offset),
        scale=np.array(network.scale),
        parameter=np.concatenate(parameters),
        width=np.array([len(network.offset), *(len(layer.biases) for layer in network.layers)], dtype=np.int64),
        activation=np.array([_ACTIVATIONS[layer.activation] for layer in network.layers], dtype=np.int64),
        layers=len(network.layers),
    )


def _no_trees() -> Trees:
    whole, real = np.zeros(1, np.int32), np.zeros(1)
    return Trees(node=whole, threshold=real, root=whole, steps=whole, base=real, groups=0, single=0)


def _no_network() -> Network:
    real, whole = np.zeros(1), np.zeros(1, np.int64)
    return Network(offset=real, scale=real, parameter=real, width=whole, activation=whole, layers=0)
