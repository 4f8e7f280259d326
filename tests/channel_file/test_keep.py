"""Selected events of a channel in a file: kept, identified, and written as a skim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot
from pyarrow import parquet

from gpuhiggs import engine, skim
from gpuhiggs.config import build
from gpuhiggs.engine import work
from gpuhiggs.errors import ConfigError, RunError
from gpuhiggs.skim.pieces import Pieces

TEXT = '''"""Events with much missing momentum."""

from typing import NamedTuple

from gpuhiggs.language import Float32, Histogram, fill, keep, regular, scalar


class Met(NamedTuple):
    pt: Float32
    phi: Float32


class Inputs(NamedTuple):
    MET: Met


class Out(NamedTuple):
    met: Histogram = regular(100, 0.0, 2000.0)


class Selected(NamedTuple):
    met: float
    twice: float


@scalar
def body(event, inputs, weight, out):
    met = inputs.MET.pt[event]
    fill(out.met, met, weight)
    if met > 50.0:
        keep(out, event, weight, Selected(met, 2.0 * met))
'''


def run(folder: Path, text: str, file: Path) -> list[Path]:
    path = folder / "channel.py"
    path.write_text(text)
    dataset = {"name": "d", "process": "d", "kind": "data", "files": [str(file)]}
    raw = {"selection": str(path), "datasets": [dataset], "lumi_mask": None, "chunk_size": 300, "skim": ["parquet"]}
    loaded = build(raw | {"execution": {"attempts": 1}}, folder / "c.yaml")
    skim.require(loaded)
    pieces = Pieces(folder / "out", loaded, fresh=True)
    tally = engine.run(loaded, skim.keeping(work.serially, loaded, pieces))
    if tally.failures:
        raise RunError(tally.failures[0].error)
    skim.write(loaded, tally, pieces, folder / "out")
    return list((folder / "out").glob("**/*.parquet"))


def test_skim(shared: Path, tmp_path: Path) -> None:
    file = shared / "data/cms/SingleMu_Run2012B_data_1000ev.root"
    [written] = run(tmp_path, TEXT, file)
    table = parquet.read_table(written)
    with uproot.open(file) as source:
        events = source["Events"].arrays(["MET_pt", "run", "event"], library="np")
    passed = events["MET_pt"] > 50
    assert 10 < passed.sum() < 900
    np.testing.assert_array_equal(table["met"], events["MET_pt"][passed])
    np.testing.assert_array_equal(table["twice"], 2.0 * events["MET_pt"][passed].astype(float))
    np.testing.assert_array_equal(table["event"], events["event"][passed])
    np.testing.assert_array_equal(table["run"], events["run"][passed])
    np.testing.assert_array_equal(table["weight"], np.ones(passed.sum()))


def test_mistakes(shared: Path, tmp_path: Path) -> None:
    file = shared / "data/cms/SingleMu_Run2012B_data_1000ev.root"
    line = "        keep(out, event, weight, Selected(met, 2.0 * met))\n"
    with pytest.raises(RunError, match=r"channel\.py: an event is kept more than once"):
        run(tmp_path, TEXT.replace(line, 2 * line), file)
    for wrong, message in (("met: int", "expected a NamedTuple of floats"), ("weight: float", "weight: the name is")):
        with pytest.raises(ConfigError, match=rf"channel\.py: Selected.*{message}"):
            run(tmp_path, TEXT.replace("met: float", wrong), file)
    with pytest.raises(ConfigError, match="records no selected events"):
        run(tmp_path, TEXT.replace(line, "        pass\n").replace("class Selected", "class Other"), file)
