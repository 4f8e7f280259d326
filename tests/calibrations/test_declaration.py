"""Calibrations in a configuration: what is refused, where and why, and a run from a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
import uproot
import yaml
from uhi.io.json import object_hook

from gpuhiggs import config, engine, normalisation
from gpuhiggs.calibrations import calibrators
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation
from gpuhiggs.errors import ConfigError
from gpuhiggs.report import band, run_folder

from . import payloads

Change = Callable[[dict[str, Any]], Any]


def prepared(folder: Path, change: Change, selection: str = "cms-hgg-2017-ul", kind: str = "simulation") -> Any:
    dataset: dict[str, Any] = {"name": "events", "process": "events", "kind": kind, "files": ["memory"]}
    dataset |= {"cross_section": None} if kind == "simulation" else {"primary_dataset": "DoubleEG"}
    raw: dict[str, Any] = {
        "selection": config.shipped_selection(selection), "datasets": [dataset], "lumi_mask": None,
        "calibrations": payloads.declared(folder), "variations": payloads.varied(folder),
    }  # fmt: skip
    change(raw)
    return preparation.prepare(config.validate(RunConfig, raw, "run.yaml").model_dump_json(by_alias=True), "events")


def jet(raw: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = raw["calibrations"]["jet"]
    return found


def replace(at: Callable[[dict[str, Any]], dict[str, Any]], **entries: Any) -> Change:
    return lambda raw: at(raw).update(entries)


def step(name: str, **entries: Any) -> Change:
    return replace(lambda raw: jet(raw)["steps"][name], **entries)


def shift(raw: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = raw["variations"]["shifts"]["CMS_res_j"]["calibration"]
    return found


WRONG: dict[str, tuple[Change, str]] = {
    "unknown object": (lambda raw: raw["calibrations"].update(jets={}), "unknown object 'jets'; known: muon, electron"),
    "unknown key": (replace(jet, pt_min=3), "unknown key 'pt_min' in calibrations.jet; known: inputs, steps"),
    "two sources": (step("jec", formula="1"), "give one of correction, formula and random; got correction, formula"),
    "no branch": (lambda raw: jet(raw)["inputs"].update(raw="a b"), "hard_process.same_flavour; got 'a b'"),
    "named twice": (lambda raw: jet(raw)["steps"].update(raw={"formula": "1"}), "quantities named twice: raw"),
    "missing momentum": (lambda raw: jet(raw).pop("met_pt_min"), "met_pt_min is needed where a step scales the pt"),
    "unknown weight": (replace(jet, weights=["b"]), "weights: no step 'b'; there are uncalibrated, jec"),
    "pt of an event": (
        lambda raw: raw["calibrations"]["event"].update(
            met_pt_min=None, steps={"k_factor": {"formula": "1", "scales_pt": True}}
        ),
        "event: it has no pt",
    ),
    "unknown quantity of a formula": (
        step("uncalibrated", formula="1 - row"),
        "'row' is no value before this; names are",
    ),
    "quantity of a later step": (step("uncalibrated", formula="jec"), "steps.uncalibrated.formula: formula 'jec'"),
    "unknown quantity of a correction": (
        lambda raw: jet(raw)["steps"]["jec"]["correction"]["columns"].update(Rho="roh"),
        "unknown quantity 'roh'; at this step there are (in simulation) pt, eta, abs_eta, phi, index, raw",
    ),
    "condition": (step("b_tag", where="abs_eta <"), "steps.b_tag.where: formula 'abs_eta <': expected a value"),
    "unknown step": (
        lambda raw: shift(raw).update(step="jes"),
        "shifts.CMS_res_j.calibration: unknown step 'jes' of jet",
    ),
    "unknown input": (lambda raw: shift(raw).update(input="syst"), "'syst' is not among the fixed inputs of the step"),
    "the nominal": (lambda raw: shift(raw).update(up="nom"), "'nom' is the nominal of the step jer_sf"),
    "equal sides": (lambda raw: shift(raw).update(up="down"), "up and down are equal: down"),
    "unknown key of the correction": (lambda raw: shift(raw).update(up="more"), "unknown key 'more' for the input"),
    "no formula": (lambda raw: shift(raw).pop("input"), "the step jer_sf is no formula"),
    "of the missing momentum": (
        lambda raw: raw["variations"]["shifts"]["CMS_res_j"].update(object="met"),
        "a calibration is of objects; the missing momentum follows them",
    ),
    "nothing to vary": (
        lambda raw: raw["variations"]["weights"]["CMS_btag_hf"].update(object="photon"),
        "calibrations.photon has no weights that could vary",
    ),
    "variation inside": (
        lambda raw: jet(raw)["steps"]["jer_sf"]["correction"].update(
            fixed={}, variation={"input": "systematic", "nominal": "nom", "up": "up", "down": "down"}
        ),
        "no variation here",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_declarations(tmp_path: Path, name: str) -> None:
    change, message = WRONG[name]
    with pytest.raises(ConfigError) as error:
        prepared(tmp_path, change)
    assert message in str(error.value)


def test_a_channel_without_the_objects(tmp_path: Path) -> None:
    def jets_only(raw: dict[str, Any]) -> None:
        raw["calibrations"] = {"jet": raw["calibrations"]["jet"]}
        raw["variations"] = None

    with pytest.raises(ConfigError, match="the channel has no collection of jets"):
        prepared(tmp_path, jets_only, "atlas-hgg-open-data-2020")


def test_data_have_their_own_steps(tmp_path: Path) -> None:
    """Nothing of simulation: neither its steps nor its weights, nor any variation."""
    made = prepared(tmp_path, lambda raw: None, kind="data")
    found = made.variations.calibrations
    assert found["jet"].steps == ("uncalibrated", "jec")
    assert found["photon"].steps == ("normal", "size", "scale")
    assert found["jet"].branches == {"Jet_rawFactor", "Jet_area", "fixedGridRhoFastjetAll"}  # no generator's
    assert found["event"].branches == set()
    assert (made.variations.extras, made.variations.weights.n_rows) == ((), 0)


def test_what_is_equal_is_found_once(tmp_path: Path) -> None:
    """Two variations of the same side share a run and a column."""
    declared = config.validate(RunConfig.model_fields["calibrations"].annotation.__args__[1], {  # type: ignore[union-attr]
        "steps": {"a": {"formula": "0.5*pt"}, "b": {"formula": "1 + 0.1*a", "scales_pt": True}}, "met_pt_min": None,
    }, "test")  # fmt: skip
    one = calibrators({"jet": declared}, simulation=True)["jet"]
    from gpuhiggs.config.calibrations import StepVariation

    twice = [one.varied(StepVariation(step="a", up=up, down="pt"), "0.6*pt", "pt", "test") for up in ("0.6*pt", "2*pt")]
    assert twice == [0, 0]
    assert len(one.runs) == 2


def write(folder: Path, path: Path, **more: Any) -> Path:
    calibrations = payloads.declared(folder)
    calibrations["jet"]["steps"]["jec"]["correction"]["file"] = "jets.json"  # relative to the configuration
    run = {
        "selection": "cms-hgg-2017-ul", "overrides": {"filters": [], "triggers": {}},
        "datasets": [
            {"name": "ttH", "process": "ttH", "kind": "simulation", "cross_section": None, "files": str(path)},
        ],
        "calibrations": calibrations, "variations": payloads.varied(folder), **more,
    }  # fmt: skip
    (folder / "run.yaml").write_text(yaml.safe_dump(run))
    return folder / "run.yaml"


def test_a_run_from_a_file(shared: Path, tmp_path: Path) -> None:
    """Templates beside the nominal, which each variation changes."""
    loaded = config.load(write(tmp_path, shared / "data" / "cms" / "ttH_HToGG_M125_2017_100ev.root"))
    tally = engine.run(loaded)
    assert not tally.failures
    sums = tally.counts.sums["ttH", "m_gg/sumw"].low
    assert (sums[..., 1:] != sums[..., :1]).any(axis=(0, 1)).all()
    varied = normalisation.varied(loaded, tally)
    run_folder.write_histograms(tmp_path, normalisation.histograms(loaded, tally), band.by_category(loaded, varied))
    chosen: Any = varied["m_gg"]["ttH"][{"variation": "CMS_btag_hfUp"}]
    expected = chosen.values(flow=True)
    with uproot.open(tmp_path / "histograms.root") as file:
        keys = [key for key in file.keys(cycle=False) if key.startswith("m_gg/ttH_CMS_btag_hfUp/")]
        assert sum(file[key].values(flow=True).sum() for key in keys) == pytest.approx(expected.sum(), rel=1e-12)
    kept = json.loads((tmp_path / "templates.json").read_text(), object_hook=object_hook)
    np.testing.assert_array_equal(hist.Hist(kept["m_gg"]["ttH_CMS_btag_hfUp"]).values(flow=True), expected)


def test_a_missing_branch_is_named(shared: Path, tmp_path: Path) -> None:
    path = write(tmp_path, shared / "data" / "cms" / "TT_Run3_v12_200ev.root", variations=None)
    raw = yaml.safe_load(path.read_text())
    raw["selection"], raw["calibrations"] = "cms-hww-run3", {"event": {"inputs": {"x": "Nothing"}}}
    path.write_text(yaml.safe_dump(raw))
    [failure] = engine.run(config.load(path)).failures
    assert "no branch Nothing" in failure.error


def test_what_is_in_no_bin_is_named(shared: Path, tmp_path: Path) -> None:
    """Scale factors end at |η| = 2.5, beyond which their binning has no flow, and nobody has said where they hold."""
    path = write(tmp_path, shared / "data" / "cms" / "ttH_HToGG_M125_2017_100ev.root", variations=None)
    raw = yaml.safe_load(path.read_text())
    del raw["calibrations"]["jet"]["steps"]["b_tag"]["where"]
    path.write_text(yaml.safe_dump(raw))
    [failure] = engine.run(config.load(path)).failures
    assert "calibrations.jet: b_tag has no value for " in failure.error
    assert "`where` can leave objects out" in failure.error
