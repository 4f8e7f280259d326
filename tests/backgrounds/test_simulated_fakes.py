"""Fakes on samples of Pythia, with jets that are taken for leptons: rates are not put into them by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuhiggs import config
from gpuhiggs.report import page, process
from gpuhiggs.simulate import simulate

SAMPLES = {"DY_ll_1fake": 60_000, "DY_ll_2fakes": 150_000}
PAIRS = {"W_1fake": 60_000, "QCD_1fake": 40_000}
STATES = ("4mu", "4e", "2e2mu")


@pytest.mark.nightly
def test_closure_of_zx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events of both samples are taken as data, each once, whatever its weight: the samples share the rates."""
    pytest.importorskip("pythia8mc", reason="the simulation needs gpuhiggs[demo]")
    datasets: list[dict[str, Any]] = []
    for name, n in SAMPLES.items():
        path = simulate(name, n, tmp_path / f"{name}.root", seed=21, workers=2).path
        datasets.append(
            {"name": name, "process": "data", "kind": "data", "primary_dataset": "all", "files": [str(path)]}
        )
    genuine = simulate("qqZZ_4l", 500, tmp_path / "ZZ.root", seed=22).path
    datasets.append(  # nothing is subtracted: the data hold none
        {"name": "ZZ", "process": "ZZ", "kind": "simulation", "cross_section": 1e-12, "files": [str(genuine)]}
    )
    selection = config.shipped_selection("cms-hzz4l-run2-ul")
    paths = [path for primary in selection["triggers"].values() for path in primary]
    raw = {
        "selection": "cms-hzz4l-run2-ul", "overrides": {"triggers": {"all": paths}}, "luminosity": 1.0,
        "lumi_mask": None, "unblind": True, "datasets": datasets,
        "nonprompt": {"process": "ZX", "prompt": ["ZZ"], "systematic": 0.1},
    }  # fmt: skip
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.setattr(page, "publish", lambda *_: None)
    assert process.run(config.load(tmp_path / "run.yaml"), tmp_path / "out", workers=0) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    chi2, total = 0.0, 0.0
    for state in STATES:
        seen = sum(cell["value"] for c, cell in results["yields"]["data"].items() if c.endswith(f" {state}"))
        found = results["nonprompt"]["yields"][state]
        chi2 += (found["value"] - seen) ** 2 / (found["error"] ** 2 + max(seen, 1.0))
        total += seen
    assert total > 30
    assert chi2 < 11.34, "exceeded once in a hundred times"


@pytest.mark.nightly
def test_closure_of_fake_factors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors of dijets tell how many fakes there are beside a W: tight pairs of either charge are as predicted."""
    pytest.importorskip("pythia8mc", reason="the simulation needs gpuhiggs[demo]")
    paths = {
        name: str(simulate(name, n, tmp_path / f"{name}.root", seed=41, workers=2).path) for name, n in PAIRS.items()
    }
    genuine = simulate("WW_emu", 300, tmp_path / "WW.root", seed=22).path
    datasets: list[dict[str, Any]] = [
        {"name": "W", "process": "data", "kind": "data", "files": [paths["W_1fake"]]},
        {"name": "dijets", "process": "dijets", "kind": "data", "files": [paths["QCD_1fake"]]},
        {"name": "WW", "process": "WW", "kind": "simulation", "cross_section": 1e-12, "files": [str(genuine)]},
    ]
    raw = {
        "selection": "cms-hww-run2-ul", "overrides": {"triggers": {}}, "luminosity": 1.0, "lumi_mask": None,
        "unblind": True, "datasets": datasets,
        "nonprompt": {
            "process": "fakes", "prompt": ["WW"], "systematic": 0.1, "measured_in": "dijets",
            "measured_luminosity": 1.0,
        },
    }  # fmt: skip
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(raw))
    monkeypatch.setattr(page, "publish", lambda *_: None)
    assert process.run(config.load(tmp_path / "run.yaml"), tmp_path / "out", workers=0) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert abs(results["nonprompt"]["same_sign"]["deviation"]) < 2.6, "exceeded once in a hundred times"
    pulls = []
    for category, found in results["nonprompt"]["yields"].items():
        seen = results["yields"]["data"][category]["value"]
        if found["value"] > 5.0:
            pulls.append((found["value"] - seen) / (found["error"] ** 2 + max(seen, 1.0)) ** 0.5)
    assert len(pulls) > 3
    assert sum(pull**2 for pull in pulls) < 2.2 * len(pulls), pulls
