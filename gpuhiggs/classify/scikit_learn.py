"""Models of scikit-learn that have been fitted: histogram-based and plain gradient boosting, and dense networks.

HistGradientBoosting keeps its trees in the private ``_predictors``; a test pins that reading them gives its own
predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gpuhiggs.classify.model import Activation, Classifier, Dense, Forest, Layer, Link, Tree
from gpuhiggs.classify.source import above, named
from gpuhiggs.errors import InputError

_ACTIVATIONS: dict[str, Activation] = {"identity": "linear", "relu": "relu", "tanh": "tanh", "logistic": "logistic"}


def from_scikit_learn(
    model: Any, *, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> Classifier:
    """Convert a fitted classifier, or a pipeline of a StandardScaler and a network.

    Parameters
    ----------
    model
        ``HistGradientBoostingClassifier``, ``GradientBoostingClassifier``, ``MLPClassifier``, or ``Pipeline`` of
        ``StandardScaler`` and the last.
    inputs, outputs
        Names; by default ``f0``, … and ``class0``, ….

    Raises
    ------
    InputError
        For another model, or one with what the kernel does not know.
    """
    kind = type(model).__name__
    if kind == "Pipeline":
        (_, scaler), (_, network) = _two_steps(model)
        return _network(network, inputs, outputs, offset=scaler.mean_, scale=1.0 / scaler.scale_)
    if kind == "MLPClassifier":
        return _network(model, inputs, outputs)
    if kind == "HistGradientBoostingClassifier":
        predictors = model._predictors
        trees = [_histogram_tree(p.nodes, k) for iteration in predictors for k, p in enumerate(iteration)]
        base = np.asarray(model._baseline_prediction).reshape(-1)
        return _forest(model, trees, base, inputs, outputs, "float64")
    if kind == "GradientBoostingClassifier":
        start = model._raw_predict_init(np.zeros((1, model.n_features_in_), dtype=np.float32))[0]
        rows = [[estimator.tree_ for estimator in row] for row in model.estimators_]
        trees = [_plain_tree(tree, k, model.learning_rate) for row in rows for k, tree in enumerate(row)]
        return _forest(model, trees, start, inputs, outputs, "float64")
    msg = (
        f"scikit-learn: {kind} cannot be converted; known are HistGradientBoostingClassifier, "
        "GradientBoostingClassifier, MLPClassifier, a Pipeline of StandardScaler and MLPClassifier"
    )
    raise InputError(msg)


def _two_steps(model: Any) -> Any:
    steps = model.steps
    if [type(step).__name__ for _, step in steps] != ["StandardScaler", "MLPClassifier"]:
        msg = f"scikit-learn: a pipeline of {', '.join(type(step).__name__ for _, step in steps)} cannot be converted"
        raise InputError(msg)
    return steps


def _forest(
    model: Any,
    trees: list[Tree],
    base: Any,
    inputs: Sequence[str] | None,
    outputs: Sequence[str] | None,
    precision: Any,
) -> Classifier:
    kind = type(model).__name__
    return Classifier(
        inputs=named(inputs, "f", model.n_features_in_, kind),
        outputs=named(outputs, "class", len(base), kind),
        link="logistic" if len(base) == 1 else "softmax",
        trees=Forest(precision=precision, base=tuple(float(b) for b in base), trees=tuple(trees)),
    )


def _histogram_tree(nodes: Any, output: int) -> Tree:
    if nodes["is_categorical"].any():
        msg = "scikit-learn: a split by categories, which the kernel does not know"
        raise InputError(msg)
    leaf = nodes["is_leaf"].astype(bool)
    return Tree(
        output=output,
        input=tuple(nodes["feature_idx"].tolist()),
        threshold=tuple(
            0.0 if is_leaf else above(t) for t, is_leaf in zip(nodes["num_threshold"].tolist(), leaf, strict=True)
        ),
        left=tuple(np.where(leaf, -1, nodes["left"].astype(np.int64)).tolist()),
        right=tuple(np.where(leaf, -1, nodes["right"].astype(np.int64)).tolist()),
        missing_left=tuple(nodes["missing_go_to_left"].astype(bool).tolist()),
        value=tuple(np.where(leaf, nodes["value"], 0.0).tolist()),
    )


def _plain_tree(tree: Any, output: int, learning_rate: float) -> Tree:
    leaf = tree.children_left < 0
    # scikit-learn compares float32 inputs with float64 thresholds: the largest float32 at or below decides
    down = tree.threshold.astype(np.float32)
    down = np.where(down > tree.threshold, np.nextafter(down, np.float32(-np.inf)), down)
    limit = np.nextafter(down, np.float32(np.inf)).astype(np.float64)
    halfway = 0.5 * (down.astype(np.float64) + limit)  # what rounds to above it, as float64
    return Tree(
        output=output,
        input=tuple(np.where(leaf, 0, tree.feature).tolist()),
        threshold=tuple(np.where(leaf, 0.0, halfway).tolist()),
        left=tuple(tree.children_left.tolist()),
        right=tuple(tree.children_right.tolist()),
        missing_left=tuple(tree.missing_go_to_left.astype(bool).tolist()),
        value=tuple((learning_rate * tree.value[:, 0, 0]).tolist()),
    )


def _network(
    model: Any, inputs: Sequence[str] | None, outputs: Sequence[str] | None, offset: Any = None, scale: Any = None
) -> Classifier:
    n = model.n_features_in_
    last = len(model.coefs_) - 1
    layers = tuple(
        Layer(
            weights=tuple(map(tuple, weights.T.tolist())),
            biases=tuple(biases.tolist()),
            activation="linear" if i == last else _ACTIVATIONS[model.activation],
        )
        for i, (weights, biases) in enumerate(zip(model.coefs_, model.intercepts_, strict=True))
    )
    links: dict[str, Link] = {"logistic": "logistic", "softmax": "softmax"}
    return Classifier(
        inputs=named(inputs, "f", n, "MLPClassifier"),
        outputs=named(outputs, "class", len(layers[-1].biases), "MLPClassifier"),
        link=links[model.out_activation_],
        network=Dense(
            offset=tuple(float(x) for x in (np.zeros(n) if offset is None else offset)),
            scale=tuple(float(x) for x in (np.ones(n) if scale is None else scale)),
            layers=layers,
        ),
    )
