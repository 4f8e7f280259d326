"""Dask workers give what this process gives; one cluster serves all tests here, as it takes seconds to start."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from distributed import Client

from gpuhiggs import cluster, engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine.tally import Tally
from gpuhiggs.engine.work import Lost, Mapper, Work, of
from gpuhiggs.errors import FileError


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with cluster.local(2) as client:
        yield client


@pytest.fixture
def two_workers(client: Client) -> Mapper:
    return cluster.mapper(client)


@pytest.fixture(scope="module")
def run_config(
    tmp_path_factory: pytest.TempPathFactory,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
) -> RunConfig:
    """Three good files and one that is missing."""
    folder = tmp_path_factory.mktemp("cluster")
    paths = []
    for i, n in enumerate((30, 20, 10)):
        events = four_muon_events(n, i)
        events["genWeight"] = np.random.default_rng(i).normal(1, 2, n).astype(np.float32)
        paths.append(str(write_nanoaod(folder / f"{i}.root", events)))
    files = [*paths[:2], str(folder / "missing.root"), paths[2]]
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None, "files": files}
    return four_muon_config(dataset, chunk_size=10)


def same(found: Tally, expected: Tally) -> None:
    assert found.counts.digest() == expected.counts.digest()
    assert found.complete == expected.complete
    assert found.failures == expected.failures
    for key, selected in expected.selected.items():
        for name, values in selected.items():
            np.testing.assert_array_equal(found.selected[key][name], values, strict=True)


def double(n: int) -> int:
    return 2 * n


def refuse(n: int) -> int:
    msg = f"{n}.root: cannot be read"
    raise FileError(msg)


def test_every_argument_once(two_workers: Mapper) -> None:
    assert sorted(two_workers(double, of(range(30)))) == list(range(0, 60, 2))
    assert list(two_workers(double, Work())) == []


class Counted(Work):
    """Work of which is known how much has been taken."""

    taken = 0

    def take(self) -> Any:
        argument = super().take()
        self.taken += argument is not None
        return argument


def test_work_is_taken_as_results_leave(two_workers: Mapper) -> None:
    work = Counted()
    for n in range(1, 101):
        work.put(n)
    results = two_workers(double, work)
    for done in range(1, 101):
        next(results)
        assert work.taken <= done + 8, "four futures a worker"
    assert next(results, None) is None


def test_a_result_may_put_more_work_in(two_workers: Mapper) -> None:
    work = of([1])
    found = []
    for result in two_workers(double, work):
        found.append(result)
        if result < 64:
            work.put(result, delay=0.01)
    assert found == [2, 4, 8, 16, 32, 64]


def test_an_error_comes_back_with_its_argument(two_workers: Mapper) -> None:
    [lost] = list(two_workers(refuse, of([3])))
    assert isinstance(lost, Lost)
    assert lost.argument == 3
    assert "3.root: cannot be read" in lost.error


class Range(NamedTuple):
    """A stand-in for a work item: the whole of 0 to 8 is slow, its parts are not."""

    start: int
    stop: int


def halves(argument: Range) -> tuple[Range, ...]:
    middle = (argument.start + argument.stop) // 2
    if middle == argument.start:
        return (argument,)
    return Range(argument.start, middle), Range(middle, argument.stop)


STUCK = 20.0  # seconds, if nobody lets it go


def stick(release: Path) -> None:
    limit = time.monotonic() + STUCK
    while not release.exists() and time.monotonic() < limit:
        time.sleep(0.02)


def slow_as_a_whole(release: Path, argument: Range) -> Range:
    if argument.stop - argument.start == 8:
        stick(release)
    return argument


def slow_once(release: Path, path: Path) -> str:
    if path.exists():
        return "the second"
    path.touch()
    stick(release)
    return "the first"


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "LATE_SECONDS", 0.5)


@pytest.mark.usefixtures("impatient")
def test_a_straggler_is_done_in_halves(two_workers: Mapper, tmp_path: Path) -> None:
    work = Work(halves)
    ranges = [Range(10, 11), Range(0, 8), *(Range(n, n + 1) for n in range(11, 20))]
    for argument in ranges:
        work.put(argument)
    began = time.monotonic()
    found = list(two_workers(partial(slow_as_a_whole, tmp_path / "release"), work))
    assert time.monotonic() - began < STUCK
    (tmp_path / "release").touch()
    assert len(found) == len(set(found))
    assert Range(0, 8) not in found
    assert sum(stop - start for start, stop in found) == sum(stop - start for start, stop in ranges)


@pytest.mark.usefixtures("impatient")
def test_what_cannot_be_halved_is_done_twice(two_workers: Mapper, tmp_path: Path) -> None:
    stuck = tmp_path / "stuck"
    work = of([stuck])
    began = time.monotonic()
    results = two_workers(partial(slow_once, tmp_path / "release"), work)
    for n in range(5):
        done = tmp_path / str(n)
        done.touch()
        work.put(done)
    assert set(results) == {"the second"}
    assert time.monotonic() - began < STUCK
    (tmp_path / "release").touch()


def test_one_digest_with_two_workers_and_with_one(client: Client, run_config: RunConfig) -> None:
    """The last of these tests: one of the workers goes."""
    expected = engine.run(run_config)
    assert len(expected.complete) == 3
    assert [failure.error for failure in expected.failures] == [f"{run_config.datasets[0].files[2]}: no such file"]
    assert len(client.nthreads()) == 2
    same(engine.run(run_config, cluster.mapper(client)), expected)

    [kept, retired] = client.nthreads()
    client.retire_workers([retired])
    assert list(client.nthreads()) == [kept]
    same(engine.run(run_config, cluster.mapper(client)), expected)
