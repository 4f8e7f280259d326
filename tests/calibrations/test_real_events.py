"""Calibrations of real simulated events against correctionlib itself, called jet by jet, and NumPy."""

from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import correctionlib
import numpy as np
import pytest
import uproot

from gpuhiggs import config
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation, processing, sparse
from gpuhiggs.engine.tally import WorkItem
from gpuhiggs.histogram import Counts, sum_of_weights

from . import payloads

ROOT = Path(__file__).resolve().parents[2]
N = 100
"""Events of the file."""


class Case(NamedTuple):
    prepared: preparation.Prepared
    plain: preparation.Prepared
    """The same without calibrations and variations."""
    folder: Path
    path: Path


def prepare(path: Path, **more: Any) -> preparation.Prepared:
    selection = config.shipped_selection("cms-hgg-2017-ul") | {"filters": [], "triggers": {}}
    dataset = {"name": "ttH", "process": "ttH", "kind": "simulation", "files": [str(path)], "cross_section": None}
    raw = {"selection": selection, "datasets": [dataset], **more}
    return preparation.prepare(config.validate(RunConfig, raw, "test").model_dump_json(by_alias=True), "ttH")


@pytest.fixture(scope="module")
def case(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("payloads")
    path = shared / "data" / "cms" / "ttH_HToGG_M125_2017_100ev.root"
    declared, varied = payloads.declared(folder), payloads.varied(folder)
    return Case(prepare(path, calibrations=declared, variations=varied), prepare(path), folder, path)


class Ready(NamedTuple):
    """Columns before and after, and what is found of the objects."""

    columns: Any
    calibrated: Any
    objects: dict[str, np.ndarray]
    branches: dict[str, Any]
    ready: preparation.Prepared


def read(case: Case) -> Ready:
    with preparation.opened_at(case.prepared, str(case.path)) as events:
        columns = events.read(events.resolve(case.prepared.request), 0, N)
        found = events.values(case.prepared.further_branches(), 0, N)
    ready, after, objects = processing._calibrated(case.prepared, columns, found, N, "file")
    return Ready(columns, after, objects, found, ready)


@pytest.fixture(scope="module")
def ready(case: Case) -> Ready:
    return read(case)


@pytest.fixture(scope="module")
def wanted(case: Case, ready: Ready) -> np.ndarray:
    """Jets of events that are preselected."""
    jets = ready.columns.jets
    return np.repeat(preselected(ready), np.diff(jets.offsets))


def preselected(ready: Ready) -> np.ndarray:
    photons = ready.calibrated.photons
    largest = ready.ready.cuts.value[0].reach.photon
    good = (photons.pt * np.float64(largest) > 25.0) & photons.electron_veto
    event = np.repeat(np.arange(N), np.diff(photons.offsets))
    return np.bincount(event[good], minlength=N) >= 2


def jet_quantities(case: Case, wanted: np.ndarray) -> dict[str, np.ndarray]:
    """The jets of preselected events as correctionlib has them: NumPy between its calls."""
    names = ["event", "fixedGridRhoFastjetAll", "GenJet_pt", "MET_pt"]
    jet = ["pt", "eta", "phi", "rawFactor", "area", "genJetIdx", "hadronFlavour", "btagDeepFlavB"]
    with uproot.open(case.path) as file:
        arrays = file["Events"].arrays([*names, *(f"Jet_{name}" for name in jet)])
    counts = [len(one) for one in arrays["Jet_pt"]]
    flat = {name: np.concatenate([np.asarray(one) for one in arrays[f"Jet_{name}"]])[wanted] for name in jet}
    rho = np.repeat(np.asarray(arrays["fixedGridRhoFastjetAll"]), counts)[wanted].astype(float)
    number = np.repeat(np.asarray(arrays["event"]).astype(np.int64), counts)[wanted]
    gen = [
        float(partners[index]) if 0 <= index < len(partners) else -1.0
        for indices, partners in zip(arrays["Jet_genJetIdx"], arrays["GenJet_pt"], strict=True)
        for index in indices
    ]
    return {**{n: v.astype(float) for n, v in flat.items()}, "rho": rho, "event": number, "gen": np.array(gen)[wanted]}


def smeared(case: Case, jets: dict[str, np.ndarray], systematic: str) -> np.ndarray:
    """Energy scale, then resolution."""
    opened = correctionlib.CorrectionSet.from_file(str(case.folder / "jets.json"))
    pt = jets["pt"] * (1 - jets["rawFactor"])
    pt = pt * np.array(opened.compound["L1L2"].evaluate(jets["area"], jets["eta"], pt, jets["rho"]))
    resolution = np.array(opened["PtResolution"].evaluate(pt, jets["eta"], jets["rho"]))
    factor = np.array(opened["ScaleFactor"].evaluate(jets["eta"], systematic))
    smear = opened["JERSmear"].evaluate(pt, jets["eta"], jets["gen"], jets["rho"], jets["event"], resolution, factor)
    return np.asarray(pt * np.array(smear))


@pytest.fixture(scope="module")
def jets(case: Case, wanted: np.ndarray) -> dict[str, np.ndarray]:
    return jet_quantities(case, wanted)


def column(case: Case, name: str, side: str) -> np.ndarray:
    """The jets' pt in a shift, from the tables that the kernel reads."""
    tables = case.prepared.variations
    place = tables.names.shifts.index(f"{name}{side}")
    row = int(tables.shifts.first[place])
    extra = tables.extras[int(tables.shifts.rows[4 * row + 3])]
    return np.asarray(read(case).objects[extra.branch][extra.calibrated])


SINGLE = 1e-7
"""Half the distance of single-precision numbers, in which columns are, and formulas to 1e-12."""


def agree(found: np.ndarray, expected: np.ndarray, jets: dict[str, np.ndarray]) -> None:
    """Random numbers are a hash of the pt's bits, whose last one a formula decides: few of them are others."""
    same = np.isclose(found, expected, rtol=SINGLE, atol=0)
    assert same[jets["gen"] > 0].all()
    assert same.mean() > 0.99


def test_energy_scale_and_smearing(case: Case, ready: Ready, wanted: np.ndarray, jets: dict[str, np.ndarray]) -> None:
    assert wanted.sum() > 300
    agree(ready.calibrated.jets.pt[wanted], smeared(case, jets, "nom"), jets)
    change = ready.calibrated.jets.pt[wanted] / ready.columns.jets.pt[wanted]
    mass = ready.columns.jets.mass[wanted] * change
    np.testing.assert_allclose(ready.calibrated.jets.mass[wanted], mass, rtol=1e-6)
    assert np.std(change) > 0.05
    assert (ready.calibrated.jets.pt[~wanted] == ready.columns.jets.pt[~wanted]).all()


def test_missing_momentum_follows(case: Case, ready: Ready) -> None:
    """Of jets above 15 GeV; the photons' calibration leaves it alone, as declared."""
    before, after = ready.columns, ready.calibrated
    old, new = before.jets.pt.astype(float), after.jets.pt.astype(float)
    change = np.where(new > 15, old - new, 0.0)
    event = np.repeat(np.arange(N), np.diff(before.jets.offsets))
    phi = before.jets.phi.astype(float)
    x = before.met.pt * np.cos(before.met.phi.astype(float)) + np.bincount(event, change * np.cos(phi), N)
    y = before.met.pt * np.sin(before.met.phi.astype(float)) + np.bincount(event, change * np.sin(phi), N)
    np.testing.assert_allclose(after.met.pt, np.hypot(x, y), rtol=1e-6)
    np.testing.assert_allclose(after.met.phi, np.arctan2(y, x), atol=1e-6)
    assert (after.met.pt != before.met.pt).sum() > 60


@pytest.mark.parametrize(("side", "sign"), [("Up", 1), ("Down", -1)])
def test_energy_scale_uncertainty(
    case: Case, ready: Ready, wanted: np.ndarray, jets: dict[str, np.ndarray], side: str, sign: int
) -> None:
    """A formula of the calibrated pt."""
    pt = ready.calibrated.jets.pt[wanted].astype(float)
    opened = correctionlib.CorrectionSet.from_file(str(case.folder / "jets.json"))
    size = np.array(opened["Regrouped_Absolute"].evaluate(pt, jets["eta"]))
    np.testing.assert_allclose(column(case, "CMS_scale_j", side)[wanted], pt * (1 + sign * size), rtol=SINGLE)


@pytest.mark.parametrize("side", ["Up", "Down"])
def test_resolution_uncertainty(case: Case, wanted: np.ndarray, jets: dict[str, np.ndarray], side: str) -> None:
    """The whole chain with another scale factor: the same random numbers."""
    agree(column(case, "CMS_res_j", side)[wanted], smeared(case, jets, side.lower()), jets)


def test_photons_are_smeared_by_a_hash(ready: Ready) -> None:
    """Standard normal numbers, the same in a second run; the missing momentum stays."""
    before, after = ready.columns.photons, ready.calibrated.photons
    r9 = before.r9.astype(float)
    normal = (after.pt / before.pt.astype(float) - 1) / np.where(r9 < 0.94, 0.015, 0.01)
    assert abs(normal.mean()) < 4 / math.sqrt(normal.size)
    assert normal.std() == pytest.approx(1.0, abs=4 / math.sqrt(2 * normal.size))


def contents(counts: Counts, histogram: str) -> np.ndarray:
    return sum_of_weights(counts.sums["ttH", f"{histogram}/sumw"])


def test_nominal_and_weights(case: Case, ready: Ready, wanted: np.ndarray, jets: dict[str, np.ndarray]) -> None:
    """The nominal of uncalibrated events with calibrated columns, and weights from correctionlib's scale factors."""
    extras = processing._extras(ready.ready, ready.calibrated, ready.branches, ready.objects, N, "file")
    counts, selected = processing.run_kernel(ready.ready, ready.calibrated, N, extras)
    _, plain = processing.run_kernel(case.plain, ready.calibrated, N)
    for name in ("event", "category", "m_gg"):
        assert selected[name].tobytes() == plain[name].tobytes()
    opened = correctionlib.CorrectionSet.from_file(str(case.folder / "btag.json"))["deepJet_shape"]
    pile_up = uproot.open(case.path)["Events/Pileup_nTrueInt"].array(library="np")
    found = ready.calibrated.jets
    event_of = np.repeat(np.arange(N), np.diff(found.offsets))[wanted]
    names = case.prepared.variations.names
    sums = dict.fromkeys(("nominal", "CMS_btag_hfUp", "CMS_btag_hfDown", "k_factorUp"), 0.0)
    systematics = {
        "nominal": "central",
        "CMS_btag_hfUp": "up_hf",
        "CMS_btag_hfDown": "down_hf",
        "k_factorUp": "central",
    }
    for place, event in enumerate(plain["event"]):
        mine = np.flatnonzero(event_of == event)
        chosen = pair(ready.calibrated, int(event), plain["m_gg"][place])
        good = [i for i in mine if counted(ready.calibrated, np.flatnonzero(wanted)[i], int(event), chosen)]
        for name, systematic in systematics.items():
            k_factor = (1.2 if name == "k_factorUp" else 1.1) + 0.002 * pile_up[event]
            factors = [
                opened.evaluate(
                    systematic if jets["hadronFlavour"][i] != 4 else "central", int(jets["hadronFlavour"][i]),
                    abs(jets["eta"][i]),
                    float(found.pt[np.flatnonzero(wanted)[i]]), jets["btagDeepFlavB"][i],
                )
                for i in good
            ]  # fmt: skip
            weight = plain["weight"][place] * k_factor * math.prod(factors)
            sums[name] += weight
            if name == "nominal":
                assert selected["weight"][place] == pytest.approx(weight, rel=1e-6)
    every = contents(counts, "m_gg").sum(axis=(0, 1))
    place_of = {name: (*names.shifts, *names.weights).index(name) for name in sums}
    for name, expected in sums.items():
        assert every[place_of[name]] == pytest.approx(expected, rel=1e-6)
    assert abs(sums["CMS_btag_hfUp"] / sums["nominal"] - 1) > 0.005


def pair(columns: Any, event: int, m_gg: float) -> tuple[int, int]:
    """The photons that make the mass."""
    photons = columns.photons
    pt, eta, phi = (getattr(photons, name).astype(float) for name in ("pt", "eta", "phi"))

    def mass(a: int, b: int) -> float:
        return math.sqrt(2 * pt[a] * pt[b] * (math.cosh(eta[a] - eta[b]) - math.cos(phi[a] - phi[b])))

    entries = range(int(photons.offsets[event]), int(photons.offsets[event + 1]))
    return min(itertools.combinations(entries, 2), key=lambda two: abs(mass(*two) - m_gg))


def counted(columns: Any, jet: int, event: int, chosen: tuple[int, int]) -> bool:
    """Whether a jet is selected, apart from the two photons and the leptons of an event, and in the b tag's range."""
    jets = columns.jets
    identified = abs(jets.eta[jet]) < 2.5 and jets.id[jet] & 2 and (jets.pt[jet] >= 50 or jets.pile_up_id[jet] & 4)

    def near(one: Any, i: int) -> bool:
        dphi = math.remainder(float(jets.phi[jet]) - float(one.phi[i]), 2 * math.pi)
        return math.hypot(float(jets.eta[jet]) - float(one.eta[i]), dphi) < 0.4

    if not (jets.pt[jet] > 30 and identified) or any(near(columns.photons, i) for i in chosen):
        return False
    leptons = [
        (getattr(columns, name), i)
        for name in ("muons", "electrons")
        for i in range(*map(int, getattr(columns, name).offsets[event : event + 2]))
        if tight(columns, name, i) and not any(close(getattr(columns, name), i, columns.photons, k) for k in chosen)
    ]
    return not any(near(*lepton) for lepton in leptons)


def close(one: Any, i: int, other: Any, k: int) -> bool:
    dphi = math.remainder(float(one.phi[i]) - float(other.phi[k]), 2 * math.pi)
    return math.hypot(float(one.eta[i]) - float(other.eta[k]), dphi) < 0.4


def tight(columns: Any, name: str, i: int) -> bool:
    """Whether a lepton is as latinos asks for."""
    one = getattr(columns, name)
    if name == "muons":
        dxy = 0.01 if one.pt[i] <= 20 else 0.02
        vertex = abs(one.dxy[i]) < dxy and abs(one.dz[i]) < 0.1
        return bool(one.pt[i] > 10 and abs(one.eta[i]) < 2.4 and one.tight_id[i] and one.iso04[i] < 0.15 and vertex)
    inner = abs(one.eta[i]) <= 1.479
    vertex = abs(one.dxy[i]) < (0.05 if inner else 0.1) and abs(one.dz[i]) < (0.1 if inner else 0.2)
    return bool(one.pt[i] > 10 and one.bdt_wp90[i] and one.conversion_veto[i] and one.iso[i] < 0.06 and vertex)


def test_one_digest_for_any_chunks_and_the_interpreter(case: Case) -> None:
    whole = processing.process(case.prepared, WorkItem("ttH", str(case.path), 0, N))
    parts = [processing.process(case.prepared, WorkItem("ttH", str(case.path), a, b)) for a, b in ((0, 37), (37, N))]
    digest = Counts.digest
    total = unpacked(parts[0]) + unpacked(parts[1])
    assert digest(total) == digest(unpacked(whole))
    first = processing.process(case.prepared, WorkItem("ttH", str(case.path), 0, 12))
    script = f"""
from pathlib import Path
from tests.calibrations.test_real_events import unpacked
from gpuhiggs.engine import preparation, processing
from gpuhiggs.engine.tally import WorkItem
made = preparation.prepare(Path({str(case.folder / "run.json")!r}).read_text(), "ttH")
print(unpacked(processing.process(made, WorkItem("ttH", {str(case.path)!r}, 0, 12))).digest())
"""
    (case.folder / "run.json").write_text(case.prepared.config.model_dump_json(by_alias=True))
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == unpacked(first).digest()


def unpacked(partial: Any) -> Counts:
    return sparse.unpack(partial.sums)
