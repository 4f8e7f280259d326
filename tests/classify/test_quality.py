"""The numbers of the report against scikit-learn and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp as ks
from scipy.stats import kstwobign

from gpuhiggs.classify import Classifier, quality


def test_auc_is_that_of_scikit_learn() -> None:
    from sklearn.metrics import roc_auc_score

    random = np.random.default_rng(1)
    score = np.round(random.random(500), 2)  # with ties
    signal, weight = random.random(500) < 0.3 + 0.4 * score, random.exponential(1.0, 500)
    assert quality.auc(score, signal, weight) == pytest.approx(roc_auc_score(signal, score, sample_weight=weight))


def test_the_error_of_the_auc_covers() -> None:
    """Of 60 experiments the spread of the areas is the error that each of them states."""
    random = np.random.default_rng(2)
    areas, errors = [], []
    for seed in range(60):
        score, signal = random.normal(size=400), np.arange(400) % 2 == 0
        found = quality.roc(score + signal, signal, np.ones(400), seed).area
        areas.append(found.value)
        errors.append(found.error)
    assert np.std(areas) == pytest.approx(np.mean(errors), rel=0.25)
    assert np.mean(areas) == pytest.approx(0.7602, abs=0.01)  # Φ(1/√2)


def test_ks_is_that_of_scipy() -> None:
    random = np.random.default_rng(3)
    a, b = random.normal(size=300), random.normal(0.1, 1.1, size=400)
    distance, chance = quality.kolmogorov_smirnov(a, np.ones(300), b, np.ones(400))
    assert distance == pytest.approx(ks(a, b).statistic)
    assert chance == pytest.approx(kstwobign.sf(distance * np.sqrt(300 * 400 / 700)))
    same, certain = quality.kolmogorov_smirnov(a, np.ones(300), np.repeat(a, 2), np.full(600, 0.5))
    assert same == pytest.approx(0.0, abs=1e-12)
    assert certain == 1.0


STUMP = {
    "input": [0, 0, 0], "threshold": [0.0, 0.0, 0.0], "left": [1, -1, -1], "right": [2, -1, -1],
    "missing_left": [True, False, False], "value": [0.0, -1.0, 1.0],
}  # fmt: skip


def test_importance_is_of_what_the_model_uses() -> None:
    forest = {"precision": "float64", "base": [0.0], "trees": [STUMP]}
    names = {"inputs": ["used", "unused"], "outputs": ["signal"], "link": "logistic"}
    model = Classifier.model_validate({**names, "trees": forest})
    random = np.random.default_rng(4)
    values = random.normal(size=(2000, 2))
    found = quality.importance(model, values, values[:, 0] > 0, np.ones(2000), seed=1)
    assert found["unused"] == (0.0, 0.0)
    assert found["used"].value == pytest.approx(0.5, abs=0.03)


def test_sculpting_is_seen() -> None:
    random = np.random.default_rng(5)
    mass, weight = random.uniform(100, 180, 4000), np.ones(4000)
    blind = quality.sculpting(mass, random.random(4000), weight)
    assert min(row["p_value"] for row in blind) > 1e-3
    knowing = quality.sculpting(mass, -np.abs(mass - 125), weight)
    assert max(row["p_value"] for row in knowing) < 1e-9


def test_calibration() -> None:
    random = np.random.default_rng(6)
    score = random.random(20_000)
    rows = quality.calibration(score, random.random(20_000) < score, np.ones(20_000))
    assert len(rows) == 20
    for mean, share, error in rows:
        assert abs(mean - share) < 4.5 * error
