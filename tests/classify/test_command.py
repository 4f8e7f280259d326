"""``gpuhiggs train`` as a user meets it: from simulation to a model, its report, and a run that takes the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from gpuhiggs import config, engine, measurement, normalisation
from gpuhiggs.__main__ import app
from gpuhiggs.classify import read
from gpuhiggs.measurement import workspace
from gpuhiggs.simulate import find_process, simulate

pytest.importorskip("pythia8mc", reason="the simulation needs gpuhiggs[demo]")

EVENTS = {"ggH_4l": 600, "VBF_4l": 500, "qqZZ_4l_100to150": 2000}
PROCESSES = {"ggH_4l": "ggH", "VBF_4l": "VBF", "qqZZ_4l_100to150": "ZZ"}
TRAINING = {
    "classes": {"ggH": ["ggH"], "VBF": ["VBF"], "ZZ": ["ZZ"]},
    "inputs": ["m_z1", "m_z2", "cos_theta_1", "cos_theta_2", "scaled_pt4l", "n_jets"],
    "model": {"kind": "trees", "max_trees": 10, "max_leaves": 4, "min_events_in_leaf": 10},
    "seed": 1,
    "folds": 2,
    "mass": "m4l",
    "window": [105, 140],
    "parts": 2,
}


def analysis(folder: Path, seed: int, **change: Any) -> Path:
    """Simulate, and write the configuration of a run on the events."""
    datasets = []
    for name, n in EVENTS.items():
        path = folder / f"{name}-{seed}.root"
        simulate(name, n, path, seed=seed)
        datasets.append(
            {"name": name, "process": PROCESSES[name], "kind": "simulation", "files": [path.name],
             "cross_section": find_process(name).cross_section}
        )  # fmt: skip
    file = folder / f"analysis-{seed}.yaml"
    raw = {"selection": "cms-hzz4l-run2-ul", "luminosity": 138.0, "datasets": datasets, **change}
    file.write_text(yaml.safe_dump(raw))
    return file


def invoke(*arguments: Any) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained model of three classes."""
    place = tmp_path_factory.mktemp("train")
    training = place / "training.yaml"
    training.write_text(yaml.safe_dump({"analysis": analysis(place, 1).name, **TRAINING}))
    found = invoke("train", training, "--output", place / "model", "--workers", 0)
    assert found.exit_code == 0, found.output
    assert "AUC 0." in found.output
    return place


def test_what_a_training_leaves(folder: Path) -> None:
    report = json.loads((folder / "model" / "training.json").read_text())
    assert set(report["auc_of_class"]) == {"ggH", "VBF", "ZZ"}
    assert all(0.5 < area["value"] < 1 for area in report["auc_of_class"].values())
    for row in report["confusion"]:
        assert sum(row) == pytest.approx(1.0)
    assert report["confusion"][2][2] > report["confusion"][0][2], "ZZ is taken for ZZ more often than ggH is"
    page = (folder / "model" / "report.html").read_text(encoding="utf-8")
    assert all(word in page for word in ("taken for VBF", "Calibration", "ROC"))
    model = read(folder / "model" / "model.json")
    assert len(model.training["files"]) == 3
    assert model.training["config"]["seed"] == 1


def test_a_model_that_is_there_stays(folder: Path) -> None:
    found = invoke("train", folder / "training.yaml", "--output", folder / "model", "--workers", 0)
    assert found.exit_code != 0
    assert "has a model already" in str(found.exception)


def test_a_run_takes_the_model_but_not_the_events_it_was_trained_on(folder: Path) -> None:
    snippet = yaml.safe_load((folder / "model" / "classifier.yaml").read_text())
    model = {
        "histogram": "m4l",
        "edges": [106, 118, 130, 140],
        "channels": {"4l": {"categories": "*", "divided": True}},
        "signals": ["ggH", "VBF"],
        "luminosity_uncertainty": 0.016,
    }
    other = config.load(analysis(folder, 2, overrides=snippet, model=model))
    measurement.check(other)
    tally = engine.run(other)
    assert not tally.failures
    assert other.divided_model is not None
    made = workspace.build(other, other.divided_model, normalisation.histograms(other, tally))
    assert [channel.name for channel in made.channels] == ["4l_0", "4l_1"]
    same = engine.run(config.load(analysis(folder, 1, overrides=snippet)))
    assert len(same.failures) == 3
    assert "was trained on these events" in same.failures[0].error


def test_the_same_recipe_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """Simulated, selected and trained again from nothing but the configuration and its seeds."""
    training = tmp_path / "training.yaml"
    training.write_text(yaml.safe_dump({"analysis": analysis(tmp_path, 1).name, **TRAINING}))
    found = invoke("train", training, "--output", tmp_path / "model", "--workers", 0)
    assert found.exit_code == 0, found.output
    assert (tmp_path / "model" / "model.json").read_bytes() == (folder / "model" / "model.json").read_bytes()
