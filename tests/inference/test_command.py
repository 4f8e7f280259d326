"""The command `gpuhiggs fit`, as a user calls it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gpuhiggs import __main__ as program
from gpuhiggs.inference import Workspace, to_pyhf

KEYS = [
    "parameters", "nll", "converged", "significance", "p_value", "limits", "goodness_of_fit", "scans", "impacts",
    "budget",
]  # fmt: skip


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["gpuhiggs", *arguments])
    with pytest.raises(SystemExit) as left:
        program.main()
    return int(left.value.code or 0)


@pytest.fixture
def workspace(tmp_path: Path, two_channels: Workspace) -> Path:
    path = tmp_path / "workspace.json"
    path.write_text(two_channels.model_dump_json())
    return path


def fitted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *arguments: str) -> dict[str, Any]:
    output = tmp_path / "fit.json"
    assert run(monkeypatch, "fit", *arguments, "--json", str(output)) == 0
    found: dict[str, Any] = json.loads(output.read_text())
    assert list(found)[: len(KEYS)] == KEYS
    for estimate in found["parameters"].values():
        assert list(estimate) == ["value", "error", "minus", "plus"]
        assert estimate["minus"] is None or estimate["minus"] < 0.0 < estimate["plus"]
    return found


def test_everything_that_can_be_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fitted(
        monkeypatch, tmp_path, str(workspace), "--scan", "mu", "ZX", "mu=0:2:5,scale=-1:1:3", "--toys", "50",
        "--impacts", "--budget",
    )  # fmt: skip
    mu = found["parameters"]["mu"]
    assert set(mu) == {"value", "error", "minus", "plus"}
    assert mu["minus"] < 0.0 < mu["plus"]
    assert found["converged"] is True
    assert found["significance"] > 3.0
    assert 0.0 < found["p_value"] < 1e-3
    assert found["limits"]["observed"] > mu["value"]
    assert found["limits"]["toys"]["n_toys"] > 40
    assert 0.0 <= found["goodness_of_fit"]["p_toys"] <= 1.0
    assert list(found["scans"]) == ["mu", "ZX", "mu=0:2:5,scale=-1:1:3"]
    assert len(found["scans"]["mu=0:2:5,scale=-1:1:3"]["twice_nll"]) == 5
    assert {impact["name"] for impact in found["impacts"]["mu"]} >= {"ZX", "scale", "lumi"}
    assert set(found["budget"]["mu"]["groups"]) == {"other", "mc_statistics"}
    assert list(found) == KEYS
    assert "significance" in capsys.readouterr().out


def test_what_is_asked_more_rarely(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = fitted(
        monkeypatch, tmp_path, str(workspace), "--compatibility", "--closure", "200", "--postfit-asimov", "--set",
        "mu=2", "--treat", "symmetrise=mean", "prune_norm=0.035", "--unfold", "mu=50", "--minimiser", "minuit",
    )  # fmt: skip
    assert found["parameters"]["mu"]["value"] == pytest.approx(2.0, abs=1e-4)
    assert found["compatibility"]["degrees"] == 1
    assert found["compatibility"]["statistic"] == pytest.approx(0.0, abs=1e-4)
    assert (found["closure"]["truth"], found["closure"]["n"]) == (2.0, 200)
    assert abs(found["closure"]["mean"]) < 4 * found["closure"]["mean_error"]
    assert found["unfolded"]["values"] == pytest.approx([100.0], rel=1e-4)
    assert {one["parameter"] for one in found["treated"] if one["action"] == "pruned"} == {"eff_mu"}
    assert "eff_mu" not in found["parameters"]
    out = capsys.readouterr().out
    assert "200 toys with mu = 2: pulls" in out
    assert "templates: 6 pruned, 2 symmetrised" in out


def test_a_posterior_without_its_package(
    monkeypatch: pytest.MonkeyPatch, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "nutpie", None)
    assert run(monkeypatch, "fit", str(workspace), "--posterior", "200") == 2
    assert "needs the package 'nutpie': pip install 'gpuhiggs[bayes]'" in capsys.readouterr().err


def test_plots_with_the_numbers_behind_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workspace: Path) -> None:
    folder = tmp_path / "plots"
    fitted(
        monkeypatch, tmp_path, str(workspace), "--plots", str(folder), "--impacts", "--budget", "--scan",
        "mu=0:2:5", "mu=0:2:5,scale=-1:1:4", "mu=0.5:1:3",
    )  # fmt: skip
    names = {"after_fit", "correlation", "pulls", "budget", "scan_mu", "scan_mu_2", "plane_mu_scale"}
    for suffix in (".pdf", ".png"):
        assert {path.stem for path in (folder / "figures").glob(f"*{suffix}")} == names
    numbers = json.loads((folder / "numbers" / "correlation.json").read_text())
    assert numbers["name"] == "correlation"
    rows = (folder / "numbers" / "scan_mu.csv").read_text().splitlines()
    assert len([row for row in rows if row and row[0].isdigit()]) == 5


def test_pyhf_json_freezing_and_asimov(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, two_channels: Workspace
) -> None:
    path = tmp_path / "pyhf.json"
    path.write_text(json.dumps(to_pyhf(two_channels)))
    found = fitted(monkeypatch, tmp_path, str(path), "--asimov", "--set", "mu=1.5", "--freeze", "theory_*")
    assert found["parameters"]["mu"]["value"] == pytest.approx(1.5, abs=1e-5)
    assert found["parameters"]["theory_ZZ"] == {"value": 0.0, "error": 0.0, "minus": None, "plus": None}


def test_several_parameters_of_interest_of_a_card(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, shared: Path
) -> None:
    card = shared / "problems" / "combine" / "datacard-5-multi-signal.txt"
    found = fitted(monkeypatch, tmp_path, str(card), "--poi", "r_ggH", "r_qqH")
    assert found["parameters"]["r_ggH"]["plus"] == pytest.approx(0.795, rel=5e-3)
    assert found["parameters"]["r_qqH"]["minus"] == pytest.approx(-2.746, rel=5e-3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.json",), "none.json: cannot be read as JSON"),
        (("--poi", "nu"), "no expected yield depends on the parameter of interest 'nu'"),
        (("--scan", "mu=a:b:c"), "expected LOW:HIGH:POINTS"),
        (("--set", "mu"), "'mu', expected NAME=NUMBER"),
        (("--gof", "best"), "goodness of fit 'best', expected one of saturated, chi2, ks, ad"),
        (("--freeze", "nothing"), "no parameter or group 'nothing'"),
        (("--minos", "nothing"), "no parameter or group 'nothing'"),
        (("--scan", "mu=2:0:5"), "expected LOW:HIGH:POINTS with LOW < HIGH"),
        (("--treat", "smoth=1"), "--treat smoth=1, expected symmetrise=mean|larger"),
        (("--treat", "smooth=-1"), "--treat smooth=-1, expected symmetrise=mean|larger"),
        (("--unfold", "nu=3"), "--unfold of nu, expected each of mu with its prediction"),
        (("--minimiser", "best"), "minimiser 'best', expected one of newton, minuit"),
        (("--asimov", "--postfit-asimov"), "--asimov and --postfit-asimov: expected one of them"),
        (("--plots", "/proc/none/plots"), "/proc/none/plots: cannot be made: No such file"),
        (("--json", "none/fit.json"), "none/fit.json: cannot be written: there is no folder none"),
        (("--measurement", "m"), "--measurement and --patch are for a pyhf workspace"),
        (("--mass", "125"), "--mass 125: "),
        (("--impact",), "No such option: --impact"),
    ],
)
def test_bad_input_is_one_message(
    monkeypatch: pytest.MonkeyPatch,
    workspace: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    words: str,
) -> None:
    output = tmp_path / "fit.json"
    paths = [] if arguments[0].endswith(".json") else [str(workspace)]
    written = () if "--json" in arguments else ("--json", str(output))
    status = run(monkeypatch, "fit", *paths, *arguments, *written)
    seen = capsys.readouterr()
    assert words in seen.err + seen.out
    assert status == 2
    assert not output.exists()
    assert "Traceback" not in seen.err


def test_a_count_that_is_no_integer_and_a_fit_that_fails(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec: dict[str, Any] = {
        "channels": [
            {
                "name": "c",
                "samples": [
                    {"name": n, "data": [10.0], "modifiers": [{"name": n, "type": "normfactor", "data": None}]}
                    for n in ("a", "b")
                ],
            }
        ],
        "observations": [{"name": "c", "data": [12.5]}],
        "measurements": [{"name": "m", "config": {"poi": "a", "parameters": []}}],
        "version": "1.0.0",
    }
    path = tmp_path / "w.json"
    path.write_text(json.dumps(spec))
    assert run(monkeypatch, "fit", str(path)) == 2
    assert "12.5 observed events, expected an integer" in capsys.readouterr().err
    spec["observations"][0]["data"] = [12]
    path.write_text(json.dumps(spec))
    output = tmp_path / "fit.json"
    assert run(monkeypatch, "fit", str(path), "--json", str(output)) == 1
    assert "flat direction, along a, b" in capsys.readouterr().out
    assert json.loads(output.read_text())["converged"] is False
