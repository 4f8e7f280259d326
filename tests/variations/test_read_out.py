"""Variations at the read-out: sets combined, templates, the model, branches that are missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs import engine, measurement, normalisation
from gpuhiggs.config import RunConfig
from gpuhiggs.config.variations import SetConfig
from gpuhiggs.inference import HistoSys
from gpuhiggs.inference.model import modifiers_of
from gpuhiggs.variations import systematics
from tests.variations.declared import (
    SHIFTS,
    Branches,
    everything,
)


@pytest.mark.parametrize(
    ("combine", "up", "down"),
    [("envelope", [13.0, 11.0], [8.0, 10.0]), ("hessian", [10 + 14**0.5, 12.0], [10 - 14**0.5, 8.0])],
)
def test_sets_are_combined(combine: str, up: list[float], down: list[float]) -> None:
    raw = {"branch": "w", "members": [1, 2, 3], "reference": 0, "combine": combine, "sums": None}
    nominal, reference = np.array([10.0, 10.0]), np.array([20.0, 9.0])
    members = np.array([[23.0, 10.0], [18.0, 10.0], [21.0, 9.0 + 2**0.5]])
    if combine == "envelope":
        members[2] = [20.0, 9.0]
    found = systematics.combined(SetConfig.model_validate(raw), nominal, reference, members)
    np.testing.assert_allclose(found.up, up)
    np.testing.assert_allclose(found.down, down)


def with_weights(events: Branches, n: int) -> Branches:
    rng = np.random.default_rng(4)
    pdf = rng.normal(1.2, 0.1, (n, 11)).astype(np.float32)
    return events | {
        **{f"L1_{side}": rng.uniform(0.9, 1.0, n).astype(np.float32) for side in ("Nom", "Up", "Dn")},
        "PSWeight": ak.from_regular(ak.Array(rng.normal(1, 0.1, (n, 4)).astype(np.float32))),
        "LHEPdfWeight": ak.from_regular(ak.Array(pdf)),
        "Pdf": pdf,
    }


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, four_muon_events: Callable[..., Branches],
    write_nanoaod: Callable[..., Path], four_muon_config: Callable[..., RunConfig],
) -> Callable[..., Any]:  # fmt: skip
    """A run over a file with all branches, less those named."""
    folder = tmp_path_factory.mktemp("run")

    def go(*without: str, **settings: Any) -> Any:
        events = with_weights(four_muon_events(60), 60)
        pdf = events.pop("Pdf")
        path = folder / f"{'-'.join(without) or 'all'}.root"
        for name in without:
            events.pop(name, None)
        with uproot.recreate(path) as file:
            file.mktree("Events", {name: ak.Array(v).type.content for name, v in events.items()}).extend(events)
            runs = {"genEventSumw": np.array([60.0])}
            if "LHEPdfSumw" not in without:
                runs["LHEPdfSumw"] = ak.from_regular(ak.Array(pdf.mean(axis=0, dtype=np.float64)[None]))
            file.mktree("Runs", {name: ak.Array(v).type.content for name, v in runs.items()}).extend(runs)
        dataset = {"name": "mc", "process": "mc", "kind": "simulation", "files": [str(path)], "cross_section": 1.0}
        made = four_muon_config(dataset, luminosity=1.0, variations=everything(folder), **settings)
        return made, engine.run(made)

    return go


def test_a_run_and_its_read_out(run: Callable[..., Any]) -> None:
    made, tally = run(chunk_size=25)
    assert not tally.failures
    assert engine.run(made).counts.digest() == run()[1].counts.digest()
    histogram: Any = normalisation.varied(made, tally)["m4l"]["mc"]
    nominal = normalisation.histograms(made, tally)["m4l"]["mc"]
    np.testing.assert_allclose(
        histogram[{"variation": "nominal"}].values(flow=True), nominal.values(flow=True)[:-1], rtol=1e-15
    )
    assert list(histogram.axes["variation"])[:3] == ["nominal", "electron_scaleUp", "electron_scaleDown"]
    # Members have an average of 1.2, which their own sums take out.
    total = {name: histogram[{"variation": name}].values(flow=True).sum() for name in ("nominal", "pdf[3]")}
    assert total["pdf[3]"] / total["nominal"] == pytest.approx(1.0, abs=0.02)
    sides = systematics.sides(
        made.variations, {name: histogram[{"variation": name}].values() for name in histogram.axes["variation"]}
    )
    assert list(sides) == [*SHIFTS, "muon_id", "prefiring", "isr", "pdf"]
    assert (sides["muon_id"].up >= sides["muon_id"].down).all()


def test_the_model_takes_the_variations(run: Callable[..., Any]) -> None:
    model = {
        "histogram": "m4l", "edges": [70, 110, 170], "channels": {"all": "*"}, "signals": ["mc"],
        "luminosity_uncertainty": 0.02,
    }  # fmt: skip
    made, tally = run(model=model)
    measured = measurement.measure(made, normalisation.histograms(made, tally), normalisation.varied(made, tally))
    parameters = {modifier.parameter for modifier in measured.workspace.channels[0].samples[0].modifiers}
    assert {"muon_scale", "muon_id", "prefiring", "isr", "pdf"} <= parameters
    assert "electron_scale" not in parameters  # four muons
    assert not measured.treated


def test_the_model_treats_the_variations(run: Callable[..., Any]) -> None:
    model = {
        "histogram": "m4l", "edges": [70, 110, 170], "channels": {"all": "*"}, "signals": ["mc"],
        "luminosity_uncertainty": 0.02, "treatment": {"symmetrise": "mean", "prune_shape": 1e-3},
    }  # fmt: skip
    made, tally = run(model=model)
    measured = measurement.measure(made, normalisation.histograms(made, tally), normalisation.varied(made, tally))
    (sample,) = measured.workspace.channels[0].samples
    nominal = np.asarray(sample.yields)
    for shape in modifiers_of(sample, HistoSys):
        np.testing.assert_allclose(np.asarray(shape.up) + np.asarray(shape.down), 2 * nominal, rtol=1e-12)
    assert {one.action for one in measured.treated} <= {"symmetrised", "pruned"}
    assert {one.parameter for one in measured.treated} >= {"muon_scale", "muon_id"}


@pytest.mark.parametrize("missing", ["LHEPdfWeight", "L1_Dn", "LHEPdfSumw"])
def test_a_missing_branch_is_named_before_events_are_read(run: Callable[..., Any], missing: str) -> None:
    _, tally = run(missing)
    assert [missing in failure.error and failure.stop == 0 for failure in tally.failures] == [True]
