"""Configurations: what is wrong in one is named, with its place and what is known."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs import channels, config
from gpuhiggs.config import AxisConfig, DatasetConfig, RunConfig, SelectionConfig, file_list, validate
from gpuhiggs.engine import preparation
from gpuhiggs.errors import ConfigError
from tests.config.faults import Edit, edited, error_of, good, load, set_in


def test_a_good_configuration(tmp_path: Path) -> None:
    loaded = load(tmp_path, good())
    assert [dataset.name for dataset in loaded.datasets] == ["d", "s"]
    assert loaded.datasets[1].files == (str(tmp_path / "s1.root"), str(tmp_path / "s2.root"))
    assert loaded.selection.channel == "four_lepton"
    assert loaded.selection.cuts["muon"]["pt_min"] == 5.0


KNOWN_DATASET = (
    "name, process, kind, files, primary_dataset, luminosity_table, cross_section, sum_of_weights, weight_unit"
)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (
            ("lumi",),
            "'lumi'; known: selection, datasets, luminosity, luminosity_table, lumi_mask, chunk_size, ",
        ),
        (("datasets", 0, "xsec"), f"'xsec' in datasets.0; known: {KNOWN_DATASET}"),
        (("processes", "ZZ", "colour"), "'colour' in processes.ZZ; known: label, color"),
        (("processes", "label", "x"), "'x' in processes.label; known: label, color"),
        (("model", "poi"), "'poi' in model; known: histogram, "),
        (("model", "normalisations", 0, "size"), "'size' in model.normalisations.0; known: parameter, up, down, "),
        (
            ("overrides", "cut"),
            "'cut' in selection; known: channel, schema, reference, cuts, histograms, triggers, filters, classifier",
        ),
        (
            ("overrides", "histograms", "m4l", "nbins"),
            "'nbins' in selection.histograms.m4l; known: label, bins, low, high, edges",
        ),
    ],
)
def test_unknown_keys(tmp_path: Path, place: tuple[Any, ...], message: str) -> None:
    found = error_of(tmp_path, edited(set_in("model", "normalisations", [{}]), set_in(*place, 1)))
    assert any(line.startswith(f"unknown key {message}") for line in found.splitlines())


def test_a_histogram_may_be_named_as_a_key(tmp_path: Path) -> None:
    found = error_of(tmp_path, edited(set_in("overrides", "histograms", "bins", {"label": "x", "width": 3})))
    assert found == "unknown key 'width' in selection.histograms.bins; known: label, bins, low, high, edges"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            set_in("luminosity", "much"),
            "luminosity: Input should be a valid number, unable to parse string as a number",
        ),
        (set_in("luminosity", -1), "luminosity: Input should be greater than 0, got -1"),
        (set_in("luminosity", math.nan), "luminosity: Input should be a finite number, got nan"),
        (set_in("luminosity", math.inf), "luminosity: Input should be a finite number, got inf"),
        (set_in("chunk_size", 0), "chunk_size: Input should be greater than or equal to 1, got 0"),
        (set_in("chunk_size", 1.5), "chunk_size: Input should be a valid integer, got a number with a fractional part"),
        (set_in("datasets", 3), "datasets: Input should be a valid tuple, got 3"),
        (set_in("datasets", "all"), "datasets: Input should be a valid tuple, got 'all'"),
        (set_in("datasets", []), "datasets: Tuple should have at least 1 item after validation, not 0, got []"),
        (set_in("datasets", [3]), "datasets.0: Input should be a valid dictionary or instance of DatasetConfig, got 3"),
        (set_in("datasets", 0, "files", 3), "datasets.0.files: Input should be a valid tuple, got 3"),
        (set_in("datasets", 0, "files", [None]), "datasets.0.files.0: Input should be a valid string, got None"),
        (set_in("datasets", 0, "files", []), "datasets.0.files: Tuple should have at least 1 item after validation"),
        (set_in("datasets", 0, "kind", "mc"), "datasets.0.kind: Input should be 'data' or 'simulation', got 'mc'"),
        (set_in("datasets", 0, "name", "a b"), "datasets.0.name: String should match pattern"),
        (set_in("selection", 3), "selection: Input should be a valid dictionary or instance of SelectionConfig, got 3"),
        (set_in("overrides", None), "overrides: expected a mapping of keys of the selection, got None"),
        (set_in("overrides", "cuts", 3), None),
        (set_in("overrides", "triggers", "MuonEG", []), "selection.triggers.MuonEG: Tuple should have at least 1 item"),
        (set_in("processes", "ZZ", {}), "processes.ZZ.label: Field required"),
        (set_in(3, 3), "3: Keys should be strings, got 3"),
        (lambda raw: raw.pop("selection"), "selection: Field required"),
        (lambda raw: raw.pop("datasets"), "datasets: Field required"),
        (lambda raw: raw["datasets"][0].pop("name"), "datasets.0.name: Field required"),
        (lambda raw: raw["datasets"][0].pop("files"), "datasets.0.files: Field required"),
    ],
)
def test_wrong_types_and_values(tmp_path: Path, edit: Edit, message: str | None) -> None:
    found = error_of(tmp_path, edited(edit))
    assert "\n" not in found
    assert found.startswith(message or "selection.cuts: Input should be a valid dictionary, got 3")


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    found = error_of(tmp_path, edited(set_in("luminosity", 0), set_in("datasets", 0, "kind", "x"), set_in("x", 1)))
    assert [line.partition(":")[0] for line in found.splitlines()] == [
        "datasets.0.kind",
        "luminosity",
        "unknown key 'x'; known",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a mapping of keys, got NoneType"),
        ("- a\n- b\n", "expected a mapping of keys, got list"),
        ("a: [1, 2", "not YAML: "),
        ("a: !!python/object/apply:os.getcwd []", "not YAML: "),
    ],
)
def test_what_is_no_configuration(tmp_path: Path, text: str, message: str) -> None:
    assert error_of(tmp_path, text).startswith(message)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.yaml: No such file or directory"):
        config.load(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        config.load(tmp_path)
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"a\.yaml: not YAML: "):
        config.load(tmp_path / "a.yaml")


keys = st.sampled_from(
    ["selection", "luminosity", "lumi_mask", "chunk_size", "datasets", "processes", "title", "overrides"]
)
junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


SMALL = {"channel": "x", "schema": "x", "reference": "x", "cuts": {}, "histograms": {}, "triggers": {"MuonEG": ["x"]}}


@settings(max_examples=150, deadline=None)
@given(key=keys, value=junk)
def test_junk_is_a_config_error_or_accepted(tmp_path_factory: pytest.TempPathFactory, key: str, value: Any) -> None:
    with contextlib.suppress(ConfigError):
        load(tmp_path_factory.getbasetemp(), {**good(), "selection": SMALL, key: value})


SCALED = "data have no cross_section and no sum_of_weights: they are never scaled"
POWER = "weight_unit must be a power of two, got"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_in("datasets", 1, "name", "d"), "datasets named twice: d"),
        (set_in("datasets", 0, "cross_section", 1.0), f"datasets.0: {SCALED}"),
        (set_in("datasets", 0, "sum_of_weights", 1.0), f"datasets.0: {SCALED}"),
        (
            lambda raw: raw["datasets"][1].pop("cross_section"),
            "datasets.1: simulation needs a cross_section in pb, or `cross_section: null` to leave it unnormalised",
        ),
        (set_in("datasets", 1, "cross_section", 0), "datasets.1.cross_section: Input should be greater than 0, got 0"),
        (set_in("datasets", 1, "sum_of_weights", -3), "datasets.1: sum_of_weights must be positive, got -3.0"),
        (set_in("datasets", 1, "weight_unit", 3), f"datasets.1: {POWER} 3.0"),
        (set_in("datasets", 1, "weight_unit", 0.3), f"datasets.1: {POWER} 0.3"),
        (set_in("datasets", 1, "weight_unit", 0), "datasets.1.weight_unit: Input should be greater than 0, got 0"),
        (set_in("datasets", 1, "files", ["a.root", "./a.root", "a.root"]), "datasets.1: files listed twice: "),
        (lambda raw: raw.pop("luminosity"), "luminosity (fb⁻¹) is needed: a dataset has a cross_section"),
        (set_in("luminosity", None), "luminosity (fb⁻¹) is needed: a dataset has a cross_section"),
        (
            lambda raw: raw.pop("lumi_mask"),
            "lumi_mask is needed: there are data; `lumi_mask: null` takes every luminosity section",
        ),
        (
            set_in("datasets", 0, "primary_dataset", "MuEG"),
            "d: primary_dataset is 'MuEG', expected one of EGamma, DoubleMuon, MuonEG, SingleMuon",
        ),
        (
            lambda raw: raw["datasets"][0].pop("primary_dataset"),
            "d: primary_dataset is None, expected one of EGamma, DoubleMuon, MuonEG, SingleMuon",
        ),
    ],
)
def test_datasets_that_do_not_fit(tmp_path: Path, edit: Edit, message: str) -> None:
    assert error_of(tmp_path, edited(edit)).startswith(message)


@pytest.mark.parametrize("unit", [2.0**-40, 0.5, 1, 64, 2.0**20])
def test_weight_units(tmp_path: Path, unit: float) -> None:
    assert load(tmp_path, edited(set_in("datasets", 1, "weight_unit", unit))).datasets[1].weight_unit == unit


def test_what_simulation_alone_does_not_need(tmp_path: Path) -> None:
    raw = edited(lambda raw: raw.pop("lumi_mask"), lambda raw: raw["datasets"].pop(0))
    assert load(tmp_path, raw).lumi_mask is None
    raw["datasets"][0]["cross_section"] = None
    del raw["luminosity"]
    assert load(tmp_path, raw).luminosity is None


def test_without_triggers_data_need_no_primary_dataset(tmp_path: Path) -> None:
    raw = edited(set_in("overrides", "triggers", {}), lambda raw: raw["datasets"][0].pop("primary_dataset"))
    assert load(tmp_path, raw).selection.triggers == {}


def test_files_are_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("b1.root", "b2.root", "b10.root", "c.root"):
        (tmp_path / name).touch()
    monkeypatch.setenv("SAMPLES", str(tmp_path / "samples"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    entries = [
        "b*.root",
        "c.root",
        "$SAMPLES/x.root",
        "${SAMPLES}/y.root",
        "~/z.root",
        "root://host//a*.root",
        "/abs.root",
    ]
    expected = [
        *(str(tmp_path / name) for name in ("b1.root", "b10.root", "b2.root", "c.root", "samples/x.root")),
        *(str(tmp_path / name) for name in ("samples/y.root", "home/z.root")),
        "root://host//a*.root",
        "/abs.root",
    ]
    assert file_list.expand(entries, tmp_path) == expected
    loaded = load(tmp_path, edited(set_in("datasets", 1, "files", entries), set_in("lumi_mask", "$SAMPLES/mask.json")))
    assert list(loaded.datasets[1].files) == expected
    assert loaded.lumi_mask == str(tmp_path / "samples/mask.json")


def test_a_pattern_without_match(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(tmp_path, edited(set_in("datasets", 1, "files", "none*.root")))
    assert str(error.value) == f"{tmp_path}/none*.root: no file matches"


@pytest.mark.parametrize("place", [("datasets", 1, "files"), ("lumi_mask",)])
def test_a_variable_that_is_not_set(tmp_path: Path, place: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    with pytest.raises(ConfigError) as error:
        load(tmp_path, edited(set_in(*place, "$NO_SUCH_VARIABLE/a.root")))
    assert str(error.value) == "$NO_SUCH_VARIABLE/a.root: the environment variable NO_SUCH_VARIABLE is not set"


names = st.from_regex(r"[A-Za-z0-9_.+-]+", fullmatch=True)
numbers = st.floats(min_value=1e-300, allow_infinity=False)
axes = st.one_of(
    st.builds(
        lambda bins, low, width: AxisConfig(label="x", bins=bins, low=low, high=low + width),
        st.integers(1, 10_000), st.floats(-1e6, 1e6), st.floats(0.1, 1e6),
    ),
    st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=8, unique=True).map(
        lambda edges: AxisConfig(label="$m$", edges=tuple(sorted(edges)))
    ),
)  # fmt: skip
cut_values = st.integers(-(2**62), 2**62) | st.floats(allow_nan=False)
selections = st.builds(
    SelectionConfig,
    channel=st.text(), schema=st.text(), reference=st.text(),
    cuts=st.dictionaries(st.text(), st.dictionaries(st.text(), cut_values)),
    histograms=st.dictionaries(st.text(), axes, max_size=3),
    filters=st.lists(st.text()).map(tuple),
)  # fmt: skip
datasets = st.builds(
    DatasetConfig,
    name=names, process=names, kind=st.just("simulation"),
    files=st.lists(st.text(), min_size=1, unique=True).map(tuple),
    cross_section=numbers, sum_of_weights=st.none() | numbers,
    weight_unit=st.integers(-60, 60).map(lambda power: 2.0**power),
)  # fmt: skip


@settings(deadline=None)
@given(
    st.builds(
        RunConfig,
        selection=selections,
        datasets=st.lists(datasets, min_size=1, max_size=3, unique_by=lambda one: one.name).map(tuple),
        luminosity=numbers,
        chunk_size=st.integers(1, 2**24),
        title=st.text(),
    )
)
def test_json_gives_the_same_configuration(run: RunConfig) -> None:
    assert RunConfig.model_validate_json(run.model_dump_json(by_alias=True)) == run


def test_an_infinite_cut_survives_the_way_to_a_worker(tmp_path: Path) -> None:
    raw = edited(set_in("overrides", {"cuts": {"muon": {"eta_max": math.inf}}}))
    loaded = load(tmp_path, raw)
    prepared = preparation.prepare(loaded.model_dump_json(by_alias=True), "s")
    kept = yaml.safe_load(yaml.safe_dump(loaded.model_dump(mode="json", by_alias=True)))
    assert validate(RunConfig, kept, "kept") == loaded
    cuts = channels.find("four_lepton").program.namespace().Cuts
    assert cuts(*prepared.cuts.value).muon.eta_max == math.inf


def test_a_key_given_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("lumi_mask: null\ndatasets: []\nlumi_mask: golden.json\n")
    with pytest.raises(ConfigError, match=r"twice\.yaml: not YAML: the key 'lumi_mask' is given twice"):
        config.load(path)
