"""The shipped selections: they fit their channels, and their triggers and filters are those of real files."""

from __future__ import annotations

import functools
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import uproot

from gpuhiggs import config, engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation
from gpuhiggs.errors import ConfigError

SELECTIONS = config.shipped_selections()
CMS = [name for name in SELECTIONS if name.startswith("cms-")]

YEARS = {"2016": ("2016-ul", "open-data-2016"), "2017": ("2017-ul",), "2018": ("run2-ul",), "run3": ("run3",)}
FILES = {
    "2017": ("ttH_HToGG_M125_2017_100ev", "DYJetsToLL_UL17_100ev"),
    "2018": ("DY_2018_40ev", "DoubleMuon_Run2018A_data_40ev"),
    "run3": ("EGamma_Run2022F_data_100ev", "GJet_Run3_v11_100ev", "TT_Run3_v12_200ev"),
}
SINCE_V9 = {"Flag_BadPFMuonDzFilter"}
"""A filter that the files of 2017 and 2018 at hand, which are older than NanoAOD v9, do not have."""


def run_config(selection: Any, datasets: list[dict[str, Any]], **more: Any) -> RunConfig:
    raw = {"selection": selection, "datasets": datasets, "lumi_mask": None} | more
    return config.validate(RunConfig, raw, "test")


def data(primary: str | None, *paths: Path, name: str = "data") -> dict[str, Any]:
    files = [str(path) for path in paths] or ["a.root"]
    return {"name": name, "process": "data", "kind": "data", "files": files, "primary_dataset": primary}


def simulation(*paths: Path) -> dict[str, Any]:
    files = [str(path) for path in paths] or ["a.root"]
    return {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None, "files": files,
            "weight_unit": 2.0**20}  # fmt: skip


@pytest.mark.parametrize("name", SELECTIONS)
def test_selection_fits_its_channel(name: str) -> None:
    """For simulation, and for data of each primary dataset."""
    selection = config.shipped_selection(name)
    datasets = [data(primary, name=f"data_{primary}") for primary in selection.get("triggers", {})]
    run = run_config(selection, [simulation(), *datasets])
    for dataset in run.datasets:
        preparation.prepare(run.model_dump_json(by_alias=True), dataset.name)


@pytest.mark.parametrize("name", [name for name in SELECTIONS if config.shipped_selection(name).get("triggers")])
def test_an_event_belongs_to_one_primary_dataset(name: str) -> None:
    """Whatever fires: simulation takes the event, and of data exactly one primary dataset."""
    selection = config.shipped_selection(name)
    run = run_config(selection, [data(primary, name=f"d_{primary}") for primary in selection["triggers"]])
    owners = [
        preparation.prepare(run.model_dump_json(by_alias=True), dataset.name).cuts.value[0] for dataset in run.datasets
    ]
    n = sum(len(paths) for paths in selection["triggers"].values())
    for bits in [(), *itertools.combinations(range(n), 1), *itertools.combinations(range(n), 2), tuple(range(n))]:
        fired = sum(1 << bit for bit in bits)
        taking = [owner for owner in owners if fired & owner.accept and not fired & owner.veto]
        assert len(taking) == (1 if bits else 0)


def year_of(name: str) -> str:
    return next(year for year, ends in YEARS.items() if name.endswith(ends))


@functools.cache
def branches(folder: Path, year: str) -> frozenset[str]:
    """The branches of the files of a year."""
    if year == "2016":
        content = json.loads((folder / "nanoaod_schema/DoubleEG_doc.json").read_text())
        return frozenset(content["trees"]["Events"]["branches"])
    known: set[str] = set()
    for file in FILES[year]:
        with uproot.open(folder / f"cms/{file}.root") as opened:
            known |= set(opened["Events"].keys(recursive=False))
    return frozenset(known)


@pytest.mark.parametrize("name", CMS)
def test_triggers_and_filters_are_in_files_of_the_year(shared: Path, name: str) -> None:
    year = year_of(name)
    known = branches(shared / "data", year)
    selection = config.shipped_selection(name)
    assert {path for paths in selection["triggers"].values() for path in paths} <= known
    absent = SINCE_V9 if year in ("2017", "2018") else set()
    assert set(selection["filters"]) - absent <= known


@pytest.mark.parametrize("name", CMS)
def test_pile_up_identification_of_jets(name: str) -> None:
    """The loose working point is bit 0 in NanoAOD v8 and v9 of 2016, bit 2 otherwise; one analysis asks for bit 2."""
    mask = config.shipped_selection(name)["cuts"]["jet"]["pile_up_id_mask"]
    assert mask == (1 if year_of(name) == "2016" and "open-data" not in name else 4)


# --- what a file may lack ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "file", "message"),
    [
        (
            "cms-hgg-2016-ul", "DY_2018_40ev",
            "no branch HLT_Diphoton30_18_R9Id_OR_IsoCaloId_AND_HE_R9Id_Mass90 in tree 'Events' (events.triggers)",
        ),
        ("cms-hww-run2-ul", "DY_2018_40ev", "no branch Flag_BadPFMuonDzFilter in tree 'Events' (events.filters)"),
        (
            "cms-hgg-run3", "GJet_Run3_v11_100ev",
            "no branch Photon_trkSumPtHollowConeDR03 in tree 'Events', which the column photons.track_iso is read from",
        ),
        (
            "cms-hgg-run3", "TT_Run3_v12_200ev",
            "no branch Photon_pt in tree 'Events', which the column photons.pt is read from",
        ),
    ],
)  # fmt: skip
def test_missing_branches_are_named(shared: Path, selection: str, file: str, message: str) -> None:
    path = shared / f"data/cms/{file}.root"
    tally = engine.run(run_config(config.shipped_selection(selection), [simulation(path)]))
    [failure] = tally.failures
    assert failure.error.startswith(f"{path}: {message}")


def test_a_primary_dataset_whose_paths_the_file_lacks(shared: Path) -> None:
    """A file of 2018 taken for one of 2016: not one of its own primary dataset's paths is there."""
    path = shared / "data/cms/DoubleMuon_Run2018A_data_40ev.root"
    selection = config.shipped_selection("cms-hww-2016-ul") | {"filters": []}
    selection["triggers"] = {"First": ["HLT_IsoMu24"], "SingleElectron": ["HLT_Ele25_eta2p1_WPTight_Gsf"]}
    tally = engine.run(run_config(selection, [data("SingleElectron", path)]))
    [failure] = tally.failures
    assert failure.error == f"{path}: none of the trigger paths of SingleElectron is in the file"


def test_plane_that_does_not_fit_its_axes() -> None:
    selection = config.shipped_selection("cms-hww-run2-ul")
    selection["histograms"]["m_t"] = {"label": "m_T", "bins": 10, "low": 60, "high": 200}
    run = run_config(selection, [simulation()])
    with pytest.raises(ConfigError) as error:
        preparation.prepare(run.model_dump_json(by_alias=True), "mc")
    assert str(error.value) == (
        "histograms.plane: the axes of m_ll and m_t make 90 cells, expected bins: 90, low: 0, high: 90; "
        "got bins: 72, low: 0, high: 72"
    )


# --- certified luminosity ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "primary", "file", "certificate", "certified"),
    [
        ("cms-hww-run2-ul", "SingleMuon", "DoubleMuon_Run2018A_data_40ev",
         "Cert_314472-325175_13TeV_Legacy2018_Collisions18_JSON.txt", 40),
        ("cms-hww-run2-ul", "SingleMuon", "DoubleMuon_Run2018A_data_40ev",
         "Cert_271036-284044_13TeV_Legacy2016_Collisions16_JSON.txt", 0),
        ("cms-hww-run3", "EGamma", "EGamma_Run2022F_data_100ev", "Cert_Collisions2022_355100_362760_Golden.json", 100),
    ],
)  # fmt: skip
def test_golden_json(shared: Path, selection: str, primary: str, file: str, certificate: str, certified: int) -> None:
    """Real data against the certificates of their own and of another year."""
    filters = [name for name in config.shipped_selection(selection)["filters"] if name not in SINCE_V9]
    changed = config.shipped_selection(selection) | {"filters": filters}
    dataset = data(primary, shared / f"data/cms/{file}.root")
    tally = engine.run(run_config(changed, [dataset], lumi_mask=str(shared / "data/golden_json" / certificate)))
    assert not tally.failures
    assert tally.counts.sums["data", "cutflow"].low[1, 0] == certified
