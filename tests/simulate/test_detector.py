"""Simulated H → 4ℓ as a whole: branches and types of NanoAOD, and the acceptance of an independent selection."""

from __future__ import annotations

import json
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs.simulate import SimulatedSample

Z_MASS = 91.1876
ROOT_TYPES = {
    "Bool_t": "bool",
    "UChar_t": "uint8_t",
    "Int_t": "int32_t",
    "UInt_t": "uint32_t",
    "ULong64_t": "uint64_t",
    "Float_t": "float",
}


@pytest.fixture(scope="module")
def nanoaod_types(shared: Path) -> dict[str, str]:
    """Branches of real NanoAOD and their types: data of 2016, simulation of 2017."""
    schema = json.loads((shared / "data" / "nanoaod_schema" / "DoubleEG_doc.json").read_text())
    types: dict[str, str] = {}
    for name in ("ttH_HToGG_M125_2017_100ev.root", "DYJetsToLL_UL17_100ev.root"):
        with uproot.open(shared / "data" / "cms" / name) as file:
            types |= {branch: b.typename.removesuffix("[]") for branch, b in file["Events"].items()}
    for branch, row in schema["trees"]["Events"]["branches"].items():
        types[branch] = ROOT_TYPES.get(row["kind"].split("(")[0], row["kind"])
    return types


# The trigger paths of 2018, which none of those files has.
PATHS_OF_2018 = {"HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ_Mass3p8", "HLT_Ele32_WPTight_Gsf"}


def test_branches_have_the_names_and_types_of_nanoaod(
    higgs_sample: SimulatedSample, nanoaod_types: dict[str, str]
) -> None:
    with uproot.open(higgs_sample.path) as file:
        written = {name: branch.typename.removesuffix("[]") for name, branch in file["Events"].items()}
    assert len(written) > 140
    for name in written.keys() - PATHS_OF_2018:
        assert written[name] == nanoaod_types.get(name, "no such branch"), name


def test_event_numbers_and_filters(higgs_events: ak.Array) -> None:
    np.testing.assert_array_equal(higgs_events.event, np.arange(1, 4001))
    assert set(higgs_events.luminosityBlock) == {1, 2}
    assert set(higgs_events.run) == {1}
    filters = [name for name in higgs_events.fields if name.startswith("Flag_")]
    assert len(filters) == 9
    assert all(ak.all(higgs_events[name]) for name in filters)


def test_indices_point_to_what_they_should(higgs_events: ak.Array) -> None:
    for collection, kind in (("Muon", 13), ("Electron", 11)):
        index = higgs_events[f"{collection}_genPartIdx"]
        assert ak.all(index >= 0)
        assert ak.all(abs(higgs_events.GenPart_pdgId[index]) == kind)
        true_pt = higgs_events.GenPart_pt[index]
        # electrons take up their photons
        assert 0.97 < np.median(ak.flatten(higgs_events[f"{collection}_pt"] / true_pt)) < 1.03
        assert ak.all(higgs_events[f"{collection}_charge"] == -np.sign(higgs_events.GenPart_pdgId[index]))
    has_photon = higgs_events.Muon_fsrPhotonIdx >= 0
    photon = higgs_events.Muon_fsrPhotonIdx[has_photon]
    assert ak.all(higgs_events.FsrPhoton_muonIdx[photon] == ak.local_index(higgs_events.Muon_pt)[has_photon])
    assert 0.02 < ak.sum(has_photon) / ak.count(higgs_events.Muon_pt) < 0.10


def test_leptons_of_hadrons_are_displaced_or_surrounded(higgs_events: ak.Array) -> None:
    prompt = higgs_events.GenPart_statusFlags[higgs_events.Muon_genPartIdx] & 1 > 0
    iso, sip = higgs_events.Muon_pfRelIso03_all, higgs_events.Muon_sip3d
    clean = (iso < 0.35) & (sip < 4)
    assert ak.mean(clean[prompt & (higgs_events.Muon_pt > 10)]) > 0.93
    others = ak.flatten(clean[~prompt])
    assert len(others) > 5
    assert np.mean(others) < 0.35


def mass(*leptons: ak.Array) -> ak.Array:
    total = {axis: sum(lepton[axis] for lepton in leptons) for axis in ("energy", "px", "py", "pz")}
    return np.sqrt(np.maximum(0.0, total["energy"] ** 2 - total["px"] ** 2 - total["py"] ** 2 - total["pz"] ** 2))


def lepton_records(events: ak.Array, collection: str, kind: int) -> ak.Array:
    pt, eta, phi, m = (
        ak.values_astype(events[f"{collection}_{name}"], np.float64) for name in ("pt", "eta", "phi", "mass")
    )
    momentum = {"px": pt * np.cos(phi), "py": pt * np.sin(phi), "pz": pt * np.sinh(eta)}
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + m**2)
    fields = {"pt": pt, "energy": energy, **momentum, "charge": events[f"{collection}_charge"]}
    return ak.zip({**fields, "kind": ak.full_like(fields["charge"], kind)})


def good_electrons(events: ak.Array) -> ak.Array:
    eta = abs(events.Electron_eta + events.Electron_deltaEtaSC)
    low = ak.where(eta < 0.8, 0.85216885, ak.where(eta < 1.479, 0.82684551, 0.86937630))
    high = ak.where(eta < 0.8, 0.98248929, ak.where(eta < 1.479, 0.96919225, 0.79349796))
    good = events.Electron_mvaFall17V2Iso > ak.where(events.Electron_pt > 10, high, low)
    good = good & (events.Electron_pt > 7) & (events.Electron_sip3d < 4)
    return lepton_records(events, "Electron", 11)[good & (abs(events.Electron_dxy) < 0.5)]


def good_muons(events: ak.Array, largest_iso: float) -> ak.Array:
    good = (events.Muon_pt > 5) & (abs(events.Muon_eta) < 2.4) & (events.Muon_sip3d < 4) & events.Muon_isPFcand
    good = good & (events.Muon_pfRelIso03_all < largest_iso) & (abs(events.Muon_dxy) < 0.5)
    return lepton_records(events, "Muon", 13)[good]


def four_lepton_candidates(events: ak.Array, largest_iso: float = 0.35) -> tuple[np.ndarray, np.ndarray]:
    """Mass and final state (sum of |pdgId|: 44, 48, 52) of selected events; without FSR recovery."""
    leptons = ak.concatenate([good_electrons(events), good_muons(events, largest_iso)], axis=1)
    leptons = ak.with_field(leptons, ak.local_index(leptons.pt), "place")
    plus, minus = leptons[leptons.charge > 0], leptons[leptons.charge < 0]
    z = ak.cartesian({"plus": plus, "minus": minus})
    z = z[z.plus.kind == z.minus.kind]
    z = ak.with_field(z, mass(z.plus, z.minus), "mass")
    z = z[(z.mass > 12) & (z.mass < 120)]
    a, b = ak.unzip(ak.combinations(z, 2))
    a_is_first = abs(a.mass - Z_MASS) < abs(b.mass - Z_MASS)
    m1 = ak.where(a_is_first, a.mass, b.mass)
    four = (a.plus, a.minus, b.plus, b.minus)
    other1, other2 = mass(a.plus, b.minus), mass(b.plus, a.minus)
    other_first = ak.where(abs(other1 - Z_MASS) < abs(other2 - Z_MASS), other1, other2)
    other_second = other1 + other2 - other_first
    same = a.plus.kind == b.plus.kind
    good = (a.plus.place != b.plus.place) & (a.minus.place != b.minus.place) & (m1 > 40)
    good = good & (other1 > 4) & (other2 > 4)
    good = good & (sum(ak.values_astype(lepton.pt > 20, int) for lepton in four) >= 1)
    good = good & (sum(ak.values_astype(lepton.pt > 10, int) for lepton in four) >= 2)
    good = good & ~(same & (abs(other_first - Z_MASS) < abs(m1 - Z_MASS)) & (other_second < 12))
    m4l, final_state = mass(*four)[good], 2 * (a.plus.kind + b.plus.kind)[good]
    best = ak.argmin(abs(m1[good] - Z_MASS), axis=1, keepdims=True)
    return tuple(ak.to_numpy(ak.flatten(ak.drop_none(values[best]))) for values in (m4l, final_state))


@pytest.fixture(scope="module")
def peak_yields(higgs_sample: SimulatedSample, higgs_events: ak.Array) -> dict[str, float]:
    """Events at 138 fb⁻¹ with 118 < m4l < 130 GeV, without muon isolation or triggers."""
    m4l, final_state = four_lepton_candidates(higgs_events, largest_iso=np.inf)
    in_peak = (m4l > 118) & (m4l < 130)
    weight = 138_000 * higgs_sample.cross_section / higgs_sample.sum_of_weights
    names = {"4e": 44, "2e2mu": 48, "4mu": 52}
    return {name: weight * float(np.sum(in_peak & (final_state == code))) for name, code in names.items()}


def test_acceptance_is_that_of_the_prototype(peak_yields: dict[str, float]) -> None:
    """An earlier, separate simulation with Pythia and Delphes' CMS card selected 226 events: 43, 108 and 75.

    It had neither muon isolation nor triggers. 4,000 events give 226 with a statistical error of 3 %, the final states
    with 7, 4.5 and 5.5 %; the parametrisations differ in the electrons' deposits and the branching ratio by 10 %.
    Allowed are two standard deviations and that.
    """
    assert sum(peak_yields.values()) == pytest.approx(226, rel=0.10 + 2 * 0.03)
    assert peak_yields["4e"] == pytest.approx(43, rel=0.10 + 2 * 0.07)
    assert peak_yields["2e2mu"] == pytest.approx(108, rel=0.10 + 2 * 0.045)
    assert peak_yields["4mu"] == pytest.approx(75, rel=0.10 + 2 * 0.055)


def test_isolation_and_triggers_keep_most_of_it(higgs_events: ak.Array) -> None:
    paths = [name for name in higgs_events.fields if name.startswith("HLT_")]
    fired = np.any([ak.to_numpy(higgs_events[name]) for name in paths], axis=0)
    n_all = len(four_lepton_candidates(higgs_events, largest_iso=np.inf)[0])
    n_isolated = len(four_lepton_candidates(higgs_events)[0])
    n_fired = len(four_lepton_candidates(higgs_events[fired])[0])
    assert 0.85 < n_isolated / n_all < 0.97
    assert 0.97 < n_fired / n_isolated <= 1.0


@pytest.mark.parametrize(("final_state", "width"), [(44, 2.0), (48, 1.8), (52, 1.5)])
def test_the_peak_is_where_it_should_be(higgs_events: ak.Array, final_state: int, width: float) -> None:
    m4l, state = four_lepton_candidates(higgs_events)
    peak = np.sort(m4l[(state == final_state) & (m4l > 105) & (m4l < 140)])
    # the narrowest interval with 68.3 % of the events, as CMS quotes it: 1.2 (4mu) to 2.1 GeV (4e) with FSR recovery
    inside = int(0.683 * len(peak))
    effective_width = np.min(peak[inside:] - peak[:-inside]) / 2
    assert effective_width == pytest.approx(width, rel=0.15)
    assert 124.3 < np.median(peak) < 125.1
