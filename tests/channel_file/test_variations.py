"""Variations in a channel of the user's own: against Awkward, bit for bit in any chunks, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs import channel_file, config, engine, normalisation
from gpuhiggs.config import RunConfig
from gpuhiggs.errors import ConfigError
from gpuhiggs.kernels import launch_cuda

CHANNEL = '''
"""The two hardest muons, the missing momentum and the jets, with variations."""
from typing import NamedTuple
from gpuhiggs.language import *

MOVES = ("muon", "jet", "met")
WEIGHED = ("muon", "jet")
OBJECTS = {"muon": "lep", "met": "PuppiMET"}
STEPS = ("pair",)

class Lep(NamedTuple):
    offsets: Offsets
    pt: Float32
    eta: Float32
    phi: Float32

class Jet(NamedTuple):
    offsets: Offsets
    pt: Float32
    eta: Float32
    phi: Float32

class Missing(NamedTuple):
    pt: Float32
    phi: Float32

class Inputs(NamedTuple):
    lep: Lep
    Jet: Jet
    PuppiMET: Missing

class Cuts(NamedTuple):
    pt_min: Positive = 20.0

class Out(NamedTuple):
    sum_pt: Histogram = regular(20, 0.0, 200.0)
    met: Histogram = variable((0.0, 20.0, 50.0, 100.0), "met", categories=("no jet", "jets"))

class Selected(NamedTuple):
    sum_pt: float

@scalar
def preselect(event, inputs, cuts, reach):
    n = 0
    for i in each(inputs.lep, event):
        if inputs.lep.pt[i] * reach.muon > cuts.pt_min:
            n += 1
    return n >= 2

@scalar
def body(event, inputs, cuts, weight, variation, out):
    n = 0
    sum_pt = 0.0
    for i in each(inputs.lep, event):
        pt = moved_pt(inputs.lep, i, MUON, variation)
        if pt > cuts.pt_min:
            n += 1
            sum_pt += pt
            weight *= scale_factor(inputs.lep, i, MUON, variation)
    if n < 2:
        return
    n_jets = 0
    for i in each(inputs.Jet, event):
        if moved_pt(inputs.Jet, i, JET, variation) > 30.0:
            n_jets += 1
            weight *= scale_factor(inputs.Jet, i, JET, variation)
    missing = moved_met(inputs.PuppiMET, event, variation)
    missing = recoiled(missing, inputs.lep, MUON, event, 0.0, variation)
    missing = recoiled(missing, inputs.Jet, JET, event, 15.0, variation)
    passed_once(out, 0, weight, variation)
    keep_once(out, event, weight, Selected(sum_pt), variation)
    fill_varied(out.sum_pt, sum_pt, weight, variation)
    fill_category_varied(out.met, 1 if n_jets > 0 else 0, p4.pt(missing), weight, variation)
'''

N = 4_000
SHIFTS = {
    "muon_scale": {"object": "muon", "size": {"abs_eta": [0, 1.25, 2.5], "values": [0.0625, 0.125]}},
    "jet_scale": {"object": "jet", "branches": {"how": "replaced", "up": "Jet_ptUp", "down": "Jet_ptDown"}},
    "met_scale": {"object": "met", "size": 0.25},
}
FACTORS = {"sf": [0.9, 0.95], "sfup": [0.92, 0.98], "sfdown": [0.87, 0.93]}


def declared(folder: Path) -> dict[str, Any]:
    """Every kind of variation, with a correctionlib file of scale factors in bins of pt."""
    content = [
        {
            "key": key,
            "value": {"nodetype": "binning", "input": "pt", "edges": [0, 40, 60], "content": one, "flow": "clamp"},
        }
        for key, one in FACTORS.items()
    ]
    correction = {
        "name": "SF", "version": 1, "inputs": [{"name": "kind", "type": "string"}, {"name": "pt", "type": "real"}],
        "output": {"name": "sf", "type": "real"},
        "data": {"nodetype": "category", "input": "kind", "content": content},
    }  # fmt: skip
    (folder / "sf.json").write_text(json.dumps({"schema_version": 2, "corrections": [correction]}))
    keys = {"input": "kind", "nominal": "sf", "up": "sfup", "down": "sfdown"}
    factor = {"file": str(folder / "sf.json"), "name": "SF", "columns": {"pt": "pt"}, "variation": keys}
    return {
        "variations": {
            "shifts": SHIFTS,
            "weights": {
                "muon_id": {"object": "muon", "correction": factor},
                "prefiring": {"branches": {"nominal": "L1_Nom", "up": "L1_Up", "down": "L1_Dn"}},
                "b_tag": {"object": "jet", "calibration": {"step": "tag", "up": "1.25", "down": "0.75"}},
            },
            "sets": {
                "pdf": {"branch": "LHEPdfWeight", "members": "0-2", "combine": "replicas", "sums": None},
            },
        },
        "calibrations": {
            "muon": {"met_pt_min": None, "steps": {"scale": {"formula": "1.25", "scales_pt": True}}},
            "jet": {"met_pt_min": None, "steps": {"tag": {"formula": "1.0 - 0.25*(abs_eta < 1)"}}, "weights": ["tag"]},
        },
    }


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A file and what is in it; every pt has few bits, so that a factor moves it exactly."""
    random = np.random.default_rng(8)

    def objects(mean: float, scale: float) -> dict[str, ak.Array]:
        counts = random.poisson(mean, N)
        n = counts.sum()
        pt = np.round((4 + random.exponential(scale, n)) * 16) / 16
        columns = {"pt": pt, "eta": random.uniform(-2.5, 2.5, n), "phi": random.uniform(-3.1, 3.1, n)}
        return {name: ak.unflatten(values.astype(np.float32), counts) for name, values in columns.items()}

    leptons, jets = objects(2.2, 18.0), objects(1.0, 30.0)
    branches: dict[str, Any] = {f"lep_{name}": values for name, values in leptons.items()}
    branches |= {f"Jet_{name}": values for name, values in jets.items()}
    branches |= {"Jet_ptUp": jets["pt"] * 1.25, "Jet_ptDown": jets["pt"] * 0.75}
    branches |= {f"L1_{side}": random.uniform(0.9, 1.0, N).astype(np.float32) for side in ("Nom", "Up", "Dn")}
    branches |= {
        "genWeight": random.choice(np.array([-1.5, 0.25, 3.0], np.float32), N),
        "PuppiMET_pt": random.exponential(30, N).astype(np.float32),
        "PuppiMET_phi": random.uniform(-3.1, 3.1, N).astype(np.float32),
        "LHEPdfWeight": ak.from_regular(ak.Array(random.normal(1, 0.1, (N, 3)).astype(np.float32))),
    }
    path = tmp_path_factory.mktemp("events") / "events.root"
    with uproot.recreate(path) as file:
        file.mktree("Events", {name: ak.Array(one).type.content for name, one in branches.items()}).extend(branches)
    return path, branches


@pytest.fixture
def channel(tmp_path: Path) -> Path:
    (tmp_path / "own.py").write_text(CHANNEL, encoding="utf-8")
    return tmp_path / "own.py"


def configured(channel: Path, path: Path, **settings: Any) -> RunConfig:
    dataset = {"name": "events", "process": "events", "kind": "simulation", "files": [str(path)], "cross_section": None}
    return config.build({"selection": str(channel), "datasets": [dataset], **settings}, path)


def expected(branches: dict[str, Any], name: str) -> tuple[Any, Any, Any, Any]:
    """The sum of pt, the missing momentum, whether there are jets, and the weight: of what is selected."""
    wide = {key: ak.values_astype(one, np.float64) for key, one in branches.items()}
    side = 1.0 if name.endswith("Up") else -1.0
    muons, jets = wide["lep_pt"] * 1.25, wide["Jet_pt"]
    moved_muons, moved_jets = muons, jets
    x, y = (wide["PuppiMET_pt"] * f(wide["PuppiMET_phi"]) for f in (np.cos, np.sin))
    if name.startswith("muon_scale"):
        moved_muons = muons * (1 + side * ak.where(abs(branches["lep_eta"]) < np.float32(1.25), 0.0625, 0.125))
    elif name.startswith("jet_scale"):
        moved_jets = jets * (1 + side * 0.25)
    elif name.startswith("met_scale"):
        x, y = x * (1 + side * 0.25), y * (1 + side * 0.25)
    for before, after, phi, least in (
        (muons, moved_muons, wide["lep_phi"], 0.0), (jets, moved_jets, wide["Jet_phi"], 15.0)
    ):  # fmt: skip
        change = ak.where(before > least, before - after, 0.0)
        x, y = x + ak.sum(change * np.cos(phi), axis=1), y + ak.sum(change * np.sin(phi), axis=1)
    good, hard = moved_muons > 20, moved_jets > 30
    key = {"muon_idUp": "sfup", "muon_idDown": "sfdown"}.get(name, "sf")
    low, high = FACTORS[key]
    tag = {"b_tagUp": 1.25, "b_tagDown": 0.75}.get(name)
    of_jet = ak.where(abs(branches["Jet_eta"]) < np.float32(1), 0.75, 1.0) if tag is None else ak.full_like(jets, tag)
    weight = wide["genWeight"] * wide[{"prefiringUp": "L1_Up", "prefiringDown": "L1_Dn"}.get(name, "L1_Nom")]
    weight = weight * ak.prod(ak.where(moved_muons < 40, low, high)[good], axis=1) * ak.prod(of_jet[hard], axis=1)
    if name.startswith("pdf"):
        weight = weight * wide["LHEPdfWeight"][:, int(name[4])]
    chosen = ak.sum(good, axis=1) >= 2
    quantities = ak.sum(moved_muons[good], axis=1), np.hypot(x, y), ak.any(hard, axis=1), weight
    return tuple(ak.to_numpy(one[chosen]) for one in quantities)


def test_every_variation_agrees_with_awkward(channel: Path, events: tuple[Path, dict[str, Any]]) -> None:
    made = configured(channel, events[0], **declared(channel.parent))
    tally = engine.run(made)
    assert not tally.failures
    found: dict[str, Any] = {name: one["events"] for name, one in normalisation.varied(made, tally).items()}
    names = list(found["met"].axes["variation"])
    assert len(names) == 1 + 6 + 6 + 3
    nominal = expected(events[1], "nominal")
    for name in names:
        sum_pt, met, jets, weight = expected(events[1], name)
        assert name == "nominal" or len(weight) != len(nominal[3]) or (weight != nominal[3]).any() or "met" in name
        values = found["sum_pt"][{"variation": name}].values(flow=True)[0]
        bins = np.histogram(sum_pt, [*np.linspace(0, 200, 21), np.inf], weights=weight)[0]
        np.testing.assert_allclose(values[1:], bins, rtol=1e-6, atol=1e-5, err_msg=name)
        for row in (0, 1):
            values = found["met"][{"variation": name}].values(flow=True)[row]
            bins = np.histogram(met[jets == row], [0, 20, 50, 100, np.inf], weights=weight[jets == row])[0]
            np.testing.assert_allclose(values[1:], bins, rtol=1e-6, atol=1e-5, err_msg=name)
    rows = normalisation.cutflow(made, tally, [("events", 1.0)])
    assert rows[-1]["entries"] == len(nominal[3])
    variances = normalisation.histograms(made, tally)["sum_pt"]["events"].variances(flow=True)
    assert variances is not None
    assert variances.sum() == pytest.approx((nominal[3] ** 2).sum(), rel=1e-6)


BY_OBJECT = (
    CHANNEL[: CHANNEL.index("@scalar\ndef preselect")].replace("regular(20, 0.0, 200.0)", "regular(1, 0.0, 1e4)")
    + """
@scalar
def body(event, inputs, weight, variation, out):
    for i in each(inputs.lep, event):
        forget(event, variation)
        factor = scale_factor(inputs.lep, i, MUON, variation)
        fill_varied(out.sum_pt, moved_pt(inputs.lep, i, MUON, variation), weight * factor, variation)
    if inputs.Jet.offsets[event] < 0:
        missing = moved_met(inputs.PuppiMET, event, variation)
        weight *= scale_factor(inputs.Jet, 0, JET, variation)
        fill_varied(out.met, p4.pt(missing), weight, variation)
"""
)


def test_factors_are_forgotten_between_fills(channel: Path, events: tuple[Path, dict[str, Any]]) -> None:
    """Where each object is filled by itself, a variation is that of its own factor and of the event."""
    channel.write_text(BY_OBJECT, encoding="utf-8")
    settings = declared(channel.parent)
    settings["calibrations"] = {"jet": settings["calibrations"]["jet"]}
    made = configured(channel, events[0], **settings)
    found: Any = normalisation.varied(made, engine.run(made))["sum_pt"]["events"]
    pt = ak.values_astype(events[1]["lep_pt"], np.float64)
    weight = events[1]["genWeight"].astype(np.float64) * events[1]["L1_Nom"].astype(np.float64)
    for name, key in (("nominal", "sf"), ("muon_idUp", "sfup"), ("muon_idDown", "sfdown")):
        expected = ak.sum(ak.sum(ak.where(pt < 40, *FACTORS[key]), axis=1) * weight)
        assert found[{"variation": name}].values(flow=True).sum() == pytest.approx(expected, rel=1e-6), name


def test_one_digest_and_the_interpreters(channel: Path, events: tuple[Path, dict[str, Any]]) -> None:
    settings = declared(channel.parent)
    made = configured(channel, events[0], **settings, chunk_size=N)
    digest = engine.run(made).counts.digest()
    assert engine.run(configured(channel, events[0], **settings, chunk_size=333)).counts.digest() == digest
    (channel.parent / "run.json").write_text(made.model_dump_json(by_alias=True))
    script = (
        "import sys; from pathlib import Path; from gpuhiggs import engine; from gpuhiggs.config import RunConfig\n"
        "print(engine.run(RunConfig.model_validate_json(Path(sys.argv[1]).read_text())).counts.digest())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(channel.parent / "run.json")],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == digest, done.stderr


def test_a_preselection_loses_nothing(channel: Path, events: tuple[Path, dict[str, Any]]) -> None:
    settings = declared(channel.parent)
    digest = engine.run(configured(channel, events[0], **settings)).counts.digest()
    channel.write_text(CHANNEL.replace("return n >= 2", "return n >= 0"), encoding="utf-8")
    assert engine.run(configured(channel, events[0], **settings)).counts.digest() == digest
    channel.write_text(CHANNEL.replace(" * reach.muon", ""), encoding="utf-8")
    assert engine.run(configured(channel, events[0], **settings)).counts.digest() != digest


PTX = """
import sys
from pathlib import Path
from gpuhiggs import channel_file
from gpuhiggs.kernels import launch_cuda
for function, types in launch_cuda.device_functions(channel_file.load(Path(sys.argv[1])).program).values():
    assert launch_cuda.forbidden(launch_cuda.ptx(function, types)) == []
"""


def test_ptx(channel: Path) -> None:
    pytest.importorskip("numba_cuda")
    found = subprocess.run([sys.executable, "-c", PTX, str(channel)], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


WRONG = [
    ('("muon", "jet", "met")', '("muon", "tau")', "MOVES: 'tau' is no class of objects; known: muon, electron, photon"),
    ('WEIGHED = ("muon", "jet")', 'WEIGHED = ("met",)', "WEIGHED: 'met' is no class of objects"),
    ('"met": "PuppiMET"', '"met": "MET"', "OBJECTS: met: Inputs has no MET"),
    ('"muon": "lep", ', "", 'MOVES: muon: Inputs has no Muon; OBJECTS = {"muon": "…"} names another collection'),
    ("cuts, reach)", "cuts)", "preselect lacks `reach`"),
    ("weight, variation, out):\n    n = 0", "weight, out):\n    n = 0", "MOVES and WEIGHED: body does not take"),
    ("fill_varied(out.sum_pt, sum_pt, weight, variation)", "fill(out.sum_pt, sum_pt, weight)", "call fill_varied(…"),
    ("passed_once(out, 0, weight, variation)", "passed(out, 0, weight)", "`passed` would act once more for every"),
    ("    phi: Float32\n\nclass Jet", "\nclass Jet", "OBJECTS: muon: lep lacks phi"),
    ("missing = moved_met(inputs.PuppiMET, event, variation)", "missing = p4.P4(0.0, 0.0, 0.0, 0.0)",
     "MOVES: met: nothing in the file asks for moved_met"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_what_is_refused(channel: Path, old: str, new: str, message: str) -> None:
    assert old in CHANNEL
    channel.write_text(CHANNEL.replace(old, new), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        channel_file.load(channel)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("variations", "message"),
    [
        ({"shifts": {"a": {"object": "photon", "size": 0.1}}}, "moves no photon; it moves muon, jet, met"),
        ({"weights": {"a": {"object": "jet", "calibration": {"step": "tag", "up": "1", "down": "2"}}}}, "no weights"),
        ({"histograms": ["pt"], "shifts": SHIFTS}, "unknown 'pt'; the channel has sum_pt, met"),
    ],
)
def test_declarations_that_do_not_fit(
    channel: Path, events: tuple[Path, dict[str, Any]], variations: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        engine.run(configured(channel, events[0], variations=variations))


def test_a_file_without_variations_refuses_them(channel: Path, events: tuple[Path, dict[str, Any]]) -> None:
    plain = Path(channel_file.__file__).parents[1] / "examples" / "dimuon.py"
    with pytest.raises(ConfigError, match=r"its body does not take `variation`"):
        engine.run(configured(plain, events[0], variations={"shifts": {"a": {"object": "muon", "size": 0.1}}}))


def test_the_gate_sees_what_is_forbidden() -> None:
    assert launch_cuda.forbidden("fma.rn.f64 %fd1, %fd2, %fd3, %fd4;")
