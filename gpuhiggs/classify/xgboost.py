"""XGBoost's JSON (``Booster.save_model("….json")``): the same margins bit for bit.

Format: https://xgboost.readthedocs.io/en/stable/tutorials/saving_model.html. Inputs, thresholds and sums are float32,
the base comes first, then tree after tree.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gpuhiggs.classify.model import Classifier, Forest, Link, Tree
from gpuhiggs.classify.source import named, parsed
from gpuhiggs.errors import InputError

_LINKS: dict[str, Link] = {
    "binary:logistic": "logistic",
    "binary:logitraw": "identity",
    "multi:softprob": "softmax",
    "multi:softmax": "softmax",
    "reg:squarederror": "identity",
}


def read_xgboost(
    path: Path, *, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> Classifier:
    """Read a model of XGBoost.

    Parameters
    ----------
    path
        JSON, of XGBoost 1.3 or later.
    inputs, outputs
        Names; by default those in the file, else ``f0``, ``f1``, … and ``class0``, ….

    Raises
    ------
    InputError
        If the file is not such a model, or has what the kernel does not know: categories, DART, linear models.
    """
    with parsed(path, "XGBoost's JSON"):
        learner = json.loads(path.read_text(encoding="utf-8"))["learner"]
        booster, objective = learner["gradient_booster"], learner["objective"]["name"]
        if booster["name"] != "gbtree" or objective not in _LINKS:
            msg = f"{path}: booster {booster['name']}, objective {objective}; known are gbtree with {', '.join(_LINKS)}"
            raise InputError(msg)
        parameters = learner["learner_model_param"]
        n_inputs, n_outputs = int(parameters["num_feature"]), max(1, int(parameters["num_class"]))
        content = booster["model"]
        groups = content["tree_info"]
        trees = tuple(_tree(tree, group, path) for tree, group in zip(content["trees"], groups, strict=True))
        return Classifier(
            inputs=named(inputs or learner["feature_names"] or None, "f", n_inputs, path),
            outputs=named(outputs, "class", n_outputs, path),
            link=_LINKS[objective],
            trees=Forest(precision="float32", base=_base(parameters["base_score"], objective, n_outputs), trees=trees),
        )


def _base(text: str, objective: str, n_outputs: int) -> tuple[float, ...]:
    """Return the margins that the sums begin with: a probability for logistic objectives is stored as such."""
    stored = np.array(json.loads(text) if text.startswith("[") else [float(text)], dtype=np.float32)
    if objective.startswith("binary:logi"):
        odds = np.float32(1.0) / stored - np.float32(1.0)
        stored = -np.log(odds.astype(np.float64)).astype(np.float32)  # the C library's logf, correctly rounded
    return tuple(float(value) for value in np.broadcast_to(stored, n_outputs))


def _tree(tree: dict[str, Any], output: int, path: Path) -> Tree:
    if any(tree.get("split_type", ())):
        msg = f"{path}: a split by categories, which the kernel does not know"
        raise InputError(msg)
    condition = [float(np.float32(value)) for value in tree["split_conditions"]]
    return Tree(
        output=output,
        input=tuple(tree["split_indices"]),
        threshold=tuple(condition),
        left=tuple(tree["left_children"]),
        right=tuple(tree["right_children"]),
        missing_left=tuple(bool(flag) for flag in tree["default_left"]),
        value=tuple(condition),
    )
