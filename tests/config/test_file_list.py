"""What ``files`` of a dataset may say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpuhiggs.config.file_list import candidates, expand
from gpuhiggs.errors import ConfigError

LFN = "/store/data/Run2018A/EGamma/NANOAOD/UL2018-v1/1.root"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("b.root", "a.root", "c.parquet", "notes.md"):
        (tmp_path / "in" / name).touch()
    (tmp_path / "das.txt").write_text(f"# of DAS\n{LFN}\n\n  in/a.root  # mine\nroot://host//x.root\n")
    (tmp_path / "rucio.txt").write_text(
        "+------+------+\n| SCOPE | RSE: REPLICA |\n|-------+-----|\n"
        "| user.x | DESY: root://dcache:1094//pnfs/1.root |\n| user.x | CERN: davs://eos:443/2.root |\n+---+---+\n"
    )
    filesets = {
        "ZZ": {"files": {"in/a.root": "Events", "root://h//2.root": {"object_path": "Events"}}, "metadata": {}},
        "WW": ["in/b.root"],
        "none": {"files": {}},
    }
    (tmp_path / "sets.json").write_text(json.dumps(filesets))
    (tmp_path / "one.json").write_text(json.dumps({"WW": filesets["WW"]}))
    return tmp_path


def test_what_entries_stand_for(folder: Path) -> None:
    inside = [str(folder / "in" / name) for name in ("a.root", "b.root", "c.parquet")]
    assert expand(["in"], folder) == inside
    assert expand(["in/*.root", LFN], folder) == [*inside[:2], LFN]
    assert expand(["das.txt"], folder) == [LFN, inside[0], "root://host//x.root"]
    assert expand(["rucio.txt"], folder) == ["root://dcache:1094//pnfs/1.root", "davs://eos:443/2.root"]
    assert expand(["sets.json#ZZ"], folder) == [inside[0], "root://h//2.root"]
    assert expand(["one.json"], folder) == inside[1:2]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("sets.json", r"sets.json: no dataset ''; there are ZZ, WW, none: choose one with sets.json#NAME"),
        ("sets.json#none", "sets.json#none: no file is listed"),
        ("nothing.txt", "nothing.txt: cannot be read"),
        ("in/notes.json", "notes.json: cannot be read"),
        ("x*.root", r"x\*.root: no file matches"),
        ("$UNSET/a.root", "the environment variable UNSET is not set"),
    ],
)
def test_what_cannot_be_expanded(folder: Path, entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        expand([entry], folder)


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no file \*\.root or \*\.parquet in it"):
        expand([str(tmp_path)], tmp_path)


def test_redirectors_are_asked_for_logical_names_in_order() -> None:
    redirectors = ("root://xrootd-cms.infn.it/", "root://cmsxrootd.fnal.gov")
    assert candidates(LFN, redirectors) == [f"root://xrootd-cms.infn.it/{LFN}", f"root://cmsxrootd.fnal.gov/{LFN}"]
    assert candidates(LFN, ()) == [LFN]
    assert candidates("/data/a.root", redirectors) == ["/data/a.root"]
