"""Dask: how work is mapped over processes, on this machine, on its GPUs, or wherever a scheduler is.

One future is one piece of work; there is no task graph. Only so many are under way that every worker is busy, so
memory does not depend on how much there is to do. What failed on one worker is tried on another; at the end, what
takes much longer than the rest is given to an idle worker as well, and whoever is first counts.
"""

from __future__ import annotations

import logging
import queue
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from distributed import Client, Future, LocalCluster, get_worker

from .errors import InputError, MissingExtraError, RunError
from .tally import Failure
from .work import Lost, Mapper, Work

_log = logging.getLogger(__name__)

AHEAD = 4
"""Pieces of work under way for each thread: enough that no worker waits for the next."""
LATE = 3.0
"""Times the median after which a piece of work is given to an idle worker as well ..."""
LATE_SECONDS = 10.0
"""... but not before so many seconds."""
START_SECONDS = 60.0
"""How long to wait for a scheduler, and for the first worker."""

ASK_SECONDS = 2.0
"""How often the scheduler is asked for its workers."""


@contextmanager
def local(workers: int) -> Iterator[Client]:
    """Start *workers* processes on this machine, reachable from it only; yield their client.

    Each has one thread: the kernels' loops release the GIL, but reading does not everywhere. The dashboard, where bokeh
    is installed, takes a free port: two runs do not mind each other.
    """
    with (
        LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            silence_logs=logging.ERROR,
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def cuda() -> Iterator[Client]:
    """Start one process for each GPU of this machine; yield their client.

    Raises
    ------
    MissingExtraError
        Without dask-cuda.
    InputError
        If there is no GPU that can be used.
    """
    try:
        from dask_cuda import LocalCUDACluster
    except ImportError as error:
        feature = "a cluster of GPUs"
        raise MissingExtraError(feature, "dask-cuda", "cuda13") from error
    try:
        cluster = LocalCUDACluster(
            threads_per_worker=1, device_memory_limit=0, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        )
    except Exception as error:  # what is raised without a driver is NVML's own
        msg = f"no GPU can be used: {type(error).__name__}: {error}"
        raise InputError(msg) from error
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def at(address: str) -> Iterator[Client]:
    """Connect to the scheduler at *address*; certificates are those of Dask's own configuration.

    Raises
    ------
    InputError
        If there is none, or it has no workers.
    """
    try:
        client = Client(address, timeout=START_SECONDS)
    except (OSError, ValueError, TimeoutError) as error:
        msg = f"--scheduler {address}: no scheduler answers: {error}"
        raise InputError(msg) from error
    with client:
        wait_for_workers(client, address)
        yield client


def wait_for_workers(client: Client, place: str, seconds: float = START_SECONDS) -> None:
    """Wait for the first worker.

    Raises
    ------
    InputError
        If none comes.
    """
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError as error:
        msg = f"{place}: no worker after {seconds:g} s"
        raise InputError(msg) from error


class _Answer(NamedTuple):
    worker: str
    result: Any


def _answer(function: Callable[[Any], Any], argument: Any) -> _Answer:
    return _Answer(get_worker().address, function(argument))


def mapper(client: Client) -> Mapper:
    """Return what applies a function to all work on a cluster."""

    def apply(function: Callable[[Any], Any], work: Work) -> Iterator[Any]:
        yield from _Apply(client, function, work).results()

    return apply


class _Apply:
    """One function being applied to the work that there is."""

    def __init__(self, client: Client, function: Callable[[Any], Any], work: Work) -> None:
        self._client = client
        self._function = function
        self._work = work
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._under_way: dict[Any, list[Future[Any]]] = {}
        self._argument: dict[Any, Any] = {}
        self._began: dict[Any, float] = {}
        self._seconds: list[float] = []
        self._failed_on: dict[Any, str] = {}
        self._nthreads: dict[str, int] = {}
        self._asked = -ASK_SECONDS

    def results(self) -> Iterator[Any]:
        """Yield a result for each piece of work, until none is left and none is under way."""
        while True:
            self._submit_more()
            if not self._under_way:
                wait = self._work.wait()
                if wait is None:
                    return
                time.sleep(wait)
                continue
            try:
                future = self._done.get(timeout=1.0)
            except queue.Empty:
                self._look_around()
                continue
            argument = self._argument.pop(future.key, None)
            if argument is not None and argument in self._under_way:
                yield self._result(argument, future)

    def _submit_more(self) -> None:
        limit = AHEAD * self._threads()
        while len(self._under_way) < limit and (argument := self._work.take()) is not None:
            self._submit(argument)

    def _submit(self, argument: Any) -> None:
        elsewhere = [name for name in self._workers() if name != self._failed_on.get(argument)]
        placed = {"workers": elsewhere, "allow_other_workers": True} if argument in self._failed_on else {}
        future = self._client.submit(_answer, self._function, argument, pure=False, **placed)
        self._argument[future.key] = argument
        self._under_way.setdefault(argument, []).append(future)
        self._began.setdefault(argument, time.monotonic())
        future.add_done_callback(self._done.put)

    def _result(self, argument: Any, future: Future[Any]) -> Any:
        for other in self._under_way.pop(argument):
            if other is not future:
                self._argument.pop(other.key, None)
                other.cancel()
        self._seconds.append(time.monotonic() - self._began.pop(argument))
        try:
            worker, result = future.result()
        except Exception as error:  # the worker is gone, or the result could not be sent
            self._refuse_without_scheduler()
            return Lost(argument, f"{type(error).__name__}: {error}")
        if isinstance(result, Failure):
            self._failed_on[argument] = worker
        return result

    def _look_around(self) -> None:
        """Where a result is long in coming, see whether the scheduler is there and who could help."""
        self._refuse_without_scheduler()
        if self._work.wait() is not None or len(self._under_way) >= self._threads() or not self._seconds:
            return
        late = max(LATE_SECONDS, LATE * statistics.median(self._seconds[-1000:]))
        for argument, began in list(self._began.items()):
            if time.monotonic() - began > late and len(self._under_way[argument]) == 1:
                _log.info("%s takes long: given to another worker as well", argument)
                self._submit(argument)

    def _refuse_without_scheduler(self) -> None:
        if self._client.status not in ("running", "connecting"):
            msg = "the scheduler is gone; --resume goes on with what is done"
            raise RunError(msg)

    def _workers(self) -> dict[str, int]:
        """Return the threads of each worker, asked for now and then."""
        if time.monotonic() - self._asked > ASK_SECONDS:
            self._asked = time.monotonic()
            self._nthreads = dict(self._client.nthreads())
        return self._nthreads

    def _threads(self) -> int:
        return max(1, sum(self._workers().values()))
