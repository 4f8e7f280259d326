"""``gpuhiggs datasets``: what the terminal shows, and files compared with what a release says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from gpuhiggs.__main__ import app
from gpuhiggs.errors import ConfigError

OWN = """
title: Mine
luminosity: 2.0
luminosity_source: me
eras: {{A: 2.0}}
schema: nanoaod
weights_in_files: true
datasets:
  signal:
    kind: simulation
    process: H
    title: H
    events: {events}
    cross_section: 1.0
    source: me
    sum_of_weights: {weights}
"""


def _run(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["datasets", *arguments])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, found.output


def test_list() -> None:
    status, text = _run("list", "cms-open-data-2016/")
    assert status == 0
    assert len(text.splitlines()) == 48
    [line] = [line for line in text.splitlines() if line.startswith("cms-open-data-2016/GluGluHToGG ")]
    assert line.split()[1:] == ["simulation", "ggH", "3", "-", "0.11028", "540000"]


def test_list_by_pattern() -> None:
    assert len(_run("list", "*/data.*")[1].splitlines()) == 1 + 6
    with pytest.raises(ConfigError, match="no dataset matches 'nothing'"):
        _run("list", "nothing")


def test_show() -> None:
    status, text = _run("show", "atlas-open-data-2020/ttH125_gamgam.GamGam", "--files")
    assert status == 0
    assert "cross_section: 0.00115" in text
    assert "0.5065 pb × 2.27e-3 (YR4); the release has 2.64e-6 pb" in text
    assert "record: https://opendata.cern.ch/record/15006" in text
    assert "/GamGam/MC/mc_341081.ttH125_gamgam.GamGam.root" in text
    assert "luminosity: 7.653 fb⁻¹" in _run("show", "cms-open-data-2016/DoubleEG_Run2016G")[1]


@pytest.fixture
def release(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> Callable[..., str]:
    """A function from what a release says to its name; it has two files of 20 events and Σw = 50 together."""
    for number, weights in enumerate((20.0, 30.0)):
        write_nanoaod(tmp_path / f"{number}.root", four_muon_events(20), runs={"genEventSumw": [weights]})
    size = (tmp_path / "0.root").stat().st_size

    def write(events: int = 40, weights: float = 50.0, extra: int = 0, missing: str = "") -> str:
        (tmp_path / "own.yaml").write_text(OWN.format(events=events, weights=weights))
        lines = f"= signal {tmp_path}/\n0.root {size + extra} -\n1.root - -\n{missing}"
        (tmp_path / "own.files.txt").write_text(lines)
        return f"{tmp_path / 'own.yaml'}/signal"

    return write


def test_check(release: Callable[..., str]) -> None:
    status, text = _run("check", release())
    assert status == 0
    assert "ok: 2 of 2 files, 40 events, Σw = 50.0" in text


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"events": 41}, "40 events, the catalogue has 41"),
        ({"weights": 51.0}, "the sum of weights is 50.0, the catalogue has 51.0"),
        ({"extra": 1}, "bytes, the catalogue has"),
        ({"missing": "2.root - -\n"}, "2.root: no such file"),
    ],
)
def test_check_that_finds_something(release: Callable[..., str], said: dict[str, Any], message: str) -> None:
    status, text = _run("check", release(**said))
    assert status == 1
    assert "differs: 2 of" in text
    assert message in text


def test_check_of_a_part(release: Callable[..., str]) -> None:
    """What only the whole dataset can tell is not compared."""
    status, text = _run("check", release(events=41), "--files", "1")
    assert status == 0
    assert "ok: 1 of 2 files, 20 events" in text


def test_check_of_real_files_in_a_mirror(shared: Path, tmp_path: Path) -> None:
    """The files at hand were written again by somebody: their sizes differ, and it is said."""
    folder = tmp_path / "atlas/OutreachDatasets/2020-08-19/4lep/Data"
    folder.mkdir(parents=True)
    for period in "AB":
        (folder / f"data_{period}.4lep.root").symlink_to(shared / "data" / "atlas" / f"data_{period}.4lep.root")
    status, text = _run("check", "atlas-open-data-2020/data.4lep", "--mirror", str(tmp_path))
    assert status == 1
    assert "differs: 2 of 4 files, 195 events" in text
    assert "data_A.4lep.root: 25826 bytes, the catalogue has 33765" in text
    assert "data_C.4lep.root: no such file" in text


def test_check_that_reaches_nothing(tmp_path: Path) -> None:
    status, text = _run("check", "atlas-open-data-2020/llll.4lep", "--mirror", str(tmp_path))
    assert status == 1
    assert "not reached: 0 of 1 files" in text
    assert "Traceback" not in text


def test_check_gives_up(tmp_path: Path) -> None:
    _, text = _run("check", "cms-open-data-2016/DoubleEG_Run2016G", "--mirror", str(tmp_path))
    assert text.count("no such file") == 2
    assert "the other 45 files were not tried" in text
