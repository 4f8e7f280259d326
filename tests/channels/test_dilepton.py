"""The CMS WW channel against a slow version of the selection that shares no code with it.

The numbers are those of latinos' public configurations, typed here a second time.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench import generate_pairs, in_memory
from gpuhiggs.histogram import sum_of_weights
from gpuhiggs.kernels import launch
from gpuhiggs.kernels.dilepton import CATEGORIES, STEPS

from .slow import (
    Event,
    Object,
    columns_to_events,
    compare_cutflow,
    delta_phi,
    delta_r,
    invariant_mass,
    process_file,
    read_events,
    vector,
)

SELECTION = "cms-hww-run2-ul"
LOOSE_B = 0.049


class Found(NamedTuple):
    """What the slow version says of one event."""

    steps: int
    category: str = ""
    m_ll: float = 0.0
    m_t: float = 0.0
    pt_ll: float = 0.0
    pt_h: float = 0.0
    m_jj: float = 0.0
    n_jets: int = 0


def leptons_of(event: Event) -> list[Object]:
    """Return the leptons that are tight or loose, by falling pt."""
    found = []
    for muon in event["muons"]:
        prompt = abs(muon["dz"]) < 0.1 and abs(muon["dxy"]) < (0.01 if muon["pt"] <= 20 else 0.02)
        if prompt and muon["tight_id"] and muon["pt"] > 10 and abs(muon["eta"]) < 2.4 and muon["iso04"] < 0.4:
            found.append(muon | {"kind": 13, "tight": muon["iso04"] < 0.15})
    for electron in event["electrons"]:
        barrel = abs(electron["eta"]) <= 1.479
        dxy, dz = (0.05, 0.1) if barrel else (0.1, 0.2)
        if not (electron["pt"] > 10 and abs(electron["eta"]) < 2.5 and electron["conversion_veto"]):
            continue
        if not (abs(electron["dxy"]) < dxy and abs(electron["dz"]) < dz):
            continue
        tight = electron["bdt_wp90"] and electron["iso"] < 0.06
        seed = electron["sieie"] < 0.03 and abs(electron["e_inv_minus_p_inv"]) < 0.014
        if tight or (electron["cut_based"] >= 3 and (barrel or seed)):
            found.append(electron | {"kind": 11, "tight": tight})
    return sorted(found, key=lambda lepton: -lepton["pt"])


def jets_of(event: Event, leptons: list[Object]) -> list[Object]:
    """Return the jets above 20 GeV, by falling pt."""
    jets = [
        jet
        for jet in event["jets"]
        if jet["pt"] > 20
        and abs(jet["eta"]) < 4.7
        and jet["id"] & 2
        and (jet["pt"] >= 50 or jet["pile_up_id"] & 4)
        and all(delta_r(jet, lepton) > 0.4 for lepton in leptons)
    ]
    return sorted(jets, key=lambda jet: -jet["pt"])


def m_t_massless(p: np.ndarray, met: Object) -> float:
    """√(2 pT MET (1 - cos Δφ))."""
    pt, phi = math.hypot(p[0], p[1]), math.atan2(p[1], p[0])
    return math.sqrt(2 * pt * met["pt"] * (1 - math.cos(phi - met["phi"])))


def m_t_massive(p: np.ndarray, met: Object) -> float:
    """√((ET + MET)² - (pT + MET)²): the definition itself."""
    energy = math.hypot(invariant_mass(p), p[0], p[1])
    x, y = p[0] + met["pt"] * math.cos(met["phi"]), p[1] + met["pt"] * math.sin(met["phi"])
    return math.sqrt((energy + met["pt"]) ** 2 - x**2 - y**2)


def region(m_ll: float, m_t: float, m_t2: float, pt2: float, jets: list[Object], m_jj: float) -> str:
    """Return the category, or nothing."""
    hard = [jet for jet in jets if jet["pt"] > 30]
    tagged = [jet for jet in jets if jet["b_tag"] > LOOSE_B and abs(jet["eta"]) < 2.5]
    n = min(len(hard), 2)
    if tagged:
        counts = tagged[0]["pt"] > 30 or not hard
        return f"top {n}j" if counts and m_ll > 50 and m_t2 > 30 else ""
    if m_t < 60 and 40 < m_ll < 80:
        return f"DYtautau {n}j"
    if not (m_t > 60 and m_t2 > 30):
        return ""
    if m_ll > 100:
        return f"WW {n}j"
    if n == 2:
        return "SR 2j VH" if 65 < m_jj < 105 else "SR 2j VBF" if m_jj > 120 else "SR 2j"
    return f"SR {n}j {'high' if pt2 >= 20 else 'low'} pT2"


def expect(event: Event, massive: bool = False) -> Found:
    """Apply the whole selection to one event."""
    leptons = leptons_of(event)
    if {lepton["kind"] for lepton in leptons} != {11, 13}:
        return Found(0)
    first, second = leptons[:2]
    met = event["puppi_met"]
    p = vector(first, first["mass"]) + vector(second, second["mass"])
    m_ll, pt_ll = invariant_mass(p), math.hypot(p[0], p[1])
    opposite = first["kind"] != second["kind"] and first["charge"] + second["charge"] == 0
    passed = [
        True, len(leptons) == 2, first["tight"] and second["tight"], opposite, first["pt"] > 25 and second["pt"] > 13,
        m_ll > 12, pt_ll > 30, met["pt"] > 20, False,
    ]  # fmt: skip
    steps = passed.index(False)
    if steps < 8:
        return Found(steps)
    jets = jets_of(event, leptons)
    hard = [jet for jet in jets if jet["pt"] > 30]
    m_jj = 0.0
    if len(hard) > 1:
        m_jj = invariant_mass(vector(hard[0], hard[0]["mass"]) + vector(hard[1], hard[1]["mass"]))
    m_t = m_t_massive(p, met) if massive else m_t_massless(p, met)
    m_t2 = math.sqrt(2 * second["pt"] * met["pt"] * (1 - math.cos(delta_phi(second["phi"], met["phi"]))))
    category = region(m_ll, m_t, m_t2, second["pt"], jets, m_jj)
    pt_h = math.hypot(p[0] + met["pt"] * math.cos(met["phi"]), p[1] + met["pt"] * math.sin(met["phi"]))
    return Found(9 if category else 8, category, m_ll, m_t, pt_ll, pt_h, m_jj, len(hard))


def compare(
    found: Any, steps: Sequence[str], entries: Sequence[int], passed: np.ndarray, expected: list[Found]
) -> None:
    """Compare the selected events of a run, and its cutflow, with the slow version's; *passed* is the gate."""
    compare_cutflow(steps, entries, STEPS, passed, [one.steps for one in expected])
    chosen = [i for i in np.flatnonzero(passed) if expected[i].category]
    assert found["entry"].tolist() == chosen
    assert [CATEGORIES[i] for i in found["category"]] == [expected[i].category for i in chosen]
    assert found["n_jets"].tolist() == [expected[i].n_jets for i in chosen]
    for name in ("m_ll", "m_t", "pt_ll", "pt_h", "m_jj"):
        np.testing.assert_allclose(found[name], [getattr(expected[i], name) for i in chosen], rtol=1e-7, atol=1e-7)


# --- generated events ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("massive", [False, True])
def test_generated_events(massive: bool) -> None:
    inputs = generate_pairs.lepton_pairs(8000, 0.8, seed=5)
    prepared = in_memory.prepare(SELECTION)
    cuts: Any = prepared.cuts.value
    cuts = cuts._replace(event=cuts.event._replace(m_t_with_mass=int(massive)))
    prepared = prepared._replace(cuts=launch.record(type(cuts), cuts))
    processed = in_memory.process(prepared, inputs)
    events = columns_to_events(inputs)
    expected = [expect(event, massive) for event in events]
    passed = np.array(
        [event["events"]["triggers"] & 15 and event["events"]["filters"] & 511 == 511 for event in events]
    )
    entries = np.reshape(processed.integers("cutflow"), (-1, 4))[:, 0].tolist()
    found = processed.selected | {"entry": processed.selected["event"]}
    compare(found, processed.steps, entries, passed != 0, expected)
    if massive:
        return
    seen = Counter(one.category for one in expected)
    assert set(seen) - {""} == set(CATEGORIES), seen
    planes(processed, [one for one, good in zip(expected, passed, strict=True) if good and one.category])


FINE = (12, 25, 35, 40, 45, 50, 55, 70, 90, 210), (60, 80, 90, 100, 110, 120, 130, 150, 200)
COARSE = (12, 25, 40, 50, 70, 90, 210), (60, 80, 90, 110, 130, 150, 200)


def planes(processed: in_memory.Processed, expected: list[Found]) -> None:
    """Compare the m_ll × m_T planes, in the binning of the publication; the underflow holds what is outside."""
    for name, (m_ll, m_t) in {"plane": FINE, "plane_coarse": COARSE}.items():
        n = (len(m_ll) - 1) * (len(m_t) - 1)
        cells: Counter[tuple[int, int]] = Counter()
        for one in expected:
            i, j = bisect.bisect_right(m_ll, one.m_ll) - 1, bisect.bisect_right(m_t, one.m_t) - 1
            inside = 0 <= i < len(m_ll) - 1 and 0 <= j < len(m_t) - 1
            cells[CATEGORIES.index(one.category), 1 + i * (len(m_t) - 1) + j if inside else 0] += 1
        squares = sum_of_weights(processed.counts.sums[in_memory.DATASET, f"{name}/sumw"])[..., 0]
        assert squares.shape == (len(CATEGORIES), n + 2)
        assert {tuple(place) for place in np.argwhere(squares)} == set(cells)


# --- real files ----------------------------------------------------------------------------------------------------

BRANCHES = {
    "muons": {
        "pt": "Muon_pt", "eta": "Muon_eta", "phi": "Muon_phi", "mass": "Muon_mass", "charge": "Muon_charge",
        "dxy": "Muon_dxy", "dz": "Muon_dz", "tight_id": "Muon_tightId", "iso04": "Muon_pfRelIso04_all",
    },
    "electrons": {
        "pt": "Electron_pt", "eta": "Electron_eta", "phi": "Electron_phi", "mass": "Electron_mass",
        "charge": "Electron_charge", "dxy": "Electron_dxy", "dz": "Electron_dz",
        "bdt_wp90": "Electron_mvaFall17V2Iso_WP90|Electron_mvaIso_WP90", "conversion_veto": "Electron_convVeto",
        "iso": "Electron_pfRelIso03_all", "cut_based": "Electron_cutBased", "sieie": "Electron_sieie",
        "e_inv_minus_p_inv": "Electron_eInvMinusPInv",
    },
    "jets": {
        "pt": "Jet_pt", "eta": "Jet_eta", "phi": "Jet_phi", "mass": "Jet_mass", "id": "Jet_jetId",
        "pile_up_id": "Jet_puId", "b_tag": "Jet_btagDeepFlavB",
    },
}  # fmt: skip

FILES = (
    "DYJetsToLL_UL17_100ev",
    "DY_2018_40ev",
    "DY_2018_40ev_rntuple",
    "DoubleMuon_Run2018A_data_40ev",
    "EGamma_Run2022F_data_100ev",
    "GJet_Run3_v11_100ev",
    "TT_OpenData2015_200ev",
    "TT_OpenData2015_10ev_rntuple",
    "TT_Run3_v12_200ev",
    "ttH_HToGG_M125_2017_100ev",
)
"""Every file that has leptons, jets and the missing momentum."""


@pytest.mark.parametrize("name", FILES)
def test_real_files(shared: Path, name: str) -> None:
    path = shared / f"data/cms/{name}.root"
    events = read_events(path, "Events", BRANCHES, {"puppi_met": {"pt": "PuppiMET_pt", "phi": "PuppiMET_phi"}})
    for event in events:
        event["jets"] = [{"pile_up_id": 7} | jet for jet in event["jets"]]
    steps, entries, selected = process_file(SELECTION, path)
    compare(selected, steps, entries, np.ones(len(events), bool), [expect(event) for event in events])
