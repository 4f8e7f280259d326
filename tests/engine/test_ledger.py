"""The ledger: what was committed counts once, and nothing else is believed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuhiggs import engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import inspection, ledger, preparation, sparse
from gpuhiggs.engine.ledger import Batch, Ledger
from gpuhiggs.engine.tally import FileInfo, WorkItem
from gpuhiggs.engine.work import Work, serially
from gpuhiggs.errors import InputError, RunError
from gpuhiggs.histogram import Counts

Configure = Callable[..., RunConfig]
PRINTS = {"d": "one", "e": "two"}


def info(name: str, dataset: str = "d") -> FileInfo:
    return FileInfo(
        dataset, name, f"uuid of {name}", 10, 2.5, ("a note",), (0, 4, 10), (("ZLIB", 3, 7),), ((1, 2, 3),), "10 bytes"
    )


def sums(value: int, dataset: str = "d") -> Counts:
    counts = Counts()
    counts.add(dataset, "n", np.array([value, 0]))
    return counts


def batch(*names: str, value: int = 1, prints: dict[str, str] = PRINTS, dataset: str = "d") -> Batch:
    return Batch(prints, tuple(info(name, dataset) for name in names), sums(value, dataset))


def total(counts: Counts, dataset: str = "d") -> float:
    return float(counts.sums[dataset, "n"].to_float()[0])


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "ledger") as opened:
        yield opened


def test_what_is_committed_is_kept(book: Ledger) -> None:
    item = WorkItem("d", "c", 0, 5)
    book.commit(batch("a", "b", value=3)._replace(pending=((item, "uuid of c", sparse.pack(sums(7))),)))
    kept = book.kept(PRINTS, [("d", "a"), ("d", "b"), ("d", "c")])
    assert kept.files == {("d", "a"): info("a"), ("d", "b"): info("b")}
    assert total(kept.counts) == 3
    [(found, packed)] = kept.pending[("d", "c"), "uuid of c"]
    assert (found, total(sparse.unpack(packed))) == (item, 7)
    assert kept.dropped == 0


def test_another_fingerprint_invalidates_its_dataset_alone(book: Ledger) -> None:
    both = Batch(PRINTS, (info("a"), info("b", "e")), sums(1) + sums(2, "e"))
    book.commit(both)
    kept = book.kept({"d": "changed", "e": "two"}, [("d", "a"), ("e", "b")])
    assert set(kept.files) == {("e", "b")}
    assert total(kept.counts, "e") == 2
    assert ("d", "n") not in kept.counts.sums
    assert kept.dropped == 1


def test_a_merged_sum_with_a_file_that_is_not_wanted_is_not_used(book: Ledger) -> None:
    book.commit(batch("a", "b"))
    book.commit(batch("c", value=5))
    kept = book.kept(PRINTS, [("d", "a"), ("d", "c")])
    assert set(kept.files) == {("d", "c")}
    assert total(kept.counts) == 5
    assert kept.dropped == 1


@pytest.mark.parametrize("n", [1, 31, 32, 33, 100, 200])
def test_batches_are_merged(book: Ledger, n: int) -> None:
    for number in range(n):
        book.commit(batch(f"{number}", value=2**40 + number))
    kept = book.kept(PRINTS, [("d", str(number)) for number in range(n)])
    assert len(kept.files) == n
    assert total(kept.counts) == n * 2**40 + n * (n - 1) // 2
    assert len(list(book.folder.glob("batch-*"))) < 2 * ledger.MERGE_AT


def test_a_crash_between_the_steps_of_merging_counts_nothing_twice(book: Ledger) -> None:
    paths = [book.commit(batch(name)) for name in "abc"]
    copies = {path: path.read_bytes() for path in paths}
    book._write(Batch(PRINTS, tuple(map(info, "abc")), sums(3)), 1)
    assert all(path.read_bytes() == copies[path] for path in paths), "not deleted yet"
    assert total(book.kept(PRINTS, [("d", name) for name in "abc"]).counts) == 3


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:50], lambda data: b"", "flip"])
def test_a_batch_that_is_torn_or_changed_is_done_again(
    book: Ledger, damage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = book.commit(batch("a"))
    book.commit(batch("b", value=4))
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    path.write_bytes(data if damage == "flip" else damage(bytes(data)))
    kept = book.kept(PRINTS, [("d", "a"), ("d", "b")])
    assert set(kept.files) == {("d", "b")}
    assert total(kept.counts) == 4
    assert str(path) in caplog.text
    assert "its work is done again" in caplog.text


def test_another_version_is_refused(book: Ledger) -> None:
    path = book.commit(batch("a"))
    path.write_bytes(path.read_bytes().replace(b"gpuhiggs ledger 2\n", b"gpuhiggs ledger 3\n"))
    with pytest.raises(InputError, match="written by another version of gpuhiggs"):
        book.kept(PRINTS, [("d", "a")])


def test_one_process_at_a_time(book: Ledger) -> None:
    code = f"from pathlib import Path; from gpuhiggs.engine.ledger import Ledger; Ledger(Path({str(book.folder)!r}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "in use by another gpuhiggs (process" in done.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "ledger").touch()
    with pytest.raises(InputError, match="cannot be written"):
        Ledger(tmp_path / "ledger")


# --- with the engine -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
) -> list[Path]:
    folder = tmp_path_factory.mktemp("ledger")
    return [write_nanoaod(folder / f"{i}.root", four_muon_events(20 + i, i)) for i in range(6)]


@pytest.fixture
def configured(files: list[Path], four_muon_config: Configure) -> Callable[..., RunConfig]:
    def configure(n: int = 6, **settings: Any) -> RunConfig:
        dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None}
        execution = {"back_off": 0.0, "commit_seconds": 0.0}
        return four_muon_config(
            dataset | {"files": [str(path) for path in files[:n]]}, chunk_size=8, execution=execution, **settings
        )

    return configure


class Interrupted(Exception):
    """What stops a run."""


def stopped_after(n: int) -> Callable[[Callable[[Any], Any], Work], Iterator[Any]]:
    def mapper(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
        for done, result in enumerate(serially(function, queue)):
            if done == n:
                raise Interrupted
            yield result

    return mapper


def counting(done: list[Any]) -> Callable[[Callable[[Any], Any], Work], Iterator[Any]]:
    def mapper(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
        for result in serially(function, queue):
            done.append(result)
            yield result

    return mapper


@pytest.mark.parametrize("after", [0, 1, 2, 5, 9, 17, 23])
def test_a_stopped_run_goes_on_with_what_is_missing(tmp_path: Path, configured: Configure, after: int) -> None:
    config = configured()
    whole = engine.run(config)
    n_steps = 6 + sum(len(inspection.work_items(info, 8)) for info in whole.complete)
    with Ledger(tmp_path / "ledger") as book, pytest.raises(Interrupted):
        engine.run(config, stopped_after(after), ledger=book)
    done: list[Any] = []
    with Ledger(tmp_path / "ledger") as book:
        resumed = engine.run(config, counting(done), ledger=book)
    assert resumed.counts.digest() == whole.counts.digest()
    assert resumed.complete == whole.complete
    assert len(done) <= n_steps - after + 1, "the file that was under way is looked at again, its items are not"
    again: list[Any] = []
    with Ledger(tmp_path / "ledger") as book:
        assert engine.run(config, counting(again), ledger=book).counts.digest() == whole.counts.digest()
    assert not again


def _steps(config: RunConfig, folder: Path) -> int:
    done: list[Any] = []
    with Ledger(folder) as book:
        tally = engine.run(config, counting(done), ledger=book)
    assert tally.counts.digest() == engine.run(config).counts.digest()
    return len(done)


def test_a_change_invalidates_exactly_what_it_must(
    tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(3)
    folder = tmp_path / "ledger"
    everything = _steps(config, folder)
    assert _steps(config, folder) == 0
    assert _steps(config.model_copy(update={"title": "other", "chunk_size": 5}), folder) == 0
    assert 0 < _steps(configured(4), folder) < everything, "one file more"
    cuts = config.selection.cuts | {"muon": config.selection.cuts["muon"] | {"pt_min": 6.0}}
    changed = config.model_copy(update={"selection": config.selection.model_copy(update={"cuts": cuts})})
    assert _steps(changed, folder) == everything
    assert _steps(changed, folder) == 0
    assert _steps(config, folder) == 0, "both are there"
    monkeypatch.setattr("gpuhiggs.kernels.launch.source_hash", lambda program: "another kernel")
    with Ledger(folder) as book:
        prints = {"mc": preparation.fingerprint(config.model_dump_json(by_alias=True), "mc")}
        assert book.kept(prints, [("mc", path) for path in config.datasets[0].files]).dropped == 3


def test_a_file_that_has_changed_is_done_again(
    tmp_path: Path, configured: Configure, write_nanoaod: Callable[..., Path], four_muon_events: Callable[..., Any]
) -> None:
    config = configured(2)
    [mc] = config.datasets
    path = write_nanoaod(tmp_path / "changes.root", four_muon_events(10, 8))
    config = config.model_copy(update={"datasets": (mc.model_copy(update={"files": (*mc.files, str(path))}),)})
    folder = tmp_path / "ledger"
    _steps(config, folder)
    write_nanoaod(path, four_muon_events(11, 9))
    assert _steps(config, folder) > 0


def test_a_full_disk_stops_the_run_and_keeps_what_was_written(
    tmp_path: Path, configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured()
    folder = tmp_path / "ledger"
    plain = Ledger._write
    written: list[Path] = []

    def full(book: Ledger, batch: Batch, level: int) -> Path:
        if len(written) >= 2:
            raise RunError("the disk is full")
        written.append(plain(book, batch, level))
        return written[-1]

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "_write", full)
        with Ledger(folder) as book, pytest.raises(RunError, match="the disk is full"):
            engine.run(config, ledger=book)
    assert _steps(config, folder) > 0
    assert _steps(config, folder) == 0


def test_more_failures_than_allowed(tmp_path: Path, configured: Configure) -> None:
    config = configured(2)
    [mc] = config.datasets
    files = (*(str(tmp_path / f"none{i}.root") for i in range(3)), *mc.files)
    execution = config.execution.model_copy(update={"max_failures": 1, "attempts": 1})
    config = config.model_copy(update={"datasets": (mc.model_copy(update={"files": files}),), "execution": execution})
    with pytest.raises(
        RunError, match=r"given up: 2 files failed, 1 are allowed; the last: .*none1.root: no such file"
    ):
        engine.run(config)
