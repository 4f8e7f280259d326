"""The classifiers that come with the package: they fit their channels, and say where they are from."""

from __future__ import annotations

from importlib import resources

import pytest
import yaml

from gpuhiggs import channels
from gpuhiggs.classify.scoring import scoring, shipped_models, trained_on
from gpuhiggs.classify.training import TrainingConfig
from gpuhiggs.config import ClassifierConfig
from gpuhiggs.errors import ConfigError
from gpuhiggs.simulate import known_processes

FOLDER = resources.files("gpuhiggs.classify") / "models"
RECIPES = sorted(entry.name.removesuffix(".yaml") for entry in FOLDER.iterdir() if entry.name.endswith(".yaml"))


@pytest.mark.parametrize("name", RECIPES)
def test_how_a_model_is_made_is_said(name: str) -> None:
    recipe = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    assert set(recipe) == {"seed", "samples", "training"}
    assert set(recipe["samples"]) <= set(known_processes())
    config = TrainingConfig(analysis="analysis.yaml", **recipe["training"])
    assert set(config.inputs) <= set(channels.find(name).features)


@pytest.mark.parametrize("name", shipped_models())
def test_a_shipped_model_fits_its_channel(name: str) -> None:
    assert name in RECIPES
    config = ClassifierConfig(file=f"shipped://{name}", boundaries=(0.3, 0.6))
    made = scoring(config, name, channels.find(name).features)
    assert made.parts == 3
    assert trained_on(config), "which files it has seen"


def test_an_unknown_one_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"shipped://four: the package has .*shipped://four_lepton"):
        scoring(ClassifierConfig(file="shipped://four"), "four_lepton", ())
    assert not trained_on(None)
