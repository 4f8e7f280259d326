"""Model files: what is read back, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuhiggs.classify import predict, read, write
from gpuhiggs.classify.model import Classifier
from gpuhiggs.errors import InputError

STUMP = {
    "output": 0, "input": [1, 0, 0], "threshold": [0.5, 0.0, 0.0], "left": [1, -1, -1], "right": [2, -1, -1],
    "missing_left": [True, False, False], "value": [0.0, -1.0, 1.0],
}  # fmt: skip
TREES: dict[str, Any] = {
    "format": "gpuhiggs-classifier",
    "version": 1,
    "inputs": ["m", "pt"],
    "outputs": ["signal"],
    "link": "identity",
    "trees": {"precision": "float64", "base": [0.25], "trees": [STUMP, STUMP]},
}
NETWORK: dict[str, Any] = {
    **{key: value for key, value in TREES.items() if key != "trees"},
    "network": {
        "offset": [1.0, 2.0],
        "scale": [0.5, 1.0],
        "layers": [
            {"weights": [[1.0, -1.0], [0.5, 2.0]], "biases": [0.0, 1.0], "activation": "relu"},
            {"weights": [[1.0, 3.0]], "biases": [-1.0], "activation": "linear"},
        ],
    },
}


def changed(raw: dict[str, Any], *path: Any, to: Any) -> dict[str, Any]:
    """A copy with one entry changed."""
    result: dict[str, Any] = json.loads(json.dumps(raw))
    target: Any = result
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = to
    return result


def test_trees_by_hand() -> None:
    model = Classifier.model_validate(TREES)
    values = [[0.0, 0.4], [0.0, 0.5], [0.0, np.nan]]
    np.testing.assert_array_equal(predict(model, values, missing=True)[:, 0], [-1.75, 2.25, -1.75])


def test_a_network_by_hand() -> None:
    model = Classifier.model_validate(NETWORK)
    # (3 - 1)/2 = 1 and 3 - 2 = 1: relu(0), relu(3.5) → 0 + 10.5 - 1
    np.testing.assert_array_equal(predict(model, [[3.0, 3.0], [3.0, -3.0]]), [[9.5], [5.0]])


@pytest.mark.parametrize("raw", [TREES, NETWORK], ids=["trees", "network"])
def test_written_and_read_back(raw: dict[str, Any], tmp_path: Path) -> None:
    model = Classifier.model_validate({**raw, "training": {"sha256": "00"}})
    write(model, tmp_path / "a.json")
    again = read(tmp_path / "a.json")
    assert again == model
    write(again, tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert model.digest() == Classifier.model_validate(raw).digest()
    assert model.digest() != Classifier.model_validate(changed(raw, "link", to="logistic")).digest()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (changed(TREES, "version", to=2), "version 2; this version reads 'gpuhiggs-classifier', version 1"),
        (changed(TREES, "format", to="pickle"), "format 'pickle'"),
        (changed(TREES, "trees", "trees", 0, "left", 0, to=0), "node 0 is reached twice: a cycle"),
        (changed(TREES, "trees", "trees", 0, "left", 0, to=2), "node 2 is reached twice"),
        (changed(TREES, "trees", "trees", 1, "right", 0, to=7), "child is 7, but the tree has 3 nodes"),
        (changed(TREES, "trees", "trees", 1, "input", 0, to=2), "tree 1: input 2 of 2"),
        (changed(TREES, "trees", "trees", 1, "input", 0, to=-1), "tree 1: input -1 of 2"),
        (changed(TREES, "trees", "trees", 1, "output", to=1), "tree 1: output 1 of 1"),
        (changed(TREES, "trees", "trees", 1, "value", to=[1.0]), "value has 1 entries, input has 3"),
        (changed(TREES, "trees", "trees", 1, "threshold", 0, to=float("nan")), "threshold"),
        (changed(TREES, "trees", "base", to=[0.0, 0.0]), "base has 2 numbers for 1 outputs"),
        (changed(TREES, "trees", "trees", to=[]), "trees"),
        (changed(TREES, "inputs", to=["m", "m"]), "a name stands twice in m, m"),
        (changed(TREES, "code", to="import os"), "unknown key 'code'"),
        ({**TREES, "network": NETWORK["network"]}, "expected either trees or network"),
        (changed(NETWORK, "network", "scale", to=[1.0]), "2 offsets and 1 scales for 2 inputs"),
        (changed(NETWORK, "network", "layers", 1, "weights", 0, to=[1.0]), "layer 1 takes 1 units, there are 2"),
        (changed(NETWORK, "network", "layers", 0, "biases", to=[1.0]), "2 rows of weights, 1 biases"),
        (changed(NETWORK, "outputs", to=["a", "b"]), "the last layer has 1 units for 2 outputs"),
        (changed(NETWORK, "network", "layers", 0, "activation", to="exec"), "activation"),
    ],
)
def test_bad_files(raw: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(json.dumps(raw))
    with pytest.raises(InputError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)


def test_what_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    for content in (b"", b"\x80\x04\x95pickle", b"[" * 100_000):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not JSON"):
            read(path)


def test_bad_inputs() -> None:
    model = Classifier.model_validate(TREES)
    with pytest.raises(InputError, match=r"expected an array of \(events, 2\) for m, pt; got \(3, 1\)"):
        predict(model, np.zeros((3, 1)))
    with pytest.raises(InputError, match="input 'pt' of event 1 is NaN"):
        predict(model, [[0.0, 1.0], [0.0, np.nan]])
    assert predict(model, np.zeros((0, 2))).shape == (0, 1)
