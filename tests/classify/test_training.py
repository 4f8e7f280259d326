"""Training on arrays: no event is scored by a model that has seen it; the same seed gives the same model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.classify import predict, quality
from gpuhiggs.classify.training import Events, TrainingConfig, check, folds, train, training_weights
from gpuhiggs.config import validate
from gpuhiggs.errors import ConfigError, InputError

TREES = {"kind": "trees", "max_trees": 15, "max_leaves": 8, "min_events_in_leaf": 5}
NETWORK = {"kind": "network", "layers": [8], "max_epochs": 20, "learning_rate": 0.02}
RAW: dict[str, Any] = {
    "analysis": "run.yaml",
    "classes": {"signal": ["H"], "background": ["ZZ"]},
    "inputs": ["a", "b"],
    "model": TREES,
    "seed": 4,
}

pytestmark = pytest.mark.filterwarnings("ignore:Stochastic Optimizer")


def config(**changes: Any) -> TrainingConfig:
    return validate(TrainingConfig, {**RAW, **changes}, "training.yaml")


def sample(n: int = 800, separation: float = 1.5, classes: int = 2) -> Events:
    random = np.random.default_rng(1)
    label = np.arange(n) % classes
    values = random.normal(size=(n, 2))
    values[:, 0] -= separation * label
    return Events(values, label, np.where(label == 0, 0.01, 2.0), np.zeros(n), folds(n, 4, 4), np.ones(n))


@pytest.mark.parametrize("model", [TREES, NETWORK], ids=["trees", "network"])
def test_a_classifier_learns_and_can_be_made_again(model: dict[str, Any]) -> None:
    events = sample()
    trained = train(events, config(model=model))
    area = quality.auc(trained.unseen[:, 0], events.label == 0, events.weight)
    assert area == pytest.approx(0.856, abs=0.04)  # Φ(1.5/√2)
    assert trained.model.inputs == ("a", "b")
    assert trained.model.outputs == ("signal",)
    again = train(events, config(model=model))
    assert again.model == trained.model
    assert again.unseen.tobytes() == trained.unseen.tobytes()
    other = train(events, config(model=model, seed=5))
    assert other.model.training["sha256"] != trained.model.training["sha256"]
    assert predict(trained.model, [[3.0, 0.0]])[0, 0] > 0.8 > 0.2 > predict(trained.model, [[-3.0, 0.0]])[0, 0]


def test_no_event_is_scored_by_a_model_that_has_seen_it() -> None:
    """Labels that mean nothing: who has seen them knows them, who has not cannot."""
    events = sample(separation=0.0)
    greedy = {**TREES, "min_events_in_leaf": 1, "max_trees": 60, "max_leaves": 31, "regularisation": 0.0}
    trained = train(events, config(model=greedy))
    signal = events.label == 0
    assert quality.auc(trained.seen[:, 0], signal, events.weight) > 0.9
    assert quality.auc(trained.unseen[:, 0], signal, events.weight) == pytest.approx(0.5, abs=0.05)


def test_many_classes() -> None:
    events = sample(classes=3)
    trained = train(events, config(classes={"ggH": ["a"], "VBF": ["b"], "ZZ": ["c"]}))
    assert trained.model.outputs == ("ggH", "VBF", "ZZ")
    assert trained.unseen.shape == (800, 3)
    np.testing.assert_allclose(trained.unseen.sum(axis=1), 1.0)
    assert np.mean(trained.unseen.argmax(axis=1) == events.label) > 0.6


def test_classes_weigh_the_same_where_asked() -> None:
    events = sample()
    balanced, plain = training_weights(events, 2, True), training_weights(events, 2, False)
    assert balanced[events.label == 0].sum() == pytest.approx(balanced[events.label == 1].sum())
    assert plain[events.label == 1].sum() == pytest.approx(200 * plain[events.label == 0].sum())
    assert balanced.mean() == plain.mean() == pytest.approx(1.0)


def test_negative_weights_are_the_users_choice() -> None:
    events = sample()
    events.weight[::10] *= -1
    with pytest.raises(InputError, match=r"10\.0% of the events have negative weights; say drop or absolute"):
        train(events, config())
    dropped = train(events, config(negative_weights="drop"))
    absolute = train(events, config(negative_weights="absolute"))
    assert dropped.model != absolute.model
    assert len(dropped.unseen) == len(events.weight)


def test_bad_events() -> None:
    events = sample()
    with pytest.raises(InputError, match="class 'background' has no events"):
        train(events.take(events.label == 0), config())
    events.values[7, 1] = np.nan
    with pytest.raises(InputError, match="input 'b' of event 7 is nan"):
        train(events, config())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": {"signal": ["H"]}}, "classes"),
        ({"classes": {"signal": ["H"], "background": []}}, "background has no process"),
        ({"classes": {"signal": ["H"], "background": ["H"]}}, "H stands twice"),
        ({"folds": 1}, "folds"),
        ({"peak": [120, 130]}, "window and peak need mass"),
        ({"mass": "m", "peak": [130, 120]}, "does not rise"),
        ({"model": {"kind": "forest"}}, "model"),
        ({"model": {**TREES, "depth": 3}}, "unknown key 'depth'"),
        ({"sead": 1}, "unknown key 'sead'"),
    ],
)
def test_wrong_configurations(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**changes)


def test_signal_weighs_by_its_resolution() -> None:
    """Half the width counts as twice the events; background is left alone, and what cannot be a width is refused."""
    given = sample(1000)
    narrow = np.where(np.arange(1000) % 4 < 2, 0.01, 0.02)
    weight = training_weights(given._replace(width=narrow), 2, balance=False)
    ratio = weight / training_weights(given, 2, balance=False)
    signal = given.label == 0
    assert np.unique(ratio[signal & (narrow == 0.01)]) == pytest.approx(2 * np.unique(ratio[signal & (narrow == 0.02)]))
    assert np.ptp(ratio[~signal]) < 1e-12
    with pytest.raises(InputError, match=r"resolution of event 0 is 0\.0"):
        check(given._replace(width=np.zeros(1000)), config())
