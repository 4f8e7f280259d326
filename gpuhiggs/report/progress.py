"""What a user sees of a run while it runs: a live line on a terminal, plain lines elsewhere, ``progress.json``.

``progress.json`` has the fields of :class:`.books.Progress`, and ``rate`` (events a second), ``remaining`` (seconds;
null before the first file is done), ``peak_memory`` (bytes, of the main process), ``time`` (seconds since 1970, when it
was written). It is written every two seconds and at the end, whole, so that it can be read at any time.
"""

from __future__ import annotations

import contextlib
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar

from ..engine.books import Progress
from . import run_folder

FILE = "progress.json"
LINE_SECONDS = 10.0
FILE_SECONDS = 2.0


@contextlib.contextmanager
def shown(console: Console, folder: Path) -> Iterator[Callable[[Progress], None]]:
    """Yield what shows the progress of a run, and keeps it in *folder* for other programs to read."""
    keep = _Kept(folder)
    if not console.is_terminal:
        lines = _Lines(console)

        def tell(progress: Progress) -> None:
            lines(progress)
            keep(progress)

        yield tell
        lines.last()
    else:
        columns = (BarColumn(), TextColumn("{task.description}"))
        with Bar(*columns, console=console) as bar:
            task = bar.add_task("", total=None)

            def show(progress: Progress) -> None:
                bar.update(task, completed=_done(progress), total=progress.files, description=sentence(progress))
                keep(progress)

            yield show
    keep.last()


def sentence(progress: Progress) -> str:
    """Say how far a run is."""
    parts = [
        f"{_done(progress)} of {progress.files} files",
        f"{progress.events_done} events",
        f"{progress.rate / 1e6:.3g} M/s" if progress.rate >= 1e5 else f"{progress.rate:.0f}/s",
    ]
    if progress.files_restored:
        parts.append(f"{progress.files_restored} files done before")
    if progress.files_failed or progress.retries:
        parts.append(f"{progress.files_failed} failed, {progress.retries} tried again")
    if progress.process_seconds:
        read = progress.read_seconds
        parts.append(f"{_duration(read)} reading, {_duration(progress.process_seconds - read)} in kernels")
    if progress.remaining:
        parts.append(f"{_duration(progress.remaining)} left")
    memory = f"{_memory() / 2**20:.0f} MiB"
    parts.append(f"{memory}, workers {progress.worker_memory / 2**20:.0f}" if progress.worker_memory else memory)
    return ", ".join(parts)


def to_json(progress: Progress) -> dict[str, float | int | None]:
    """Return the content of ``progress.json``."""
    return {
        **progress._asdict(),
        "rate": progress.rate,
        "remaining": progress.remaining,
        "peak_memory": _memory(),
        "time": time.time(),
    }


def kept(folder: Path) -> dict[str, float | int | None]:
    """Return what the latest run in *folder* left of its progress; nothing if it had no file to process."""
    path = folder / FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _done(progress: Progress) -> int:
    return progress.files_done + progress.files_failed


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _memory() -> int:
    """Return the peak memory of this process in bytes; Linux counts in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class _Lines:
    """Plain progress: a line every ten seconds, and the last."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next = time.monotonic() + LINE_SECONDS
        self._latest: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self._latest = progress
        if time.monotonic() > self._next:
            self.last()
            self._next = time.monotonic() + LINE_SECONDS

    def last(self) -> None:
        if self._latest is not None:
            self._console.print(sentence(self._latest), highlight=False, soft_wrap=True)


class _Kept:
    """Writes ``progress.json`` now and then, and at the end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._next = 0.0
        self._latest: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        self._latest = progress
        if time.monotonic() > self._next:
            self.last()
            self._next = time.monotonic() + FILE_SECONDS

    def last(self) -> None:
        if self._latest is not None:
            run_folder.write_text(self._path, json.dumps(to_json(self._latest), indent=1))
