"""The command ``gpuhiggs combine``, as a user meets it; and results of the project's own runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
import yaml
from scipy import stats
from typer.testing import CliRunner
from uhi.io.json import default

from gpuhiggs.__main__ import app, spread
from gpuhiggs.errors import InputError
from gpuhiggs.interpret import MODELS, command, mass_precision, own_results, questions, sm


def invoke(*arguments: str) -> Any:
    return CliRunner().invoke(app, spread(list(arguments)))


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


def check_form(form: dict[str, Any], *, may_be_held: bool = False) -> None:
    """See that the JSON form is whole: every key, every number there and finite, errors around the value."""
    assert {"parameters", "correlation", "chi2", "ndof", "p_sm", "budget"} <= set(form)
    json.dumps(form, allow_nan=False)
    assert form["converged"]
    assert 0.0 <= form["p_sm"] <= 1.0
    for name, estimate in form["parameters"].items():
        held = any(note.startswith(f"{name} is held") for note in form["notes"])
        assert may_be_held or not held, name
        if not held:
            assert estimate["minus"] <= 0.0 <= estimate["plus"], name
            assert estimate["error"] > 0.0, name
    for row in form["correlation"].values():
        assert all(-1.0 <= value <= 1.0 for value in row.values())


@pytest.mark.parametrize("model", MODELS)
def test_every_model_runs(model: str) -> None:
    check_form(command.run(["atlas-run2"], model))


@pytest.mark.parametrize("model", [model for model in MODELS if model != "stxs"])
def test_every_model_runs_on_cms(model: str) -> None:
    check_form(command.run(["cms-run2"], model), may_be_held=model == "lambda-ratios")


SETS = [
    ("lhc-run1",), ("atlas-run2-80fb",), ("cms-run2-36fb",), ("atlas-run2", "cms-run2"),
    ("atlas-run2", "cms-run2", "lhc-run1"), ("atlas-run2-80fb", "cms-run2-36fb", "lhc-run1"),
]  # fmt: skip


@pytest.mark.nightly
@pytest.mark.parametrize("data", SETS, ids="+".join)
@pytest.mark.parametrize("model", [model for model in MODELS if model != "stxs"])
def test_every_model_runs_on_every_set(model: str, data: tuple[str, ...]) -> None:
    check_form(command.run(data, model), may_be_held=True)


def test_run_1_by_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.run(["run1"], "mu")["data"] == ["lhc-run1"]
    with pytest.raises(InputError, match="data given twice: lhc-run1"):
        command.run(["run1", "lhc-run1"], "mu")
    run_folder(tmp_path / "run1")  # a folder of that name is what is meant
    assert command.run(["run1"], "mu")["data"] == ["run1"]


def test_plane_and_operators() -> None:
    found = command.run(["cms-run2"], "2hdm-II", points=12)
    assert len(found["plane"]["rise"]) == 12
    assert min(map(min, found["plane"]["rise"])) >= 0
    both = command.run(["atlas-run2"], "smeft-quadratic", chosen=["chg", "ctgre"])
    assert set(both["parameters"]) == {"chg", "ctgre"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"data": ["atlas-run2"], "model": "xyz"}, "unknown model 'xyz'; known: mu,"),
        ({"data": ["atlas-run2"], "model": "kapa-vf"}, r"unknown model 'kapa-vf'; known: .*did you mean 'kappa-vf'\?"),
        ({"data": ["atlas-run2"], "model": "2HDM-ii"}, r"did you mean '2hdm-II?'"),
        ({"data": ["atlas"], "model": "mu"}, "unknown data 'atlas': neither a finished run's folder nor"),
        ({"data": ["cms-run-2"], "model": "mu"}, r"did you mean 'cms-run2'"),
        (
            {"data": ["atlas-run2"], "model": "smeft-linear", "chosen": ["cHg"]},
            r"unknown operator 'cHg'; known: .*did you mean 'chg'",
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


def test_every_question_is_answered(tmp_path: Path) -> None:
    for question in questions.QUESTIONS:
        file = tmp_path / f"{question}.json"
        found = invoke("interpret", question, "--json", str(file))
        assert found.exit_code == 0, found.output
        assert json.loads(file.read_text())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("wdth", {}), "unknown question 'wdth'; known: width, projections"),
        (("vacuum", {"data": ("atlas-run2",)}), "--data says nothing to vacuum; it takes --m-h"),
        (("width", {"model": "mu"}), "model mu says nothing about the width"),
        (("width", {"m_h": 300.0}), "m_H = 300 GeV is outside the tables"),
        (("sm", {"sqrt_s": 100.0}), "√s = 100 TeV is outside the tables"),
        (("sm", {"m_h": 0.0}), "m_H = 0 GeV is outside the tables"),
        (("vacuum", {"m_h": 300.0}), "m_H = 300 GeV is outside the tables"),
        (("mass", {"luminosity": (-1.0,)}), "must be positive"),
        (("projections", {"luminosity": (0.0,)}), "luminosity must be positive"),
    ],
)
def test_questions_that_cannot_be_answered(arguments: tuple[str, dict[str, Any]], message: str) -> None:
    name, options = arguments
    with pytest.raises(InputError, match=message):
        questions.ask(name, questions.Options(**options))


def test_width_from_the_couplings() -> None:
    """By hand: at the best fit Γ = Σ κ_f² Γ_f, with κ of the nine-parameter model and κ_c = κ_t, κ_s = κ_b."""
    found = questions.ask("width", questions.Options()).found["widths_MeV"]
    k = {name: e["value"] for name, e in command.run(["atlas-run2"], "kappa-effective")["parameters"].items()}
    by_hand = {
        decay: k[f"kappa_{who}"] ** 2 * sm.partial_width(decay).value
        for decay, who in {"bb": "b", "WW": "W", "gg": "g", "tautau": "tau", "ZZ": "Z", "gammagamma": "gamma",
                           "cc": "t", "ss": "b", "mumu": "mu", "Zgamma": "Zgamma"}.items()
    }  # fmt: skip
    for decay, value in by_hand.items():
        assert found[decay]["value"] == pytest.approx(value, rel=1e-3)
    assert found["total"]["value"] == pytest.approx(sum(by_hand.values()), rel=1e-3)
    b = command.run(["atlas-run2"], "kappa-effective")["parameters"]["kappa_b"]
    assert found["bb"]["error"] == pytest.approx(2 * b["error"] / b["value"] * found["bb"]["value"], rel=0.1)


def mass_run(folder: Path, luminosity: float | None = 100.0) -> Path:
    """Write a run with a Gaussian peak, 2 GeV wide, of 200 events on 160 of background in 80 GeV."""
    run_folder(folder, luminosity=luminosity, datasets={"d": {"kind": "data", "process": "data"}})
    axes = (hist.axis.StrCategory(["4mu"], name="category"), hist.axis.Regular(160, 90, 170, name="m4l"))
    by_process = {}
    for process, share in (("ggH", 180.0), ("VBF", 20.0), ("ZZ", None), ("data", 0.0)):
        h = hist.Hist(*axes, storage=hist.storage.Weight())
        edges = axes[1].edges
        content = np.full(160, 1.0) if share is None else share * np.diff(stats.norm(125.09, 2.0).cdf(edges))
        h.view().value = content[None]
        by_process[process] = h
    (folder / "histograms.json").write_text(json.dumps({"m4l": by_process}, default=default))
    return folder


def test_mass_of_an_own_run(tmp_path: Path) -> None:
    found = mass_precision.from_run(mass_run(tmp_path / "run"))
    assert found.signal == pytest.approx(2.0, rel=0.01)
    assert found.background == pytest.approx(160 / 80 / 100, rel=0.3)
    assert found.resolution == pytest.approx(2.0, rel=0.02)
    (point,) = questions.ask("mass", questions.Options(runs=(tmp_path / "run",), luminosity=(1000.0,))).found["points"]
    assert point["precision"] == pytest.approx(2.0 / 2000**0.5, rel=0.25)
    with pytest.raises(InputError, match="the run has no luminosity"):
        mass_precision.from_run(mass_run(tmp_path / "other", luminosity=None))
    with pytest.raises(InputError, match="not the folder of a finished run"):
        mass_precision.from_run(tmp_path)
