"""Control regions: what they weigh, and how they are divided by the score of a classifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import generate_fakes as fakes
from bench import nonprompt_runs as runs
from bench.nonprompt_runs import make_run
from gpuhiggs import backgrounds, config
from gpuhiggs.kernels import dilepton_regions, four_lepton_out, four_lepton_regions

from .conftest import total

ZX = {"process": "ZX", "prompt": ["ZZ"], "systematic": 0.3}
FAKES = {"process": "fakes", "prompt": ["WW"], "systematic": 0.3}


def weighed(folder: Path, kind: str, factor: float) -> dict[str, Any]:
    """A scale factor that is the same everywhere, so that a power of it tells how many objects have it."""
    text = {"name": "SF", "version": 1, "output": {"name": "sf", "type": "real"}, "inputs": [
        {"name": "kind", "type": "string"}, {"name": "pt", "type": "real"}]}  # fmt: skip
    content = [{"key": key, "value": size * factor} for key, size in (("sf", 1.0), ("up", 1.25), ("down", 0.75))]
    correction = text | {"data": {"nodetype": "category", "input": "kind", "content": content}}
    (folder / "sf.json").write_text(json.dumps({"schema_version": 2, "corrections": [correction]}))
    keys = {"input": "kind", "nominal": "sf", "up": "up", "down": "down"}
    declared = {"file": str(folder / "sf.json"), "name": "SF", "columns": {"pt": "pt"}, "variation": keys}
    return {"weights": {"muon_id": {"object": kind, "correction": declared}}}


def test_selected_leptons_of_the_four_lepton_regions_weigh(tmp_path: Path) -> None:
    """Those that fail do not: 2P2F has the factors of the Z alone, 3P1F one more."""
    simulated = {
        "ZZ": (fakes.four_lepton_fakes(20_000, fakes.Z_AND_TWO, 5), 1.0),
        "Z": (fakes.four_lepton_fakes(20_000, fakes.Z_AND_ONE, 7), 1.0),
    }
    data = [fakes.four_lepton_fakes(50, fakes.Z_AND_TWO, 6)]
    plain = make_run("cms-hzz4l-run2-ul", "EGamma", data, simulated, nonprompt=ZX)
    muons = make_run(
        "cms-hzz4l-run2-ul", "EGamma", data, simulated, nonprompt=ZX,
        variations=weighed(tmp_path, "muon", 0.5),
    )  # fmt: skip

    def ratios(dataset: str, name: str) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            sums = (total(one.tally.counts, dataset, name).sum(axis=1) for one in (muons, plain))
            return np.asarray(np.divide(*sums))

    of = dict(zip(four_lepton_regions.PROBES, ratios("Z", "probe_pt"), strict=True))
    assert 0.5 < of["muon inner failing"] < 0.75  # beside Z → μμ, 1/4, or Z → ee, 1
    assert of["muon inner selected"] == pytest.approx(0.5 * of["muon inner failing"], rel=0.1)
    states = [f"{region} {state}" for region in ("3P1F", "2P2F") for state in four_lepton_regions.STATES]
    expected = [0.125, 1.0, 0.5, 0.25, 0.25, 1.0, 1.0, 0.25]
    for name in (*(f"loose_{x}" for x in four_lepton_out.COMMON), "loose_production"):
        found = dict(zip(states, ratios("ZZ", name)[:8], strict=True))
        assert list(found.values()) == pytest.approx(expected, rel=1e-12), name


def test_tight_leptons_of_the_dilepton_regions_weigh(tmp_path: Path) -> None:
    columns = fakes.lepton_pair_fakes(20_000, fakes.W_AND_FAKE, 5)
    data = [fakes.lepton_pair_fakes(50, fakes.W_AND_FAKE, 6)]
    plain = make_run("cms-hww-run2-ul", "MuonEG", data, {"WW": (columns, 1.0)}, nonprompt=FAKES)
    muons = make_run(
        "cms-hww-run2-ul", "MuonEG", data, {"WW": (columns, 1.0)}, nonprompt=FAKES,
        variations=weighed(tmp_path, "muon", 0.5),
    )  # fmt: skip

    def by_combination(run: runs.Run) -> np.ndarray:
        values = total(run.tally.counts, "WW", "loose_m_ll")[:, 1:-1].sum(axis=0)
        return np.asarray(values.reshape(80, -1).sum(axis=1))  # two flavours of eight cells, and their pairs

    varied, nominal = by_combination(muons), by_combination(plain)
    loose_muon, loose_electron, both = slice(0, 8), slice(8, 16), slice(16, None)
    np.testing.assert_allclose(varied[loose_muon], nominal[loose_muon], rtol=1e-12)
    np.testing.assert_allclose(varied[loose_electron], 0.5 * nominal[loose_electron], rtol=1e-12)
    np.testing.assert_allclose(varied[both], nominal[both], rtol=1e-12)
    same_sign = [total(run.tally.counts, "WW", "same_sign_m_ll").sum() for run in (muons, plain)]
    assert same_sign[0] == pytest.approx(0.5 * same_sign[1])
    assert nominal[loose_muon].sum() > 100 < nominal[loose_electron].sum()


def divided(boundaries: list[float], channel: str) -> dict[str, Any]:
    return {"classifier": {"file": f"shipped://{channel}", "boundaries": boundaries}}


def test_regions_of_four_leptons_are_divided_by_the_score() -> None:
    """The prediction is spread over the ranges as candidates of the control regions are; the sum is what it was."""
    settings = {"nonprompt": ZX, "unblind": True}
    simulated = {"ZZ": (fakes.four_lepton_fakes(50, fakes.ZZ, 8), 1e-9)}
    selection = config.shipped_selection("cms-hzz4l-run2-ul")
    found, truth = [], []
    for classifier in ({}, divided([0.3, 0.6], "four_lepton")):
        overridden = {"selection": selection | classifier}
        run = make_run("cms-hzz4l-run2-ul", "EGamma", runs.zx_fakes(), simulated, **settings, **overridden)
        found.append(backgrounds.estimate(run.config, run.tally))
        truth.append(total(run.tally.counts, "data", "m4l").sum(axis=1))
    plain, parts = found
    assert plain is not None and parts is not None  # noqa: PT018
    assert set(parts.templates) == set(four_lepton_out.COMMON)
    for name, template in parts.templates.items():
        values = np.asarray(template.values(flow=True))[:-1]
        assert values.shape[0] == 63
        merged = values.reshape(21, 3, -1).sum(axis=1)
        np.testing.assert_allclose(merged, np.asarray(plain.templates[name].values(flow=True))[:-1], rtol=1e-9)
    by_part = np.asarray(parts.templates["m4l"].values(flow=True))[:-1].sum(axis=1).reshape(21, 3).sum(axis=0)
    seen = truth[1].reshape(21, 3).sum(axis=0)
    assert (seen > 100).all()
    np.testing.assert_allclose(by_part / by_part.sum(), seen / seen.sum(), atol=0.03)
    assert all(len(one.relative) in (0, 21) for one in parts.uncertainties)


def test_regions_of_the_dilepton_channel_are_divided_by_the_score() -> None:
    selection = config.shipped_selection("cms-hww-run2-ul") | divided([0.2], "dilepton")
    simulated = {"WW": (fakes.lepton_pair_fakes(50, fakes.WW, 8), 1e-9)}
    run = make_run(
        "cms-hww-run2-ul", "MuonEG", runs.ww_fakes(), simulated, nonprompt=FAKES, unblind=True, selection=selection
    )
    estimate = backgrounds.estimate(run.config, run.tally)
    assert estimate is not None
    template = estimate.templates["m_ll"]
    predicted = np.asarray(template.values(flow=True))[:-1].sum(axis=1)
    seen = total(run.tally.counts, "data", "m_ll").sum(axis=1)
    assert predicted.size == seen.size == 32
    filled = seen > 30
    assert filled.sum() > 6
    errors = np.sqrt(seen + np.asarray(template.variances(flow=True))[:-1].sum(axis=1) + (0.05 * predicted) ** 2)
    assert (((predicted - seen)[filled] / errors[filled]) ** 2).sum() < 2.5 * filled.sum()
    assert len(dilepton_regions.HISTOGRAMS) == 7
