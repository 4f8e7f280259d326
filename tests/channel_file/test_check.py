"""`gpuhiggs run --check`: a few events of each dataset, nothing written, mistakes said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot
from typer.testing import CliRunner

from gpuhiggs.__main__ import app
from gpuhiggs.config import load
from gpuhiggs.engine.trial import tried

QUERY = Path(__file__).parents[2] / "bench/adl_queries/q1.py"
ADL = "data/cms/SingleMu_Run2012B_data_1000ev.root"


def configuration(folder: Path, *files: Path) -> Path:
    lines = [f"  - {{name: d{i}, process: d{i}, kind: data, files: ['{file}']}}" for i, file in enumerate(files)]
    path = folder / "c.yaml"
    path.write_text("\n".join(["lumi_mask: null", "datasets:", *lines, ""]))
    return path


def test_a_few_events(shared: Path, tmp_path: Path) -> None:
    config = configuration(tmp_path, shared / ADL)
    [found] = tried(load(config, QUERY), events=300)
    with uproot.open(shared / ADL) as file:
        met = file["Events"]["MET_pt"].array(library="np")
    assert (found.dataset, found.events, found.error) == ("d0", 300, "")
    assert dict(found.cutflow) == {"all": 300, "certified": 300, "filters": 300, "trigger": 300}
    assert dict(found.filled) == {"met": float(np.isfinite(met[:300]).sum())}


def test_the_command(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = configuration(tmp_path, shared / ADL, tmp_path / "none.root")
    done = CliRunner().invoke(app, ["run", str(config), "--channel", str(QUERY), "--check"])
    assert done.exit_code == 1
    assert f"d0: 1000 events of {shared / ADL} in " in done.output
    assert "sums of weights: met 1000\n" in done.output
    assert f"d1: failed: {tmp_path / 'none.root'}: no such file" in done.output
    assert [one.name for one in tmp_path.iterdir()] == ["c.yaml"]
    wrong = tmp_path / "wrong.py"
    wrong.write_text(QUERY.read_text().replace("MET.pt[event]", "MET.ptt[event]"))
    done = CliRunner().invoke(app, ["run", str(config), "--channel", str(wrong), "--check"])
    assert done.exit_code != 0
    assert "wrong.py:22: " in f"{done.output}{done.exception}"
