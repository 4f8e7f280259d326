"""The CMS diphoton channel against a slow version of the selection that shares no code with it.

The numbers are those of CMS HIG-19-015 and its public code (flashgg, HiggsDNA), typed here a second time. The same
slow version looks at generated events and, read with plain uproot, at the events of real files.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench import generate_pairs, in_memory
from gpuhiggs.kernels import launch
from gpuhiggs.kernels.diphoton import CATEGORIES, STEPS

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

SELECTION = "cms-hgg-run2-ul"
MEDIUM = 0.2783


class Found(NamedTuple):
    """What the slow version says of one event."""

    steps: int
    category: str = ""
    m_gg: float = 0.0
    pt_gg: float = 0.0
    n_jets: int = 0
    m_jj: float = 0.0


def in_class(photon: Object, which: int, rho: float) -> bool:
    """Whether a photon is in a trigger class; *which* as the cut ``trigger_class``."""
    if which == 0:
        return True
    high, low, sieie = (0.85, 0.5, 0.015) if photon["is_barrel"] else (0.9, 0.8, 0.035)
    if photon["r9"] > high:
        return True
    if not (photon["r9"] > low and photon["sieie"] < sieie):
        return False
    if which == 1:
        return bool((photon["iso_all"] - photon["iso_chg"]) * photon["pt"] < 4)
    area = 0.16544 if abs(photon["eta"]) < 1.5 else 0.13212
    return bool(photon["photon_iso"] - rho * area < 4 and photon["track_iso"] < 6)


def preselected(photon: Object, which: int, rho: float) -> bool:
    charged = photon["iso_chg"]
    return bool(
        photon["pt"] > 25
        and (photon["is_barrel"] or photon["is_endcap"])
        and photon["electron_veto"]
        and photon["hoe"] < 0.08
        and (photon["r9"] > 0.8 or charged * photon["pt"] < 20 or charged < 0.3)
        and photon["id"] > -0.9
        and in_class(photon, which, rho)
    )


def tight_leptons(event: Event) -> Iterator[Object]:
    for muon in event["muons"]:
        dxy = 0.01 if muon["pt"] <= 20 else 0.02
        prompt = abs(muon["dz"]) < 0.1 and abs(muon["dxy"]) < dxy
        if prompt and muon["pt"] > 10 and abs(muon["eta"]) < 2.4 and muon["tight_id"] and muon["iso04"] < 0.15:
            yield muon | {"kind": 13}
    for electron in event["electrons"]:
        dxy, dz = (0.05, 0.1) if abs(electron["eta"]) <= 1.479 else (0.1, 0.2)
        prompt = electron["conversion_veto"] and abs(electron["dxy"]) < dxy and abs(electron["dz"]) < dz
        good = electron["bdt_wp90"] and electron["iso"] < 0.06
        if prompt and good and electron["pt"] > 10 and abs(electron["eta"]) < 2.5:
            yield electron | {"kind": 11}


def selected_jets(event: Event, others: list[Object]) -> list[Object]:
    """Return the jets by falling pt."""
    jets = [
        jet
        for jet in event["jets"]
        if jet["pt"] > 30
        and abs(jet["eta"]) < 4.7
        and jet["id"] & 2
        and (jet["pt"] >= 50 or jet["pile_up_id"] & 4)
        and all(delta_r(jet, other) > 0.4 for other in others)
    ]
    return sorted(jets, key=lambda jet: -jet["pt"])


def two_jets(pair: np.ndarray, min_id: float, jets: list[Object]) -> tuple[float, str | None]:
    """Return the mass of the two hardest jets, and their tag."""
    if len(jets) < 2:
        return 0.0, None
    dijet = vector(jets[0], jets[0]["mass"]) + vector(jets[1], jets[1]["mass"])
    m_jj, pt = invariant_mass(dijet), math.hypot(*pair[:2])
    if min_id > -0.2:
        if m_jj > 350 and jets[0]["pt"] > 40:
            if pt > 200:
                return m_jj, "VBF boosted"
            high = math.hypot(*(pair + dijet)[:2]) > 25
            return m_jj, f"VBF {'high' if m_jj > 700 else 'low'} mjj {'high' if high else 'low'} pTHjj"
        if 60 < m_jj < 120 and all(abs(jet["eta"]) < 2.4 for jet in jets[:2]):
            return m_jj, "VH-hadronic"
    return m_jj, None


def gluon_fusion(n_jets: int, pt: float) -> str:
    for n, limit in ((4, 650), (3, 450), (2, 300), (1, 200)):
        if pt > limit:
            return f"ggF boosted {n}"
    if n_jets == 0:
        return f"ggF 0j {'high' if pt > 10 else 'low'} pT"
    return f"ggF {min(n_jets, 2)}j {'high' if pt > 120 else 'medium' if pt > 60 else 'low'} pT"


def expect(event: Event, which: int = 0) -> Found:
    """Apply the whole selection to one event."""
    photons = [photon for photon in event["photons"] if preselected(photon, which, event.get("rho", 0.0))]
    steps, best = 0, None
    for i, a in enumerate(photons):
        for b in photons[i + 1 :]:
            p = vector(a) + vector(b)
            m, hard, soft = invariant_mass(p), max(a["pt"], b["pt"]), min(a["pt"], b["pt"])
            passed = [True, hard > 35, hard > m / 3 and soft > m / 4, 100 < m < 180]
            n = passed.index(False) if False in passed else 4
            steps = max(steps, n)
            if n == 4 and (best is None or hard + soft > best[0]):
                best = hard + soft, a, b, p
    if best is None:
        return Found(steps)
    _, a, b, p = best
    leptons = [lepton for lepton in tight_leptons(event) if min(delta_r(lepton, a), delta_r(lepton, b)) > 0.4]
    jets = selected_jets(event, [a, b, *leptons])
    n_b = sum(jet["b_tag"] > MEDIUM and abs(jet["eta"]) < 2.5 for jet in jets)
    m_jj, dijet_tag = two_jets(p, min(a["id"], b["id"]), jets)
    met = event["met"]
    recoil = delta_phi(math.atan2(p[1], p[0]), met["phi"])
    z = any(
        s["kind"] == t["kind"]
        and s["charge"] + t["charge"] == 0
        and 60 < invariant_mass(vector(s, s["mass"]) + vector(t, t["mass"])) < 120
        for i, s in enumerate(leptons)
        for t in leptons[i + 1 :]
    )
    pt = math.hypot(p[0], p[1])
    if leptons and jets and n_b:
        category = "ttH-leptonic"
    elif z:
        category = "ZH-leptonic"
    elif any(lepton["pt"] > 15 for lepton in leptons):
        category = "WH-leptonic"
    elif not leptons and len(jets) >= 3 and n_b:
        category = "ttH-hadronic"
    elif met["pt"] > 50 and recoil > 2:
        category = "VH-MET"
    else:
        category = dijet_tag or gluon_fusion(len(jets), pt)
    return Found(4, category, invariant_mass(p), pt, len(jets), m_jj)


def compare(
    found: Any, steps: Sequence[str], entries: Sequence[int], passed: np.ndarray, expected: list[Found]
) -> None:
    """Compare the selected events of a run, and its cutflow, with the slow version's; *passed* is the gate."""
    compare_cutflow(steps, entries, STEPS, passed, [one.steps for one in expected])
    chosen = [i for i in np.flatnonzero(passed) if expected[i].category]
    assert found["entry"].tolist() == chosen
    assert [CATEGORIES[i] for i in found["category"]] == [expected[i].category for i in chosen]
    assert found["n_jets"].tolist() == [expected[i].n_jets for i in chosen]
    for name in ("m_gg", "pt_gg", "m_jj"):
        np.testing.assert_allclose(found[name], [getattr(expected[i], name) for i in chosen], rtol=1e-9, atol=1e-9)


# --- generated events ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", [0, 1, 2])
def test_generated_events(which: int) -> None:
    inputs = generate_pairs.photon_pairs(3000, 0.6, seed=21)
    prepared = in_memory.prepare(SELECTION)
    cuts: Any = prepared.cuts.value
    cuts = cuts._replace(photon=cuts.photon._replace(trigger_class=which))
    prepared = prepared._replace(cuts=launch.record(type(cuts), cuts))
    processed = in_memory.process(prepared, inputs)
    events = columns_to_events(inputs)
    expected = [expect(event | {"rho": event["pile_up"]["rho"]}, which) for event in events]
    passed = np.array([event["events"]["triggers"] & 1 and event["events"]["filters"] & 511 == 511 for event in events])
    entries = np.reshape(processed.integers("cutflow"), (-1, 4))[:, 0].tolist()
    compare(
        processed.selected | {"entry": processed.selected["event"]}, processed.steps, entries, passed != 0, expected
    )
    if which == 0:
        seen = Counter(one.category for one in expected)
        assert len(seen) > 15, seen


# --- real files ----------------------------------------------------------------------------------------------------

BRANCHES = {
    "photons": {
        "pt": "Photon_pt", "eta": "Photon_eta", "phi": "Photon_phi", "r9": "Photon_r9", "hoe": "Photon_hoe",
        "sieie": "Photon_sieie", "id": "Photon_mvaID", "electron_veto": "Photon_electronVeto",
        "iso_chg": "Photon_pfRelIso03_chg|Photon_pfRelIso03_chg_quadratic", "is_barrel": "Photon_isScEtaEB",
        "is_endcap": "Photon_isScEtaEE",
    },
    "muons": {
        "pt": "Muon_pt", "eta": "Muon_eta", "phi": "Muon_phi", "mass": "Muon_mass", "charge": "Muon_charge",
        "dxy": "Muon_dxy", "dz": "Muon_dz", "tight_id": "Muon_tightId", "iso04": "Muon_pfRelIso04_all",
    },
    "electrons": {
        "pt": "Electron_pt", "eta": "Electron_eta", "phi": "Electron_phi", "mass": "Electron_mass",
        "charge": "Electron_charge", "dxy": "Electron_dxy", "dz": "Electron_dz",
        "bdt_wp90": "Electron_mvaFall17V2Iso_WP90|Electron_mvaIso_WP90", "conversion_veto": "Electron_convVeto",
        "iso": "Electron_pfRelIso03_all",
    },
    "jets": {
        "pt": "Jet_pt", "eta": "Jet_eta", "phi": "Jet_phi", "mass": "Jet_mass", "id": "Jet_jetId",
        "pile_up_id": "Jet_puId", "b_tag": "Jet_btagDeepFlavB",
    },
}  # fmt: skip


def read(path: Path) -> list[Event]:
    """Read a file; what it does not have is empty, and Run 3 jets need no pile-up identification."""
    events = read_events(path, "Events", BRANCHES, {"met": {"pt": "MET_pt", "phi": "MET_phi"}})
    for event in events:
        event["jets"] = [{"pile_up_id": 7} | jet for jet in event["jets"]]
        event["met"] = {"pt": 0.0, "phi": 0.0} | event["met"]
    return events


FILES: dict[str, tuple[str, ...]] = {
    "DYJetsToLL_UL17_100ev": (),
    "DY_2018_40ev": (),
    "DY_2018_40ev_rntuple": (),
    "DoubleMuon_Run2018A_data_40ev": (),
    "EGamma_Run2022F_data_100ev": (),
    "GJet_Run3_v11_100ev": (),
    "TT_OpenData2015_200ev": (),
    "ttH_HToGG_M125_2017_100ev": (),
    "ttH_HToGG_M125_2017_photons_electrons_1000ev": ("muons", "jets", "met"),
}
"""Every file that has photons with the variables of the selection, and what else it lacks."""


@pytest.mark.parametrize("name", FILES)
def test_real_files(shared: Path, name: str) -> None:
    path = shared / f"data/cms/{name}.root"
    events = read(path)
    steps, entries, selected = process_file(SELECTION, path, FILES[name])
    compare(selected, steps, entries, np.ones(len(events), bool), [expect(event) for event in events])


def narrowest(values: np.ndarray, share: float) -> float:
    """Return half the width of the narrowest interval that holds a share of the values: σ_eff for 0.683."""
    ordered = np.sort(values)
    n = math.ceil(share * ordered.size)
    return float(np.min(ordered[n - 1 :] - ordered[: ordered.size - n + 1])) / 2


def test_simulated_tth(shared: Path) -> None:
    """The mass peak of the full simulation."""
    name = "ttH_HToGG_M125_2017_photons_electrons_1000ev"
    *_, selected = process_file(SELECTION, shared / f"data/cms/{name}.root", FILES[name])
    assert selected["m_gg"].size >= 500
    assert 124.4 <= np.median(selected["m_gg"]) <= 124.9
    assert narrowest(selected["m_gg"], 0.683) <= 2.3


def test_simulated_tth_is_tagged_as_tth(shared: Path) -> None:
    *_, selected = process_file(SELECTION, shared / "data/cms/ttH_HToGG_M125_2017_100ev.root")
    tags = Counter(CATEGORIES[i] for i in selected["category"])
    assert tags["ttH-leptonic"] + tags["ttH-hadronic"] >= 0.8 * selected["m_gg"].size
