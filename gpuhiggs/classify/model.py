"""A classifier as data: a JSON file that is read, checked and laid out for the kernel; nothing in it is executed.

::

    {"format": "gpuhiggs-classifier", "version": 1,
     "inputs": ["m_z1", …], "outputs": ["signal"], "link": "logistic", "training": {"sha256": …},
     "trees": {"precision": "float64", "base": [0.1], "trees": [{"output": 0, "input": […], "threshold": […],
               "left": […], "right": […], "missing_left": […], "value": […]}, …]}}

or ``"network": {"offset": […], "scale": […], "layers": [{"weights": [[…]], "biases": […], "activation": "relu"}]}``. A
split sends an event to the left where ``input < threshold``; a node with left = -1 is a leaf. ``precision`` is the
arithmetic of inputs and sums.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from gpuhiggs.config import Model, validate
from gpuhiggs.errors import InputError
from gpuhiggs.kernels import network as dense
from gpuhiggs.kernels.classifier import INPUTS, OUTPUTS

FORMAT, VERSION = "gpuhiggs-classifier", 1
LARGEST_DEPTH = 64

Activation = Literal["linear", "relu", "tanh", "logistic"]
Link = Literal["identity", "logistic", "softmax"]


class Tree(Model):
    """One tree: columns of its nodes, of which the first is the root."""

    output: int = Field(default=0, ge=0)
    input: tuple[int, ...] = Field(min_length=1)
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    missing_left: tuple[bool, ...]
    value: tuple[float, ...]

    @model_validator(mode="after")
    def _is_a_tree(self) -> Self:
        n = len(self.input)
        for name in ("threshold", "left", "right", "missing_left", "value"):
            if len(getattr(self, name)) != n:
                msg = f"{name} has {len(getattr(self, name))} entries, input has {n}: one for each node is expected"
                raise ValueError(msg)
        self.levels()
        return self

    def levels(self) -> list[list[int]]:
        """Return the nodes by their depth.

        Raises
        ------
        ValueError
            If a child does not exist, is reached twice, as in a cycle, or lies too deep.
        """
        seen, level, levels = {0}, [0], []
        while level:
            levels.append(level)
            below = [child for node in level if self.left[node] >= 0 for child in (self.left[node], self.right[node])]
            for child in below:
                if not 0 <= child < len(self.input):
                    msg = f"a node's child is {child}, but the tree has {len(self.input)} nodes"
                    raise ValueError(msg)
                if child in seen:
                    msg = f"node {child} is reached twice: a cycle, or two parents"
                    raise ValueError(msg)
                seen.add(child)
            if len(levels) > LARGEST_DEPTH:
                msg = f"deeper than {LARGEST_DEPTH}"
                raise ValueError(msg)
            level = below
        return levels


class Forest(Model):
    """Trees whose leaves are added up, output by output, beginning with ``base``."""

    precision: Literal["float32", "float64"]
    base: tuple[float, ...] = Field(min_length=1, max_length=OUTPUTS)
    trees: tuple[Tree, ...] = Field(min_length=1)


class Layer(Model):
    """A dense layer: ``weights[j][i]`` is what unit *j* makes of what it takes from unit *i*."""

    weights: tuple[tuple[float, ...], ...] = Field(min_length=1, max_length=dense.WIDTH)
    biases: tuple[float, ...]
    activation: Activation

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.biases) != len(self.weights) or len({len(row) for row in self.weights}) != 1:
            msg = (
                f"{len(self.weights)} rows of weights, {len(self.biases)} biases: expected one a unit, rows all as long"
            )
            raise ValueError(msg)
        return self


class Dense(Model):
    """Layers one after the other, on ``(input - offset) * scale``."""

    offset: tuple[float, ...]
    scale: tuple[float, ...]
    layers: tuple[Layer, ...] = Field(min_length=1)


class Classifier(Model):
    """A model with what it takes and gives."""

    format: Literal["gpuhiggs-classifier"] = "gpuhiggs-classifier"
    version: Literal[1] = 1
    inputs: tuple[str, ...] = Field(min_length=1, max_length=INPUTS)
    outputs: tuple[str, ...] = Field(min_length=1, max_length=OUTPUTS)
    """Names of the scores; with ``logistic`` and one of them, the other class is everything else."""
    link: Link
    training: dict[str, Any] = Field(default_factory=dict)
    """How it was trained; ``sha256`` is the hash of configuration and events."""
    trees: Forest | None = None
    network: Dense | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (self.trees is None) == (self.network is None):
            msg = "expected either trees or network"
            raise ValueError(msg)
        for what, names in (("inputs", self.inputs), ("outputs", self.outputs)):
            if len(set(names)) < len(names):
                msg = f"{what}: a name stands twice in {', '.join(names)}"
                raise ValueError(msg)
        if self.trees is not None:
            _check_trees(self.trees, len(self.inputs), len(self.outputs))
        if self.network is not None:
            _check_network(self.network, len(self.inputs), len(self.outputs))
        return self

    def digest(self) -> str:
        """Return the SHA-256 of all that decides about the scores."""
        content = self.model_dump(mode="json", exclude={"training"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _check_trees(forest: Forest, inputs: int, outputs: int) -> None:
    if len(forest.base) != outputs:
        msg = f"trees: base has {len(forest.base)} numbers for {outputs} outputs"
        raise ValueError(msg)
    for i, tree in enumerate(forest.trees):
        if tree.output >= outputs:
            msg = f"tree {i}: output {tree.output} of {outputs}"
            raise ValueError(msg)
        wrong = [k for k, left in zip(tree.input, tree.left, strict=True) if left >= 0 and not 0 <= k < inputs]
        if wrong:
            msg = f"tree {i}: input {wrong[0]} of {inputs}"
            raise ValueError(msg)


def _check_network(network: Dense, inputs: int, outputs: int) -> None:
    width = inputs
    if not len(network.offset) == len(network.scale) == inputs:
        msg = f"network: {len(network.offset)} offsets and {len(network.scale)} scales for {inputs} inputs"
        raise ValueError(msg)
    for i, layer in enumerate(network.layers):
        if len(layer.weights[0]) != width:
            msg = f"layer {i} takes {len(layer.weights[0])} units, there are {width}"
            raise ValueError(msg)
        width = len(layer.weights)
    if width != outputs:
        msg = f"the last layer has {width} units for {outputs} outputs"
        raise ValueError(msg)


def read(path: Path) -> Classifier:
    """Read a model file.

    Raises
    ------
    InputError
        If it cannot be read, is of another format or version, or its content is not consistent: the message says where.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise InputError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path}: not JSON: {error}"
        raise InputError(msg) from error
    found = (raw.get("format"), raw.get("version")) if isinstance(raw, dict) else (None, None)
    if found != (FORMAT, VERSION):
        msg = f"{path}: format {found[0]!r}, version {found[1]!r}; this version reads {FORMAT!r}, version {VERSION}"
        raise InputError(msg)
    return validate(Classifier, raw, str(path))


def write(model: Classifier, path: Path) -> None:
    """Write a model file; the same model gives the same bytes."""
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(model.model_dump_json(exclude_none=True) + "\n", encoding="utf-8")
    temporary.replace(path)
