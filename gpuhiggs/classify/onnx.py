"""ONNX: ensembles of trees, and dense networks, by reading the graph (extra ``onnx``); nothing of it is executed.

Operators: https://onnx.ai/onnx/operators. Trees are float32, with the sum in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.classify.model import Activation, Classifier, Dense, Forest, Layer, Link, Tree
from gpuhiggs.classify.source import named, parsed
from gpuhiggs.errors import InputError, MissingExtraError

_ACTIVATIONS: dict[str, Activation] = {"Relu": "relu", "Tanh": "tanh", "Sigmoid": "logistic"}
_LINKS: dict[str, Link] = {"NONE": "identity", "LOGISTIC": "logistic", "SOFTMAX": "softmax"}
_PLAIN = {"Identity", "Cast", "Flatten", "Dropout", "Constant"}
"""What changes no number."""
_LABELS = {"Sub", "Concat", "ArgMax", "ArrayFeatureExtractor", "Reshape", "ZipMap"}
"""What may follow the scores: the other class's probability, labels."""


def read_onnx(path: Path, *, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None) -> Classifier:
    """Read a model in ONNX.

    Parameters
    ----------
    path
        The file: a TreeEnsembleClassifier or -Regressor, or a chain of Gemm, MatMul, Add, Sub, Mul, Div, Scaler, Relu,
        Tanh, Sigmoid, Softmax.
    inputs, outputs
        Names; by default ``f0``, … and ``class0``, ….

    Raises
    ------
    InputError
        If it is not such a model.
    MissingExtraError
        Without the package ``onnx``.
    """
    try:
        import onnx
    except ImportError as error:
        feature, package, extra = "reading ONNX", "onnx", "onnx"
        raise MissingExtraError(feature, package, extra) from error
    try:
        content = path.read_bytes()
        graph = onnx.load_model_from_string(content).graph
    except OSError as error:
        msg = f"{path}: {error.strerror or error}"
        raise InputError(msg) from error
    except Exception as error:  # the protobuf library's own kinds
        msg = f"{path}: not ONNX: {error}"
        raise InputError(msg) from error
    with parsed(path, "an ONNX model that the kernel knows"):
        nodes = [_Node(node) for node in graph.node]
        for node in nodes:
            if node.kind.startswith("TreeEnsemble"):
                return _forest(node, nodes, inputs, outputs, path)
        constants = {tensor.name: np.asarray(onnx.numpy_helper.to_array(tensor)) for tensor in graph.initializer}
        constants |= {node.outputs[0]: node["value"] for node in nodes if node.kind == "Constant"}
        chain = [node for node in nodes if node.kind not in _PLAIN]
        return _Chain(chain, constants, path).classifier(inputs, outputs)


class _Node:
    """A node of the graph with its attributes as Python values."""

    def __init__(self, node: Any) -> None:
        import onnx

        self.kind: str = node.op_type
        self.inputs, self.outputs = list(node.input), list(node.output)
        self._attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        for name, value in self._attributes.items():
            if isinstance(value, onnx.TensorProto):
                self._attributes[name] = np.asarray(onnx.numpy_helper.to_array(value))

    def __getitem__(self, name: str) -> Any:
        return self._attributes[name]

    def get(self, name: str, default: Any) -> Any:
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value


# --- trees -----------------------------------------------------------------------------------------------------------


def _forest(
    node: _Node, nodes: list[_Node], inputs: Sequence[str] | None, outputs: Sequence[str] | None, path: Path
) -> Classifier:
    role = "class" if node.kind == "TreeEnsembleClassifier" else "target"
    if node.kind not in ("TreeEnsembleClassifier", "TreeEnsembleRegressor"):
        msg = f"{path}: operator {node.kind}, which the kernel does not know"
        raise InputError(msg)
    transform = node.get("post_transform", "NONE")
    if transform not in _LINKS or node.get("aggregate_function", "SUM") != "SUM":
        msg = f"{path}: post_transform {transform}, sums of leaves; known are {', '.join(_LINKS)}"
        raise InputError(msg)
    which = [int(i) for i in node[f"{role}_ids"]]
    found = sorted(set(which))
    place = {output: k for k, output in enumerate(found)}
    base = node.get("base_values", None)
    start = [0.0] * len(found) if base is None or not len(base) else [float(np.float32(b)) for b in base][-len(found) :]
    trees = tuple(_trees(node, role, which, place, path))
    n_inputs = len(inputs) if inputs else 1 + max((i for tree in trees for i in tree.input), default=0)
    return Classifier(
        inputs=named(inputs, "f", n_inputs, path),
        outputs=named(outputs, "class", len(found), path),
        link=_LINKS[transform],
        trees=Forest(precision="float32", base=tuple(start), trees=trees),
    )


def _trees(node: _Node, role: str, which: list[int], place: dict[int, int], path: Path) -> Iterator[Tree]:
    weight: dict[tuple[int, int], list[tuple[int, float]]] = {}
    for tree, leaf, output, value in zip(
        node[f"{role}_treeids"], node[f"{role}_nodeids"], which, node[f"{role}_weights"], strict=True
    ):
        weight.setdefault((tree, leaf), []).append((place[output], float(np.float32(value))))
    ids = np.array(node["nodes_treeids"])
    for tree in np.unique(ids):
        rows = np.flatnonzero(ids == tree)
        for output in sorted({k for row in rows for k, _ in weight.get((tree, node["nodes_nodeids"][row]), ())}):
            yield _tree(node, int(tree), rows, weight, output, path)


def _tree(
    node: _Node,
    tree: int,
    rows: NDArray[Any],
    weight: dict[tuple[int, int], list[tuple[int, float]]],
    output: int,
    path: Path,
) -> Tree:
    numbers = [int(node["nodes_nodeids"][row]) for row in rows]
    at = {number: i for i, number in enumerate(numbers)}
    tracks = node.get("nodes_missing_value_tracks_true", None)
    columns: dict[str, list[Any]] = {name: [] for name in ("input", "threshold", "left", "right", "missing", "value")}
    for row, number in zip(rows, numbers, strict=True):
        mode = node["nodes_modes"][row].decode()
        threshold = np.float32(node["nodes_values"][row])
        true, false = node["nodes_truenodeids"][row], node["nodes_falsenodeids"][row]
        missing_true = bool(tracks[row]) if tracks is not None and len(tracks) else False
        if mode in ("BRANCH_LEQ", "BRANCH_GT"):
            threshold = np.nextafter(threshold, np.float32(np.inf))
        elif mode not in ("BRANCH_LT", "BRANCH_GTE", "LEAF"):
            msg = f"{path}: a split {mode}, which the kernel does not know"
            raise InputError(msg)
        if mode in ("BRANCH_GT", "BRANCH_GTE"):
            true, false, missing_true = false, true, not missing_true
        is_leaf = mode == "LEAF"
        columns["input"].append(0 if is_leaf else int(node["nodes_featureids"][row]))
        columns["threshold"].append(0.0 if is_leaf else float(threshold))
        columns["left"].append(-1 if is_leaf else at[true])
        columns["right"].append(-1 if is_leaf else at[false])
        columns["missing"].append(missing_true)
        columns["value"].append(sum(v for k, v in weight.get((tree, number), ()) if k == output))
    return Tree(output=output, **{"missing_left" if n == "missing" else n: tuple(c) for n, c in columns.items()})


# --- networks --------------------------------------------------------------------------------------------------------


class _Chain:
    """A chain of operators on one vector, gathered into layers."""

    def __init__(self, nodes: list[_Node], constants: dict[str, NDArray[Any]], path: Path) -> None:
        self._constants, self._path = constants, path
        self._offset: NDArray[Any] | None = None
        self._scale: NDArray[Any] | None = None
        self._layers: list[tuple[NDArray[Any], NDArray[Any], Activation]] = []
        self._link: Link = "identity"
        last = max((i for i, node in enumerate(nodes) if node.kind in ("Gemm", "MatMul")), default=-1)
        for i, node in enumerate(nodes):
            if i > last and node.kind in ("Sigmoid", "Softmax"):
                self._link = "logistic" if node.kind == "Sigmoid" else "softmax"
                self._end(nodes[i + 1 :])
                break
            self._append(node)

    def classifier(self, inputs: Sequence[str] | None, outputs: Sequence[str] | None) -> Classifier:
        if not self._layers:
            self._refuse("no dense layer")
        n = self._layers[0][0].shape[1]
        nothing = np.zeros(n)
        offset = nothing if self._offset is None else np.broadcast_to(self._offset.reshape(-1), n)
        scale = nothing + 1.0 if self._scale is None else np.broadcast_to(self._scale.reshape(-1), n)
        layers = tuple(
            Layer(weights=tuple(map(tuple, w.tolist())), biases=tuple(b.tolist()), activation=a)
            for w, b, a in self._layers
        )
        return Classifier(
            inputs=named(inputs, "f", n, self._path),
            outputs=named(outputs, "class", len(layers[-1].biases), self._path),
            link=self._link,
            network=Dense(offset=tuple(offset.tolist()), scale=tuple(scale.tolist()), layers=layers),
        )

    def _end(self, nodes: list[_Node]) -> None:
        for node in nodes:
            if node.kind not in _LABELS:
                self._refuse(f"operator {node.kind} after the scores")

    def _append(self, node: _Node) -> None:
        constant = next(
            (self._constants[name].astype(np.float64) for name in node.inputs if name in self._constants), None
        )
        if node.kind == "Gemm":
            self._gemm(node)
        elif node.kind == "MatMul" and constant is not None and constant.ndim == 2:
            self._layers.append((constant.T, np.zeros(constant.shape[1]), "linear"))
        elif node.kind == "Scaler" and not self._layers:
            self._offset, self._scale = np.array(node["offset"], np.float64), np.array(node["scale"], np.float64)
        elif node.kind in ("Add", "Sub", "Mul", "Div") and constant is not None:
            self._arithmetic(node.kind, constant)
        elif node.kind in _ACTIVATIONS and self._layers:
            weights, biases, _ = self._layers[-1]
            self._layers[-1] = (weights, biases, _ACTIVATIONS[node.kind])
        else:
            self._refuse(f"operator {node.kind}")

    def _gemm(self, node: _Node) -> None:
        if node.get("transA", 0) or node.get("alpha", 1.0) != 1.0 or node.get("beta", 1.0) != 1.0:
            self._refuse("Gemm with factors or a transposed input")
        weights = self._constants[node.inputs[1]].astype(np.float64)
        weights = weights if node.get("transB", 0) else weights.T
        biases = self._constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(len(weights))
        self._layers.append((weights, np.broadcast_to(biases.astype(np.float64).reshape(-1), len(weights)), "linear"))

    def _arithmetic(self, kind: str, constant: NDArray[Any]) -> None:
        """Take an addition after a layer into its biases, and what stands before all layers into offset and scale."""
        if self._layers and kind in ("Add", "Sub") and self._layers[-1][2] == "linear":
            weights, biases, activation = self._layers[-1]
            self._layers[-1] = (weights, biases + (constant if kind == "Add" else -constant).reshape(-1), activation)
        elif not self._layers and kind in ("Add", "Sub") and self._scale is None and self._offset is None:
            self._offset = constant if kind == "Sub" else -constant
        elif not self._layers and kind in ("Mul", "Div") and self._scale is None:
            self._scale = constant if kind == "Mul" else 1.0 / constant
        else:
            self._refuse(f"operator {kind} at its place")

    def _refuse(self, what: str) -> None:
        msg = f"{self._path}: {what}, which the kernel does not know"
        raise InputError(msg)
