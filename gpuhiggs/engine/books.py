"""The books of a run: what is to be done, what is done, what failed; each work item counts exactly once.

Every file that the configuration lists ends up complete or as a failure. What failed for a reason that may go away is
tried again after a while, a few times; then the file is left out, and the run goes on. What is complete is committed
to the ledger, in batches.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from ..config.cluster import ExecutionConfig
from ..errors import RunError
from .ledger import NOTHING, Batch, Ledger
from .tally import Failure, FileInfo, ListedFile, Partial, Tally, WorkItem
from .times import Worker
from .work import Lost, Work

Task = ListedFile | WorkItem
Result = FileInfo | Partial | Failure | Lost

COMMIT_FILES = 256
"""A batch is committed at the latest after so many files."""

PENDING = 12.0
"""Items of a file that is not complete are committed after so many times ``commit_seconds``."""

SPLIT_AT_LEAST = 1000
"""A work item of fewer events is not split where it takes long: it is not the events that do."""


class Progress(NamedTuple):
    """How far a run is."""

    files: int
    """All that are listed."""
    files_done: int
    files_restored: int
    """Of these, those that an earlier run had done."""
    files_failed: int
    events: int
    """Of the files that have been looked at."""
    events_done: int
    retries: int
    seconds: float
    """Since the start."""
    read_seconds: float
    process_seconds: float
    """Summed over the workers: reading, and the whole of the work items."""
    worker_memory: int
    """The most that a worker has taken so far, in bytes."""

    @property
    def rate(self) -> float:
        """Events per second so far."""
        return self.events_done / self.seconds if self.seconds > 0 else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds that are left if files go on as they did; None before the first is done."""
        done = self.files_done - self.files_restored + self.files_failed
        left = self.files - self.files_done - self.files_failed
        return self.seconds * left / done if done else None


class _Pending(NamedTuple):
    """An item of a file that is not complete."""

    since: float
    item: tuple[WorkItem, str, bytes]
    """As a batch has it."""


class Books:
    """Keeps :class:`.Tally`, :class:`.Work` and, where there is one, :class:`.Ledger` in step."""

    def __init__(
        self,
        files: Iterable[ListedFile],
        cut: Callable[[FileInfo], list[WorkItem]],
        execution: ExecutionConfig,
        ledger: Ledger | None = None,
        fingerprints: Mapping[str, str] | None = None,
    ) -> None:
        """Open the books.

        Parameters
        ----------
        cut
            Cuts a file into work items.
        fingerprints
            By dataset, what its sums mean; see :mod:`.ledger`.
        """
        self.work = Work(halves)
        self.tally = Tally()
        self._cut = cut
        self._execution = execution
        self._ledger = ledger
        self._fingerprints = dict(fingerprints or {})
        self._attempts: dict[Task, int] = {}
        self._listed = list(files)
        kept = NOTHING if ledger is None else ledger.kept(self._fingerprints, self._listed)
        if changed := {key for key, info in kept.files.items() if stamp(info.path) != info.stamp}:
            kept = NOTHING if ledger is None else ledger.kept(self._fingerprints, set(self._listed) - changed)
        self._pending_old = kept.pending
        self.tally.restore(kept.files.values(), kept.counts)
        self.restored = len(kept.files)
        self.dropped = kept.dropped
        for file in self._listed:
            if file not in kept.files:
                self.work.put(file)
        self._batch: list[FileInfo] = []
        self._pending_new: dict[ListedFile, list[_Pending]] = {}
        self._committed = self._began = time.monotonic()
        self._events = self._retries = 0

    # --- results ---

    def take(self, result: Result) -> None:
        """Take in one result.

        Raises
        ------
        RunError
            If more files failed than the configuration allows, or the ledger cannot be written.
        """
        if isinstance(result, FileInfo):
            self._found(result)
        elif isinstance(result, Partial):
            self._done(result)
        else:
            self._failed(result)
        late = time.monotonic() - self._committed > self._execution.commit_seconds
        if late or len(self._batch) >= COMMIT_FILES:
            self.commit()

    def _found(self, info: FileInfo) -> None:
        if self.tally.knows(info):
            return
        items = self._cut(info)
        self._events += info.entries
        self.tally.expect(info, items)
        for item, sums in self._pending_old.pop(((info.dataset, info.path), info.uuid), []):
            if self.tally.expects(item):
                self._add(Partial(item, sums, {}, 0.0), info.uuid, new=False)
        for item in self.tally.missing(info):
            self.work.put(item, urgent=True)

    def _done(self, partial: Partial) -> None:
        if self.tally.expects(partial.item):
            item = partial.item
            done = Worker(1, item.stop - item.start, partial.seconds, partial.read_seconds, partial.peak_memory)
            self.tally.times.add(partial.worker, done, item.dataset, item.path)
            self._add(partial, self.tally.uuid(partial.item), new=True)

    def _add(self, partial: Partial, uuid: str, *, new: bool) -> None:
        file = ListedFile(partial.item.dataset, partial.item.path)
        closed = self.tally.add(partial)
        if closed is not None:
            self._batch.append(closed)
            self._pending_new.pop(file, None)
        elif new:
            entry = _Pending(time.monotonic(), (partial.item, uuid, partial.sums))
            self._pending_new.setdefault(file, []).append(entry)

    def _failed(self, result: Failure | Lost) -> None:
        failure = _failure(result)
        item = WorkItem(failure.dataset, failure.path, failure.start, failure.stop)
        task: Task = item
        if not self.tally.expects(item):
            task = ListedFile(failure.dataset, failure.path)
            if self.tally.knows(task):  # it has failed already, or a second copy of the work has been done
                return
        attempts = self._attempts[task] = self._attempts.get(task, 0) + 1
        if failure.transient and attempts < self._execution.attempts:
            self._retries += 1
            self.work.put(task, delay=self._execution.back_off * 2.0 ** (attempts - 1))
            return
        self._events -= self.tally.entries(task)
        self.tally.add(failure._replace(attempts=attempts))
        allowed = self._execution.max_failures
        if allowed is not None and len(self.tally.failures) > allowed:
            self.commit()
            msg = f"given up: {len(self.tally.failures)} files failed, {allowed} are allowed; the last: {failure.error}"
            raise RunError(msg)

    # --- the ledger ---

    def commit(self, *, everything: bool = False) -> None:
        """Write what has come since the last time to the ledger.

        Items of a file that is not complete follow after a while, as most files soon are: a merged sum takes much less
        room. With *everything* they are written too.
        """
        self._committed = time.monotonic()
        if self._ledger is None:
            return
        limit = self._committed - (0.0 if everything else PENDING * self._execution.commit_seconds)
        entries = [entry for entries in self._pending_new.values() for entry in entries if entry.since <= limit]
        if not self._batch and not entries:
            return
        pending = tuple(entry.item for entry in entries)
        batch = Batch(self._fingerprints, tuple(self._batch), self.tally.settle(), pending)
        self._batch = []  # whatever becomes of it: files without their sums must never be written later
        for file, waiting in self._pending_new.items():
            self._pending_new[file] = [entry for entry in waiting if entry.since > limit]
        self._ledger.commit(batch)

    def finish(self) -> Tally:
        """Close the books: every listed file is complete or a failure."""
        self.commit()
        for file in self._listed:
            if not self.tally.knows(file):
                self.tally.add(Failure(file.dataset, file.path, 0, 0, f"{file.path}: no result came back"))
        self.tally.finish()
        return self.tally

    def progress(self) -> Progress:
        """Return how far the run is."""
        total = self.tally.times.total
        return Progress(
            files=len(self._listed),
            files_done=len(self.tally.complete),
            files_restored=self.restored,
            files_failed=len({(failure.dataset, failure.path) for failure in self.tally.failures}),
            events=self._events,
            events_done=self.tally.events,
            retries=self._retries,
            seconds=time.monotonic() - self._began,
            read_seconds=total.read_seconds,
            process_seconds=total.seconds,
            worker_memory=total.peak_memory,
        )


def _failure(result: Failure | Lost) -> Failure:
    """Return what a lost result was the result of."""
    if isinstance(result, Failure):
        return result
    task = result.argument
    start, stop = (task.start, task.stop) if isinstance(task, WorkItem) else (0, 0)
    return Failure(task.dataset, task.path, start, stop, f"{task.path}: {result.error}", transient=True)


def halves(task: Task) -> tuple[Task, ...]:
    """Return a work item that takes too long in two; what has few events, or none yet, as it is."""
    if not isinstance(task, WorkItem) or task.stop - task.start < SPLIT_AT_LEAST:
        return (task,)
    middle = (task.start + task.stop) // 2
    return task._replace(stop=middle), task._replace(start=middle)


def stamp(path: str) -> str:
    """Return size and time of change of a local file; nothing for a remote or a missing one."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return ""
    return f"{found.st_size} bytes, changed at {found.st_mtime_ns}"
