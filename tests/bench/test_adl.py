"""The eight ADL queries on real data, against array programs that share no line with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pytest
import uproot
from pyarrow import parquet

import gpuhiggs
from bench import adl, adl_peers, adl_table


@pytest.fixture(scope="module")
def path(shared: Path) -> str:
    """1,000 events that CMS recorded in 2012."""
    return str(shared / "data/cms/SingleMu_Run2012B_data_1000ev.root")


def _chunks(path: str, query: int) -> Iterator[Any]:
    with uproot.open(path) as file:
        yield file["Events"].arrays(list(adl_peers.COLUMNS[query]))


@pytest.mark.parametrize("query", sorted(adl_peers.QUERIES))
def test_query(query: int, path: str) -> None:
    counts = adl.ours(1)(path, query).counts
    expected = adl_peers.arrays(_chunks(path, query), query)
    assert counts.keys() == expected.keys() == adl.axes(query).keys()
    for name, found in expected.items():
        np.testing.assert_array_equal(counts[name], found.values(flow=True), err_msg=name)
        np.testing.assert_allclose(adl.axes(query)[name], found.axes[0].edges, rtol=1e-15)
        assert np.sum(counts[name]) > 50


def test_other_formats(path: str, tmp_path: Path) -> None:
    """The same events as RNTuple and as Parquet: the same bits."""
    names = sorted({name for columns in adl_peers.COLUMNS.values() for name in columns})
    with uproot.open(path) as file:
        arrays = file["Events"].arrays(names)
    with uproot.recreate(tmp_path / "ntuple.root") as file:
        file.mkrntuple("Events", {name: arrays[name] for name in names})
    table = {name: ak.to_arrow(arrays[name], list_to32=True, extensionarray=False) for name in names}
    parquet.write_table(pa.table(table), tmp_path / "table.parquet")
    for query in (1, 8):
        digests = {
            gpuhiggs.run(adl.QUERIES / f"q{query}.py", file).digest
            for file in (path, tmp_path / "ntuple.root", tmp_path / "table.parquet")
        }
        assert len(digests) == 1, query


def test_the_hard_cases_are_there(path: str) -> None:
    """Overlaps that are removed, ties that are decided, events that have nothing to show."""
    counts = adl.ours(1)(path, 7).counts
    assert counts["ht"][0] > 500, "events without such jets count with 0"
    assert 0.0 < adl.difference(counts, {"ht": counts["ht"][::-1]}) <= 1.0
    assert adl.difference(counts, counts) == 0.0


def test_the_table_is_that_of_the_results() -> None:
    assert adl_table.section() in (adl_table.FOLDER / "README.md").read_text(encoding="utf-8")
