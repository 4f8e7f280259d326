"""Dask: one process a core, one future a work item."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client, LocalCluster, as_completed

from .engine import Lost, Mapper


@contextmanager
def local(workers: int) -> Iterator[Mapper]:
    """Start *workers* processes on this machine; yield what applies a function on them.

    Each has one thread: the kernels' loops release the GIL, but reading does not everywhere.
    """
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            host="127.0.0.1",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield mapper(client)


def mapper(client: Client) -> Mapper:
    """Return what applies a function to many arguments on a cluster, with a bounded number of futures at a time."""
    limit = 4 * max(1, sum(client.nthreads().values()))

    def apply(function: Callable[[Any], Any], arguments: Iterable[Any]) -> Iterator[Any]:
        remaining = iter(arguments)
        futures = as_completed()
        waiting: dict[Any, Any] = {}

        def submit(n: int) -> None:
            for argument in _take(remaining, n):
                future = client.submit(function, argument, pure=False)
                waiting[future.key] = argument
                futures.add(future)

        submit(limit)
        for future in futures:
            argument = waiting.pop(future.key)
            try:
                yield future.result()
            except Exception as error:  # the worker is gone, or the result could not be sent
                yield Lost(argument, f"{type(error).__name__}: {error}")
            submit(1)

    return apply


def _take(arguments: Iterator[Any], n: int) -> Iterator[Any]:
    for _, argument in zip(range(n), arguments, strict=False):
        yield argument
