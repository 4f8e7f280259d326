"""Selections: shipped ones, users' own, overrides, binnings."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs import config
from gpuhiggs.config import AxisConfig, validate
from gpuhiggs.engine import preparation
from gpuhiggs.errors import ConfigError
from tests.config.faults import Raw, edited, error_of, good, load, set_in


@pytest.mark.parametrize("name", config.shipped_selections())
def test_shipped_selections_fit_their_channels(tmp_path: Path, name: str) -> None:
    raw = edited(set_in("selection", name), lambda raw: raw["datasets"].pop(0))
    loaded = load(tmp_path, raw)
    prepared = preparation.prepare(loaded.model_dump_json(by_alias=True), "s")
    assert loaded.selection.reference
    assert prepared.channel.name == loaded.selection.channel
    assert [spec.name for spec in prepared.specs] == list(prepared.channel.program.namespace().HISTOGRAMS)


def test_unknown_selection(tmp_path: Path) -> None:
    found = error_of(tmp_path, edited(set_in("selection", "cms-hzz4l-run2")))
    known = ", ".join(config.shipped_selections())
    assert found == (
        f"unknown selection 'cms-hzz4l-run2'; known: {known}, or a path that ends in .yaml or .py; "
        "did you mean 'cms-hzz4l-run2-ul'?"
    )


def shipped(name: str) -> Raw:
    raw: Raw = yaml.safe_load((resources.files("gpuhiggs.channels") / f"{name}.yaml").read_text())
    return raw


def test_overrides_replace_single_values(tmp_path: Path) -> None:
    overrides = {
        "cuts": {"muon": {"pt_min": 4}, "zz": {"m4l_min": 80}},
        "histograms": {"m4l": {"label": "m4l", "edges": [70, 100, 170]}},
        "triggers": {"MuonEG": ["HLT_X"]},
        "filters": ["Flag_y"],
    }
    selection = load(tmp_path, edited(set_in("overrides", overrides))).selection
    plain = load(tmp_path, good()).selection
    assert selection.cuts == {
        **plain.cuts,
        "muon": {**plain.cuts["muon"], "pt_min": 4},
        "zz": {**plain.cuts["zz"], "m4l_min": 80},
    }
    assert selection.histograms["m4l"] == AxisConfig(label="m4l", edges=(70, 100, 170))
    assert selection.histograms["m_z1"] == plain.histograms["m_z1"]
    assert selection.triggers == {"MuonEG": ("HLT_X",)}
    assert selection.filters == ("Flag_y",)


def test_a_selection_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own/base.yaml").write_text(yaml.safe_dump(shipped("cms-hzz4l-run2-ul")))
    (tmp_path / "own/tight.yaml").write_text("base: base.yaml\ncuts: {muon: {pt_min: 10}}\n")
    own = load(tmp_path, edited(set_in("selection", "own/tight.yaml"))).selection
    overridden = load(tmp_path, edited(set_in("overrides", {"cuts": {"muon": {"pt_min": 10}}}))).selection
    assert own == overridden
    (tmp_path / "own/tight.yaml").write_text("base: cms-hzz4l-run2-ul\ncuts: {muon: {pt_min: 10}}\n")
    assert load(tmp_path, edited(set_in("selection", "own/tight.yaml"))).selection == own


def test_a_selection_based_on_itself(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base: b.yaml\n")
    (tmp_path / "b.yaml").write_text("base: a.yaml\n")
    with pytest.raises(ConfigError) as error:
        load(tmp_path, edited(set_in("selection", "a.yaml")))
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    assert str(error.value) == f"{a}: base: {a} is based on {b} is based on {a}"


def prepare_error(raw: Raw, folder: Path) -> str:
    with pytest.raises(ConfigError) as error:
        preparation.prepare(load(folder, raw).model_dump_json(by_alias=True), "s")
    return str(error.value)


MUON_CUTS = "pt_min, eta_max, dxy_max, dz_max, sip3d_max, iso_max, high_pt_min"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"channel": "4l"}, "unknown channel '4l'; known: four_lepton, four_lepton_atlas"),
        ({"schema": "aod"}, "unknown schema 'aod'; known: nanoaod, atlas-open-data-2020"),
        ({"schema": "atlas-open-data-2020"}, "schema atlas-open-data-2020: no column muons.pt; known: events, "),
        ({"cuts": {"muon": {"ptmin": 3}}}, f"cuts.muon: unknown key 'ptmin'; known: {MUON_CUTS}"),
        ({"cuts": {"tau": {}}}, "cuts: unknown key 'tau'; known: muon, electron, fsr, zz, jet, category"),
        ({"cuts": {"muon": 3}}, f"cuts.muon: expected the cuts {MUON_CUTS}, got 3"),
        ({"cuts": {"electron": 3}}, "cuts.electron: expected the cuts pt_min, "),
        ({"cuts": {"muon": {"pt_min": -1}}}, "cuts.muon.pt_min: expected a value between 0.0 and inf, got -1"),
        ({"cuts": {"muon": {"pt_min": math.nan}}}, "cuts.muon.pt_min: expected a number, got nan"),
        ({"cuts": {"muon": {"pt_min": "5"}}}, "cuts.muon.pt_min: expected a number, got '5'"),
        ({"cuts": {"muon": {"pt_min": True}}}, "cuts.muon.pt_min: expected a number, got True"),
        ({"cuts": {"muon": {"pt_min": None}}}, "cuts.muon.pt_min: expected a number, got None"),
        ({"cuts": {"electron": {"use_wp90": 2}}}, "cuts.electron.use_wp90: expected a value between 0 and 1, got 2"),
        ({"cuts": {"electron": {"use_wp90": 0.5}}}, "cuts.electron.use_wp90: expected a whole number, got 0.5"),
        (
            {"histograms": {"m5l": {"label": "x", "bins": 1, "high": 1}}},
            "histograms: m5l missing or unknown; the channel",
        ),
        (
            {"absent": ["taus"]},
            "selection.absent: taus unknown; the channel has muons, electrons, fsr_photons, jets, met",
        ),
        (
            {"absent": ["events"]},
            "selection.absent: events unknown; the channel has muons, electrons, fsr_photons, jets",
        ),
        ({"triggers": {"A": ["HLT_x"], "B": ["HLT_x"]}}, "selection.triggers: HLT_x listed twice"),
        ({"filters": ["Flag_x", "Flag_x"]}, "selection.filters: Flag_x listed twice"),
        ({"filters": [f"f{i}" for i in range(63)]}, "selection.filters: 63 entries, at most 62 are possible"),
    ],
)
def test_selections_that_do_not_fit_their_channel(tmp_path: Path, overrides: Raw, message: str) -> None:
    raw = edited(set_in("overrides", overrides), lambda raw: raw["datasets"].pop(0))
    assert prepare_error(raw, tmp_path).startswith(message)


def test_a_missing_cut_and_a_missing_histogram(tmp_path: Path) -> None:
    selection = shipped("cms-hzz4l-run2-ul")
    del selection["cuts"]["zz"]["dr_min"]
    assert prepare_error(edited(set_in("selection", selection)), tmp_path) == "cuts.zz: dr_min is missing"
    selection = shipped("cms-hzz4l-run2-ul")
    del selection["cuts"]["zz"]
    assert prepare_error(edited(set_in("selection", selection)), tmp_path) == "cuts: zz is missing"
    selection = shipped("cms-hzz4l-run2-ul")
    del selection["histograms"]["m_z2"]
    found = prepare_error(edited(set_in("selection", selection)), tmp_path)
    assert found.startswith("histograms: m_z2 missing or unknown; the channel four_lepton has m4l, m_z1, ")


def test_a_mask_for_a_format_without_luminosity_sections(tmp_path: Path) -> None:
    (tmp_path / "mask.json").write_text("{}")
    raw = edited(set_in("selection", "atlas-hzz4l-open-data-2020"), set_in("lumi_mask", "mask.json"))
    raw["datasets"] = [raw["datasets"][0] | {"name": "s", "primary_dataset": "leptons"}]
    assert "no column events.luminosity_block" in prepare_error(raw, tmp_path)


@pytest.mark.parametrize(
    ("axis", "message"),
    [
        ({}, "needs edges, or bins ≥ 1 and low < high; got bins 0, low 0.0, high 0.0"),
        ({"bins": 0, "low": 0, "high": 1}, "needs edges, or bins ≥ 1 and low < high; got bins 0, low 0.0, high 1.0"),
        ({"bins": 5, "low": 1, "high": 1}, "needs edges, or bins ≥ 1 and low < high; got bins 5, low 1.0, high 1.0"),
        ({"bins": 5, "low": 2, "high": 1}, "needs edges, or bins ≥ 1 and low < high; got bins 5, low 2.0, high 1.0"),
        ({"bins": 5, "low": -1e308, "high": 1e308}, "needs edges, or bins ≥ 1 and low < high; got bins 5, low -1e+308"),
        ({"edges": [1]}, "edges must rise, got [1.0]"),
        ({"edges": [1, 1, 2]}, "edges must rise, got [1.0, 1.0, 2.0]"),
        ({"edges": [2, 1]}, "edges must rise, got [2.0, 1.0]"),
        ({"edges": [1, 2], "bins": 5}, "give either edges, or bins, low and high"),
        ({"edges": [1, math.nan, 2]}, "edges.1: Input should be a finite number, got nan"),
        ({"edges": [1, math.inf]}, "edges.1: Input should be a finite number, got inf"),
        ({"bins": -1, "high": 1}, "bins: Input should be greater than or equal to 0, got -1"),
        ({"bins": 10**6, "high": 1}, "bins: Input should be less than or equal to 10000, got 1000000"),
        ({"bins": "many", "high": 1}, "bins: Input should be a valid integer"),
        ({"bins": 5, "low": 0, "high": math.nan}, "high: Input should be a finite number, got nan"),
    ],
)
def test_wrong_binnings(axis: Raw, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        validate(AxisConfig, {"label": "x", **axis}, "axis")
    assert str(error.value).startswith(f"axis: {message}")


@given(st.lists(st.floats(-1e100, 1e100), min_size=2, max_size=20, unique=True).map(sorted))
def test_edges(edges: list[float]) -> None:
    axis = AxisConfig(label="x", edges=tuple(edges)).axis("x")
    assert (axis.bins, axis.low, axis.high, axis.edges) == (len(edges) - 1, edges[0], edges[-1], tuple(edges))
