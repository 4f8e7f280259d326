"""A classifier inside a channel: the kernel's scores are the model's, and cut its categories into parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import generate, generate_pairs, in_memory
from gpuhiggs.classify import Classifier, predict, write
from gpuhiggs.errors import ConfigError, InputError

EVENTS: dict[str, Callable[[], Any]] = {
    "cms-hzz4l-run2-ul": lambda: generate.four_lepton(20_000, 0.5, seed=11),
    "cms-hgg-run2-ul": lambda: generate_pairs.photon_pairs(20_000, 0.5, seed=11),
    "cms-hww-run2-ul": lambda: generate_pairs.lepton_pairs(20_000, 0.5, seed=11),
}
INPUTS = {
    "cms-hzz4l-run2-ul": ("m_z2", "cos_theta_1", "phi"),
    "cms-hgg-run2-ul": ("scaled_pt1", "m_jj", "mass_resolution"),
    "cms-hww-run2-ul": ("delta_phi_ll", "m_ll", "pt_j1"),
}


def model_of(inputs: tuple[str, ...], values: np.ndarray) -> Classifier:
    """A network that spreads its score over 0 to 1."""
    middle, width = values.mean(axis=0), values.std(axis=0) + 1e-3
    layer = {"weights": [[1.0, -0.7, 0.4]], "biases": [0.1], "activation": "linear"}
    dense = {"offset": middle.tolist(), "scale": (1 / width).tolist(), "layers": [layer]}
    names = {"inputs": inputs, "outputs": ["signal"], "link": "logistic"}
    return Classifier.model_validate({**names, "network": dense})


@pytest.mark.parametrize("selection", EVENTS)
def test_the_kernels_scores_are_the_models(selection: str, tmp_path: Path) -> None:
    columns, inputs = EVENTS[selection](), INPUTS[selection]
    plain = in_memory.process(in_memory.prepare(selection), columns)
    recorded = in_memory.process(in_memory.prepare(selection, overrides={"classifier": {"record": True}}), columns)
    assert recorded.counts.digest() == plain.counts.digest()
    values = np.stack([recorded.selected[name] for name in inputs], axis=-1)
    assert len(values) > 50
    assert np.isfinite(values).all()
    assert np.isnan(recorded.selected["score"]).all()

    path = tmp_path / "model.json"
    model = model_of(inputs, values)
    write(model, path)
    score = predict(model, values)[:, 0]
    limits = np.quantile(score, [0.3, 0.8]).tolist()
    classifier = {"file": str(path), "boundaries": limits, "record": True}
    prepared = in_memory.prepare(selection, overrides={"classifier": classifier})
    divided = in_memory.process(prepared, columns)
    assert divided.selected["score"].tobytes() == score.tobytes()
    part = np.searchsorted(limits, score, side="right")
    if selection != "cms-hzz4l-run2-ul":  # there the final state is between the two
        np.testing.assert_array_equal(divided.selected["category"], 3 * plain.selected["category"] + part)
    categories = prepared.specs[0].categories
    assert [c.rsplit(" score ")[1] for c in categories[:3]] == ["0", "1", "2"]


def test_bad_models(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    model = model_of(("m_z2", "cos_theta_1", "spam"), np.zeros((2, 3)))
    write(model, path)

    def prepare(**classifier: Any) -> None:
        in_memory.prepare("cms-hzz4l-run2-ul", overrides={"classifier": classifier})

    with pytest.raises(ConfigError, match="takes spam; the channel four_lepton has m_z1, m_z2"):
        prepare(file=str(path))
    write(model.model_copy(update={"inputs": ("m_z2", "cos_theta_1", "phi")}), path)
    with pytest.raises(ConfigError, match=r"output: 'VBF' unknown; .* gives signal"):
        prepare(file=str(path), output="VBF")
    with pytest.raises(ConfigError, match="boundaries must rise"):
        prepare(file=str(path), boundaries=[0.5, 0.5])
    with pytest.raises(ConfigError, match="boundaries and output need a file"):
        prepare(boundaries=[0.5])
    with pytest.raises(InputError, match=r"absent\.json"):
        prepare(file=str(tmp_path / "absent.json"))
    with pytest.raises(ConfigError, match="the channel four_lepton_atlas has no features"):
        in_memory.prepare(in_memory.ATLAS, overrides={"classifier": {"record": True}})
