"""What stops a run from outside: Ctrl-C, the end of a batch slot, a full disk. It says how to go on, and that works."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuhiggs import engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine.ledger import Ledger
from gpuhiggs.engine.work import Work, serially
from gpuhiggs.errors import RunError
from gpuhiggs.report import process, workforce

N_FILES = 12


@pytest.fixture(scope="module")
def config(
    tmp_path_factory: pytest.TempPathFactory,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
) -> RunConfig:
    folder = tmp_path_factory.mktemp("stopping")
    paths = [str(write_nanoaod(folder / f"{i}.root", four_muon_events(60, i))) for i in range(N_FILES)]
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None, "files": paths}
    return four_muon_config(dataset, chunk_size=6, execution={"commit_seconds": 0.05})


@pytest.fixture(scope="module")
def digest(config: RunConfig) -> str:
    return engine.run(config).counts.digest()


@pytest.mark.parametrize(("how", "workers"), [(signal.SIGINT, 2), (signal.SIGTERM, 0)])
def test_a_stopped_run_says_how_to_go_on(
    config: RunConfig, digest: str, tmp_path: Path, how: signal.Signals, workers: int
) -> None:
    raw = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(raw))
    folder = tmp_path / "my run"
    command = [sys.executable, "-m", "gpuhiggs", "run", str(tmp_path / "run.yaml"), "--output", str(folder)]
    process = subprocess.Popen(
        [*command, "--workers", str(workers)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    while not list(folder.glob("ledger/batch-*")) and process.poll() is None:
        time.sleep(0.01)
    os.killpg(process.pid, how)  # a terminal sends it to workers too
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    *_, last, again = said.splitlines()
    assert last.startswith("stopped; what is done is kept in")
    assert again == f"to go on: gpuhiggs retry '{folder}' --workers {workers}"
    assert "Traceback" not in said
    with Ledger(folder / "ledger") as ledger:
        done: list[Any] = []
        assert engine.run(config, counting(done), ledger=ledger).counts.digest() == digest
    assert len(done) < N_FILES * 11


def counting(done: list[Any]) -> Callable[[Callable[[Any], Any], Work], Iterator[Any]]:
    def mapper(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
        for result in serially(function, queue):
            done.append(result)
            yield result

    return mapper


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("no small disk can be mounted here: only root may, and not in every container")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    """Let a file take all the room that is left."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))


def test_a_full_disk_stops_a_run_and_space_lets_it_go_on(
    config: RunConfig, digest: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filling = small_disk / "filling"

    def full_after_some(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
        for done, result in enumerate(serially(function, queue)):
            if done == 60:
                fill(filling)
            yield result

    monkeypatch.setattr(workforce, "serially", full_after_some)
    folder = small_disk / "run"
    with pytest.raises(RunError, match=f"{folder}.* cannot be written: the disk is full"):
        process.run(config, folder, workers=0)
    assert list((folder / "ledger").glob("batch-*")), "what was done before stands"
    assert not [path for path in folder.rglob("*") if path.suffix == ".tmp"]
    filling.unlink()
    done: list[Any] = []
    with Ledger(folder / "ledger") as ledger:
        assert engine.run(config, counting(done), ledger=ledger).counts.digest() == digest
    assert 0 < len(done) < N_FILES * 11
