"""A run that is disturbed in every way, and ends with the bits of one that was not.

Each round: workers and the client are killed at random, a file vanishes and comes back, batches of the ledger are torn,
a second client tries to work in the same folder. One file is corrupt all the time. After ``--resume`` the digest is
that of the undisturbed run, and the one failure is the corrupt file.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuhiggs import engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine.ledger import Ledger

DRIVER = """
import faulthandler, os, sys
from pathlib import Path
from gpuhiggs import cluster, config, engine
from gpuhiggs.engine.ledger import Ledger

if __name__ == "__main__":
    folder = Path(sys.argv[2])
    hung = (folder / "hung").open("w")
    faulthandler.dump_traceback_later(240, file=hung, exit=True)  # says where; a slow machine alone takes a minute
    loaded = config.load(Path(sys.argv[1]))
    with Ledger(folder / "ledger") as ledger, cluster.local(2) as client:
        pids = client.run(os.getpid)
        (folder / "workers").write_text(" ".join(map(str, pids.values())))
        tally = engine.run(loaded, cluster.mapper(client), ledger=ledger)
    (folder / "digest").write_text(tally.counts.digest())
    (folder / "failed").write_text("\\n".join(failure.path for failure in tally.failures))
    faulthandler.cancel_dump_traceback_later()
"""

N_FILES = 14


@pytest.fixture(scope="module")
def chaos(
    tmp_path_factory: pytest.TempPathFactory,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
    damage_second_basket: Callable[[Path, str], None],
) -> tuple[Path, RunConfig]:
    """A configuration of some 200 work items over files of which one is corrupt, and its folder."""
    folder = tmp_path_factory.mktemp("chaos")
    paths = [write_nanoaod(folder / f"{i}.root", four_muon_events(45 + i, i)) for i in range(N_FILES)]
    corrupt = write_nanoaod(folder / "corrupt.root", four_muon_events(50, 98), four_muon_events(50, 99))
    damage_second_basket(corrupt, "Muon_phi")
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None}
    config = four_muon_config(
        dataset | {"files": [str(path) for path in (*paths[:5], corrupt, *paths[5:])]},
        chunk_size=4,
        execution={"attempts": 4, "back_off": 0.05, "commit_seconds": 0.1},
    )
    raw = config.model_dump(mode="json", by_alias=True, exclude_unset=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(raw))
    (folder / "driver.py").write_text(DRIVER)
    return folder, config


def start(folder: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(folder / "driver.py"), str(folder / "config.yaml"), str(output)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a client with all its workers, as a batch system does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def disturb(folder: Path, output: Path, process: subprocess.Popen[bytes], dice: random.Random) -> None:
    """Let things happen to a run, at random, until its client is killed or it has ended."""
    workers = output / "workers"
    waited = time.monotonic() + 60
    while not workers.exists() and process.poll() is None and time.monotonic() < waited:
        time.sleep(0.02)
    for _ in range(dice.randrange(1, 4)):
        time.sleep(dice.uniform(0.0, 0.6))
        what = dice.choice(("worker", "vanish", "second client", "nothing"))
        if what == "worker" and workers.exists():
            pid = int(dice.choice(workers.read_text().split()))
            if process.poll() is None:
                os.kill(pid, signal.SIGKILL) if Path(f"/proc/{pid}").exists() else None
        elif what == "vanish":
            path = folder / f"{dice.randrange(N_FILES)}.root"
            path.rename(path.with_suffix(".away"))
            time.sleep(dice.uniform(0.0, 0.1))
            path.with_suffix(".away").rename(path)
        elif what == "second client" and process.poll() is None:
            second = start(folder, output)
            second.wait(300)
    if process.poll() is None:
        kill_group(process)


def tear(output: Path, dice: random.Random) -> None:
    """Change or cut one batch of the ledger."""
    batches = sorted((output / "ledger").glob("batch-*"))
    if batches and dice.random() < 0.5:
        path = dice.choice(batches)
        path.write_bytes(path.read_bytes()[: dice.randrange(path.stat().st_size)])


ROUNDS = [pytest.param(seed, marks=[] if seed < 3 else pytest.mark.nightly) for seed in range(50)]


@pytest.fixture(scope="module")
def undisturbed(chaos: tuple[Path, RunConfig]) -> str:
    tally = engine.run(chaos[1])
    assert [Path(failure.path).name for failure in tally.failures] == ["corrupt.root"]
    assert len(tally.complete) == N_FILES
    return tally.counts.digest()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", ROUNDS)
def test_chaos(chaos: tuple[Path, RunConfig], undisturbed: str, tmp_path: Path, seed: int) -> None:
    folder, _ = chaos
    dice = random.Random(seed)
    for _ in range(dice.randrange(1, 3)):
        (tmp_path / "workers").unlink(missing_ok=True)
        disturb(folder, tmp_path, start(folder, tmp_path), dice)
        tear(tmp_path, dice)
    for name in ("digest", "failed"):
        (tmp_path / name).unlink(missing_ok=True)
    assert start(folder, tmp_path).wait(300) == 0, (tmp_path / "hung").read_text()
    assert (tmp_path / "digest").read_text() == undisturbed
    assert [Path(path).name for path in (tmp_path / "failed").read_text().splitlines()] == ["corrupt.root"]


def test_the_ledger_is_small(chaos: tuple[Path, RunConfig], tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger") as ledger:
        engine.run(chaos[1], ledger=ledger)
    size = sum(path.stat().st_size for path in (tmp_path / "ledger").glob("batch-*"))
    assert size < 200_000, json.dumps(sorted(path.name for path in (tmp_path / "ledger").iterdir()))
