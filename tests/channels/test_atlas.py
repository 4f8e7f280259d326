"""The ATLAS Open Data channels against slow versions of the published selections that share no code with them.

The numbers are those of atlas-outreach-cpp-framework-13tev and of the notebooks of 2025, typed here a second time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import pytest
import uproot

from bench import generate_pairs, in_memory
from gpuhiggs import schema
from gpuhiggs.columns import wanted

from .slow import (
    Event,
    Object,
    columns_to_events,
    compare_cutflow,
    delta_phi,
    invariant_mass,
    process_file,
    read_events,
    vector,
)


class Found(NamedTuple):
    """What a slow version says of one event: the first steps that it passes, and the value that is compared."""

    steps: int
    value: float = 0.0
    category: int = 0


def count(passed: list[Any]) -> int:
    """Return how many cuts are passed before the first that is not."""
    return [bool(one) for one in [*passed, False]].index(False)


# --- H→γγ ----------------------------------------------------------------------------------------------------------


def photon_is_good(photon: Object, track: float, calorimeter: float) -> bool:
    """Whether a photon is selected; the gap between barrel and endcaps is one: |η| < 1.37 or |η| > 1.52."""
    eta = abs(photon["eta"])
    return bool(
        photon["tight_id"]
        and photon["pt"] > 25
        and eta < 2.37
        and not 1.37 <= eta <= 1.52
        and photon["track_iso"] / photon["pt"] < track
        and photon["calorimeter_iso"] / photon["pt"] < calorimeter
    )


def pair(a: Object, b: Object) -> float:
    """The mass of two photons: √(2 pT1 pT2 (cosh Δη - cos Δφ))."""
    return math.sqrt(2 * a["pt"] * b["pt"] * (math.cosh(a["eta"] - b["eta"]) - math.cos(a["phi"] - b["phi"])))


def diphoton_2020(event: Event) -> Found:
    good = [photon for photon in event["photons"] if photon_is_good(photon, 0.065, 0.065)]
    if len(good) != 2:
        return Found(0)
    a, b = sorted(good, key=lambda photon: -photon["pt"])
    m = pair(a, b)
    steps = count([True, True, a["pt"] / m > 0.35 and b["pt"] / m > 0.25, 105 < m < 160])
    central = abs(a["eta"]) < 0.75 and abs(b["eta"]) < 0.75 and a["conversion"] == 0 and b["conversion"] == 0
    return Found(steps, m, 0 if central else 1)


def diphoton_2025(event: Event) -> Found:
    leading = sorted(event["photons"], key=lambda photon: -photon["pt"])[:2]
    if len(leading) < 2 or not all(photon_is_good(photon, 0.055, math.inf) for photon in leading):
        return Found(0)
    a, b = leading
    m = pair(a, b)
    steps = count([True, a["pt"] > 50 and b["pt"] > 30, a["pt"] / m > 0.35 and b["pt"] / m > 0.35, 100 < m < 160])
    return Found(steps, m, 0 if abs(a["eta"]) < 0.75 and abs(b["eta"]) < 0.75 else 1)


# --- H→WW ----------------------------------------------------------------------------------------------------------


def lepton_is_good(lepton: Object, year: int) -> bool:
    """Whether a lepton is selected."""
    eta, electron = abs(lepton["eta"]), lepton["kind"] == 11
    theta = 2 * math.atan(math.exp(-lepton["eta"]))
    if year == 2020:
        isolated = lepton["ptcone30"] / lepton["pt"] < 0.1 and lepton["etcone20"] / lepton["pt"] < 0.1
        significance = abs(lepton["d0"]) / lepton["sigma_d0"]
    else:
        isolated = lepton["tight_iso"] and lepton["trigger_matched"]
        significance = abs(lepton["sigma_d0"])
    accepted = eta < 2.47 and not 1.37 <= eta <= 1.52 if electron else eta < 2.5
    prompt = significance < (5 if electron else 3) and abs(lepton["z0"] * math.sin(theta)) < 0.5
    return bool(lepton["tight_id"] and lepton["pt"] > 15 and isolated and accepted and prompt)


def dilepton(event: Event, year: int) -> Found:
    good = sorted((one for one in event["leptons"] if lepton_is_good(one, year)), key=lambda one: -one["pt"])
    if len(good) != 2:
        return Found(0)
    a, b = good
    jets = []
    for jet in event["jets"]:
        central = jet["pt"] < 60 and abs(jet["eta"]) < 2.4
        if abs(jet["eta"]) < 2.5 and not (central and jet["jvt"] < (0.59 if year == 2020 else 0.5)):
            jets.append(jet)
    n_jets = sum(jet["pt"] > 30 for jet in jets)
    n_b = sum(jet["pt"] > 20 and jet["b_tag"] > (0.1758475 if year == 2020 else 1.5) for jet in jets)
    met = event["met"]
    p = vector(a) + vector(b)
    pt, phi, m = math.hypot(p[0], p[1]), math.atan2(p[1], p[0]), invariant_mass(p)
    between = delta_phi(a["phi"], b["phi"])
    steps = count([
        True, a["charge"] + b["charge"] == 0 and a["kind"] != b["kind"], a["pt"] > 22, m > 10, n_jets <= 1,
        met["pt"] > 20, delta_phi(phi, met["phi"]) > math.pi / 2, pt > 30, m < 55, between < 1.8, n_b == 0,
    ])  # fmt: skip
    m_t = math.sqrt(2 * pt * met["pt"] * (1 - math.cos(phi - met["phi"])))
    return Found(steps, m_t, min(n_jets, 1))


# --- H→4ℓ of 2025 --------------------------------------------------------------------------------------------------


def four_lepton_2025(event: Event) -> Found:
    good = [
        lepton
        for lepton in event["leptons"]
        if lepton["loose_iso"] and (lepton["medium_id"] if lepton["kind"] == 13 else lepton["loose_id"])
    ]
    if len(good) != 4:
        return Found(0)
    kinds = sum(lepton["kind"] for lepton in good)
    pts = sorted((lepton["pt"] for lepton in good), reverse=True)
    steps = count([
        True, any(lepton["trigger_matched"] for lepton in event["leptons"]),
        sum(lepton["charge"] for lepton in good) == 0, kinds in (44, 48, 52),
        pts[0] > 20 and pts[1] > 15 and pts[2] > 10,
    ])  # fmt: skip
    return Found(steps, invariant_mass(np.sum([vector(lepton) for lepton in good], axis=0)), 0)


# --- comparison ----------------------------------------------------------------------------------------------------


class Case(NamedTuple):
    """A selection, its slow version, generated events, and the value that is compared."""

    selection: str
    expect: Callable[[Event], Found]
    make: Callable[..., Any]
    share: float
    value: str
    accept: int
    """Bits of the paths that the selection asks for; 0: none."""


CASES = [
    Case("atlas-hgg-open-data-2020", diphoton_2020, generate_pairs.photon_pairs_atlas, 0.6, "m_gg", 1),
    Case("atlas-hgg-open-data-2025", diphoton_2025, generate_pairs.photon_pairs_atlas, 0.6, "m_gg", 0),
    Case("atlas-hww-open-data-2020", lambda e: dilepton(e, 2020), generate_pairs.lepton_pairs_atlas, 0.9, "m_t", 3),
    Case("atlas-hww-open-data-2025", lambda e: dilepton(e, 2025), generate_pairs.lepton_pairs_atlas, 0.9, "m_t", 3),
    Case("atlas-hzz4l-open-data-2025", four_lepton_2025, generate_pairs.four_lepton_atlas_2025_events, 0.6, "m4l", 3),
]
IDS = [case.selection for case in CASES]


def generated(case: Case) -> Any:
    """Return events in which the columns have what the release stores in them."""
    inputs = case.make(6000, case.share, seed=9)
    if case.selection == "atlas-hww-open-data-2025":
        rng = np.random.default_rng(1)
        significance = inputs.leptons.d0 / inputs.leptons.sigma_d0
        quantile = rng.choice([0, 1, 2, 3], inputs.jets.b_tag.size, p=[0.5, 0.2, 0.2, 0.1]).astype(np.float32)
        jvt = (inputs.jets.jvt > 0.6).astype(np.float32)
        leptons = inputs.leptons._replace(sigma_d0=significance.astype(np.float32))
        inputs = inputs._replace(leptons=leptons, jets=inputs.jets._replace(b_tag=quantile, jvt=jvt))
    return inputs


def compare(case: Case, found: Any, expected: list[Found], passed: np.ndarray, n_steps: int) -> None:
    """Compare the selected events; *passed* is the gate."""
    chosen = [i for i in np.flatnonzero(passed) if expected[i].steps == n_steps]
    assert found["entry"].tolist() == chosen
    np.testing.assert_allclose(found[case.value], [expected[i].value for i in chosen], rtol=1e-9)
    assert found["category"].tolist() == [expected[i].category for i in chosen]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_generated_events(case: Case) -> None:
    inputs = generated(case)
    prepared = in_memory.prepare(case.selection)
    processed = in_memory.process(prepared, inputs)
    events = columns_to_events(inputs)
    expected = [case.expect(event) for event in events]
    passed = np.array([case.accept == 0 or event["events"]["triggers"] & case.accept != 0 for event in events])
    own = prepared.channel.program.namespace().STEPS
    entries = np.reshape(processed.integers("cutflow"), (-1, 4))[:, 0].tolist()
    compare_cutflow(processed.steps, entries, own, passed, [one.steps for one in expected])
    assert processed.selected["event"].size > 5
    compare(case, processed.selected | {"entry": processed.selected["event"]}, expected, passed, len(own))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_weights_keep_their_sign(case: Case) -> None:
    """The product of all factors, where the notebook of 2025 takes the absolute value of each."""
    inputs = generated(case)
    processed = in_memory.process(in_memory.prepare(case.selection), inputs)
    used = {
        "atlas-hgg-open-data-2020": ("pile_up", "photon", "photon_trigger"),
        "atlas-hgg-open-data-2025": ("pile_up", "photon"),
        "atlas-hww-open-data-2025": ("pile_up", "electron", "muon", "trigger", "b_tag", "jvt"),
    }.get(case.selection, ("pile_up", "electron", "muon", "trigger"))
    weight = inputs.events.gen_weight.astype(np.float64)
    for name in used:
        weight = weight * getattr(inputs.scale_factors, name)
    found = processed.selected["weight"]
    np.testing.assert_allclose(found, weight[processed.selected["event"]], rtol=1e-12)
    assert np.any(found < 0) or found.size < 60


# --- files ---------------------------------------------------------------------------------------------------------

REAL = {
    "photons": {
        "pt": "photon_pt", "eta": "photon_eta", "phi": "photon_phi", "tight_id": "photon_isTightID",
        "track_iso": "photon_ptcone30", "calorimeter_iso": "photon_etcone20", "conversion": "photon_convType",
    },
    "leptons": {
        "pt": "lep_pt", "eta": "lep_eta", "phi": "lep_phi", "e": "lep_E", "charge": "lep_charge", "kind": "lep_type",
        "z0": "lep_z0", "d0": "lep_trackd0pvunbiased", "sigma_d0": "lep_tracksigd0pvunbiased",
        "ptcone30": "lep_ptcone30", "etcone20": "lep_etcone20", "tight_id": "lep_isTightID",
    },
    "jets": {"pt": "jet_pt", "eta": "jet_eta", "phi": "jet_phi", "jvt": "jet_jvt", "b_tag": "jet_MV2c10"},
}  # fmt: skip
MEV = ("pt", "e", "track_iso", "calorimeter_iso", "ptcone30", "etcone20")


@pytest.mark.parametrize("name", ["A", "B"])
@pytest.mark.parametrize("case", [case for case in CASES if "2020" in case.selection], ids=lambda case: case.selection)
def test_real_files_of_2020(shared: Path, case: Case, name: str) -> None:
    """The four-lepton skim holds no two photons, but pairs of leptons of two flavours."""
    path = shared / f"data/atlas/data_{name}.4lep.root"
    events = read_events(path, "mini", REAL, {"met": {"pt": "met_et", "phi": "met_phi"}})
    for event in events:
        for one in [*event["photons"], *event["leptons"], *event["jets"], event["met"]]:
            one.update({field: one[field] / 1000 for field in MEV if field in one})
    steps, entries, selected = process_file(case.selection, path)
    expected = [case.expect(event) for event in events]
    own = steps[4:]
    compare_cutflow(steps, entries, own, np.ones(len(events), bool), [one.steps for one in expected])
    compare(case, selected, expected, np.ones(len(events), bool), len(own))


@pytest.mark.parametrize("case", [case for case in CASES if "2025" in case.selection], ids=lambda case: case.selection)
def test_file_of_2025(tmp_path: Path, case: Case) -> None:
    """A file with the release's names and units gives what its columns give."""
    inputs = generated(case)
    inputs = in_memory.take(inputs, 0, 500)
    prepared = in_memory.prepare(case.selection)
    release = schema.load("atlas-open-data-2025")
    branches: dict[str, Any] = {"runNumber": inputs.events.run, "mcWeight": inputs.events.gen_weight}
    for one in wanted(prepared.channel.inputs):
        columns = getattr(inputs, one.collection)
        known = one.field in release.collections[one.collection]
        if one.collection not in ("events", "scale_factors") and known:
            [branch] = release.branch(one.collection, one.field).branches
            values = getattr(columns, one.field)
            if branch.startswith(("lep_is", "photon_is")) or branch == "jet_jvt":
                values = values.astype(np.bool_)
            elif branch == "jet_btag_quantile":
                values = values.astype(np.int32)
            offsets = getattr(columns, "offsets", None)
            branches[branch] = values if offsets is None else ak.unflatten(values, np.diff(offsets))
    path = tmp_path / "a.root"
    with uproot.recreate(path) as file:
        tree = file.mktree("analysis", {name: ak.Array(values).type.content for name, values in branches.items()})
        tree.extend(branches)
    expected = [case.expect(event) for event in columns_to_events(inputs)]
    steps, entries, selected = process_file(case.selection, path)
    own = steps[4:]
    compare_cutflow(steps, entries, own, np.ones(500, bool), [one.steps for one in expected])
    compare(case, selected, expected, np.ones(500, bool), len(own))
