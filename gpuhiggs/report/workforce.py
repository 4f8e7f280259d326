"""Who does the work of a run: this process, threads beside a GPU, processes, a scheduler's workers, batch jobs."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

from .. import backend, cluster
from ..cluster.batch import batch
from ..config.cluster import ClusterConfig
from ..engine.work import Mapper, serially, threaded


@contextlib.contextmanager
def mapping(
    workers: int,
    scheduler: str | None = None,
    jobs: ClusterConfig | None = None,
    device: str = "cpu",
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[Mapper]:
    """Yield what applies a function in this process (no workers), on workers here or on those of a scheduler.

    For one GPU the workers are threads of this process, which read for it; for several each has a process.

    Parameters
    ----------
    say
        Is told the address of Dask's dashboard, where there is one.
    """
    if scheduler is None and jobs is None and workers == 0:
        yield serially
        return
    if scheduler is None and jobs is None and device == "cuda" and len(backend.gpus()) == 1:
        with ThreadPoolExecutor(workers) as pool:
            yield threaded(pool, workers)
        return
    with _cluster(workers, scheduler, jobs, device) as client:
        if (address := cluster.dashboard(client)) is not None:
            say(f"Dask dashboard: {address}")
        yield cluster.mapper(client)


def _cluster(
    workers: int, scheduler: str | None, jobs: ClusterConfig | None, device: str
) -> AbstractContextManager[Any]:
    """Return what starts a cluster, or finds one, and gives its client."""
    if scheduler is not None:
        return cluster.at(scheduler)
    if jobs is not None:
        return batch(jobs)
    return cluster.cuda(threads=-(-workers // len(backend.gpus()))) if device == "cuda" else cluster.local(workers)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM, by which batch systems announce that time is up, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only there are signals handled
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
