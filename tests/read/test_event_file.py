"""Reading against plain uproot and Awkward: columns, ranges, triggers, sums of weights."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs import channels, schema
from gpuhiggs.columns import Wanted, has_objects, wanted
from gpuhiggs.errors import ConfigError, SchemaError
from gpuhiggs.read import BitMask, EventFile, Request

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
    "cms/TT_Run3_v12_200ev.root": ("electrons.bdt", "fsr_photons"),
    "cms/ttH_HToGG_M125_2017_100ev.root": (),
    "cms/ttH_HToGG_M125_2017_photons_electrons_1000ev.root": (
        *EVENTS, "muons", "fsr_photons", "jets", "met.pt", "met.phi",
    ),
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
                f"{path}: no branch {looked_for} in tree 'Events', which the column "
                f"{one.collection}.{one.field} is read from (schema nanoaod)"
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


def test_paths_are_packed_and_a_missing_one_has_not_fired(shared: Path) -> None:
    path = str(shared / "data" / DY)
    paths = ("HLT_NotInThisEra", *MUON_PATHS)
    flags = ("Flag_goodVertices", "Flag_HBHENoiseFilter")
    with EventFile(path, ("Events",)) as events:
        resolved = events.resolve(masked(paths, flags))
        columns = events.read(resolved, 0, 40).events
    assert resolved.notes == ("no HLT_NotInThisEra: taken as false",)
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
            runs = file["Runs"].arrays(filter_name="/^genEventSumw_?$/", library="np")
        [sums] = runs.values()
        assert value == pytest.approx(math.fsum(sums), rel=1e-15)
