"""Files that are not as they should be: each is refused with an error that names it, or read rightly."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs import channels, schema
from gpuhiggs.columns import wanted
from gpuhiggs.errors import FileError, SchemaError
from gpuhiggs.kernels.language import Int32, Int64, UInt32
from gpuhiggs.read import BitMask, EventFile, Request
from gpuhiggs.schema import Schema

UNUSED = ("events.triggers", "events.filters", "electrons.bdt_wp90")
REQUEST = Request(channels.find("four_lepton").inputs, schema.load("nanoaod"), True, (), UNUSED)


def with_masks(paths: tuple[str, ...], filters: tuple[str, ...] = ()) -> Request:
    masks = (BitMask("events", "triggers", paths, True), BitMask("events", "filters", filters, False))
    return REQUEST._replace(masks=masks, unused=("electrons.bdt_wp90",))


def error_of(path: Path | str, trees: tuple[str, ...] = ("Events",)) -> str:
    with pytest.raises((FileError, SchemaError)) as error:
        EventFile(str(path), trees)
    assert str(path) in str(error.value)
    return str(error.value).replace(str(path), "FILE")


def test_missing_file(tmp_path: Path) -> None:
    assert error_of(tmp_path / "none.root") == "FILE: no such file"


def test_what_is_no_root_file(tmp_path: Path) -> None:
    path = tmp_path / "a.root"
    path.write_bytes(b"")
    assert error_of(path).startswith("FILE: cannot be read: ")
    path.write_text("run,event\n1,2\n" * 1000)
    assert error_of(path).startswith("FILE: cannot be read: ValueError: not a ROOT file")
    path.write_bytes(b"root" + bytes(10_000))
    assert error_of(path) == "FILE: no tree 'Events'; the file has: nothing"
    assert error_of(tmp_path).startswith("FILE: cannot be read: IsADirectoryError")


def test_a_path_with_a_colon_is_one_file(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> None:
    path = write_nanoaod(tmp_path / "a:b.root", four_muon_events(2))
    with EventFile(str(path), ("Events",)) as events:
        assert events.entries == 2
    assert error_of(f"{path}:Events") == "FILE: no such file"


@pytest.mark.parametrize("name", ["atlas/data_A.4lep.root", "cms/DY_2018_40ev_rntuple.root"])
@pytest.mark.parametrize("kept", [3, 50, 100, 300, 0.1, 0.5, 0.9, 0.999, -1])
def test_a_truncated_file(shared: Path, tmp_path: Path, name: str, kept: float) -> None:
    whole = (shared / "data" / name).read_bytes()
    n = int(kept * len(whole)) if isinstance(kept, float) else kept % len(whole)
    (tmp_path / "cut.root").write_bytes(whole[:n])
    message = error_of(tmp_path / "cut.root", ("mini", "Events"))
    assert message == f"FILE: truncated: {n} of {len(whole)} bytes" or "FILE: cannot be read: " in message


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_cut_is_taken_for_a_whole_file(
    shared: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = (shared / "data/atlas/data_A.4lep.root").read_bytes()
    path = tmp_path_factory.getbasetemp() / "truncated.root"
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1), label="bytes kept")])
    error_of(path, ("mini",))


def test_wrong_tree(shared: Path, tmp_path: Path) -> None:
    assert error_of(shared / "data/atlas/data_A.4lep.root") == "FILE: no tree 'Events'; the file has: mini"
    with uproot.recreate(tmp_path / "a.root"):
        pass
    assert error_of(tmp_path / "a.root", ("Events", "mini")) == (
        "FILE: no tree 'Events' or 'mini'; the file has: nothing"
    )
    with uproot.recreate(tmp_path / "b.root") as file:
        file["Events"] = np.histogram([1, 2, 3])
    assert error_of(tmp_path / "b.root") == "FILE: 'Events' is a TH1D, expected TTree or ROOT::RNTuple"


@pytest.mark.parametrize("kind", ["ttree", "rntuple"])
def test_zero_events(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path], kind: str
) -> None:
    branches = four_muon_events(0)
    if kind == "ttree":
        path = write_nanoaod(tmp_path / "a.root", branches)
    else:
        path = tmp_path / "a.root"
        flat = {
            f"{name}_{field}": values[field]
            for name, values in branches.items()
            for field in getattr(values, "fields", ())
        }
        flat |= {name: values for name, values in branches.items() if isinstance(values, np.ndarray)}
        with uproot.recreate(path) as file:
            file.mkrntuple("Events", {name: ak.Array(values).type.content for name, values in flat.items()})
    request = with_masks(("HLT_A",), ("Flag_good",))
    with EventFile(str(path), ("Events",)) as events:
        assert events.entries == 0
        columns = events.read(events.resolve(request), 0, 0)
    for one in wanted(request.inputs):
        assert getattr(getattr(columns, one.collection), one.field).shape == (0,)
        assert getattr(getattr(columns, one.collection), one.field).dtype == one.dtype
    np.testing.assert_array_equal(columns.muons.offsets, [0])


def test_a_damaged_basket_is_found_when_it_is_read(
    tmp_path: Path,
    four_muon_events: Callable[..., Any],
    write_nanoaod: Callable[..., Path],
    damage_second_basket: Callable[[Path, str], None],
) -> None:
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(50), four_muon_events(50, 1))
    damage_second_basket(path, "Muon_pt")
    with EventFile(str(path), ("Events",)) as events:
        resolved = events.resolve(REQUEST)
        assert events.read(resolved, 0, 50).muons.pt.size > 100
        with pytest.raises(FileError, match=r"a\.root: branch Muon_pt, basket 1: "):
            events.read(resolved, 50, 100)


def test_a_damaged_file_does_not_spoil_the_next_one(shared: Path) -> None:
    """Uproot learns classes from files that do not have the versions it knows, for the whole process."""
    path = str(shared / "data/atlas/data_A.4lep.root")
    model = uproot.classes["TBranch"]
    before = model.known_versions[13]
    with uproot.open(path) as file:
        model.new_class(file.file, 7)  # as it does where a damaged byte makes a TBranch of version 7
    assert model.known_versions[13] is not before
    with EventFile(path, ("mini",)) as events:
        assert events.values(["lep_pt"], 0, 5)["lep_pt"].content.size == 20
    assert model.known_versions[13] is before


# --- types and shapes ----------------------------------------------------------------------------------------------


class Counts(NamedTuple):
    """Two whole numbers an event."""

    small: Int32
    large: UInt32


class Objects(NamedTuple):
    """Whole numbers an object."""

    offsets: Int64
    number: Int32


class Numbers(NamedTuple):
    """What the tests of types read."""

    counts: Counts
    objects: Objects


NUMBERS = Schema.model_validate(
    {
        "name": "numbers",
        "trees": ["Events"],
        "collections": {"counts": {"small": "small", "large": "large"}, "objects": {"number": ["Obj_number"]}},
    }
)


def read_numbers(path: Path, branches: dict[str, Any], write_nanoaod: Callable[..., Path]) -> Any:
    write_nanoaod(path, branches)
    with EventFile(str(path), ("Events",)) as events:
        return events.read(events.resolve(Request(Numbers, NUMBERS, True)), 0, events.entries)


@pytest.mark.parametrize("kind", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_widths_of_integers(tmp_path: Path, write_nanoaod: Callable[..., Path], kind: type[np.integer[Any]]) -> None:
    values = np.array([0, 1, 100], dtype=kind)
    branches = {"small": values, "large": values, "Obj_number": ak.unflatten(values, [2, 0, 1])}
    columns = read_numbers(tmp_path / "a.root", branches, write_nanoaod)
    np.testing.assert_array_equal(columns.counts.small, np.array([0, 1, 100], np.int32), strict=True)
    np.testing.assert_array_equal(columns.counts.large, np.array([0, 1, 100], np.uint32), strict=True)
    np.testing.assert_array_equal(columns.objects.number, np.array([0, 1, 100], np.int32), strict=True)
    np.testing.assert_array_equal(columns.objects.offsets, np.array([0, 2, 2, 3]), strict=True)


@pytest.mark.parametrize(
    ("small", "large"),
    [
        (np.array([2**31]), np.array([1], np.uint32)),
        (np.array([-(2**31) - 1]), np.array([1], np.uint32)),
        (np.array([1]), np.array([-1], np.int32)),
        (np.array([1]), np.array([2**32])),
        (np.array([1.5], np.float32), np.array([1], np.uint32)),
        (np.array([math.nan]), np.array([1], np.uint32)),
    ],
)
def test_numbers_that_do_not_fit_are_refused(
    tmp_path: Path, write_nanoaod: Callable[..., Path], small: np.ndarray, large: np.ndarray
) -> None:
    objects = ak.unflatten(np.array([1]), [1])
    with pytest.raises(FileError, match=r"a\.root: branch (small|large) holds \w+ that are no u?int32, as counts"):
        read_numbers(tmp_path / "a.root", {"small": small, "large": large, "Obj_number": objects}, write_nanoaod)


def test_a_branch_of_another_shape(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> None:
    flat, jagged = np.array([1, 2]), ak.unflatten(np.array([1, 2, 3]), [2, 1])
    with pytest.raises(FileError, match=r"branch small has another shape than its collection counts"):
        read_numbers(tmp_path / "a.root", {"small": jagged, "large": flat, "Obj_number": jagged}, write_nanoaod)
    with pytest.raises(FileError, match=r"branch Obj_number has another shape than its collection objects"):
        read_numbers(tmp_path / "b.root", {"small": flat, "large": flat, "Obj_number": flat}, write_nanoaod)

    events = four_muon_events(2)
    muons = events.pop("Muon")
    separate = {f"Muon_{field}": muons[field] for field in muons.fields}
    separate["Muon_eta"] = separate["Muon_eta"][:, :1]
    path = write_nanoaod(tmp_path / "c.root", events | separate)
    with EventFile(str(path), ("Events",)) as file, pytest.raises(FileError) as error:
        file.read(file.resolve(REQUEST), 0, 2)
    assert str(error.value) == f"{path}: branch Muon_eta has another shape than its collection muons"


def test_a_path_that_is_no_flag(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> None:
    events = four_muon_events(2) | {"HLT_A": ak.unflatten(np.array([True, True, True]), [2, 1])}
    events["HLT_B"] = np.array([255, 0], np.uint8)
    path = write_nanoaod(tmp_path / "a.root", events)
    with EventFile(str(path), ("Events",)) as file:
        with pytest.raises(FileError, match="branch HLT_A is jagged, expected one flag an event"):
            file.read(file.resolve(with_masks(("HLT_A",))), 0, 2)
        columns = file.read(file.resolve(with_masks(("HLT_B",))), 0, 2)
    np.testing.assert_array_equal(columns.events.triggers, [1, 0])
