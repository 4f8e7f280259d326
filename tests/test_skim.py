"""Skims: the right events with the right numbers, whatever the chunks, in Parquet and ROOT alike."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import uproot

from gpuhiggs import config, engine, normalisation, skim
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import books, work
from gpuhiggs.engine.tally import FileInfo, Tally, WorkItem
from gpuhiggs.errors import ConfigError, MissingExtraError, RunError
from gpuhiggs.report import page, process
from gpuhiggs.skim import files
from gpuhiggs.skim.pieces import Pieces

N = 60


@pytest.fixture(scope="module")
def sample(
    tmp_path_factory: pytest.TempPathFactory,
    four_muon_events: Callable[..., Any],
    write_nanoaod: Callable[..., Path],
) -> list[Path]:
    """Two files of simulation, in baskets of 20 events, with event numbers and weights of both signs."""
    folder = tmp_path_factory.mktemp("sample")
    paths = []
    for number in range(2):
        parts = [four_muon_events(20, seed=10 * number + part) for part in range(N // 20)]
        for place, part in enumerate(parts):
            part["event"] = 2**40 + 1000 * number + 20 * place + np.arange(20, dtype=np.uint64)
            part["run"] = np.full(20, 5 + number, np.uint32)
            part["genWeight"] = np.where(np.arange(20) % 5 == 0, -3.0, 4.0).astype(np.float32)
        paths.append(write_nanoaod(folder / f"{number}.root", *parts, runs={"genEventSumw": [156.0]}))
    return paths


def _config(four_muon_config: Callable[..., RunConfig], paths: list[Path], **settings: Any) -> RunConfig:
    dataset = {"name": "mc", "process": "H", "kind": "simulation", "files": [str(path) for path in paths]}
    scale = {"cross_section": 2.0, "weight_unit": 4.0}
    return four_muon_config(dataset | scale, **{"luminosity": 3.0, "skim": ["parquet", "root"], **settings})


def _shuffled(function: Callable[[Any], Any], queue: work.Work) -> Iterator[Any]:
    while results := [function(argument) for argument in iter(queue.take, None)]:
        random.Random(3).shuffle(results)
        yield from results


def _skim(loaded: RunConfig, folder: Path, mapper: Any = work.serially) -> tuple[Tally, list[files.Written]]:
    pieces = Pieces(folder, loaded, fresh=True)
    tally = engine.run(loaded, skim.keeping(mapper, loaded, pieces))
    written = skim.write(loaded, tally, pieces, folder)
    pieces.finish(tally, [])
    return tally, written


def _root(path: Path) -> dict[str, np.ndarray]:
    with uproot.open(path) as file:
        arrays: dict[str, np.ndarray] = file["events"].arrays(library="np")
        return arrays


def _parquet(path: Path) -> dict[str, np.ndarray]:
    table = pyarrow.parquet.read_table(path)
    return {name: table[name].to_numpy() for name in table.column_names}


def test_content(four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path) -> None:
    """The selected events that the engine knows, with the identity that the files say, and weights that add up."""
    loaded = _config(four_muon_config, sample)
    plain = engine.run(loaded)
    tally, [written] = _skim(loaded, tmp_path)
    assert written == files.Written("mc", 90, ("mc.parquet", "mc.root"), True)
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["mc.parquet", "mc.root"]
    rows = _root(tmp_path / "mc.root")
    np.testing.assert_array_equal(rows["file"], np.repeat([0, 1], 45))
    np.testing.assert_array_equal(rows["run"], np.repeat([5, 6], 45))
    for number, path in enumerate(sample):
        own = rows["file"] == number
        known = plain.selected["mc", str(path)]
        for name in ("entry", "m4l", "m_z1", "m_z2", "pt4l", "category", "final_state"):
            np.testing.assert_array_equal(rows[name][own], known[name], strict=True)
        with uproot.open(path) as file:
            stored = file["Events"].arrays(["event", "luminosityBlock", "genWeight"], library="np")
        entry = rows["entry"][own]
        np.testing.assert_array_equal(rows["event"][own], stored["event"][entry])
        np.testing.assert_array_equal(rows["luminosity_block"][own], stored["luminosityBlock"][entry])
        np.testing.assert_array_equal(rows["weight"][own], stored["genWeight"][entry])
    assert rows["event"].dtype == np.uint64
    m4l: Any = normalisation.histograms(loaded, tally)["m4l"]["H"].sum(flow=True)
    assert rows["weight_expected"].sum() == pytest.approx(m4l.value, rel=1e-8)
    np.testing.assert_allclose(rows["weight_expected"], rows["weight"] * 2.0 * 3000.0 / 312.0, rtol=1e-15)


def test_formats_agree(four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path) -> None:
    _skim(_config(four_muon_config, sample), tmp_path)
    left, right = _root(tmp_path / "mc.root"), _parquet(tmp_path / "mc.parquet")
    assert list(left) == list(right)
    for name, values in left.items():
        np.testing.assert_array_equal(values, right[name], strict=True)


@pytest.mark.parametrize("chunk_size", [1, 7, 20, 1000])
def test_chunks_and_order_do_not_matter(
    four_muon_config: Callable[..., RunConfig],
    sample: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    chunk_size: int,
) -> None:
    """Parquet to the byte; with blocks of a size that no chunk divides."""
    monkeypatch.setattr(files, "BLOCK", 11)
    _skim(_config(four_muon_config, sample), tmp_path / "one")
    loaded = _config(four_muon_config, sample, chunk_size=chunk_size)
    tally, _ = _skim(loaded, tmp_path / "other", _shuffled)
    one, other = (tmp_path / name / "mc.parquet" for name in ("one", "other"))
    assert pyarrow.parquet.ParquetFile(one).num_row_groups == 9
    assert one.read_bytes() == other.read_bytes()
    for name, values in _root(tmp_path / "one" / "mc.root").items():
        np.testing.assert_array_equal(_root(tmp_path / "other" / "mc.root")[name], values, strict=True)
    assert all(not selected for selected in tally.selected.values())  # nothing stays in the client's memory


def _in_halves_too(function: Callable[[Any], Any], queue: work.Work) -> Iterator[Any]:
    """Do half of an item, then all of it, then the other half; or only the halves."""
    for number, argument in enumerate(iter(queue.take, None)):
        first, *second = queue.split(argument)
        yield from map(function, [first, *([argument] if number % 2 else []), *second])


def test_stragglers_in_halves_do_not_matter(
    four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(books, "SPLIT_AT_LEAST", 2)
    loaded = _config(four_muon_config, sample, chunk_size=20, skim=["parquet"])
    one, _ = _skim(loaded, tmp_path / "one")
    other, _ = _skim(loaded, tmp_path / "other", _in_halves_too)
    assert one.counts.digest() == other.counts.digest()
    assert (tmp_path / "one" / "mc.parquet").read_bytes() == (tmp_path / "other" / "mc.parquet").read_bytes()


def test_logical_names_are_found_by_redirectors(
    four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path
) -> None:
    """Two folders stand for redirectors; the first has neither file."""
    plain, _ = _skim(_config(four_muon_config, sample, skim=["parquet"]), tmp_path / "plain")
    names = [Path(f"/store/mc/{path.name}") for path in sample]
    for name, path in zip(names, sample, strict=True):
        place = tmp_path / f"site{name}"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)
    redirectors = (f"{tmp_path}/nowhere/", f"{tmp_path}/site/")
    tally, [written] = _skim(
        _config(four_muon_config, names, skim=["parquet"], redirectors=redirectors), tmp_path / "found"
    )
    assert not tally.failures
    assert tally.counts.digest() == plain.counts.digest()
    assert written.events == len(_parquet(tmp_path / "plain" / "mc.parquet")["event"])


def test_leaving_out(four_muon_config: Callable[..., RunConfig], sample: list[Path]) -> None:
    loaded = _config(four_muon_config, sample)
    tally = engine.run(loaded, skim.leaving_out(work.serially))
    assert all(not selected for selected in tally.selected.values())
    assert tally.counts.digest() == engine.run(loaded).counts.digest()


def test_file_that_cannot_be_processed_is_not_in_it(
    four_muon_config: Callable[..., RunConfig],
    sample: list[Path],
    tmp_path: Path,
    damage_second_basket: Callable[[Path, str], None],
) -> None:
    damaged = tmp_path / "damaged.root"
    damaged.write_bytes(sample[0].read_bytes())
    damage_second_basket(damaged, "Muon_pt")
    tally, [written] = _skim(_config(four_muon_config, [damaged, sample[1]], chunk_size=20), tmp_path / "out")
    assert len(tally.failures) == 1
    assert written.events == 45
    rows = _root(tmp_path / "out" / "mc.root")
    assert set(rows["run"]) == {6}
    assert set(rows["file"]) == {1}


def test_events_without_numbers(
    four_muon_config: Callable[..., RunConfig],
    four_muon_events: Callable[..., Any],
    write_nanoaod: Callable[..., Path],
    tmp_path: Path,
) -> None:
    path = write_nanoaod(tmp_path / "nameless.root", four_muon_events(8), runs={"genEventSumw": [8.0]})
    tally, written = _skim(_config(four_muon_config, [path]), tmp_path / "out")
    assert written == []
    assert "no branch event, which a skim identifies events by" in tally.failures[0].error


def test_nothing_selected(four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path) -> None:
    """The columns are there, and no row."""
    loaded = _config(four_muon_config, sample)
    cuts = loaded.selection.cuts | {"muon": loaded.selection.cuts["muon"] | {"pt_min": 1e6}}
    nothing = loaded.model_copy(update={"selection": loaded.selection.model_copy(update={"cuts": cuts})})
    _, [written] = _skim(nothing, tmp_path)
    assert written.events == 0
    left, right = _root(tmp_path / "mc.root"), _parquet(tmp_path / "mc.parquet")
    assert list(left) == list(right)
    assert {"run", "event", "m4l", "weight", "weight_expected"} <= set(left)
    assert all(values.size == 0 for values in [*left.values(), *right.values()])


def test_without_a_cross_section(
    four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path
) -> None:
    dataset = {"name": "mc", "process": "H", "kind": "simulation", "files": [str(sample[0])], "cross_section": None}
    _, [written] = _skim(four_muon_config(dataset, skim=["root"]), tmp_path)
    assert not written.weight_expected
    rows = _root(tmp_path / "mc.root")
    assert "weight_expected" not in rows
    assert set(rows["weight"]) == {-3.0, 4.0}


def test_real_data(shared: Path, tmp_path: Path) -> None:
    """ATLAS data: identified by run and event number, in a format without luminosity sections; 70 events."""
    paths = [shared / "data" / "atlas" / f"data_{period}.4lep.root" for period in "AB"]
    dataset = {"name": "data", "process": "data", "kind": "data", "primary_dataset": "leptons"}
    files = [str(path) for path in paths]
    raw = {"datasets": [dataset | {"files": files}], "lumi_mask": None, "skim": ["root"], "unblind": True}
    selection = config.shipped_selection("atlas-hzz4l-open-data-2020")
    loaded = config.validate(RunConfig, raw | {"selection": selection}, "test")
    _, [written] = _skim(loaded, tmp_path)
    rows = _root(tmp_path / "data.root")
    assert written.events == 70
    assert "luminosity_block" not in rows
    for number, path in enumerate(paths):
        with uproot.open(path) as file:
            stored = file["mini"].arrays(["runNumber", "eventNumber"], library="np")
        own = rows["file"] == number
        np.testing.assert_array_equal(rows["run"][own], stored["runNumber"][rows["entry"][own]])
        events = stored["eventNumber"].view(np.uint32)  # stored as int32, in which one of them is negative
        np.testing.assert_array_equal(rows["event"][own], events[rows["entry"][own]])


# --- the command -----------------------------------------------------------------------------------------------------


def test_command(
    four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page, "publish", lambda *_: None)  # figures are tested elsewhere, and take long
    loaded = _config(four_muon_config, sample)
    for _ in range(2):
        assert process.run(loaded, tmp_path / "out", workers=0, overwrite=True) == 0
    assert sorted(path.name for path in (tmp_path / "out" / "skim").glob("[!.]*")) == ["mc.parquet", "mc.root"]
    assert not list((tmp_path / "out" / "skim").glob(".*/*.npz"))
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    said = {"dataset": "mc", "events": 90, "files": ["mc.parquet", "mc.root"], "weight_expected": True}
    assert results["skim"] == [said]
    about = json.loads(pyarrow.parquet.read_schema(tmp_path / "out" / "skim" / "mc.parquet").metadata[b"gpuhiggs"])
    assert (about["process"], about["kind"], about["cross_section_pb"]) == ("H", "simulation", 2.0)
    assert config.load(tmp_path / "out" / "config.yaml").skim == ("parquet", "root")


def test_run_that_goes_on(
    four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a run did before it failed is in the skim of the run that goes on, and a finished one stays."""
    monkeypatch.setattr(page, "publish", lambda *_: None)
    late, out = tmp_path / "late.root", tmp_path / "out"
    loaded = _config(four_muon_config, [sample[0], late])
    assert process.run(loaded, out, workers=0) == 1
    assert set(_root(out / "skim" / "mc.root")["run"]) == {5}
    late.write_bytes(sample[1].read_bytes())
    assert process.run(loaded, out, workers=0, resume=True) == 0
    rows = _root(out / "skim" / "mc.root")
    np.testing.assert_array_equal(rows["run"], np.repeat([5, 6], 45))
    before = (out / "skim" / "mc.parquet").stat().st_mtime_ns
    assert process.run(loaded, out, workers=0, resume=True) == 0
    assert (out / "skim" / "mc.parquet").stat().st_mtime_ns == before
    assert json.loads((out / "results.json").read_text())["skim"][0]["events"] == 90


def test_skim_asked_for_when_all_was_done(
    four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another configuration: the events are processed again."""
    monkeypatch.setattr(page, "publish", lambda *_: None)
    loaded = _config(four_muon_config, sample)
    assert process.run(loaded.model_copy(update={"skim": ()}), tmp_path / "out", workers=0) == 0
    assert process.run(loaded, tmp_path / "out", workers=0, resume=True) == 0
    assert len(_root(tmp_path / "out" / "skim" / "mc.root")["run"]) == 90


def test_pieces_that_somebody_removed(
    four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The results stand, and what is missing is said: a warning, and the exit status."""
    monkeypatch.setattr(page, "publish", lambda *_: None)
    loaded, out = _config(four_muon_config, sample), tmp_path / "out"
    assert process.run(loaded, out, workers=0) == 0
    (out / "skim" / ".pieces" / "finished.json").unlink()
    assert process.run(loaded, out, workers=0, resume=True) == 1
    warnings = json.loads((out / "results.json").read_text())["warnings"]
    assert any("no new skim" in warning and "run with --overwrite" in warning for warning in warnings)


def test_unknown_format(four_muon_config: Callable[..., RunConfig], sample: list[Path]) -> None:
    with pytest.raises(ConfigError, match=r"skim\.0: Input should be 'parquet' or 'root', got 'csv'"):
        _config(four_muon_config, sample, skim=["csv"])


def test_without_pyarrow(
    four_muon_config: Callable[..., RunConfig], sample: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"writing Parquet skims needs the package 'pyarrow': pip install"):
        skim.require(_config(four_muon_config, sample))
    skim.require(_config(four_muon_config, sample).model_copy(update={"skim": ("root",)}))


# --- pieces ----------------------------------------------------------------------------------------------------------

INFO = FileInfo("mc", "/data/a.root", "uuid", 30, None)


def _keep(pieces: Pieces, *ranges: tuple[int, int]) -> None:
    for start, stop in ranges:
        pieces.keep(WorkItem("mc", INFO.path, start, stop), {"entry": np.arange(start, stop)})


def _entries(pieces: Pieces) -> list[int]:
    return list(np.concatenate([rows["entry"] for rows in pieces.rows(INFO)]))


@pytest.fixture
def pieces(four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path) -> Pieces:
    return Pieces(tmp_path, _config(four_muon_config, sample), fresh=True)


@pytest.mark.parametrize(
    "ranges",
    [
        [(10, 20), (0, 10), (20, 30)],
        [(0, 30)],
        [(0, 20), (0, 10), (10, 25), (25, 30)],  # two sizes of chunks, of which the larger was not finished
        [(0, 12), (0, 10), (10, 12), (12, 30), (10, 14)],
    ],
)
def test_pieces_make_up_a_file(pieces: Pieces, ranges: list[tuple[int, int]]) -> None:
    _keep(pieces, *ranges)
    assert _entries(pieces) == list(range(30))


@pytest.mark.parametrize("ranges", [[], [(0, 10), (20, 30)], [(0, 10), (12, 30)], [(10, 30)]])
def test_missing_pieces(pieces: Pieces, ranges: list[tuple[int, int]]) -> None:
    _keep(pieces, *ranges)
    with pytest.raises(RunError, match=r"a\.root \(mc\): pieces of its skim are missing"):
        _entries(pieces)


def test_file_without_events(pieces: Pieces) -> None:
    pieces.keep(WorkItem("mc", INFO.path, 0, 0), {"entry": np.zeros(0, np.int64)})
    [rows] = pieces.rows(INFO._replace(entries=0))
    assert rows["entry"].size == 0


def test_pieces_of_another_selection_are_not_taken(
    pieces: Pieces, four_muon_config: Callable[..., RunConfig], sample: list[Path], tmp_path: Path
) -> None:
    _keep(pieces, (0, 30))
    loaded = _config(four_muon_config, sample)
    assert _entries(Pieces(tmp_path, loaded, fresh=False)) == list(range(30))
    cuts = loaded.selection.cuts | {"muon": loaded.selection.cuts["muon"] | {"pt_min": 9.0}}
    other = loaded.model_copy(update={"selection": loaded.selection.model_copy(update={"cuts": cuts})})
    with pytest.raises(RunError, match="missing"):
        _entries(Pieces(tmp_path, other, fresh=False))
    with pytest.raises(RunError, match="missing"):
        _entries(Pieces(tmp_path, loaded, fresh=True))
