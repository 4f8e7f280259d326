"""A scheduler that somebody else runs: it may not be there, go away, or have workers that are not like this client."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpuhiggs import cluster
from gpuhiggs.engine.work import of
from gpuhiggs.errors import InputError, RunError


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that starts a scheduler or a worker, with settings for its environment."""
    running = []

    def begin(*words: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--scheduler-file", str(tmp_path / "scheduler.json")],
            env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        running.append(process)
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


SCHEDULER = ("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
WORKER = ("worker", "--nthreads", "1", "--no-nanny")


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "{folder}/none.json"])
def test_none_is_there(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "START_SECONDS", 0.5)
    with (
        pytest.raises(InputError, match=r"--scheduler .*: no scheduler answers"),
        cluster.at(address.format(folder=tmp_path)),
    ):
        pass


def proxy(_: int) -> str | None:
    return os.environ.get("X509_USER_PROXY")


def forget() -> None:
    del os.environ["X509_USER_PROXY"]


def slow(number: int) -> int:
    time.sleep(0.2)
    return number


STRANGER = "import gpuhiggs.version as version\nversion.installed = lambda: '0.0.1-of-long-ago'\n"


def test_workers_are_asked_who_they_are_take_over_the_environment_and_lose_their_scheduler(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("X509_USER_PROXY", "/home/me/proxy")
    scheduler = start(*SCHEDULER)
    start(*WORKER, X509_USER_PROXY="/the/worker's")
    with cluster.at(str(tmp_path / "scheduler.json")) as client:
        assert list(cluster.mapper(client)(proxy, of([1]))) == ["/the/worker's"]
        client.run(forget)
    monkeypatch.setattr(cluster, "START_SECONDS", 3.0)  # so long Dask's client tries to come back
    with cluster.at(str(tmp_path / "scheduler.json")) as client:
        assert list(cluster.mapper(client)(proxy, of([1]))) == ["/home/me/proxy"]

        (tmp_path / "sitecustomize.py").write_text(STRANGER)
        stranger = start(*WORKER, PYTHONPATH=str(tmp_path))
        client.wait_for_workers(2, timeout=60)
        with pytest.raises(InputError, match=r"place: the worker .* has gpuhiggs 0.0.1-of-long-ago, the client"):
            cluster.wait_for_workers(client, "place")
        with pytest.raises(RunError, match=r"the worker .* has gpuhiggs 0.0.1.*--resume goes on with what is done"):
            list(cluster.mapper(client)(slow, of(range(20))))
        stranger.kill()
        while len(client.nthreads()) > 1:
            time.sleep(0.05)

        results = cluster.mapper(client)(slow, of(range(100)))
        assert next(results) in range(100)
        scheduler.kill()
        with pytest.raises(RunError, match="the scheduler is gone; --resume goes on with what is done"):
            for _ in results:
                pass
