"""The engine on real files, against selections made independently with plain uproot and Awkward."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs import config, engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine.tally import Tally
from gpuhiggs.histogram import Counts, sum_of_weights


def data(name: str, primary: str, path: Path) -> dict[str, Any]:
    return {"name": name, "process": "data", "kind": "data", "primary_dataset": primary, "files": [str(path)]}


def simulation(name: str, path: Path) -> dict[str, Any]:
    return {
        "name": name, "process": name, "kind": "simulation", "cross_section": None, "weight_unit": UNIT,
        "files": [str(path)],
    }  # fmt: skip


def configure(selection: dict[str, Any], datasets: list[dict[str, Any]]) -> RunConfig:
    return config.validate(RunConfig, {"selection": selection, "datasets": datasets, "lumi_mask": None}, "test")


def entries(tally: Tally, dataset: str) -> list[int]:
    """Events after each step of the cutflow."""
    return [int(n) for n in tally.counts.sums[dataset, "cutflow"].low[:, 0]]


def weights(tally: Tally, dataset: str) -> np.ndarray:
    """Σw after each step of the cutflow, in the dataset's weight unit."""
    wide = tally.counts.sums[dataset, "cutflow"]
    return sum_of_weights(type(wide)(wide.high[:, 1], wide.low[:, 1]))


# --- ATLAS data ----------------------------------------------------------------------------------------------------


class Expected(NamedTuple):
    """A selection made with Awkward."""

    cutflow: list[int]
    selected: np.ndarray
    """Their places in the file."""
    m4l: np.ndarray
    """GeV."""


def with_awkward(path: Path) -> Expected:
    """Repeat the published selection (see four_lepton_atlas) on whole arrays."""
    with uproot.open(path) as file:
        events = file["mini"].arrays()
    electron = events.lep_type == 11
    significance = abs(events.lep_trackd0pvunbiased / events.lep_tracksigd0pvunbiased)
    theta = 2 * np.arctan(np.exp(-ak.values_astype(events.lep_eta, np.float64)))
    good = (
        (events.lep_pt > ak.where(electron, 7000, 5000))
        & (abs(events.lep_eta) < ak.where(electron, 2.47, 2.5))
        & (significance < ak.where(electron, 5, 3))
        & (abs(events.lep_z0 * np.sin(theta)) < 0.5)
        & (events.lep_ptcone30 / events.lep_pt < 0.3)
        & (events.lep_etcone20 / events.lep_pt < 0.3)
    )
    pt, eta, phi, energy = (
        ak.values_astype(events[name][good], np.float64) / (1000 if name in ("lep_pt", "lep_E") else 1)
        for name in ("lep_pt", "lep_eta", "lep_phi", "lep_E")
    )
    kinds = ak.sum(events.lep_type[good], axis=1)
    hardest = ak.pad_none(ak.sort(pt, ascending=False), 3)
    cuts = [
        events.trigE | events.trigM,
        ak.num(pt) == 4,
        ak.sum(events.lep_charge[good], axis=1) == 0,
        (kinds == 44) | (kinds == 48) | (kinds == 52),
        ak.fill_none((hardest[:, 0] > 25) & (hardest[:, 1] > 15) & (hardest[:, 2] > 10), False),
    ]
    passed = np.ones(len(events), np.bool_)
    cutflow = [len(events)] * 3  # no mask, no filters
    for cut in cuts:
        passed &= ak.to_numpy(cut)
        cutflow.append(int(passed.sum()))
    px, py, pz = (ak.sum(p, axis=1) for p in (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)))
    masses = np.sqrt(ak.to_numpy(ak.sum(energy, axis=1) ** 2 - px**2 - py**2 - pz**2)[passed])
    return Expected(cutflow, np.flatnonzero(passed), masses)


ATLAS = ("A", "B")


@pytest.fixture(scope="module")
def atlas(shared: Path) -> Tally:
    datasets = [data(name, "leptons", shared / f"data/atlas/data_{name}.4lep.root") for name in ATLAS]
    return engine.run(configure(config.shipped_selection("atlas-hzz4l-open-data-2020"), datasets))


@pytest.mark.parametrize("name", ATLAS)
def test_atlas_cutflow_and_masses_equal_a_selection_with_awkward(shared: Path, atlas: Tally, name: str) -> None:
    path = shared / f"data/atlas/data_{name}.4lep.root"
    expected = with_awkward(path)
    assert not atlas.failures
    assert entries(atlas, name) == expected.cutflow
    selected = atlas.selected[name, str(path)]
    np.testing.assert_array_equal(selected["entry"], expected.selected)
    np.testing.assert_allclose(selected["m4l"], expected.m4l, rtol=1e-5)
    assert expected.cutflow == {"A": [39] * 4 + [24, 22, 20, 18], "B": [156] * 4 + [70, 67, 56, 52]}[name]


@pytest.mark.parametrize("name", ATLAS)
def test_atlas_histogram_holds_the_selected_events(shared: Path, atlas: Tally, name: str) -> None:
    expected = with_awkward(shared / f"data/atlas/data_{name}.4lep.root")
    filled = sum_of_weights(atlas.counts.sums[name, "m4l/sumw"])[..., 0].sum(axis=0)
    inside, _ = np.histogram(expected.m4l, bins=24, range=(80, 170))
    np.testing.assert_array_equal(filled, [np.sum(expected.m4l < 80), *inside, np.sum(expected.m4l >= 170)])
    np.testing.assert_array_equal(weights(atlas, name), expected.cutflow)


# --- CMS files -----------------------------------------------------------------------------------------------------

UNIT = 2.0**20

COMPLETE = {
    "DYJetsToLL_UL17_100ev": None,
    "DY_2018_40ev": None,
    "DY_2018_40ev_rntuple": None,
    "DoubleMuon_Run2018A_data_40ev": "DoubleMuon",
    "EGamma_Run2022F_data_100ev": "EGamma",
    "GJet_Run3_v11_100ev": None,
    "ttH_HToGG_M125_2017_100ev": None,
}
"""Files that have what the channel reads, and the primary dataset of data."""

FILTERS_2015 = "Flag_globalSuperTightHalo2016Filter, Flag_BadPFMuonFilter, Flag_ecalBadCalibFilter"
LACKING = {
    "SingleMu_Run2012B_data_1000ev": (
        "SingleMuon", "no branch Muon_sip3d in tree 'Events', which the column muons.sip3d is read from",
    ),
    "TT_OpenData2015_10ev_rntuple": (None, f"no branch {FILTERS_2015} in ntuple 'Events' (events.filters)"),
    "TT_OpenData2015_200ev": (None, f"no branch {FILTERS_2015} in tree 'Events' (events.filters)"),
    "TT_Run3_v12_200ev": (
        None, "no branch Electron_mvaFall17V2Iso or Electron_mvaIso_Fall17V2 in tree 'Events'",
    ),
    "ttH_HToGG_M125_2017_photons_electrons_1000ev": (
        None, "no branch genWeight in tree 'Events', which the column events.gen_weight is read from",
    ),
}  # fmt: skip
"""The others: primary dataset, and what they lack."""


SELECTION = config.shipped_selection("cms-hzz4l-run2-ul")
SELECTION["filters"].remove("Flag_BadPFMuonDzFilter")  # older than NanoAOD v9, most of these files lack it


def process(shared: Path, names: dict[str, str | None], **changes: Any) -> Tally:
    datasets = [
        data(name, primary, path) if primary else simulation(name, path)
        for name, primary in names.items()
        for path in [shared / f"data/cms/{name}.root"]
    ]
    return engine.run(configure(SELECTION | changes, datasets))


@pytest.fixture(scope="module")
def cms(shared: Path) -> Tally:
    return process(shared, COMPLETE | {name: primary for name, (primary, _) in LACKING.items()})


class Gate(NamedTuple):
    """What plain uproot says of the events of a file."""

    clean: np.ndarray
    triggered: np.ndarray
    weight: np.ndarray


def with_uproot(path: Path, primary: str | None, selection: dict[str, Any]) -> Gate:
    with uproot.open(path) as file:
        tree = file["Events"]
        keys = set(tree.keys(recursive=False))
        clean = np.logical_and.reduce([tree[name].array(library="np") for name in selection["filters"]])
        fired = {
            owner: np.logical_or.reduce(
                [np.zeros_like(clean), *(clean & tree[name].array(library="np") for name in paths if name in keys)]
            )
            for owner, paths in selection["triggers"].items()
        }
        weight = np.ones(len(clean)) if primary else tree["genWeight"].array(library="np").astype(np.float64) / UNIT
    if primary is None:
        return Gate(clean, np.logical_or.reduce(list(fired.values())), weight)
    owners = list(fired)
    before = np.logical_or.reduce([np.zeros_like(clean), *(fired[name] for name in owners[: owners.index(primary)])])
    return Gate(clean, fired[primary] & ~before, weight)


def check(tally: Tally, name: str, expected: Gate) -> None:
    everything = np.ones_like(expected.clean)
    masks = (everything, everything, expected.clean, expected.triggered)
    assert entries(tally, name)[:4] == [np.count_nonzero(mask) for mask in masks]
    for found, mask in zip(weights(tally, name), masks, strict=False):
        assert found == pytest.approx(math.fsum(expected.weight[mask]), abs=len(mask) * 2.0**-31)


@pytest.mark.parametrize("name", COMPLETE)
def test_cms_files_with_every_collection(shared: Path, cms: Tally, name: str) -> None:
    path = shared / f"data/cms/{name}.root"
    [info] = [info for info in cms.complete if info.dataset == name]
    expected = with_uproot(path, COMPLETE[name], SELECTION)
    assert (info.path, info.entries) == (str(path), len(expected.clean))
    check(cms, name, expected)
    found = entries(cms, name)
    assert found == sorted(found, reverse=True)


@pytest.mark.parametrize("name", LACKING)
def test_cms_files_that_lack_something_are_reported(shared: Path, cms: Tally, name: str) -> None:
    [failure] = [failure for failure in cms.failures if failure.dataset == name]
    assert failure.error.startswith(f"{shared / 'data/cms' / name}.root: {LACKING[name][1]}")
    assert not any(info.dataset == name for info in cms.complete)
    assert not only(cms.counts, name).sums
    assert len(cms.failures) == len(LACKING)


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("TT_OpenData2015_10ev_rntuple", {"filters": ["Flag_goodVertices", "Flag_HBHENoiseFilter"]}),
        (
            "TT_Run3_v12_200ev",
            {
                "absent": ["fsr_photons"],
                "triggers": {"JetHT": ["HLT_PFHT1050"]},
                "cuts": SELECTION["cuts"] | {"electron": SELECTION["cuts"]["electron"] | {"use_wp90": 1}},
            },
        ),
    ],
)
def test_a_selection_may_do_without(shared: Path, name: str, changes: dict[str, Any]) -> None:
    """With a collection declared absent, or fewer filters asked for, the channel runs."""
    tally = process(shared, {name: None}, **changes)
    assert not tally.failures
    check(tally, name, with_uproot(shared / f"data/cms/{name}.root", None, SELECTION | changes))


def only(counts: Counts, dataset: str) -> Counts:
    """The sums of one dataset, without its name."""
    return Counts({("", name): wide for (owner, name), wide in counts.sums.items() if owner == dataset})


def test_ttree_and_rntuple_have_one_digest(cms: Tally) -> None:
    first, second = only(cms.counts, "DY_2018_40ev"), only(cms.counts, "DY_2018_40ev_rntuple")
    assert first.sums
    assert first.digest() == second.digest()
