"""Dask workers give what this process gives; one cluster serves all tests here, as it takes seconds to start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import default_client

from gpuhiggs import cluster, engine
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import Lost, Mapper
from gpuhiggs.errors import FileError
from gpuhiggs.tally import Tally


@pytest.fixture(scope="module")
def two_workers() -> Iterator[Mapper]:
    with cluster.local(2) as mapper:
        yield mapper


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


def test_one_digest_with_two_workers_and_with_one(two_workers: Mapper, run_config: RunConfig) -> None:
    expected = engine.run(run_config)
    assert len(expected.complete) == 3
    assert [failure.error for failure in expected.failures] == [f"{run_config.datasets[0].files[2]}: no such file"]
    client = default_client()  # type: ignore[no-untyped-call]
    assert len(client.nthreads()) == 2
    same(engine.run(run_config, two_workers), expected)

    [kept, retired] = client.nthreads()
    client.retire_workers([retired])
    assert list(client.nthreads()) == [kept]
    same(engine.run(run_config, cluster.mapper(client)), expected)


def double(n: int) -> int:
    return 2 * n


def refuse(n: int) -> int:
    msg = f"{n}.root: cannot be read"
    raise FileError(msg)


def test_every_argument_once(two_workers: Mapper) -> None:
    assert sorted(two_workers(double, range(30))) == list(range(0, 60, 2))
    assert list(two_workers(double, [])) == []


def test_arguments_are_taken_as_results_leave(two_workers: Mapper) -> None:
    taken = 0

    def arguments() -> Iterator[int]:
        nonlocal taken
        for n in range(1, 101):
            taken = n
            yield n

    results = two_workers(double, arguments())
    for done in range(1, 101):
        next(results)
        assert taken <= done + 8, "four futures a worker"
    assert next(results, None) is None


def test_an_error_comes_back_with_its_argument(two_workers: Mapper) -> None:
    [lost] = list(two_workers(refuse, [3]))
    assert isinstance(lost, Lost)
    assert lost.argument == 3
    assert "3.root: cannot be read" in lost.error
