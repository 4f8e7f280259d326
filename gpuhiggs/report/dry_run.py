"""What a run would take, as a table."""

from __future__ import annotations

import math

from rich import get_console
from rich.markup import escape
from rich.table import Table

from ..config import RunConfig
from ..engine.estimate import Estimate, estimate
from .workforce import mapping


def run(config: RunConfig, *, workers: int, limit_files: int | None = None) -> int:
    """Print what a configuration would take on so many workers.

    Returns
    -------
    int
        The exit status: 0 if every file can be read, else 1.
    """
    console = get_console()
    with mapping(workers) as mapper:
        estimates = estimate(config, mapper, limit_files)
    console.print(_table(estimates, max(workers, 1)))
    stored, size = sum(one.stored for one in estimates), sum(one.size for one in estimates)
    seconds = sum(one.core_seconds for one in estimates) / max(workers, 1)
    time = "unknown" if math.isnan(seconds) else f"about {_minutes(seconds)}"
    console.print(
        f"To read: {_bytes(stored)} ({_bytes(size)} decompressed), {time} on {max(workers, 1)} workers, as the first "
        f"events of each dataset take on this machine. A column cache (--cache DIR) takes at most {_bytes(size)}.",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    for failure in (failure for one in estimates for failure in one.failures):
        console.print(f"[red]failed:[/red] {escape(failure)}", highlight=False, soft_wrap=True)
    return 1 if any(one.failures for one in estimates) else 0


def _table(estimates: list[Estimate], workers: int) -> Table:
    table = Table("dataset", "files", "events", "needed branches", "codec", "time", title="Nothing has been written")
    for one in estimates:
        codecs = ", ".join(f"{codec} {_bytes(volume.stored)}" for codec, volume in sorted(one.volumes.items()))
        time = "?" if math.isnan(one.core_seconds) else _minutes(one.core_seconds / workers)
        table.add_row(one.dataset, str(one.files), str(one.events), _bytes(one.stored), codecs, time)
    return table


def _minutes(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.1f} min"


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} TB"
