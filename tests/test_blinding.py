"""Blinding: what is withheld of data at the source, what is not, and what is said of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import uproot

from gpuhiggs import blinding, channels, config, engine, inference, normalisation
from gpuhiggs.config import BlindConfig, RunConfig
from gpuhiggs.engine import processing
from gpuhiggs.errors import ConfigError, InputError
from gpuhiggs.histogram import Axis, HistogramSpec
from gpuhiggs.report import candidate, page, process
from gpuhiggs.report.record import Record

WINDOW = (118.0, 130.0)
N = 400


@pytest.fixture(scope="module")
def path(
    tmp_path_factory: pytest.TempPathFactory, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> Path:
    folder = tmp_path_factory.mktemp("blinding")
    events = four_muon_events(N) | {"event": np.arange(N, dtype=np.uint64)}
    return write_nanoaod(folder / "a.root", events, runs={"genEventSumw": [float(N)]})


def made(four_muon_config: Callable[..., RunConfig], path: Path, **settings: Any) -> RunConfig:
    dataset = {"name": "data", "process": "data", "kind": "data", "primary_dataset": "First", "files": [str(path)]}
    return four_muon_config(dataset, **settings)


def test_bins_that_the_window_touches_are_withheld() -> None:
    spec = HistogramSpec("m", Axis("m", "m", 5, 0.0, 50.0), ("SR a", "CR b"))
    blind = BlindConfig(categories=("SR *",), windows={"m": (15.0, 30.0)}, last_step="all")
    hidden = blinding.bins(blind, spec)
    assert hidden.tolist() == [[False, False, True, True, False, False, False], [False] * 7]
    assert blinding.bins(blind, spec._replace(name="other")).tolist() == [[True] * 7, [False] * 7]


def test_flow_bins_that_reach_into_the_window_are_withheld() -> None:
    spec = HistogramSpec("m", Axis("m", "m", 2, 20.0, 40.0), ("a",))
    blind = BlindConfig(categories=("*",), windows={"m": (10.0, 25.0)}, last_step="all")
    assert blinding.bins(blind, spec).tolist() == [[True, True, False, False]]


def test_nothing_of_the_signal_region_leaves_the_read_out(path: Path, four_muon_config: Any) -> None:
    open_, blind = (made(four_muon_config, path, unblind=unblind) for unblind in (True, False))
    tally = engine.run(blind)
    assert tally.counts.digest() == engine.run(open_).counts.digest(), "the sums are the same"
    seen, shown = (normalisation.histograms(one, tally) for one in (open_, blind))
    edges = seen["m4l"]["data"].axes[1].edges
    inside = (edges[:-1] >= WINDOW[0]) & (edges[1:] <= WINDOW[1])
    assert seen["m4l"]["data"].values()[:, inside].sum() > 0
    assert np.isnan(shown["m4l"]["data"].values()[:, inside]).all()
    assert np.isnan(np.asarray(shown["m4l"]["data"].variances())[:, inside]).all()
    assert np.array_equal(shown["m4l"]["data"].values()[:, ~inside], seen["m4l"]["data"].values()[:, ~inside])
    for name, by_process in shown.items():
        if name != "m4l":  # whatever holds the same events without saying where they are would tell their number
            assert np.isnan(by_process["data"].values(flow=True)[: len(by_process["data"].axes[0])]).all(), name
    rows = normalisation.cutflow(blind, tally, [("data", 1.0)])
    known = [row["step"] for row in rows if row["events"] is not None]
    assert known == ["all", "certified", "filters", "trigger", "four_leptons"]


def test_simulation_is_never_blind(path: Path, four_muon_config: Any) -> None:
    dataset = {"name": "H", "process": "H", "kind": "simulation", "files": [str(path)], "cross_section": None}
    loaded = four_muon_config(dataset, unblind=False)
    tally = engine.run(loaded)
    for by_process in normalisation.histograms(loaded, tally).values():
        assert np.isfinite(by_process["H"].values(flow=True)).all()
    assert all(row["events"] is not None for row in normalisation.cutflow(loaded, tally, [("H", 1.0)]))


def test_a_blind_run_writes_nothing_of_it(
    path: Path, four_muon_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = made(four_muon_config, path, unblind=False, skim=["parquet", "root"])
    assert process.run(run, tmp_path, workers=0) == 0
    results = json.loads((tmp_path / "results.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert results["blinding"]["blind"]
    assert results["blinding"]["unblinded"] == []
    assert all(cell["value"] is None for cell in results["yields"]["data"].values())
    assert results["cutflow"]["data"][-1] == {"step": "m4l", "entries": None, "events": None, "error": None}
    assert "Blinded: data are withheld" in (tmp_path / "report.html").read_text(encoding="utf-8")
    with uproot.open(tmp_path / "histograms.root") as file:
        m4l = file["m4l/data/untagged_4mu"]
        inside = (m4l.axis().edges()[:-1] >= WINDOW[0]) & (m4l.axis().edges()[1:] <= WINDOW[1])
        assert np.isnan(m4l.values()[inside]).all()
        assert np.isnan(file["m_z1/data/untagged_4mu"].values()).all()
    rows = pq.read_table(tmp_path / "skim" / "data.parquet")["m4l"].to_numpy()
    assert rows.size > 0
    assert not np.any((rows >= WINDOW[0]) & (rows <= WINDOW[1]))

    monkeypatch.setattr(page, "publish", lambda *_: None)  # it takes the longest, and has been tried
    unblinded = run.model_copy(update={"unblind": True})
    assert process.run(unblinded, tmp_path, workers=0, overwrite=True) == 0
    first = json.loads((tmp_path / "results.json").read_text())["blinding"]
    assert [entry["datasets"] for entry in first["unblinded"]] == [["data"]]
    rows = pq.read_table(tmp_path / "skim" / "data.parquet")["m4l"].to_numpy()
    assert np.any((rows >= WINDOW[0]) & (rows <= WINDOW[1]))
    assert process.run(run, tmp_path, workers=0, overwrite=True) == 0
    again = json.loads((tmp_path / "results.json").read_text())["blinding"]
    assert again["unblinded"] == first["unblinded"], "once seen is seen"


def test_unblinding_reads_no_event_again(
    path: Path, four_muon_config: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "publish", lambda *_: None)
    run = made(four_muon_config, path, unblind=False)
    assert process.run(run, tmp_path, workers=0) == 0
    monkeypatch.setattr(processing, "process", lambda *_: pytest.fail("events were read again"))
    assert process.run(run.model_copy(update={"unblind": True}), tmp_path, workers=0, resume=True) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert sum(cell["value"] for cell in results["yields"]["data"].values()) > 0
    assert len(results["blinding"]["unblinded"]) == 1


def test_the_event_display_shows_no_blind_event(path: Path, four_muon_config: Any) -> None:
    found = {}
    for unblind in (True, False):
        loaded = made(four_muon_config, path, unblind=unblind)
        results = {"datasets": {"data": {"files_complete": 1}}}
        record = Record("run", path.parent, loaded, results, {}, {}, {})
        found[unblind] = candidate.find(record).found["m4l"]
    assert WINDOW[0] <= found[True] <= WINDOW[1]
    assert not WINDOW[0] <= found[False] <= WINDOW[1]


def test_the_first_time_stays() -> None:
    raw = {"categories": ["*"], "last_step": "all"}
    selection = config.shipped_selection("cms-hzz4l-run2-ul") | {"blind": raw}
    dataset = {"name": "d", "process": "d", "kind": "data", "primary_dataset": "EGamma", "files": ["a.root"]}
    loaded = config.validate(
        RunConfig, {"selection": selection, "datasets": [dataset], "lumi_mask": None, "unblind": True}, "test"
    )
    first = blinding.report(loaded, now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))["unblinded"]
    assert first[0]["when"] == "2026-01-02T03:04:05+00:00"
    assert blinding.report(loaded, first)["unblinded"] == first


def test_a_blind_model_is_fitted_in_the_sidebands() -> None:
    """Two bins beside the window in one channel, and a control region with a free background."""
    norm = inference.NormFactor(parameter="norm")
    mu = inference.NormFactor(parameter="mu")
    signal = inference.Sample(name="S", yields=(0.0, 5.0, 0.5), modifiers=(mu,))
    background = inference.Sample(
        name="B", yields=(10.0, 12.0, 14.0),
        modifiers=(norm, inference.StatError(parameter="staterror_sr", errors=(0.1, 0.1, 0.1))),
    )  # fmt: skip
    sr = inference.Channel(name="sr", samples=(signal, background), edges=(0.0, 1.0, 2.0, 3.0))
    cr = inference.Channel(name="cr", samples=(inference.Sample(name="B", yields=(100.0,), modifiers=(norm,)),))
    whole = inference.Workspace(poi="mu", channels=(sr, cr))
    shown = inference.restricted(whole, {"sr": [12.0, None, 17.5], "cr": [120.0]})
    assert [channel.name for channel in shown.channels] == ["sr 0-1", "sr 2-3", "cr"]
    flat = inference.flatten(shown)
    fit = inference.fit(flat, inference.observed(flat, shown, integers=False))
    assert fit.parameters["mu"].value == 1.0
    assert fit.parameters["norm"].value == pytest.approx(1.2, abs=0.01)
    only = inference.restricted(whole, {"sr": [None] * 3, "cr": [120.0]})
    assert only.poi == "norm", "nothing in the control region depends on mu"
    with pytest.raises(InputError, match="no bin"):
        inference.restricted(whole, {"sr": [None] * 3, "cr": [None]})


@pytest.mark.parametrize(
    ("blind", "message"),
    [
        ({"categories": ["nothing"], "last_step": "all"}, "no category matches 'nothing'"),
        ({"categories": ["*"], "windows": {"m41": [1, 2]}, "last_step": "all"}, "unknown 'm41'"),
        ({"categories": ["*"], "windows": {"m4l": [2, 1]}, "last_step": "all"}, "lower end"),
        ({"categories": ["*"], "last_step": "al"}, "unknown 'al'; the steps are all, certified"),
    ],
)
def test_a_declaration_that_would_blind_nothing_is_refused(
    path: Path, four_muon_config: Any, blind: Any, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        engine.run(made(four_muon_config, path, selection={"blind": blind}))


@pytest.mark.parametrize("name", config.shipped_selections())
def test_every_shipped_selection_says_where_its_signal_is(name: str) -> None:
    raw = config.shipped_selection(name)
    dataset = {"name": "d", "process": "d", "kind": "simulation", "cross_section": None, "files": ["a.root"]}
    loaded = config.validate(RunConfig, {"selection": raw, "datasets": [dataset], "lumi_mask": None}, name)
    assert loaded.selection.blind is not None
    channel = channels.find(loaded.selection.channel)
    blinding.check(loaded, channel.histograms(loaded.selection), channel.steps)
