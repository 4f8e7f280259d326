"""Reading against plain uproot and Awkward, and files that are not as they should be."""

from __future__ import annotations

import functools
import itertools
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import pytest
import uproot
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs import channels, schema
from gpuhiggs.columns import Wanted, has_objects, wanted
from gpuhiggs.errors import ConfigError, FileError, SchemaError
from gpuhiggs.kernels.language import Int32, Int64, UInt32
from gpuhiggs.read import BitMask, EventFile, Request
from gpuhiggs.schema import Schema

NANOAOD = schema.load("nanoaod")
ATLAS = schema.load("atlas-open-data-2020")
MUONS = tuple(f"muons.{name}" for name in ("sip3d", "is_global", "is_tracker", "is_pf", "n_stations", "high_pt_id"))
ELECTRONS = tuple(f"electrons.{name}" for name in ("sip3d", "bdt", "bdt_wp90"))
EVENTS = ("events.run", "events.luminosity_block", "events.gen_weight")

LACKING = {
    "cms/DYJetsToLL_UL17_100ev.root": (),
    "cms/DY_2018_40ev.root": (),
    "cms/DY_2018_40ev_rntuple.root": (),
    "cms/DoubleMuon_Run2018A_data_40ev.root": ("events.gen_weight",),
    "cms/EGamma_Run2022F_data_100ev.root": ("events.gen_weight",),
    "cms/GJet_Run3_v11_100ev.root": (),
    "cms/SingleMu_Run2012B_data_1000ev.root": (
        "events.gen_weight", *MUONS, *ELECTRONS, "fsr_photons", "jets.id", "jets.b_tag",
    ),
    "cms/TT_OpenData2015_10ev_rntuple.root": (),
    "cms/TT_OpenData2015_200ev.root": (),
    "cms/TT_Run3_v12_200ev.root": ("fsr_photons",),
    "cms/ttH_HToGG_M125_2017_100ev.root": (),
    "cms/ttH_HToGG_M125_2017_photons_electrons_1000ev.root": (*EVENTS, "muons", "fsr_photons", "jets", "met.pt"),
    "atlas/data_A.4lep.root": ("events.luminosity_block",),
    "atlas/data_B.4lep.root": ("events.luminosity_block",),
}  # fmt: skip
"""Every CMS and 4ℓ file, and which collections and columns of its schema it has no branch for and no default."""

PACKED = ("events.triggers", "events.filters")
DY = "cms/DY_2018_40ev.root"


def request_for(name: str) -> Request:
    """Every column of a schema that the file has."""
    lacking = LACKING[name]
    absent = tuple(entry for entry in lacking if "." not in entry)
    unused = tuple(entry for entry in lacking if "." in entry)
    if name.startswith("atlas"):
        return Request(channels.find("four_lepton_atlas").inputs, ATLAS, True, (), (*unused, *PACKED), absent)
    return Request(channels.find("four_lepton").inputs, NANOAOD, True, (), (*unused, *PACKED), absent)


class Whole(NamedTuple):
    """All events of a file."""

    entries: int
    columns: Any
    parts: list[tuple[int, int, Any]]
    """Ranges of events, and their columns."""
    sum_of_weights: float | None
    missing: str
    """What is said where every column is asked for."""


@functools.cache
def read(path: Path, name: str) -> Whole:
    request = request_for(name)
    with EventFile(str(path), request.schema.trees) as events:
        n = events.entries
        resolved = events.resolve(request)
        cuts = [0, 1, n // 3, n]
        parts = [(a, b, events.read(resolved, a, b)) for a, b in itertools.pairwise(cuts)]
        missing = ""
        try:
            events.resolve(request._replace(unused=PACKED, absent=()))
        except (SchemaError, ConfigError) as error:
            missing = str(error)
        return Whole(n, events.read(resolved, 0, n), parts, events.sum_of_weights(request.schema), missing)


def column(columns: Any, one: Wanted) -> np.ndarray:
    return np.asarray(getattr(getattr(columns, one.collection), one.field))


def stored(request: Request) -> list[Wanted]:
    """The columns that come from branches."""
    return [
        one
        for one in wanted(request.inputs)
        if one.collection not in request.absent and f"{one.collection}.{one.field}" not in request.unused
    ]


# --- real files ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", LACKING)
def test_columns_equal_plain_uproot(shared: Path, name: str) -> None:
    request = request_for(name)
    whole = read(shared / "data" / name, name)
    with uproot.open(shared / "data" / name) as file:
        tree = file[request.schema.trees[0]]
        assert whole.entries == tree.num_entries
        keys = set(tree.keys(recursive=False))
        for one in stored(request):
            source = request.schema.branch(one.collection, one.field)
            found = column(whole.columns, one)
            assert found.dtype == one.dtype
            branch = next((branch for branch in source.branches if branch in keys), None)
            if branch is None:
                assert source.absent is not None
                assert (found == source.absent).all()
                continue
            values = tree[branch].array()
            expected = ak.to_numpy(ak.flatten(values, axis=None))
            if source.scale != 1:
                expected = expected.astype(np.float64) * source.scale
            np.testing.assert_array_equal(found, expected.astype(one.dtype), strict=True)
            if has_objects(request.inputs, one.collection):
                offsets = np.concatenate([[0], np.cumsum(ak.to_numpy(ak.num(values)))])
                np.testing.assert_array_equal(getattr(whole.columns, one.collection).offsets, offsets)
            else:
                assert values.ndim == 1


@pytest.mark.parametrize("name", LACKING)
def test_ranges_equal_slices_of_the_whole(shared: Path, name: str) -> None:
    request = request_for(name)
    whole = read(shared / "data" / name, name)
    for start, stop, part in whole.parts:
        for one in wanted(request.inputs):
            values = column(whole.columns, one)
            if has_objects(request.inputs, one.collection):
                offsets = getattr(whole.columns, one.collection).offsets
                np.testing.assert_array_equal(
                    getattr(part, one.collection).offsets, offsets[start : stop + 1] - offsets[start]
                )
                expected = values[offsets[start] : offsets[stop]]
            else:
                expected = values[start:stop]
            np.testing.assert_array_equal(column(part, one), expected, strict=True)


def test_ttree_and_rntuple_give_the_same_bits(shared: Path) -> None:
    twin = "cms/DY_2018_40ev_rntuple.root"
    first, second = (read(shared / "data" / name, name).columns for name in (DY, twin))
    request = request_for(DY)
    for one in wanted(request.inputs):
        if has_objects(request.inputs, one.collection):
            offsets = (getattr(columns, one.collection).offsets for columns in (first, second))
            np.testing.assert_array_equal(*offsets, strict=True)
        assert column(first, one).dtype == column(second, one).dtype
        assert column(first, one).tobytes() == column(second, one).tobytes(), one
    assert first.muons.pt.size > 0


@pytest.mark.parametrize("name", [name for name in LACKING if name.startswith("cms")])
def test_a_missing_branch_is_named_before_any_event_is_read(shared: Path, name: str) -> None:
    request = request_for(name)
    path = shared / "data" / name
    kept = stored(request)
    expected = ""
    for one in wanted(request.inputs):
        if one not in kept and f"{one.collection}.{one.field}" not in PACKED:
            looked_for = " or ".join(NANOAOD.branch(one.collection, one.field).branches)
            expected = (
                f"{path}: no branch {looked_for} in tree 'Events', which the column {one.collection}.{one.field} is read "
                "from (schema nanoaod)"
            )
            break
    assert read(path, name).missing == expected
    assert bool(expected) == bool(LACKING[name])


def test_mev_become_gev(shared: Path) -> None:
    name = "atlas/data_A.4lep.root"
    leptons = read(shared / "data" / name, name).columns.leptons
    with uproot.open(shared / "data" / name) as file:
        pt = ak.to_numpy(ak.flatten(file["mini"]["lep_pt"].array()))
        z0 = ak.to_numpy(ak.flatten(file["mini"]["lep_z0"].array()))
    np.testing.assert_array_equal(leptons.pt, (pt.astype(np.float64) * 0.001).astype(np.float32))
    np.testing.assert_array_equal(leptons.z0, z0)
    assert 5 < np.median(leptons.pt) < 100


def test_simulation_columns_are_not_read_from_data(shared: Path) -> None:
    name = "cms/DoubleMuon_Run2018A_data_40ev.root"
    request = request_for(name)._replace(simulation=False, unused=PACKED)
    with EventFile(str(shared / "data" / name), ("Events",)) as events:
        assert events.read(events.resolve(request), 0, 40).events.gen_weight.size == 0


# --- triggers and filters ------------------------------------------------------------------------------------------

MUON_PATHS = ("HLT_IsoMu24", "HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ_Mass3p8", "HLT_Mu50")


def masked(trigger_paths: Sequence[str], filters: Sequence[str] = ()) -> Request:
    masks = (
        BitMask("events", "triggers", tuple(trigger_paths), True),
        BitMask("events", "filters", tuple(filters), False),
    )
    return request_for(DY)._replace(masks=masks, unused=())


def test_paths_are_packed_and_a_missing_one_has_not_fired(shared: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = str(shared / "data" / DY)
    paths = ("HLT_NotInThisEra", *MUON_PATHS)
    flags = ("Flag_goodVertices", "Flag_HBHENoiseFilter")
    with caplog.at_level(logging.INFO, "gpuhiggs"), EventFile(path, ("Events",)) as events:
        columns = events.read(events.resolve(masked(paths, flags)), 0, 40).events
    assert f"{path}: HLT_NotInThisEra not in the file, taken as false" in caplog.messages
    with uproot.open(path) as file:
        branches = file["Events"].arrays([*MUON_PATHS, *flags], library="np")
    expected = sum(branches[name].astype(int) << bit for bit, name in enumerate(paths) if bit)
    np.testing.assert_array_equal(columns.triggers, expected)
    np.testing.assert_array_equal(columns.filters, branches[flags[0]] + 2 * branches[flags[1]])
    assert 0 < np.count_nonzero(columns.triggers) < 40


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (masked(("HLT_X", "HLT_Y")), "no branch HLT_X, HLT_Y in tree 'Events' (events.triggers)"),
        (masked(("HLT_A",), ("Flag_good", "Flag_X")), "no branch Flag_X in tree 'Events' (events.filters)"),
    ],
)
def test_all_paths_or_one_filter_missing(
    tmp_path: Path,
    four_muon_events: Callable[..., Any],
    write_nanoaod: Callable[..., Path],
    request_: Request,
    message: str,
) -> None:
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(2))
    with EventFile(str(path), ("Events",)) as events, pytest.raises(SchemaError) as error:
        events.resolve(request_._replace(unused=("electrons.bdt_wp90",)))
    assert str(error.value) == f"{path}: {message}"


# --- files that are not as they should be --------------------------------------------------------------------------


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


def test_a_copy_that_was_cut_is_not_taken_from_a_cache(shared: Path, tmp_path: Path) -> None:
    """ROOT identifies a file by a number in it, which is the same in a copy."""
    path = shared / "data/atlas/data_A.4lep.root"
    with EventFile(str(path), ("mini",)) as events:
        whole = events.read(events.resolve(request_for("atlas/data_A.4lep.root")), 0, 39)
        damaged = bytearray(path.read_bytes())
        damaged[8000:9000] = bytes(1000)
        (tmp_path / "damaged.root").write_bytes(damaged)
        try:
            with EventFile(str(tmp_path / "damaged.root"), ("mini",)) as copy:
                assert copy.uuid == events.uuid
                again = copy.read(copy.resolve(request_for("atlas/data_A.4lep.root")), 0, 39)
        except (FileError, SchemaError):
            return
        assert again != whole


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
    request = masked(("HLT_A",), ("Flag_good",))._replace(unused=("electrons.bdt_wp90",))
    with EventFile(str(path), ("Events",)) as events:
        assert events.entries == 0
        columns = events.read(events.resolve(request), 0, 0)
    for one in wanted(request.inputs):
        assert column(columns, one).shape == (0,)
        assert column(columns, one).dtype == one.dtype
    np.testing.assert_array_equal(columns.muons.offsets, [0])


def test_a_damaged_basket_is_found_when_it_is_read(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> None:
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(50), four_muon_events(50, 1))
    damage_second_basket(path, "Muon_pt")
    with EventFile(str(path), ("Events",)) as events:
        resolved = events.resolve(request_for(DY)._replace(unused=(*PACKED, "electrons.bdt_wp90")))
        assert events.read(resolved, 0, 50).muons.pt.size > 100
        with pytest.raises(FileError, match=r"a\.root: cannot be read: "):
            events.read(resolved, 50, 100)


def damage_second_basket(path: Path, branch: str) -> None:
    with uproot.open(path) as file:
        start = file["Events"][branch].member("fBasketSeek")[1]
        length = file["Events"][branch].member("fBasketBytes")[1]
    content = bytearray(path.read_bytes())
    content[start + length // 2 : start + length] = bytes(length - length // 2)
    path.write_bytes(content)


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
        file.read(file.resolve(request_for(DY)._replace(unused=(*PACKED, "electrons.bdt_wp90"))), 0, 2)
    assert str(error.value) == f"{path}: branch Muon_eta has another shape than its collection muons"


def test_a_path_that_is_no_flag(
    tmp_path: Path, four_muon_events: Callable[..., Any], write_nanoaod: Callable[..., Path]
) -> None:
    events = four_muon_events(2) | {"HLT_A": ak.unflatten(np.array([True, True, True]), [2, 1])}
    events["HLT_B"] = np.array([255, 0], np.uint8)
    path = write_nanoaod(tmp_path / "a.root", events)
    with EventFile(str(path), ("Events",)) as file:
        with pytest.raises(FileError, match="cannot be read: "):
            file.read(file.resolve(masked(("HLT_A",))._replace(unused=("electrons.bdt_wp90",))), 0, 2)
        columns = file.read(file.resolve(masked(("HLT_B",))._replace(unused=("electrons.bdt_wp90",))), 0, 2)
    np.testing.assert_array_equal(columns.events.triggers, [1, 0])


# --- sums of weights -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ({"genEventSumw": [12.5]}, 12.5),
        ({"genEventSumw": [1.5e9, -3.0, 0.25]}, 1.5e9 - 2.75),
        ({"genEventSumw_": [7.0, 8.0]}, 15.0),
        ({"genEventSumw_": [7.0], "genEventSumw": [8.0]}, 8.0),
        ({"genEventCount": [7.0]}, None),
        (None, None),
    ],
)
def test_sum_of_weights(
    tmp_path: Path,
    four_muon_events: Callable[..., Any],
    write_nanoaod: Callable[..., Path],
    runs: dict[str, list[float]] | None,
    expected: float | None,
) -> None:
    path = write_nanoaod(tmp_path / "a.root", four_muon_events(3), runs=runs)
    with EventFile(str(path), ("Events",)) as events:
        assert events.sum_of_weights(NANOAOD) == expected


def test_sums_of_weights_of_real_files(shared: Path) -> None:
    found = {name: read(shared / "data" / name, name).sum_of_weights for name in LACKING}
    said = {name: value for name, value in found.items() if value is not None}
    assert said.keys() == {
        "cms/DYJetsToLL_UL17_100ev.root",
        "cms/DY_2018_40ev.root",
        "cms/GJet_Run3_v11_100ev.root",
        "cms/ttH_HToGG_M125_2017_100ev.root",
        "cms/ttH_HToGG_M125_2017_photons_electrons_1000ev.root",
    }
    for name, value in said.items():
        with uproot.open(shared / "data" / name) as file:
            runs = file["Runs"].arrays(filter_name="/genEventSumw_?/", library="np")
        [sums] = runs.values()
        assert value == pytest.approx(math.fsum(sums), rel=1e-15)
