"""Dask: how work is mapped over processes, on this machine, on its GPUs, or wherever a scheduler is.

One future is one piece of work; there is no task graph. Only so many are under way that every worker is busy, so
memory does not depend on how much there is to do. What failed on one worker is tried on another. At the end, what
takes much longer than the rest is cut into halves that idle workers do as well, or is given to one of them as it is
where it cannot be cut; whichever is first counts.
"""

from __future__ import annotations

import gc
import importlib.util
import json
import logging
import os
import queue
import signal
import statistics
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, NamedTuple

from distributed import Client, Future, LocalCluster, Worker, WorkerPlugin, get_worker

from .. import version
from ..engine.tally import Failure
from ..engine.work import Lost, Mapper, Work
from ..errors import InputError, MissingExtraError, RunError

_log = logging.getLogger(__name__)

AHEAD = 4
"""Pieces of work under way for each thread: enough that no worker waits for the next."""
LATE = 3.0
"""Times the median after which idle workers do a piece of work as well ..."""
LATE_SECONDS = 10.0
"""... but not before so many seconds."""
START_SECONDS = 60.0
"""How long to wait for a scheduler, and for the first worker."""

PASSED_ON = ("X509_USER_PROXY", "X509_CERT_DIR", "BEARER_TOKEN_FILE", "GPUHIGGS_CACHE")
"""Environment that workers elsewhere take over: where a grid proxy lies, which must be on a disk that they see."""
GONE = "the scheduler is gone; --resume goes on with what is done"
FETCH_SECONDS = 300.0
"""How long a result that is there may take to come; then the work counts as lost, and is done again."""
ASK_SECONDS = 2.0
"""How often the scheduler is asked for its workers."""


@contextmanager
def local(workers: int) -> Iterator[Client]:
    """Start *workers* processes on this machine, reachable from it only; yield their client.

    Each has one thread: the kernels' loops release the GIL, but reading does not everywhere. The dashboard, where bokeh
    is installed, takes a free port: two runs do not mind each other.
    """
    with _uninterrupted():
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            host="127.0.0.1",
            silence_logs=logging.CRITICAL,  # what fails is a result, and a run tells of it
        )
    # results come from where they are made: by way of the scheduler they would be packed and unpacked once more
    with cluster, Client(cluster, direct_to_workers=True) as client:
        yield client


def cuda_settings(threads: int) -> dict[str, Any]:
    """Return how workers on GPUs are started: a process a GPU, *threads* of which read for it.

    A worker's device memory is not spilled: chunks are bounded, and halved where they do not fit.
    """
    return {
        "threads_per_worker": threads,
        "device_memory_limit": 0,
        "protocol": "tcp",
        "host": "127.0.0.1",
        "dashboard_address": "127.0.0.1:0",
        "silence_logs": logging.ERROR,
    }


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Keep Ctrl-C, which a terminal sends to all processes, from what is started here: who is asked ends it in order.

    A process inherits the signals that the thread which starts it blocks, and a thread those of its own.
    """
    resource_tracker.ensure_running()  # a later start would unblock the signal in the thread that makes it
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def cuda(threads: int = 1) -> Iterator[Client]:
    """Start one process for each GPU of this machine; yield their client.

    Other workers, with GPUs or without, may join at its scheduler.

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
        cluster = LocalCUDACluster(**cuda_settings(threads))
    except Exception as error:  # what is raised without a driver is NVML's own
        msg = f"no GPU can be used: {type(error).__name__}: {error}"
        raise InputError(msg) from error
    with cluster, Client(cluster) as client:
        yield client


@contextmanager
def at(address: str) -> Iterator[Client]:
    """Connect to the scheduler at *address*; certificates are those of Dask's own configuration.

    Parameters
    ----------
    address
        ``tcp://host:port`` or ``tls://host:port``, or the file that ``dask scheduler --scheduler-file`` writes.

    Raises
    ------
    InputError
        If there is none, or it has no workers.
    """
    client, problem = None, ""
    try:
        client = Client(_written_in(Path(address)) if address.endswith(".json") else address, timeout=START_SECONDS)
    except (OSError, ValueError, TypeError, RuntimeError, KeyError) as error:
        problem = str(error)
    if client is None:
        # A client that failed stops its loop when it is collected: now, that is, as amid the start of the next one it
        # would wait for itself for ever.
        gc.collect()
        msg = f"--scheduler {address}: no scheduler answers: {problem}"
        raise InputError(msg)
    with client:
        wait_for_workers(client, address)
        client.register_plugin(_Environment({name: os.environ[name] for name in PASSED_ON if name in os.environ}))
        yield client


def dashboard(client: Client) -> str | None:
    """Return the address of Dask's dashboard; None where bokeh, which it needs, is not installed."""
    return str(client.dashboard_link) if importlib.util.find_spec("bokeh") else None


def _written_in(file: Path) -> str:
    """Return the address that a scheduler has written, or soon will."""
    limit = time.monotonic() + START_SECONDS
    while not file.exists() and time.monotonic() < limit:
        time.sleep(0.1)
    return str(json.loads(file.read_text())["address"])


class _Environment(WorkerPlugin):
    """Gives workers, those that come later too, what the client's environment says and theirs does not."""

    name = "gpuhiggs-environment"

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def setup(self, worker: Worker) -> None:
        """Set it."""
        for name, value in self._values.items():
            os.environ.setdefault(name, value)


def wait_for_workers(client: Client, place: str, seconds: float = START_SECONDS) -> None:
    """Wait for the first worker, and see that it is of this version.

    Raises
    ------
    InputError
        If none comes, or one has another version of the package, or none.
    """
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError as error:
        msg = f"{place}: no worker after {seconds:g} s"
        raise InputError(msg) from error
    for worker, found in client.run(version.installed, on_error="return").items():
        if found != version.installed():
            msg = f"{place}: {_other_version(worker, found, version.installed())}"
            raise InputError(msg)


def _other_version(worker: str, found: object, wanted: str) -> str:
    return f"the worker {worker} has gpuhiggs {found}, the client {wanted}: install the same everywhere"


class _Answer(NamedTuple):
    worker: str
    seconds: float
    result: Any


class _Stranger(NamedTuple):
    """The answer of a worker that would perhaps find something else."""

    error: str


def _answer(function: Callable[[Any], Any], argument: Any, wanted: str) -> _Answer | _Stranger:
    worker: str = get_worker().address
    if wanted != (own := version.installed()):
        return _Stranger(_other_version(worker, own, wanted))
    began = time.monotonic()
    result = function(argument)
    return _Answer(worker, time.monotonic() - began, result)


def mapper(client: Client) -> Mapper:
    """Return what applies a function to all work on a cluster."""

    def apply(function: Callable[[Any], Any], work: Work) -> Iterator[Any]:
        try:
            yield from _Apply(client, function, work).results()
        except Exception as error:  # Dask's own are of many kinds, and say what they say
            if isinstance(error, RunError) or client.status == "running":
                raise
            raise RunError(GONE) from error

    return apply


class _Apply:
    """One function being applied to the work that there is."""

    def __init__(self, client: Client, function: Callable[[Any], Any], work: Work) -> None:
        self._client = client
        self._function = function
        self._work = work
        self._version = version.installed()
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()
        self._under_way: dict[Any, list[Future[Any]]] = {}
        self._argument: dict[Any, Any] = {}
        self._began: dict[Any, float] = {}
        self._seconds: deque[float] = deque(maxlen=1000)
        self._waits: deque[float] = deque(maxlen=1000)
        self._avoid: dict[Any, str] = {}
        self._parts: dict[Any, set[Any]] = {}
        self._whole: dict[Any, Any] = {}
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
        elsewhere = [name for name in self._workers() if name != self._avoid.get(argument)]
        placed = {"workers": elsewhere, "allow_other_workers": True} if argument in self._avoid else {}
        future = self._client.submit(_answer, self._function, argument, self._version, pure=False, **placed)
        self._argument[future.key] = argument
        self._under_way.setdefault(argument, []).append(future)
        self._began.setdefault(argument, time.monotonic())
        future.add_done_callback(self._done.put)

    def _result(self, argument: Any, future: Future[Any]) -> Any:
        elapsed = time.monotonic() - self._began[argument]
        self._forget(argument, future)
        try:
            answer = future.result(timeout=FETCH_SECONDS)
        except Exception as error:  # the worker is gone, or the result could not be sent, or not in time
            self._refuse_without_scheduler()
            return Lost(argument, f"{type(error).__name__}: {error}")
        if isinstance(answer, _Stranger):
            msg = f"{answer.error}; --resume goes on with what is done"
            raise RunError(msg)
        worker, seconds, result = answer
        if isinstance(result, Failure):
            self._avoid[argument] = worker
            return result
        self._seconds.append(seconds)
        self._waits.append(elapsed - seconds)
        self._avoid.pop(argument, None)
        self._settle(argument)
        return result

    def _forget(self, argument: Any, kept: Future[Any] | None = None) -> None:
        """Let nothing of an argument be under way; cancel all its futures but one."""
        self._began.pop(argument, None)
        for future in self._under_way.pop(argument, ()):
            if future is not kept:
                self._argument.pop(future.key, None)
                future.cancel()

    def _settle(self, argument: Any) -> None:
        """Drop what an argument that is done makes superfluous: its parts, and the whole when all parts are done."""
        for part in self._parts.pop(argument, ()):
            self._whole.pop(part, None)
            self._forget(part)
            self._settle(part)
        whole = self._whole.pop(argument, None)
        if whole is not None:
            self._parts[whole].discard(argument)
            if not self._parts[whole]:
                self._forget(whole)
                self._settle(whole)

    def _look_around(self) -> None:
        """Where a result is long in coming, see whether the scheduler is there and who could help."""
        self._refuse_without_scheduler()
        if self._work.wait() is not None or not self._seconds:
            return
        at = self._client.processing()
        idle = sum(self._nthreads.get(worker, 0) for worker, keys in at.items() if not keys)
        late = max(LATE_SECONDS, LATE * statistics.median(self._seconds)) + statistics.median(self._waits)
        for argument, began in sorted(self._began.items(), key=lambda entry: entry[1]):
            if idle <= 0 or time.monotonic() - began < late:
                return
            if len(self._under_way[argument]) == 1 and argument not in self._parts:
                idle -= self._help(argument, at)

    def _help(self, argument: Any, at: Mapping[str, Collection[Any]]) -> int:
        """Have idle workers do what takes long: its parts, or all of it where it has none; return how many."""
        parts = self._work.split(argument)
        _log.info("%s takes long: given to other workers as well%s", argument, " in parts" if len(parts) > 1 else "")
        [future] = self._under_way[argument]
        busy = next((worker for worker, keys in at.items() if future.key in keys), None)
        if len(parts) > 1:
            self._parts[argument] = set(parts)
            self._whole |= dict.fromkeys(parts, argument)
        for part in parts:
            if busy is not None:
                self._avoid[part] = busy
            self._submit(part)
        return len(parts)

    def _refuse_without_scheduler(self) -> None:
        if self._client.status not in ("running", "connecting"):
            raise RunError(GONE)

    def _workers(self) -> dict[str, int]:
        """Return the threads of each worker, asked for now and then."""
        if time.monotonic() - self._asked > ASK_SECONDS:
            self._asked = time.monotonic()
            self._nthreads = dict(self._client.nthreads())
        return self._nthreads

    def _threads(self) -> int:
        return max(1, sum(self._workers().values()))
