"""The command ``gpuhiggs combine``, as a user meets it; and results of the project's own runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from gpuhiggs.__main__ import _spread, app
from gpuhiggs.errors import InputError
from gpuhiggs.interpret import MODELS, command, own_results


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, _spread(list(arguments)))


def test_the_json_file(tmp_path: Path) -> None:
    file = tmp_path / "kappa.json"
    found = invoke("combine", "--data", "atlas-run2", "cms-run2", "--model", "kappa-effective", "--json", str(file))
    assert found.exit_code == 0, found.output
    form = json.loads(file.read_text())
    assert {"parameters", "correlation", "chi2", "ndof", "p_sm", "budget"} <= set(form)
    assert set(form["parameters"]["kappa_Z"]) >= {"value", "error", "minus", "plus"}
    assert form["parameters"]["kappa_Z"]["minus"] < 0 < form["parameters"]["kappa_Z"]["plus"]
    assert form["ndof"] == 26 + 30 - 9
    assert form["correlation"]["kappa_Z"]["kappa_W"] == form["correlation"]["kappa_W"]["kappa_Z"]
    assert form["correlation"]["kappa_g"]["kappa_g"] == 1.0
    assert not list(tmp_path.glob(".*"))


def test_list() -> None:
    found = invoke("combine", "--list")
    assert found.exit_code == 0
    text = "".join(found.output.split())
    assert all(name.replace(" ", "")[:10] in text for name in MODELS)
    assert "atlas-run2" in text


@pytest.mark.parametrize("model", MODELS)
def test_every_model_runs(model: str) -> None:
    found = command.run(["atlas-run2"], model)
    assert found["converged"]
    json.dumps(found, allow_nan=False)


def test_plane_and_operators() -> None:
    found = command.run(["cms-run2"], "2hdm-II", points=12)
    assert len(found["plane"]["rise"]) == 12
    assert min(map(min, found["plane"]["rise"])) >= 0
    both = command.run(["atlas-run2"], "smeft-quadratic", chosen=["chg", "ctgre"])
    assert set(both["parameters"]) == {"chg", "ctgre"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": ["atlas-run2"], "model": "kapa"}, "unknown model 'kapa'; known: mu,"),
        (
            {"data": ["atlas"], "model": "mu"},
            "unknown data 'atlas': neither a finished run's folder nor",
        ),
        ({"data": ["atlas-run2", "atlas-run2"], "model": "mu"}, "data given twice"),
        ({"data": ["atlas-run2"], "model": "mu", "chosen": ["chg"]}, "--operator is for smeft"),
        ({"data": ["atlas-run2"], "model": "mu", "points": 5}, "--plane needs a model of two parameters; mu has 1"),
    ],
)
def test_bad_input(arguments: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        command.run(**arguments, json_file=tmp_path / "x.json")
    assert not list(tmp_path.iterdir())


MU = {"value": 0.9, "error": 0.1, "minus": -0.09, "plus": 0.11}


def run_folder(folder: Path, **change: Any) -> Path:
    """Write what a finished run of the four-lepton channel leaves behind."""
    folder.mkdir()
    results = {
        "title": "a run",
        "selection": "four_lepton",
        "luminosity": 138.0,
        "yields": {"ggH": {"4mu": {"value": 90.0}}, "VBF": {"4mu": {"value": 10.0}}, "ZZ": {"4mu": {"value": 80.0}}},
        "fit": {
            "observed": {
                "converged": True,
                "parameters": {"mu": {"value": 0.9, "error": 0.1, "minus": -0.09, "plus": 0.11}},
            }
        },
        **change,
    }
    config = {
        "selection": {"schema": "nanoaod"},
        "datasets": [{"kind": "data", "files": ["root://x/Run2016B/file.root"]}],
        "model": {"signals": list(change.get("signals", ["ggH", "VBF"])), "normalisations": []},
    }
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def test_own_results(tmp_path: Path) -> None:
    found = own_results.load(run_folder(tmp_path / "run"))
    (entry,) = found.entries
    assert entry.decay == "ZZ"
    assert entry.production == {"ggH": 0.9, "VBF": 0.1}
    assert (entry.value, entry.minus, entry.plus) == (0.9, 0.09, 0.11)
    assert not found.theory_in_errors
    fit = command.run([str(tmp_path / "run"), "atlas-run2"], "kappa-vf")
    assert fit["ndof"] == 24
    with pytest.raises(InputError, match=r"share events \(CMS 2016\)"):
        command.run([str(tmp_path / "run"), "cms-run2"], "mu")


def test_atlas_open_data_are_part_of_the_publication(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run")
    config = (folder / "config.yaml").read_text().replace("nanoaod", "atlas-open-data-2020")
    (folder / "config.yaml").write_text(config)
    with pytest.raises(InputError, match=r"share events \(ATLAS 2015\+2016\)"):
        command.run([str(folder), "atlas-run2"], "mu")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fit": {}}, "the run has no converged fit"),
        ({"selection": "dimuon"}, "no scaling rule for the channel 'dimuon'"),
        ({"signals": ["Zprime"]}, "no scaling rule for the signal process 'Zprime'"),
    ],
)
def test_own_results_that_cannot_be_used(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "run", **change)
    with pytest.raises(InputError, match=message):
        own_results.load(folder)


def test_a_folder_without_a_result(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not the folder of a finished run"):
        own_results.load(tmp_path)
