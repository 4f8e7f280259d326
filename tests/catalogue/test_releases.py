"""The releases of the package: whole, with sources, and with the errors of their origins put right."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from gpuhiggs import catalogue, config, schema
from gpuhiggs.catalogue import lumi_mask, releases
from gpuhiggs.channels import CHANNELS
from gpuhiggs.errors import ConfigError

NAMES = catalogue.release_names()
EXAMPLES = sorted((Path(config.__file__).parent / "examples").glob("*.yaml"))


def _one(name: str) -> releases.Dataset:
    [entry] = catalogue.find(name)
    return entry.dataset


def test_there_are_these() -> None:
    assert NAMES == ["atlas-open-data-2020", "atlas-open-data-2025", "cms-open-data-2016"]
    assert len(releases.everything()) > 150


@pytest.mark.parametrize("name", NAMES)
def test_release_is_whole(name: str) -> None:
    entries = list(releases.entries(name, releases.folder()))
    urls = [file.url for entry in entries for file in entry.files]
    schema.load(entries[0].release.schema_)
    assert all(re.fullmatch(r"root://eospublic\.cern\.ch//eos/opendata/\S+\.root", url) for url in urls)
    assert len(set(urls)) == len(urls)
    for entry in entries:
        one = entry.dataset
        assert one.kind == "simulation" or entry.size
        assert one.source or one.kind == "data", entry.full_name
        assert math.frexp(one.weight_unit)[0] == 0.5


def test_cms_data_are_all_there() -> None:
    """Numbers of files of the portal's records."""
    files = {entry.name: len(entry.files) for entry in catalogue.find("cms-open-data-2016/*_Run2016?")}
    assert files == {
        "DoubleEG_Run2016G": 47, "DoubleEG_Run2016H": 86, "DoubleMuon_Run2016G": 29, "DoubleMuon_Run2016H": 28,
        "MuonEG_Run2016G": 29, "MuonEG_Run2016H": 19, "SingleElectron_Run2016G": 71, "SingleElectron_Run2016H": 80,
        "SingleMuon_Run2016G": 70, "SingleMuon_Run2016H": 82,
    }  # fmt: skip


def test_certified_sections_are_of_these_eras() -> None:
    mask = lumi_mask.load(str(releases.folder() / "cms-open-data-2016.certified.json"))
    assert mask.run.min() == 278820
    assert mask.run.max() == 284044


@pytest.mark.parametrize(
    ("name", "published", "right"),
    [
        ("atlas-open-data-2020/ttH125_gamgam.GamGam", 2.6433864e-06, 0.5065 * 2.27e-3),
        ("atlas-open-data-2020/ZH125_ZZ4lep.4lep", 2.1424784e-06, 0.7612 * 2.745e-4),
        ("atlas-open-data-2020/ggH125_WW2lep.2lep", 0.1481173588, 48.52 * 0.215 * (3 * 0.1086) ** 2 * 0.49374),
        ("atlas-open-data-2025/VBF_ZZ4l.exactly4lep", 3.7474 * 1.551e-08, 3.779 * 1.24e-4),
        ("atlas-open-data-2025/ggH_ZZ4l.exactly4lep", 28.3 * 0.000124 * 1.45, 48.52 * 1.24e-4),
    ],
)
def test_errors_of_the_origin_are_put_right(name: str, published: float, right: float) -> None:
    assert _one(name).cross_section == pytest.approx(right, rel=0.002)
    assert abs(published / right - 1) > 0.1


@pytest.mark.parametrize("name", ["atlas-open-data-2020/*", "atlas-open-data-2025/*"])
def test_higgs_cross_sections_are_those_of_the_working_group(name: str) -> None:
    """H→γγ and H→4ℓ against YR4 at 125 GeV, in pb: nothing is off by a branching ratio."""
    expected = {"ggH": 48.58, "VBF": 3.78, "WH": 1.37, "ZH": 0.88, "ttH": 0.507}
    ratio = {"gamgam": 2.27e-3, "ZZ4l": 2.7e-4, "WW": 0.2137 * 0.106}
    for entry in catalogue.find(name):
        one = entry.dataset
        final = next((value for key, value in ratio.items() if key in entry.name), None)
        if final is None or one.process not in expected or one.cross_section is None:
            continue
        fraction = one.cross_section / (expected[one.process] * final)
        assert 0.04 < fraction < 1.1, entry.full_name  # filters on leptons and parts of WH, ZH and ttH are below one


def test_incomplete_list_has_no_sum_that_a_run_would_use() -> None:
    """15 of 16 files of ttH→γγ are known: each file's own sum counts."""
    assert _one("cms-open-data-2016/ttHToGG").files_of_record == 16
    [keys] = catalogue.expand({"datasets": [{"catalogue": "cms-open-data-2016/ttHToGG"}]}, Path("a.yaml"))["datasets"]
    assert len(keys["files"]) == 15
    assert "sum_of_weights" not in keys


def test_each_flavour_of_gg_to_ww_is_normalised_by_itself() -> None:
    flavours = catalogue.find("cms-open-data-2016/GluGluToWWTo*")
    assert len(flavours) == 9
    assert {entry.dataset.cross_section for entry in flavours} == {0.05152}


# --- in a configuration ----------------------------------------------------------------------------------------------

HEAD: dict[str, Any] = {"selection": "cms-hzz4l-2016-ul", "luminosity": "catalogue", "lumi_mask": "catalogue"}


def _expand(*datasets: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return catalogue.expand({**HEAD, "datasets": list(datasets), **settings}, Path("/data/run.yaml"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NANOAOD", str(tmp_path))
    monkeypatch.setenv("POG", str(tmp_path))
    if "$NANOAOD" in path.read_text():
        for line in path.read_text().splitlines():
            if "$NANOAOD/" in line:
                (tmp_path / line.split("$NANOAOD/")[1].split()[0].replace("*", "_1")).touch()
    loaded = config.load(path, expansion=catalogue.expand)
    assert loaded.selection.channel in CHANNELS
    assert loaded.luminosity
    assert {dataset.kind for dataset in loaded.datasets} == {"data", "simulation"}


def test_own_keys_win() -> None:
    own = {"process": "qqZZ", "cross_section": 1.0, "name": "ZZ"}
    expanded = _expand({"catalogue": "cms-open-data-2016/ZZTo4L", **own}, lumi_mask=None)
    [keys] = expanded["datasets"]
    assert (keys["name"], keys["process"], keys["cross_section"], keys["weight_unit"]) == ("ZZ", "qqZZ", 1.0, 1.0)
    assert len(keys["files"]) == 99
    assert expanded["luminosity"] == 16.393


def test_mirror() -> None:
    [keys] = _expand({"catalogue": "atlas-open-data-2020/llll.4lep", "mirror": "/data/od/"}, lumi_mask=None)["datasets"]
    assert keys["files"][0].startswith("/data/od/atlas/OutreachDatasets/2020-08-19/4lep/MC/mc_363490.llll")
    assert keys["sum_of_weights"] == 7538705.8077


@pytest.mark.parametrize(
    ("eras", "luminosity"),
    [(("DoubleEG_Run2016G",), 7.653), (("DoubleEG_Run2016H", "MuonEG_Run2016H"), 8.740), (("DoubleEG_*",), 16.393)],
)
def test_luminosity_is_that_of_the_eras(eras: tuple[str, ...], luminosity: float) -> None:
    expanded = _expand(*({"catalogue": f"cms-open-data-2016/{era}"} for era in eras))
    assert expanded["luminosity"] == luminosity
    assert expanded["lumi_mask"].endswith("cms-open-data-2016.certified.json")


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        (
            ["cms-open-data-2016/DoubleEG_*", "cms-open-data-2016/MuonEG_Run2016G"],
            "different eras .DoubleEG of Run2016G, R",
        ),
        (
            ["cms-open-data-2016/ZZTo4L", "atlas-open-data-2020/llll.4lep"],
            "one release, there is atlas-open-data-2020, c",
        ),
        (["cms-open-data-2016/ZZTo4L"], "lumi_mask: expected data of one release"),
        (["cms-open-data-2016/GluGluHToGGG"], "did you mean GluGluHToGG"),
        (["cms-open-data-2017/x"], "unknown release 'cms-open-data-2017'; known: atlas-open-data-2020"),
        (["GluGluHToGG"], "names no dataset: expected release/dataset"),
        (["cms-open-data-2016/GluGluToContinToZZTo4mu"], "has no cross_section: no public source"),
    ],
)
def test_refused(datasets: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        _expand(*({"catalogue": name} for name in datasets))


def test_one_name_for_several() -> None:
    with pytest.raises(ConfigError, match=r"datasets\.0: .* is several datasets, which cannot all be named 'G'"):
        _expand({"catalogue": "cms-open-data-2016/DoubleEG_*", "name": "G"})


@pytest.mark.parametrize("key", ["catalouge", "catalog", "Catalogue"])
def test_misspelt_key(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"run\.yaml: datasets\.0: unknown key '{key}'; did you mean 'catalogue'\?"):
        catalogue.expand({"datasets": [{key: "cms-open-data-2016/ZZTo4L"}]}, Path("run.yaml"))


def test_what_is_no_configuration_of_datasets_is_left_alone() -> None:
    assert catalogue.expand({"datasets": 3}, Path()) == {"datasets": 3}
    assert catalogue.expand({"datasets": [3, {"name": "x"}]}, Path())["datasets"] == [3, {"name": "x"}]


# --- a user's own release --------------------------------------------------------------------------------------------

OWN = """
title: Mine
luminosity: 2.0
luminosity_source: me
eras: {A: 2.0}
schema: nanoaod
weights_in_files: false
datasets:
  data: {kind: data, process: data, title: data, primary_dataset: DoubleEG, era: A}
  signal: {kind: simulation, process: H, title: H, cross_section: 1.0, source: me, sum_of_weights: 10}
"""
FILES = "= data /store/\na.root 10 -\n= signal /store/mc/\nb.root - -\n"


def _write(folder: Path, text: str = OWN, files: str = FILES) -> Path:
    (folder / "own.yaml").write_text(text)
    (folder / "own.files.txt").write_text(files)
    return folder / "run.yaml"


def test_own_release(tmp_path: Path) -> None:
    raw = {"datasets": [{"catalogue": "own.yaml/*"}], "luminosity": "catalogue", "lumi_mask": "catalogue"}
    expanded = catalogue.expand(raw, _write(tmp_path))
    assert expanded["luminosity"] == 2.0
    assert expanded["lumi_mask"] is None
    assert [keys["files"] for keys in expanded["datasets"]] == [["/store/a.root"], ["/store/mc/b.root"]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("era: A", "era: B", "data: no luminosity for the era 'B'; there is A"),
        ("luminosity: 2.0", "luminosity: 3.0", "the eras add up to 2 fb⁻¹, luminosity is 3"),
        ("luminosity: 2.0\n", "", "luminosity: Field required"),
        (", sum_of_weights: 10", "", "signal: simulation without a sum_of_weights"),
        ("sum_of_weights: 10", "sum_of_weights: -10", "sum_of_weights must be positive, got -10"),
        (", source: me", "", "simulation needs a cross_section .or null. and its source"),
        ("cross_section: 1.0", "cross_section: 0", "greater than 0"),
        ("primary_dataset: DoubleEG, ", "", "data need an era and a primary_dataset"),
        ("schema: nanoaod", "schema: nanoaod\nsource: x", "unknown key 'source'"),
    ],
)
def test_own_release_that_is_wrong(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in OWN
    with pytest.raises(ConfigError, match=message):
        catalogue.expand({"datasets": [{"catalogue": "own.yaml/*"}]}, _write(tmp_path, OWN.replace(old, new)))


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ("= data /store/\na.root 10 -\n", "signal: either without files or without an entry"),
        (FILES + "= more /store/\nc.root - -\n", "more: either without files"),
        (FILES + "c.root -\n", r"line 5: expected .* got 'c.root -'"),
        ("a.root - -\n", "line 1: expected"),
    ],
)
def test_own_list_of_files_that_is_wrong(tmp_path: Path, files: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        catalogue.expand({"datasets": [{"catalogue": "own.yaml/*"}]}, _write(tmp_path, files=files))


def test_own_release_without_a_list(tmp_path: Path) -> None:
    path = _write(tmp_path)
    (tmp_path / "own.files.txt").unlink()
    with pytest.raises(ConfigError, match=r"own\.files\.txt: No such file"):
        catalogue.expand({"datasets": [{"catalogue": "own.yaml/*"}]}, path)
