from __future__ import annotations

import os
import resource
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from gpuhiggs.errors import FileError, RunError
from gpuhiggs.simulate.nanoaod import Collection, Events, read_recipe, replacing, writing


def three_events(run: int = 1, weight: float = 1.0) -> Events:
    event = np.array([0, 0, 2])
    fields = {"pt": np.array([3.0, 40.0, 5.0]), "charge": np.array([1, -1, 1], dtype=np.int32)}
    return {
        "run": np.full(3, run, dtype=np.uint32),
        "luminosityBlock": np.array([1, 1, 2], dtype=np.uint32),
        "event": np.arange(3, dtype=np.uint64),
        "genWeight": np.full(3, weight),
        "HLT_IsoMu24": np.array([True, False, True]),
        "Muon": Collection.ordered(3, event, fields, np.array([True, True, True])),
    }


def test_a_collection_orders_by_pt_within_events() -> None:
    muons = three_events()["Muon"]
    assert isinstance(muons, Collection)
    np.testing.assert_array_equal(muons["pt"], [40.0, 3.0, 5.0])
    np.testing.assert_array_equal(muons["charge"], [-1, 1, 1])
    np.testing.assert_array_equal(muons.offsets, [0, 2, 2, 3])


def test_written_events_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "sample.root"
    with writing(path, "how") as writer:
        writer.extend(three_events())
        writer.extend(three_events(weight=-2.0))
    with uproot.open(path) as file:
        events = file["Events"].arrays()
        types = {name: branch.typename for name, branch in file["Events"].items()}
        runs = file["Runs"].arrays(library="np")
        sections = file["LuminosityBlocks"].arrays(library="np")
    assert ak.to_list(events.Muon_pt) == [[40.0, 3.0], [], [5.0]] * 2
    assert ak.to_list(events.nMuon) == [2, 0, 1] * 2
    assert types["event"] == "uint64_t"
    assert types["run"] == "uint32_t"
    assert types["genWeight"] == "float"
    assert types["HLT_IsoMu24"] == "bool"
    assert types["Muon_charge"] == "int32_t[]"
    assert runs["genEventCount"].tolist() == [6]
    assert runs["genEventSumw"].tolist() == [-3.0]
    assert runs["genEventSumw2"].tolist() == [15.0]
    np.testing.assert_array_equal(sections["luminosityBlock"], [1, 2])
    assert read_recipe(path) == "how"


def test_sums_of_weights_are_by_run_and_only_for_simulation(tmp_path: Path) -> None:
    path = tmp_path / "data.root"
    with writing(path) as writer:
        for run in (7, 3):
            events = three_events(run)
            del events["genWeight"]
            writer.extend(events)
    with uproot.open(path) as file:
        assert file["Runs"].keys() == ["run"]
        assert file["Runs"]["run"].array().tolist() == [3, 7]
        assert file["LuminosityBlocks"].num_entries == 4
    assert read_recipe(path) is None


def test_no_events_are_a_valid_file(tmp_path: Path) -> None:
    empty: Events = {
        "run": np.zeros(0, dtype=np.uint32),
        "luminosityBlock": np.zeros(0, dtype=np.uint32),
        "Muon": Collection(0, np.zeros(0, dtype=int), {"pt": np.zeros(0, dtype=np.float32)}),
    }
    with writing(tmp_path / "empty.root") as writer:
        writer.extend(empty)
    with uproot.open(tmp_path / "empty.root") as file:
        assert file["Events"].num_entries == 0
        assert file["Events"].keys() == ["run", "luminosityBlock", "nMuon", "Muon_pt"]


def write_and_interrupt(path: Path) -> None:
    with writing(path, "second") as writer:
        writer.extend(three_events())
        raise KeyboardInterrupt


def test_an_interrupted_file_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "sample.root"
    with writing(path, "first") as writer:
        writer.extend(three_events())
    with pytest.raises(KeyboardInterrupt):
        write_and_interrupt(path)
    assert read_recipe(path) == "first"
    assert os.listdir(tmp_path) == ["sample.root"]


def test_a_full_disk_is_a_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "sample.root"
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    large: Events = {name: np.ones(150_000, dtype=np.uint32) for name in ("run", "luminosityBlock")}
    large["event"] = np.random.default_rng(1).integers(0, 2**62, 150_000).astype(np.uint64)  # does not compress
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limit[1]))
    try:
        with pytest.raises(RunError, match=r"writing .*sample\.root failed, nothing is kept"), writing(path) as writer:
            writer.extend(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    absent = tmp_path / "absent" / "sample.root"
    with pytest.raises(FileError, match=r"cannot create .*absent.*: No such file or directory"), writing(absent):
        pass
    assert not absent.parent.exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Not a directory"), writing(tmp_path / "file" / "sample.root"):
        pass


def test_a_folder_without_permission_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "read_only"
    folder.mkdir()
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # the superuser may write everywhere
    try:
        with pytest.raises(FileError, match=r"cannot create .*sample\.root: Permission denied"):
            writing(folder / "sample.root").__enter__()
    finally:
        os.seteuid(user)


def test_replacing_is_one_step(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["truth.json"]


@pytest.mark.parametrize("content", [b"", b"root", b"no file of this kind" * 100])
def test_a_broken_file_has_no_recipe(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.root"
    assert read_recipe(path) is None
    path.write_bytes(content)
    assert read_recipe(path) is None


def test_a_truncated_file_has_no_recipe_or_all_events(tmp_path: Path) -> None:
    path = tmp_path / "sample.root"
    with writing(path, "how") as writer:
        writer.extend(three_events())
    whole = path.read_bytes()
    for length in np.linspace(0, len(whole) - 1, 40).astype(int):
        path.write_bytes(whole[:length])
        if read_recipe(path) is not None:
            with uproot.open(path) as file:
                assert ak.to_list(file["Events"]["Muon_pt"].array()) == [[40.0, 3.0], [], [5.0]]
                assert file["Runs"]["genEventSumw"].array()[0] == 3.0
    path.write_bytes(whole[: len(whole) // 2])
    assert read_recipe(path) is None
