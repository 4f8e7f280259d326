"""The same events as TTree, RNTuple and Parquet: the same bits, for any range of events; and damaged files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import awkward as ak
import numpy as np
import pyarrow as pa
import pytest
import uproot
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from gpuhiggs.errors import FileError, SchemaError
from gpuhiggs.read import EventFile
from gpuhiggs.read.ntuple import NtupleTable
from gpuhiggs.read.values import Values, flat

ADL = "cms/SingleMu_Run2012B_data_1000ev.root"
NTUPLES = ("cms/DY_2018_40ev_rntuple.root", "cms/TT_OpenData2015_10ev_rntuple.root")


@pytest.fixture(scope="module")
def arrays(shared: Path) -> dict[str, ak.Array]:
    with uproot.open(shared / "data" / ADL) as file:
        tree = file["Events"]
        return {name: tree[name].array() for name in tree.keys(recursive=False)}


def struct_of_lists(arrays: dict[str, ak.Array]) -> pa.Table:
    """Collections as lists of structs, as the Parquet files of the ADL benchmarks have them."""
    columns: dict[str, pa.Array] = {}
    for top in ("Muon", "Jet", "MET"):
        fields = [name.partition("_")[2] for name in arrays if name.startswith(f"{top}_")]
        zipped = ak.zip({field: arrays[f"{top}_{field}"] for field in fields}, depth_limit=1 if top == "MET" else 2)
        columns[top] = ak.to_arrow(zipped, list_to32=True, extensionarray=False)
    columns["run"] = ak.to_arrow(arrays["run"], extensionarray=False)
    return pa.table(columns)


@pytest.fixture(scope="module")
def files(arrays: dict[str, ak.Array], shared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("formats")
    plain = pa.table({name: ak.to_arrow(values, extensionarray=False) for name, values in arrays.items()})
    parquet.write_table(plain, folder / "plain.parquet", row_group_size=300, compression="zstd")
    parquet.write_table(struct_of_lists(arrays), folder / "structs.parquet", row_group_size=170)
    with uproot.recreate(folder / "ntuple.root") as file:
        parts = [{name: values[a : a + 400] for name, values in arrays.items()} for a in (0, 400, 800)]
        table = file.mkrntuple("Events", {name: ak.type(values).content for name, values in arrays.items()})
        for part in parts:
            table.extend(part)
    return {
        "ttree": shared / "data" / ADL,
        "ntuple": folder / "ntuple.root",
        "plain": folder / "plain.parquet",
        "structs": folder / "structs.parquet",
    }


def assert_same(found: Values, array: ak.Array) -> None:
    layout = ak.to_packed(array).layout
    if found.offsets is None:
        expected = np.asarray(layout.data)
    else:
        expected = np.asarray(layout.content.data)
        np.testing.assert_array_equal(found.offsets, np.asarray(layout.offsets.data))
    assert found.content.dtype == expected.dtype
    assert found.content.tobytes() == expected.tobytes()


@pytest.mark.parametrize("kind", ["ttree", "ntuple", "plain", "structs"])
def test_every_format_gives_the_same_bits(files: dict[str, Path], arrays: dict[str, ak.Array], kind: str) -> None:
    with EventFile(str(files[kind]), ("Events",)) as events:
        assert events.entries == 1000
        names = sorted(set(arrays) & events.table.branches)
        assert len(names) == (len(arrays) if kind != "structs" else 29)
        for threads, (start, stop) in enumerate([(0, 1000), (0, 0), (1000, 1000), (399, 801), (5, 6), (170, 340)], 1):
            found = events.table.read(names, start, stop, min(threads, 2))
            for name in names:
                assert_same(found[name], arrays[name][start:stop])
        edges = events.table.edges(names).tolist()
        assert edges == {
            "ttree": [0, 1000], "ntuple": [0, 400, 800, 1000], "plain": [0, 300, 600, 900, 1000],
            "structs": [0, 170, 340, 510, 680, 850, 1000],
        }[kind]  # fmt: skip
        [(codec, volume)] = events.table.volumes(names).items()
        assert codec == {"ttree": "zlib", "plain": "zstd", "structs": "snappy", "ntuple": "zlib"}[kind]
        assert volume.stored > 1000
        assert len(events.uuid) >= 32


def test_two_parquet_files_are_two(files: dict[str, Path]) -> None:
    uuids = set()
    for kind in ("plain", "structs", "plain"):
        with EventFile(str(files[kind]), ("Events",)) as events:
            uuids.add(events.uuid)
    assert len(uuids) == 2


@pytest.mark.parametrize("name", NTUPLES)
def test_every_field_of_ntuples_by_root(shared: Path, name: str, caplog: pytest.LogCaptureFixture) -> None:
    path = shared / "data" / name
    with EventFile(str(path), ("Events",)) as events, uproot.open(path) as file:
        ntuple = file["Events"]
        table = events.table
        assert isinstance(table, NtupleTable)
        names = [one for one in ntuple.keys(recursive=False) if table.field(one) is not None]
        assert len(names) > 0.9 * len(ntuple.keys(recursive=False))
        n = events.entries
        for start, stop in ((0, n), (3, n - 2), (4, 5)):
            found = table.read(names, start, stop, 1)
            for one in names:
                if start == 0 or "Muon" in one:
                    expected = flat(ntuple[one].array(entry_start=start, entry_stop=stop))
                    np.testing.assert_array_equal(found[one].content, expected.content, one)
                    if expected.offsets is None:
                        assert found[one].offsets is None
                    else:
                        np.testing.assert_array_equal(found[one].offsets, expected.offsets, one)
    assert not caplog.messages


def test_a_field_that_pages_do_not_cover(
    files: dict[str, Path],
    arrays: dict[str, ak.Array],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(NtupleTable, "field", lambda *_: None)
    with caplog.at_level("DEBUG", "gpuhiggs"), EventFile(str(files["ntuple"]), ("Events",)) as events:
        found = events.table.read(["Muon_pt"], 390, 410, 1)
    assert_same(found["Muon_pt"], arrays["Muon_pt"][390:410])
    assert caplog.messages == [f"{files['ntuple']}: read by uproot's arrays(): Muon_pt"]


# --- damaged files -------------------------------------------------------------------------------------------------


def test_a_damaged_page(files: dict[str, Path], shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    raw = bytearray((shared / "data" / NTUPLES[0]).read_bytes())
    path.write_bytes(raw)
    with EventFile(str(path), ("Events",)) as events:
        table = events.table
        assert isinstance(table, NtupleTable)
        field = table.field("Muon_pt")
        assert field is not None
        assert field.values is not None
        extent = table.pages(0, field.values)[0].extent
        raw[extent.seek + extent.length // 2] ^= 1
        path.write_bytes(raw)
        with pytest.raises(
            FileError, match=r"a\.root: field .*Muon_pt, cluster 0, elements from 0: the checksum of a page"
        ):
            table.read(["Muon_pt"], 0, 40, 1)


def test_missing_values_are_refused(tmp_path: Path) -> None:
    table = pa.table({
        "x": pa.array([1.0, None, 2.0]),
        "y": pa.array([[1.0], None, [2.0]]),
        "z": pa.array([[1.0], [None], [2.0]]),
        "s": pa.array([{"a": 1}, None, {"a": 2}]),
        "name": pa.array(["a", "b", "c"]),
    })  # fmt: skip
    parquet.write_table(table, tmp_path / "a.parquet")
    with EventFile(str(tmp_path / "a.parquet"), ()) as events:
        assert events.table.branches == {"x", "y", "z", "s_a"}
        for name in ("x", "y", "z", "s_a"):
            with pytest.raises(FileError, match=rf"a\.parquet: column {name}: 1 of its 3 values are missing"):
                events.values([name], 0, 3)
        assert events.table.read(["x"], 2, 3, 1)["x"].content.tolist() == [2.0]


@pytest.mark.parametrize("kept", [0.999, 0.5, 12])
def test_a_truncated_parquet_file(files: dict[str, Path], tmp_path: Path, kept: float) -> None:
    raw = files["plain"].read_bytes()
    path = tmp_path / "a.parquet"
    path.write_bytes(raw[: int(kept * len(raw)) if isinstance(kept, float) else kept])
    with pytest.raises(FileError, match=r"a\.parquet: cannot be read: "):
        EventFile(str(path), ())


@pytest.mark.parametrize("kind", ["ntuple", "plain"])
@settings(max_examples=35, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_mutated_files(
    files: dict[str, Path], arrays: dict[str, ak.Array], tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    """Bytes anywhere in the file: an error that names it, or as many numbers as there are events."""
    raw = bytearray(files[kind].read_bytes())
    path = tmp_path / "mutated"
    for at, value in data.draw(st.lists(st.tuples(st.integers(0, len(raw) - 1), st.integers(0, 255)), max_size=4)):
        raw[at] = value
    path.write_bytes(raw)
    message, n, found = "", 0, {}
    try:
        with EventFile(str(path), ("Events",)) as events:
            n = events.entries
            found = events.values(["Muon_pt", "run"], 0, n)
    except (FileError, SchemaError) as error:
        message = str(error)
    if message:
        assert str(path) in message
    else:
        assert found["Muon_pt"].offsets is not None
        assert len(found["run"].content) == n == len(found["Muon_pt"].offsets) - 1


NO_PYARROW = """
import sys
sys.modules["pyarrow"] = None
from gpuhiggs.errors import MissingExtraError
from gpuhiggs.read import EventFile
try:
    EventFile(sys.argv[1], ())
except MissingExtraError as error:
    assert str(error) == "reading Parquet files needs the package 'pyarrow': pip install 'gpuhiggs[parquet]'", error
else:
    raise AssertionError
"""


def test_without_pyarrow(files: dict[str, Path]) -> None:
    done = subprocess.run([sys.executable, "-c", NO_PYARROW, str(files["plain"])], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
