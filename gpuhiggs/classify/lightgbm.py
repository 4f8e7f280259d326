"""LightGBM's text (``Booster.save_model``): float64, ``<=``, the base inside the first tree.

Format: LightGBM's ``src/io/tree.cpp``, ``Tree::ToString``. ``decision_type`` has bit 0 for categories, bit 1 for
"missing goes left", bits 2–3 for what is missing: nothing (NaN counts as 0), zero, NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gpuhiggs.classify.model import Classifier, Forest, Link, Tree
from gpuhiggs.classify.source import above, named, parsed
from gpuhiggs.errors import InputError

_LINKS: dict[str, Link] = {"binary": "logistic", "multiclass": "softmax", "regression": "identity"}
_CATEGORY, _DEFAULT_LEFT = 1, 2
_MISSING_NONE, _MISSING_ZERO = 0, 1


def read_lightgbm(
    path: Path, *, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> Classifier:
    """Read a model of LightGBM.

    Parameters
    ----------
    path
        Its text format.
    inputs, outputs
        Names; by default those in the file, and ``class0``, ….

    Raises
    ------
    InputError
        If the file is not such a model, or has what the kernel does not know: categories, zeros as missing values,
        linear leaves, other objectives.
    """
    with parsed(path, "LightGBM's text"):
        head, *blocks = path.read_text(encoding="utf-8").split("\nTree=")
        keys = dict(_pairs(head))
        if not head.startswith("tree"):
            msg = "it does not begin with 'tree'"
            raise ValueError(msg)
        objective, *options = keys["objective"].split()
        if objective not in _LINKS or (objective == "binary" and "sigmoid:1" not in options):
            msg = f"{path}: objective {keys['objective']!r}; known are binary sigmoid:1, multiclass, regression"
            raise InputError(msg)
        n_outputs = int(keys["num_tree_per_iteration"])
        names = list(inputs or keys["feature_names"].split())
        trees = tuple(_tree(dict(_pairs(block)), i % n_outputs, path) for i, block in enumerate(blocks))
        return Classifier(
            inputs=named(names, "f", int(keys["max_feature_idx"]) + 1, path),
            outputs=named(outputs, "class", n_outputs, path),
            link=_LINKS[objective],
            trees=Forest(precision="float64", base=(0.0,) * n_outputs, trees=trees),
        )


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        if line.startswith("end of trees"):
            return
        key, equals, value = line.partition("=")
        if equals:
            yield key, value


def _tree(keys: dict[str, str], output: int, path: Path) -> Tree:
    def numbers(name: str, dtype: type) -> list[float]:
        return list(np.array(keys.get(name, "").split(), dtype=dtype).tolist())

    if int(keys.get("is_linear", "0")):
        msg = f"{path}: linear leaves, which the kernel does not know"
        raise InputError(msg)
    leaves = numbers("leaf_value", float)
    split = [int(i) for i in numbers("split_feature", int)]
    n = len(split)
    threshold = numbers("threshold", float)
    kinds = [int(kind) for kind in numbers("decision_type", int)]
    if any(kind & _CATEGORY or kind >> 2 & 3 == _MISSING_ZERO for kind in kinds):
        msg = f"{path}: a split by categories or with zeros as missing values, which the kernel does not know"
        raise InputError(msg)
    missing_left = [
        bool(kind & _DEFAULT_LEFT) if kind >> 2 & 3 != _MISSING_NONE else t >= 0.0
        for kind, t in zip(kinds, threshold, strict=True)
    ]

    def child(name: str) -> list[int]:  # of splits; -1 - k is leaf k, which stands after them here
        return [int(i) if i >= 0 else n - 1 - int(i) for i in numbers(name, int)]

    nothing = [0] * len(leaves)
    return Tree(
        output=output,
        input=(*split, *nothing),
        threshold=(*map(above, threshold), *map(float, nothing)),
        left=(*child("left_child"), *[-1] * len(leaves)),
        right=(*child("right_child"), *[-1] * len(leaves)),
        missing_left=(*missing_left, *map(bool, nothing)),
        value=(*[0.0] * n, *leaves),
    )
