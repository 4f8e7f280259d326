"""Models of other libraries give what their libraries give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuhiggs.classify import predict, read, write
from gpuhiggs.classify.lightgbm import read_lightgbm
from gpuhiggs.classify.onnx import read_onnx
from gpuhiggs.classify.scikit_learn import from_scikit_learn
from gpuhiggs.classify.xgboost import read_xgboost
from gpuhiggs.errors import InputError, MissingExtraError

CLASSES = pytest.mark.parametrize("classes", ["two", "three"])


@CLASSES
def test_margins_of_xgboost_bit_for_bit(classes: str, events: Any, holes: np.ndarray, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost", reason="xgboost is not installed")
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=6, n_jobs=1, base_score=None)
    model.fit(holes, getattr(events, classes))
    model.save_model(tmp_path / "model.json")
    theirs = model.get_booster().predict(xgboost.DMatrix(holes), output_margin=True).reshape(len(holes), -1)
    ours = predict(read_xgboost(tmp_path / "model.json"), holes, margins=True, missing=True)
    assert ours.astype(np.float32).tobytes() == theirs.tobytes()
    probability = model.predict_proba(holes)
    scores = predict(read_xgboost(tmp_path / "model.json"), holes, missing=True)
    np.testing.assert_allclose(scores, probability[:, 1:] if classes == "two" else probability, atol=1e-6)


@CLASSES
def test_lightgbm(classes: str, events: Any, holes: np.ndarray, tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm", reason="lightgbm is not installed")
    for values in (holes, events.values):  # without a missing value in training its trees have another kind of split
        data = lightgbm.Dataset(values, getattr(events, classes))
        options = {"objective": "binary"} if classes == "two" else {"objective": "multiclass", "num_class": 3}
        model = lightgbm.train({**options, "verbose": -1, "num_threads": 1}, data, num_boost_round=30)
        model.save_model(tmp_path / "model.txt")
        ours = read_lightgbm(tmp_path / "model.txt")
        assert ours.inputs == tuple(f"Column_{i}" for i in range(8))
        theirs = model.predict(holes, raw_score=True).reshape(len(holes), -1)
        assert predict(ours, holes, margins=True, missing=True).tobytes() == theirs.tobytes()
        scores = predict(ours, holes, missing=True)
        np.testing.assert_allclose(scores, model.predict(holes).reshape(len(holes), -1), atol=1e-12)


@CLASSES
def test_histogram_gradient_boosting(classes: str, events: Any, holes: np.ndarray) -> None:
    """Its trees are in a private attribute: what is read there gives its own margins."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=30, random_state=1).fit(holes, getattr(events, classes))
    theirs = model.decision_function(holes).reshape(len(holes), -1)
    assert predict(from_scikit_learn(model), holes, margins=True, missing=True).tobytes() == theirs.tobytes()


@CLASSES
def test_gradient_boosting(classes: str, events: Any) -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    model = GradientBoostingClassifier(n_estimators=15, random_state=1).fit(events.values, getattr(events, classes))
    ours = predict(from_scikit_learn(model), events.values, margins=True)
    np.testing.assert_allclose(ours, model.decision_function(events.values).reshape(len(ours), -1), atol=1e-12)


@CLASSES
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_networks_of_scikit_learn(classes: str, activation: str, events: Any) -> None:
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = MLPClassifier((16, 8), activation=activation, max_iter=5, random_state=1)
    model = make_pipeline(StandardScaler(), network).fit(events.values.astype(float), getattr(events, classes))
    theirs = model.predict_proba(events.values.astype(float))
    ours = predict(from_scikit_learn(model), events.values)
    np.testing.assert_allclose(ours, theirs[:, 1:] if classes == "two" else theirs, atol=1e-12)


def gemm_network() -> Any:
    """An ONNX model as PyTorch writes them: Gemm with the weights transposed, Relu, Softmax."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(3)
    shapes = {"w0": (12, 8), "b0": (12,), "w1": (3, 12), "b1": (3,), "mean": (8,), "width": (8,)}
    values = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    values["width"] = np.abs(values["width"]) + 1
    nodes = [
        helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("Div", ["centred", "width"], ["scaled"]),
        helper.make_node("Gemm", ["scaled", "w0", "b0"], ["h"], transB=1),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w1", "b1"], ["z"], transB=1),
        helper.make_node("Softmax", ["z"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tree_ensemble(modes: list[str]) -> Any:
    """Two trees of depth one with these kinds of split, one leaf for each of two targets."""
    from onnx import TensorProto, helper

    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=2, post_transform="NONE",
        base_values=[0.25, -0.5],
        nodes_treeids=[0, 0, 0, 1, 1, 1], nodes_nodeids=[0, 1, 2, 0, 1, 2], nodes_featureids=[0, 0, 0, 1, 0, 0],
        nodes_modes=[modes[0], "LEAF", "LEAF", modes[1], "LEAF", "LEAF"],
        nodes_values=[0.5, 0.0, 0.0, -0.25, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0, 1, 0, 0], nodes_falsenodeids=[2, 0, 0, 2, 0, 0],
        target_treeids=[0, 0, 0, 0, 1, 1], target_nodeids=[1, 1, 2, 2, 1, 2], target_ids=[0, 1, 0, 1, 1, 0],
        target_weights=[1.0, 2.0, 4.0, 32.0, 8.0, 16.0],
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "trees",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 2])],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def run_onnx(path: Path, values: np.ndarray) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": values})[0])


NAMES = [f"v{i}" for i in range(8)]


def test_onnx_network(events: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    path = tmp_path / "model.onnx"
    path.write_bytes(gemm_network().SerializeToString())
    np.testing.assert_allclose(predict(read_onnx(path), events.values), run_onnx(path, events.values), atol=1e-6)


@pytest.mark.parametrize("modes", [["BRANCH_LEQ", "BRANCH_LT"], ["BRANCH_GT", "BRANCH_GTE"]])
def test_onnx_trees(modes: list[str], events: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    path = tmp_path / "model.onnx"
    path.write_bytes(tree_ensemble(modes).SerializeToString())
    values = events.values.copy()
    values[:100, :2] = [0.5, -0.25]  # on the thresholds
    ours = predict(read_onnx(path, inputs=NAMES), values)
    np.testing.assert_allclose(ours, run_onnx(path, values), atol=1e-6)
    assert len(np.unique(ours, axis=0)) == 4


def test_onnx_is_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"'onnx'.*gpuhiggs\[onnx\]"):
        read_onnx(tmp_path / "model.onnx")


@pytest.mark.parametrize("reader", [read_xgboost, read_lightgbm, read_onnx], ids=lambda f: f.__name__)
@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"{}", b"tree\nTree=0\n", b'{"learner": 3}'])
def test_files_that_are_no_models(reader: Any, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(content)
    with pytest.raises(InputError, match="model"):
        reader(path)
    with pytest.raises(InputError, match="absent"):
        reader(tmp_path / "absent")


def test_other_models_of_scikit_learn_are_refused() -> None:
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(InputError, match="LogisticRegression cannot be converted; known are HistGradient"):
        from_scikit_learn(LogisticRegression())


def test_names(events: Any, tmp_path: Path) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(max_iter=2).fit(events.values, events.two)
    ours = from_scikit_learn(model, inputs=NAMES, outputs=["signal"])
    assert ours.inputs == tuple(NAMES)
    write(ours, tmp_path / "model.json")
    assert read(tmp_path / "model.json") == ours
    with pytest.raises(InputError, match=r"2 names \(a, b\) for the model's 8"):
        from_scikit_learn(model, inputs=["a", "b"])
