from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import awkward as ak
import pytest
import uproot

from gpuhiggs.errors import FileError, InputError, MissingExtraError, RunError
from gpuhiggs.simulate import Settings, SimulatedSample, blocks, is_current, sample, simulate


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch, pythia: None) -> None:
    """Blocks of 30 events, so that a small sample has several."""
    monkeypatch.setattr(blocks, "EVENTS_PER_BLOCK", 30)
    monkeypatch.setattr(sample, "EVENTS_PER_BLOCK", 30)
    monkeypatch.setattr(sample, "_WORTH_PROCESSES", 2)


def columns(path: Path) -> ak.Array:
    with uproot.open(path) as file:
        return file["Events"].arrays()


def test_the_sample_is_what_was_asked_for(higgs_sample: SimulatedSample) -> None:
    assert higgs_sample.process == "ggH_4l"
    assert higgs_sample.events == 4000
    assert higgs_sample.sum_of_weights == pytest.approx(4000)
    assert higgs_sample.cross_section == pytest.approx(48.52 * 1.251e-4)
    with uproot.open(higgs_sample.path) as file:
        assert file["Events"].num_entries == 4000
        assert file["Runs"]["genEventSumw"].array()[0] == pytest.approx(4000)


@pytest.mark.usefixtures("small_blocks")
def test_events_do_not_depend_on_the_number_of_processes(tmp_path: Path) -> None:
    seen: list[int] = []
    one = simulate("VBF_4l", 80, tmp_path / "one.root", seed=3, workers=1)
    two = simulate("VBF_4l", 80, tmp_path / "two.root", seed=3, workers=2, progress=seen.append)
    assert ak.array_equal(columns(one.path), columns(two.path))
    assert one.sum_of_weights == two.sum_of_weights
    assert seen == [30, 60, 80]


@pytest.mark.usefixtures("small_blocks")
def test_a_longer_sample_begins_with_the_same_events(tmp_path: Path) -> None:
    first = columns(simulate("ggH_4l", 30, tmp_path / "a.root", seed=1).path)
    longer = columns(simulate("ggH_4l", 35, tmp_path / "b.root", seed=1).path)
    identifiers = [uproot.open(tmp_path / f"{name}.root").file.uuid for name in "ab"]
    assert identifiers[0] == identifiers[1], "they share events"
    assert ak.array_equal(first, longer[:30])
    assert not ak.any(first.MET_pt[:5] == longer.MET_pt[30:])


def test_a_current_file_is_recognised(higgs_sample: SimulatedSample, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(block: object) -> None:
        pytest.fail("simulated again")

    monkeypatch.setattr(sample, "simulate_block", never)
    seen: list[int] = []
    before = higgs_sample.path.stat().st_mtime_ns
    again = simulate("ggH_4l", 4000, higgs_sample.path, seed=20, progress=seen.append)
    assert again == higgs_sample
    assert seen == [4000]
    assert higgs_sample.path.stat().st_mtime_ns == before


def test_a_file_of_another_recipe_is_not_current(
    higgs_sample: SimulatedSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = higgs_sample.path
    assert is_current("ggH_4l", 4000, path, seed=20)
    assert not is_current("ggH_4l", 4000, path, seed=21)
    assert not is_current("ggH_4l", 3999, path, seed=20)
    assert not is_current("VBF_4l", 4000, path, seed=20)
    assert not is_current("ggH_4l", 4000, path, seed=20, settings=Settings(mass=126.0))
    assert not is_current("ggH_4l", 4000, path, seed=20, format="rntuple")
    with monkeypatch.context() as changed:
        changed.setattr(sample, "COMMON_SETTINGS", ("Beams:eCM = 14000.",))
        assert not is_current("ggH_4l", 4000, path, seed=20)
    with monkeypatch.context() as changed:
        changed.setattr(sample, "_source_hash", lambda: "edited")
        assert not is_current("ggH_4l", 4000, path, seed=20)


@pytest.mark.usefixtures("small_blocks")
def test_an_ntuple_has_the_same_events(tmp_path: Path) -> None:
    settings = Settings(shower_weights=True, mass=130.0)
    tree = columns(simulate("VBF_gamgam", 50, tmp_path / "tree.root", seed=1, settings=settings).path)
    path = simulate("VBF_gamgam", 50, tmp_path / "ntuple.root", seed=1, settings=settings, format="rntuple").path
    ntuple = columns(path)
    assert set(ntuple.fields) == set(tree.fields)
    for name in tree.fields:
        assert ak.array_equal(tree[name], ntuple[name], dtype_exact=False), name
    assert ak.all(ak.num(tree.PSWeight) == 4)
    assert ak.all(tree.PSWeight > 0)
    higgs = tree.GenPart_mass[(tree.GenPart_pdgId == 25)]
    assert ak.all(abs(higgs - 130.0) < 0.1)
    with uproot.open(path) as file:
        assert file["Runs"].arrays()["genEventSumw"][0] == pytest.approx(50)


@pytest.mark.usefixtures("small_blocks")
def test_a_broken_file_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "ggH_4l.root"
    simulate("ggH_4l", 10, path, seed=1)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert not is_current("ggH_4l", 10, path, seed=1)
    simulate("ggH_4l", 10, path, seed=1)
    assert len(columns(path)) == 10


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_simulation_leaves_nothing(tmp_path: Path, workers: int) -> None:
    def interrupt(finished: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate("ggH_4l", 60, tmp_path / "ggH_4l.root", seed=1, workers=workers, progress=interrupt)
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("small_blocks")
def test_a_worker_that_dies_is_reported(tmp_path: Path) -> None:
    def kill_workers(finished: int) -> None:
        for worker in multiprocessing.active_children():
            worker.kill()

    with pytest.raises(RunError, match="worker process of the simulation of ggH_4l ended unexpectedly"):
        simulate("ggH_4l", 600, tmp_path / "ggH_4l.root", seed=1, workers=2, progress=kill_workers)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"process": "ttH_4q"}, "unknown process 'ttH_4q'; known: ggH_gamgam, ggH_4l"),
        ({"n_events": 0}, "n_events is 0, expected at least 1"),
        ({"n_events": -5}, "n_events is -5"),
        ({"workers": 0}, "workers is 0"),
        ({"seed": -1}, "seed is -1, expected at least 0"),
    ],
)
def test_wrong_input(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    arguments = {"process": "ggH_4l", "n_events": 10, "path": tmp_path / "a.root", "seed": 1, **changes}
    with pytest.raises(InputError, match=message):
        simulate(**arguments)  # type: ignore[arg-type]
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("pythia")
def test_a_folder_that_cannot_be_written_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "simulate_block", lambda block: pytest.fail("simulated in vain"))
    with pytest.raises(FileError, match="absent"):
        simulate("ggH_4l", 10, tmp_path / "absent" / "a.root", seed=1)


@pytest.mark.parametrize("package", ["pythia8mc", "fastjet"])
def test_without_an_extra_the_message_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    if package == "fastjet":
        monkeypatch.setattr(sample, "import_pythia", lambda: None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*gpuhiggs\[demo\]"):
        simulate("ggH_4l", 10, tmp_path / "a.root", seed=1)
    assert os.listdir(tmp_path) == []


def test_the_package_is_imported_without_the_extra() -> None:
    code = "import sys, gpuhiggs.simulate; sys.exit('pythia8mc' in sys.modules or 'fastjet' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
