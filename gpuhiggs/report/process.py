"""One run from configuration to folder: process, write, draw, tell."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from .. import cluster, engine, normalisation
from ..config import RunConfig
from ..engine import Tally
from . import run_folder, stack

_log = logging.getLogger("gpuhiggs")


def run(config: RunConfig, folder: Path, *, workers: int, overwrite: bool) -> int:
    """Process a configuration into *folder*; return the exit status: 0 if every file counts, else 1."""
    console = Console()
    run_folder.create(folder, overwrite)
    with _mapper(workers) as mapper, _progress(console) as progress:
        tally = engine.run(config, mapper, progress)
    results = run_folder.write_results(folder, config, tally)
    for name, by_process in normalisation.histograms(config, tally).items():
        if by_process and not name.startswith("n_minus_one"):
            stack.save(stack.draw(config, by_process), folder / name)
    tell(console, config, tally, results)
    console.print(f"Result: {folder} (digest {results['digest'][:16]}…)")
    return 1 if tally.failures else 0


@contextlib.contextmanager
def _mapper(workers: int) -> Iterator[engine.Mapper]:
    if workers == 0:
        yield engine.serially
    else:
        with cluster.local(workers) as mapper:
            yield mapper


@contextlib.contextmanager
def _progress(console: Console) -> Iterator[Any]:
    """Show a bar on a terminal, and nothing elsewhere."""
    columns = (TextColumn("events"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("events", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def tell(console: Console, config: RunConfig, tally: Tally, results: dict[str, Any]) -> None:
    """Print the cutflow and what went wrong."""
    for name, dataset in results["datasets"].items():
        if dataset["cutflow"] is None:
            console.print(f"[yellow]{name} is left out: {dataset['normalised_to']}")
    usable = {name: d for name, d in results["datasets"].items() if d["cutflow"] is not None}
    if usable:
        table = Table("cut", *usable, title="Events expected (entries)")
        for rows in zip(*(dataset["cutflow"] for dataset in usable.values()), strict=True):
            table.add_row(rows[0]["step"], *(f"{row['events']:.4g} ({row['entries']})" for row in rows))
        console.print(table)
    for failure in tally.failures:
        console.print(f"[red]failed:[/red] {failure.error}", highlight=False, markup=True)
