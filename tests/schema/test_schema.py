"""Schemas against the list of branches of a real NanoAOD file, against real ATLAS files, and against the channels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import uproot
from pydantic import ValidationError

from gpuhiggs import channels, config, schema
from gpuhiggs.columns import has_objects, wanted
from gpuhiggs.errors import ConfigError

ROOT_TYPES = {"Float_t": "f", "Int_t": "i", "UInt_t": "iu", "UChar_t": "iu", "Bool_t": "b"}
"""ROOT's names, as the list has them, and the kinds of columns that may hold them."""

PACKED = ("events.triggers", "events.filters")
"""Columns that the configuration's paths and filters are packed into."""

SINCE_V11 = ("photons.photon_iso", "photons.track_iso")
"""Columns of later versions of NanoAOD than v9."""

SCHEMAS: dict[str, dict[str, set[str]]] = {
    "four_lepton": {"nanoaod": set()},
    # ATLAS's files have no section: they hold certified events only, and a luminosity mask cannot be used.
    "four_lepton_atlas": {"atlas-open-data-2020": {"events.luminosity_block"}},
    "four_lepton_atlas_2025": {"atlas-open-data-2025": {"events.luminosity_block"}},
    "diphoton": {"nanoaod": set()},
    "diphoton_atlas": {
        "atlas-open-data-2020": {"events.luminosity_block"},
        "atlas-open-data-2025": {
            "events.luminosity_block",
            "photons.conversion",
            "scale_factors.photon_trigger",
        },
    },
    "dilepton": {"nanoaod": set()},
    "dilepton_atlas": {
        "atlas-open-data-2020": {"events.luminosity_block", "leptons.tight_iso", "scale_factors.jvt"},
        "atlas-open-data-2025": {"events.luminosity_block"},
    },
}
"""For each channel its schemas, and what of its columns they lack."""


@pytest.fixture(scope="module")
def double_eg(shared: Path) -> dict[str, dict[str, Any]]:
    """The branches of a 2016 data file in NanoAODv9, by name."""
    content = json.loads((shared / "data/nanoaod_schema/DoubleEG_doc.json").read_text())
    branches: dict[str, dict[str, Any]] = content["trees"]["Events"]["branches"]
    return branches


@pytest.mark.parametrize("name", schema.NAMES)
def test_shipped_schemas_load(name: str) -> None:
    loaded = schema.load(name)
    assert loaded.name == name
    assert loaded.trees
    for columns in loaded.collections.values():
        for branch in columns.values():
            assert branch.branches
            assert len(set(branch.branches)) == len(branch.branches)
            assert (branch.absent is None) == (not branch.reason), "a default is explained"


def test_unknown_schema() -> None:
    with pytest.raises(ConfigError) as error:
        schema.load("nanoad")
    known = "nanoaod, atlas-open-data-2020, atlas-open-data-2025"
    assert str(error.value) == f"unknown schema 'nanoad'; known: {known}; did you mean 'nanoaod'?"


def test_unknown_column() -> None:
    nanoaod = schema.load("nanoaod")
    with pytest.raises(ConfigError) as error:
        nanoaod.branch("met", "sum_et")
    assert str(error.value) == "schema nanoaod: no column met.sum_et; known: phi, pt"
    with pytest.raises(
        ConfigError, match=r"^schema nanoaod: no column taus\.pt; known: electrons, events, fsr_photons, "
    ):
        nanoaod.branch("taus", "pt")


def test_short_forms_and_unknown_keys() -> None:
    raw: dict[str, Any] = {"name": "x", "trees": ["t"], "collections": {"c": {"one": "a", "two": ["b", "c"]}}}
    raw["collections"]["c"]["three"] = {"branches": "d", "scale": 0.001}
    columns = schema.Schema.model_validate(raw).collections["c"]
    assert [columns[name].branches for name in ("one", "two", "three")] == [("a",), ("b", "c"), ("d",)]
    assert [columns[name].scale for name in ("one", "two", "three")] == [1.0, 1.0, 0.001]
    raw["collections"]["c"]["three"]["unit"] = "MeV"
    with pytest.raises(ValidationError, match="unit"):
        schema.Schema.model_validate(raw)


def test_nanoaod_names_are_those_of_a_real_v9_file(double_eg: dict[str, dict[str, Any]]) -> None:
    for collection, columns in schema.load("nanoaod").collections.items():
        for field, branch in columns.items():
            if f"{collection}.{field}" in SINCE_V11:
                assert not set(branch.branches) & set(double_eg)
            elif not branch.simulation:
                assert branch.branches[0] in double_eg, f"{collection}.{field}"
            else:
                assert branch.branches[0] not in double_eg


@pytest.mark.parametrize("channel", [name for name, schemas in SCHEMAS.items() if "nanoaod" in schemas])
def test_nanoaod_columns_have_the_types_and_shapes_of_a_real_v9_file(
    double_eg: dict[str, dict[str, Any]], channel: str
) -> None:
    nanoaod = schema.load("nanoaod")
    inputs = channels.find(channel).inputs
    counters: dict[str, set[str]] = {}
    for one in wanted(inputs):
        if f"{one.collection}.{one.field}" in (*PACKED, *SINCE_V11):
            continue
        source = nanoaod.branch(one.collection, one.field)
        if not source.simulation:
            real = double_eg[source.branches[0]]
            assert one.dtype.kind in ROOT_TYPES[real["kind"].partition("(")[0]], one
            counters.setdefault(one.collection, set()).add(real["counter"])
    for collection, names in counters.items():
        assert len(names) == 1
        assert ("" in names) != has_objects(inputs, collection)


@pytest.mark.parametrize("name", [name for name in config.shipped_selections() if name.startswith("cms-hzz4l-2016")])
def test_triggers_of_2016_are_in_a_file_of_2016(
    double_eg: dict[str, dict[str, Any]], name: str, tmp_path: Path
) -> None:
    dataset = "{name: a, process: a, kind: simulation, cross_section: null, files: a.root}"
    (tmp_path / "a.yaml").write_text(f"selection: {name}\ndatasets: [{dataset}]\n")
    selection = config.load(tmp_path / "a.yaml").selection
    assert set(selection.filters) <= set(double_eg)
    for primary, paths in selection.triggers.items():
        assert set(paths) & set(double_eg), primary


def test_atlas_names_and_types_are_those_of_a_real_file(shared: Path) -> None:
    atlas = schema.load("atlas-open-data-2020")
    with uproot.open(shared / "data/atlas/data_A.4lep.root") as file:
        types = file[atlas.trees[0]].typenames()
    for columns in atlas.collections.values():
        for branch in columns.values():
            assert set(branch.branches) <= set(types)
    inputs = channels.find("four_lepton_atlas").inputs
    kinds = {"float": "f", "int32_t": "iu", "uint32_t": "iu"}
    for one in wanted(inputs):
        if f"{one.collection}.{one.field}" not in (*PACKED, "events.luminosity_block"):
            found = types[atlas.branch(one.collection, one.field).branches[0]]
            inner = found.removeprefix("std::vector<").removesuffix(">")
            assert (inner != found) == has_objects(inputs, one.collection)
            assert one.dtype.kind in kinds[inner]


@pytest.mark.parametrize(
    ("channel", "name", "lacking"),
    [(channel, name, lacking) for channel, schemas in SCHEMAS.items() for name, lacking in schemas.items()],
)
def test_the_schema_covers_what_its_channel_reads(channel: str, name: str, lacking: set[str]) -> None:
    loaded = schema.load(name)
    columns = {f"{one.collection}.{one.field}" for one in wanted(channels.find(channel).inputs)}
    known = {f"{collection}.{field}" for collection, fields in loaded.collections.items() for field in fields}
    assert columns - known - set(PACKED) == lacking


def test_every_shipped_selection_and_channel_is_covered_here() -> None:
    assert set(channels.CHANNELS) == set(SCHEMAS)
    shipped = [config.shipped_selection(name) for name in config.shipped_selections()]
    assert {(one["channel"], one["schema"]) for one in shipped} == {
        (channel, name) for channel, schemas in SCHEMAS.items() for name in schemas
    }
