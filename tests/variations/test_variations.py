"""Systematic variations: against the same numbers worked out with NumPy, against themselves, and wrong declarations."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from bench import generate, in_memory
from gpuhiggs import config, engine, measurement, normalisation, variations
from gpuhiggs.config import RunConfig
from gpuhiggs.config.variations import SetConfig
from gpuhiggs.engine import preparation, processing, sparse
from gpuhiggs.errors import ConfigError, RunError
from gpuhiggs.histogram import Accumulators, Counts, HistogramSpec, sum_of_weights
from gpuhiggs.inference import HistoSys
from gpuhiggs.inference.model import modifiers_of
from gpuhiggs.kernels import four_lepton, launch
from gpuhiggs.kernels.shifts import NO_REACH
from gpuhiggs.variations import systematics

Branches = dict[str, Any]
N = 3000
ROOT = Path(__file__).resolve().parents[2]

SHIFTS: dict[str, Any] = {
    "electron_scale": {"object": "electron", "size": {"abs_eta": [0, 1.479, 2.5], "values": [0.125, 0.25]}},
    "muon_scale": {"object": "muon", "size": 0.125},
    "jet_scale": {"object": "jet", "size": {"pt": [0, 50, 1000], "values": [0.25, 0.125]}},
    "met_scale": {"object": "met", "size": 0.25},
}
"""Sizes with which a pt of few bits can be multiplied exactly, in float32 too."""


def scale_factors(path: Path) -> dict[str, Any]:
    """A correctionlib file with scale factors of muons in bins of pt, and what a configuration says of it."""
    values = {"sf": [0.9, 0.95], "sfup": [0.92, 0.98], "sfdown": [0.87, 0.93]}
    binnings = [
        {
            "key": key,
            "value": {"nodetype": "binning", "input": "pt", "edges": [0, 30, 60], "content": one, "flow": "clamp"},
        }
        for key, one in values.items()
    ]
    correction = {
        "name": "SF", "version": 1, "inputs": [{"name": "kind", "type": "string"}, {"name": "pt", "type": "real"}],
        "output": {"name": "sf", "type": "real"},
        "data": {"nodetype": "category", "input": "kind", "content": binnings},
    }  # fmt: skip
    path.write_text(json.dumps({"schema_version": 2, "corrections": [correction]}))
    keys = {"input": "kind", "nominal": "sf", "up": "sfup", "down": "sfdown"}
    return {"file": str(path), "name": "SF", "columns": {"pt": "pt"}, "variation": keys}


def everything(folder: Path) -> dict[str, Any]:
    """Every kind of variation."""
    return {
        "shifts": SHIFTS,
        "weights": {
            "muon_id": {"object": "muon", "correction": scale_factors(folder / "sf.json")},
            "prefiring": {"branches": {"nominal": "L1_Nom", "up": "L1_Up", "down": "L1_Dn"}},
            "isr": {"branches": {"up": "PSWeight[0]", "down": "PSWeight[2]"}},
        },
        "sets": {
            "pdf": {
                "branch": "LHEPdfWeight",
                "members": "1-10",
                "reference": 0,
                "combine": "hessian",
                "sums": "LHEPdfSumw",
            }
        },
    }


def prepared(declared: dict[str, Any] | None, selection: str = in_memory.CMS) -> preparation.Prepared:
    dataset = {"name": "events", "process": "events", "kind": "simulation", "files": ["memory"], "cross_section": None}
    raw = {"selection": config.shipped_selection(selection), "datasets": [dataset], "variations": declared}
    return preparation.prepare(config.validate(RunConfig, raw, "test").model_dump_json(by_alias=True), "events")


def branches_of(made: preparation.Prepared, n: int, seed: int = 5) -> Any:
    """Random contents of the branches that the variations ask for."""
    rng = np.random.default_rng(seed)
    strides = [max(extra.values, 1) for extra in made.variations.extras]
    return variations.branches([rng.normal(1, 0.1, n * stride).astype(np.float32) for stride in strides], strides)


def contents(counts: Counts, histogram: str) -> np.ndarray:
    """Σw of shape (categories, bins + 2, variations)."""
    return sum_of_weights(counts.sums["events", f"{histogram}/sumw"])


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> preparation.Prepared:
    return prepared(everything(tmp_path_factory.mktemp("variations")))


def place(made: preparation.Prepared, name: str) -> int:
    names = made.variations.names
    return (*names.shifts, *names.weights).index(name)


def coarse(columns: four_lepton.Inputs) -> four_lepton.Inputs:
    """The events with every pt a multiple of 1/64 GeV."""

    def rounded(one: Any) -> Any:
        return one._replace(pt=(np.round(one.pt * 64) / 64).astype(np.float32))

    names = ("muons", "electrons", "jets", "met")
    return columns._replace(**{name: rounded(getattr(columns, name)) for name in names})


@pytest.fixture(scope="module")
def columns() -> four_lepton.Inputs:
    return coarse(generate.four_lepton(N, 0.4, seed=3))


@pytest.fixture(scope="module")
def filled(made: preparation.Prepared, columns: four_lepton.Inputs) -> Counts:
    return processing.run_kernel(made, columns, N, branches_of(made, N))[0]


# --- against NumPy --------------------------------------------------------------------------------------------------


def moved(columns: four_lepton.Inputs, name: str, sign: float) -> four_lepton.Inputs:
    """The events as a file with shifted objects would have them."""
    sizes: dict[str, tuple[str, Callable[[Any], Any]]] = {
        "electron_scale": ("electrons", lambda c: np.where(abs(c.eta) < np.float32(1.479), 0.125, 0.25)),
        "muon_scale": ("muons", lambda c: 0.125),
        "jet_scale": ("jets", lambda c: np.where(c.pt < 50, 0.25, 0.125)),
        "met_scale": ("met", lambda c: 0.25),
    }
    collection, size = sizes[name]
    before = getattr(columns, collection)
    factor = 1 + sign * size(before)
    result = columns._replace(**{collection: before._replace(pt=(before.pt * factor).astype(np.float32))})
    if collection == "met":
        return result
    event = np.repeat(np.arange(columns.met.pt.size), np.diff(before.offsets))
    change = np.where(before.pt > (15 if collection == "jets" else 0), before.pt * (1 - factor), 0.0)
    x = columns.met.pt * np.cos(columns.met.phi.astype(np.float64)) + np.bincount(event, change * np.cos(before.phi), N)
    y = columns.met.pt * np.sin(columns.met.phi.astype(np.float64)) + np.bincount(event, change * np.sin(before.phi), N)
    met = columns.met._replace(pt=np.hypot(x, y).astype(np.float32), phi=np.arctan2(y, x).astype(np.float32))
    return result._replace(met=met)


@pytest.mark.parametrize(("name", "side"), list(itertools.product(SHIFTS, ("Up", "Down"))))
def test_a_shift_is_the_nominal_of_shifted_events(columns: four_lepton.Inputs, name: str, side: str) -> None:
    """Bit for bit, in every category: selection, FSR, jets and missing momentum have all followed."""
    one = prepared({"shifts": SHIFTS})
    varied, _ = processing.run_kernel(one, columns, N)
    expected, _ = processing.run_kernel(prepared(None), moved(columns, name, 1.0 if side == "Up" else -1.0), N)
    found = contents(varied, "m4l")
    np.testing.assert_array_equal(found[..., place(one, f"{name}{side}")], contents(expected, "m4l")[..., 0])
    assert (found[..., place(one, f"{name}{side}")] != found[..., 0]).any()


def test_weights_are_ratios_of_selected_events(made: preparation.Prepared, columns: four_lepton.Inputs) -> None:
    """Factors and ratios worked out from the branches, on final states without a muon; sums to the last integer."""
    branches = branches_of(made, N)
    counts, selected = processing.run_kernel(made, columns, N, branches)
    _, events = processing.run_kernel(prepared(None), columns, N)
    chosen = events["final_state"] == four_lepton.FINAL_STATES.index("4e")
    event, weight = events["event"][chosen], events["weight"][chosen]
    assert event.size > 50

    def branch(name: str, member: int = 0) -> np.ndarray:
        number = [extra.branch for extra in made.variations.extras].index(name)
        at = branches.starts[number] + event * branches.strides[number] + member
        return np.asarray(branches.values[at], np.float64)

    rows = [i for i in range(3 * len(four_lepton.CATEGORIES)) if i % 3 == four_lepton.FINAL_STATES.index("4e")]
    found = contents(counts, "m4l")[rows].sum(axis=(0, 1))
    nominal = weight * branch("L1_Nom")
    ratios = {
        "nominal": np.ones(event.size),
        "muon_idUp": np.ones(event.size),
        "prefiringUp": branch("L1_Up") / branch("L1_Nom"),
        "prefiringDown": branch("L1_Dn") / branch("L1_Nom"),
        "isrUp": branch("PSWeight", 0),
        "isrDown": branch("PSWeight", 2),
        **{f"pdf[{i}]": branch("LHEPdfWeight", i) for i in range(11)},
    }
    for name, ratio in ratios.items():
        assert found[place(made, name)] == np.floor(nominal * ratio * 2.0**30 + 0.5).sum() / 2.0**30
    np.testing.assert_array_equal(selected["weight"][selected["final_state"] == 1], nominal)


def test_scale_factors_of_objects(made: preparation.Prepared, columns: four_lepton.Inputs) -> None:
    """Of 4μ events each muon's factor, by its pt; up and down relative to the nominal."""
    only = prepared({"weights": {"muon_id": made.config.variations.weights["muon_id"].model_dump(exclude_none=True)}})  # type: ignore[union-attr]
    counts, selected = processing.run_kernel(only, columns, N)
    _, events = processing.run_kernel(prepared(None), columns, N)
    four_muons = events["final_state"] == 0
    first, last = columns.muons.offsets[events["event"]], columns.muons.offsets[events["event"] + 1]
    exact = four_muons & (last - first == 4)
    tables = {"nominal": (0.9, 0.95), "muon_idUp": (0.92, 0.98), "muon_idDown": (0.87, 0.93)}
    sums = dict.fromkeys(tables, 0.0)
    for event, weight, start in zip(events["event"][exact], events["weight"][exact], first[exact], strict=True):
        pt = columns.muons.pt[start : start + 4]
        for name, (low, high) in tables.items():
            sums[name] += weight * np.prod(np.where(pt < 30, low, high))
        at = np.flatnonzero(selected["event"] == event)[0]
        assert selected["weight"][at] == pytest.approx(weight * np.prod(np.where(pt < 30, 0.9, 0.95)), rel=1e-14)
    assert exact.sum() > 30
    found = contents(counts, "m4l")[::3].sum(axis=(0, 1))
    shares = found / found[0]
    assert shares[place(only, "muon_idUp")] == pytest.approx(sums["muon_idUp"] / sums["nominal"], rel=0.02)
    assert shares[place(only, "muon_idDown")] == pytest.approx(sums["muon_idDown"] / sums["nominal"], rel=0.02)


# --- against ourselves ----------------------------------------------------------------------------------------------


def test_the_nominal_does_not_depend_on_variations(filled: Counts, columns: four_lepton.Inputs) -> None:
    shifted, _ = processing.run_kernel(prepared({"shifts": SHIFTS}), columns, N)
    plain, _ = processing.run_kernel(prepared(None), columns, N)
    for name in ("m4l", "pt4l", "n_minus_one_pt"):
        np.testing.assert_array_equal(contents(shifted, name)[..., 0], contents(plain, name)[..., 0])
    np.testing.assert_array_equal(shifted.sums["events", "cutflow"].low, plain.sums["events", "cutflow"].low)


def test_one_digest_for_any_chunks(made: preparation.Prepared, filled: Counts, columns: four_lepton.Inputs) -> None:
    total = Counts()
    branches = branches_of(made, N)
    for first, last in ((0, 1), (1, 700), (700, 700), (700, N)):
        arrays = [
            branches.values[start + first * stride : start + last * stride]
            for start, stride in zip(branches.starts, branches.strides, strict=True)
        ]
        part = variations.branches(arrays, branches.strides.tolist())
        total = total + processing.run_kernel(made, in_memory.take(columns, first, last), last - first, part)[0]
    assert total.digest() == filled.digest()


def test_the_interpreter_fills_the_same(
    made: preparation.Prepared, columns: four_lepton.Inputs, tmp_path: Path
) -> None:
    """All variations on: the source itself and what was compiled of it."""
    n = 60
    some = in_memory.take(columns, 0, n)
    in_memory.save(some, tmp_path / "columns.npz")
    (tmp_path / "config.json").write_text(made.config.model_dump_json(by_alias=True))
    script = f"""
from tests.variations.test_variations import branches_of
from bench import in_memory
from gpuhiggs.engine import preparation, processing
from pathlib import Path
made = preparation.prepare(Path({str(tmp_path / "config.json")!r}).read_text(), "events")
columns = in_memory.load(made.channel.inputs, Path({str(tmp_path / "columns.npz")!r}))
print(processing.run_kernel(made, columns, {n}, branches_of(made, {n}))[0].digest())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    counts, selected = processing.run_kernel(made, some, n, branches_of(made, n))
    assert selected["event"].size > 3
    assert done.stdout.strip() == counts.digest()


def test_nothing_that_a_variation_selects_is_lost_before(columns: four_lepton.Inputs) -> None:
    """The preselection with thresholds at zero lets everything pass: the same sums."""
    one = prepared({"shifts": SHIFTS})
    reach = one.variations.reach
    assert reach == (1.125, 1.25, 1.0, 1.25, 1.25, 1.25)
    everything_passes = reach._replace(muon=math.inf, electron=math.inf, lepton=math.inf)
    cuts = one.cuts.value
    wide = cuts._replace(dataset=cuts.dataset._replace(reach=everything_passes))  # type: ignore[attr-defined]
    too_narrow = cuts._replace(dataset=cuts.dataset._replace(reach=NO_REACH))  # type: ignore[attr-defined]
    digests = [
        processing.run_kernel(one._replace(cuts=launch.record(type(cuts), value)), near(columns), N)[0].digest()
        for value in (cuts, wide, too_narrow)
    ]
    assert digests[0] == digests[1] != digests[2]


def near(columns: four_lepton.Inputs) -> four_lepton.Inputs:
    """The events with leptons about the thresholds."""

    def closer(one: Any) -> Any:
        return one._replace(pt=np.where(one.pt < 12, np.float32(4.75), one.pt).astype(np.float32))

    return columns._replace(muons=closer(columns.muons), electrons=closer(columns.electrons))


def test_what_is_in_no_bin_is_refused(tmp_path: Path, columns: four_lepton.Inputs) -> None:
    """Muons above the last bin of a binning with ``flow: error``."""
    declared = scale_factors(tmp_path / "sf.json")
    (tmp_path / "sf.json").write_text((tmp_path / "sf.json").read_text().replace('"clamp"', '"error"'))
    made = prepared({"weights": {"muon_id": {"object": "muon", "correction": declared}}})
    with pytest.raises(RunError, match=r"events: variations: 0 shifts and \d+ weights of objects are in no bin"):
        processing.run_kernel(made, columns, N)


def test_memory_of_200_variations() -> None:
    """Forty categories of a hundred bins: what a launch fills and what is kept of it."""
    axis = config.AxisConfig(label="x", bins=100, low=0, high=1).axis("x")
    names = tuple(f"v{i}" for i in range(200))
    spec = HistogramSpec("x", axis, tuple(f"c{i}" for i in range(40)), ("nominal", *names[:40]), names[40:])
    tracemalloc.start()
    accumulators = Accumulators([spec])
    counts = Counts()
    accumulators.drain(counts, "sample")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 64 * 2**20
    assert len(sparse.pack(counts)) < 1000


# --- read-out -------------------------------------------------------------------------------------------------------


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


# --- what is wrong with it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["LHEPdfWeight", "L1_Dn", "LHEPdfSumw"])
def test_a_missing_branch_is_named_before_events_are_read(run: Callable[..., Any], missing: str) -> None:
    _, tally = run(missing)
    assert [missing in failure.error and failure.stop == 0 for failure in tally.failures] == [True]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"shifts": {"a": {"object": "muon", "size": 0.0}}}, "up and down are equal"),
    ({"shifts": {"a": {"object": "tau", "size": 0.1}}}, "unknown object 'tau'; known: muon, electron"),
    (
        {"shifts": {"a": {"object": "photon", "size": 0.1}}},
        "variations.shifts.a: the channel moves no photon; it moves",
    ),
    ({"shifts": {"a": {"object": "muon"}}}, "give one of size, correction, branches"),
    ({"shifts": {"a b": {"object": "muon", "size": 0.1}}}, "cannot be named 'a b'"),
    (
        {"shifts": {"a": {"object": "muon", "size": 0.1}}, "weights": {"a": {"branches": {"up": "u", "down": "d"}}}},
        "variations named twice: a",
    ),
    ({"weights": {"a": {"branches": {"up": "w", "down": "w"}}}}, "up and down are equal: w"),
    ({"weights": {"a": {"branches": {"up": "w[x]", "down": "w"}}}}, "expected a branch, or BRANCH[k], got 'w[x]'"),
    ({"weights": {"a": {"object": "jet", "correction": {"variation": {}}}}}, "scale factors of jets are steps"),
    ({"weigths": {}}, "unknown key 'weigths' in variations; known: shifts, weights, sets"),
    (
        {"sets": {"a": {"branch": "w", "members": "1-600", "combine": "hessian", "sums": None}}},
        "600 variations of the weight, at most 512",
    ),
    ({"sets": {"a": {"branch": "w", "members": [1, 1], "combine": "hessian", "sums": None}}}, "members named twice: 1"),
    ({"histograms": ["m5l"], "shifts": SHIFTS}, "variations.histograms: unknown 'm5l'"),
]


@pytest.mark.parametrize(("declared", "message"), WRONG)
def test_wrong_declarations(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        prepared(declared)
    assert message in str(error.value)
