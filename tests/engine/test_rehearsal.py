"""A rehearsal of full Run 2: 20,000 work items that stand for 10⁹ events, from the configuration to the report.

The files do not exist: workers answer with the sums of a real item. One answer in a hundred is a failure that goes
away, three files never come, and the run is stopped once.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gpuhiggs import cluster, engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import sparse
from gpuhiggs.engine.tally import Failure, FileInfo, ListedFile, Partial, WorkItem
from gpuhiggs.engine.work import Mapper, Work
from gpuhiggs.histogram import Counts
from gpuhiggs.report import process, workforce

N_FILES, ITEMS, EVENTS = 2_000, 10, 50_000
STOPPED_AT = 7_000
BROKEN = ("000013.root", "000777.root", "001999.root")


class Rehearsed(NamedTuple):
    """Stands for :class:`gpuhiggs.engine.Job`."""

    sums: str

    def step(self, task: ListedFile | WorkItem) -> FileInfo | Partial | Failure:
        start, stop = (task.start, task.stop) if isinstance(task, WorkItem) else (0, 0)
        if task.path.endswith(BROKEN):
            return Failure(task.dataset, task.path, start, stop, f"{task.path}: no such file", transient=True)
        if random.SystemRandom().random() < 0.01:
            return Failure(task.dataset, task.path, start, stop, f"{task.path}: timed out", transient=True)
        if isinstance(task, WorkItem):
            return Partial(task, _content(self.sums), {}, 0.01, 0.005, "worker", 1)
        cuts = tuple(range(0, EVENTS * ITEMS + 1, EVENTS))
        return FileInfo(task.dataset, task.path, task.path, cuts[-1], 1.0, (), cuts)


@functools.cache
def _content(path: str) -> bytes:
    return Path(path).read_bytes()


def times(counts: Counts, n: int) -> Counts:
    """The sum of *n* times the same."""
    total = Counts()
    while n:
        total, counts, n = total + counts if n & 1 else total, counts + counts, n >> 1
    return total


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_full_run_2(
    tmp_path: Path,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None}
    real = write_nanoaod(tmp_path / "real.root", four_muon_events(50, 1))
    one = engine.run(four_muon_config(dataset | {"files": [str(real)]})).counts
    (tmp_path / "sums").write_bytes(sparse.pack(one))
    names = [f"root://site//store/{n:06}.root" for n in range(N_FILES)]
    config = four_muon_config(dataset | {"files": names}, execution={"attempts": 6, "back_off": 0.01})
    memory: list[int] = []
    stop_at: list[int] = [STOPPED_AT]

    rehearsed = Rehearsed(str(tmp_path / "sums"))

    @contextlib.contextmanager
    def rehearsing(*_: Any) -> Iterator[Mapper]:
        with cluster.local(2) as client:

            def apply(_: Callable[[Any], Any], work: Work) -> Iterator[Any]:
                for done, result in enumerate(cluster.mapper(client)(rehearsed.step, work)):
                    if done % 1000 == 999:
                        memory.append(resident())
                    if stop_at and done == stop_at[0]:
                        del stop_at[0]
                        raise KeyboardInterrupt
                    yield result

            yield apply

    monkeypatch.setattr(workforce, "mapping", rehearsing)
    folder = tmp_path / "run"
    assert process.run(config, folder, workers=2) == 1
    assert not (folder / "results.json").exists()
    assert process.run(config, folder, workers=2, resume=True) == 1
    results = json.loads((folder / "results.json").read_text())
    assert sorted(Path(failure["path"]).name for failure in results["failures"]) == list(BROKEN)
    assert results["digest"] == times(one, (N_FILES - len(BROKEN)) * ITEMS).digest()
    assert results["datasets"]["mc"]["events"] == (N_FILES - len(BROKEN)) * ITEMS * EVENTS
    assert max(memory) - memory[0] < 64 * 2**20, memory
    assert sum(path.stat().st_size for path in (folder / "ledger").glob("batch-*")) < 64 * 2**20
