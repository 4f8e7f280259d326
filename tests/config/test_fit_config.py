"""The declaration of a model: what it refuses, and its channels divided by a classifier's score."""

from __future__ import annotations

from typing import Any

import pytest

from gpuhiggs.config import validate
from gpuhiggs.config.fit import ModelConfig
from gpuhiggs.errors import ConfigError
from gpuhiggs.measurement.workspace import matching

MODEL: dict[str, Any] = {
    "histogram": "m",
    "edges": [0, 1],
    "channels": {"a": "x * | y 1", "b": {"categories": "z", "histogram": "n", "edges": [2, 3], "divided": True}},
    "signals": ["ggH", "VBF"],
    "luminosity_uncertainty": 0.01,
    "normalisations": [{"parameter": "p", "up": 1.1, "channels": ["b"]}],
    "free": [{"parameter": "f", "processes": ["top"], "channels": ["a", "b"]}],
}


def model(**change: Any) -> ModelConfig:
    return validate(ModelConfig, {**MODEL, **change}, "model")


def test_a_pattern_stands_for_a_region() -> None:
    found = model()
    assert found.channels["a"].categories == "x * | y 1"
    assert (found.histogram_of("a"), found.histogram_of("b")) == ("m", "n")
    assert (found.edges_of("a"), found.edges_of("b")) == ((0, 1), (2, 3))
    assert found.histograms == ("m", "n")


def test_divided_by_the_score() -> None:
    found = model().divided(2)
    assert set(found.channels) == {"a", "b_0", "b_1"}
    categories = ["x 1 score 0", "x 1 score 1", "y 1 score 0", "z score 0", "z score 1"]
    taken = {name: matching(categories, name, region.categories) for name, region in found.channels.items()}
    assert taken == {"a": categories[:3], "b_0": ["z score 0"], "b_1": ["z score 1"]}
    assert found.normalisations[0].channels == ("b_0", "b_1")
    assert found.free[0].channels == ("a", "b_0", "b_1")
    assert found.edges_of("b_1") == (2, 3)
    assert model().divided(1) == model()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"productions": {"mu_ggH": ["ggH"]}}, "productions: expected each of ggH, VBF once, got ggH"),
        ({"productions": {"a": ["ggH", "VBF"], "b": ["ggH"]}}, "got ggH, VBF, ggH"),
        ({"smooth": {"processes": ["VBF"], "degree": 2}}, "free and smooth are for backgrounds; VBF is a signal"),
        ({"free": [{"parameter": "f", "processes": ["ggH"]}]}, "ggH is a signal"),
        ({"smooth": {"processes": ["x"], "degree": 9}}, "smooth.degree: Input should be less than or equal to 5"),
        ({"channels": {"a": {"pattern": "x"}}}, "unknown key 'pattern' in channels.a; known: categories, histogram"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as found:
        model(**change)
    assert message in str(found.value)
