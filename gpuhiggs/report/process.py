"""One run from configuration to folder: process, write, draw, tell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hist
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from .. import cluster, engine, normalisation
from ..config import RunConfig
from ..errors import InputError
from ..measurement import measure
from . import page, run_folder, scan, stack


def run(config: RunConfig, folder: Path, *, workers: int, overwrite: bool) -> int:
    """Process a configuration into *folder*; return the exit status: 0 if every file counts, else 1."""
    console = Console()
    prepare(folder, overwrite=overwrite)
    with _mapper(workers) as mapper, _progress(console) as progress:
        tally = engine.run(config, mapper, progress)
    histograms = normalisation.histograms(config, tally)
    results = run_folder.summary(config, tally, histograms)
    figures = _stacks(config, folder, histograms)
    if config.model is not None:
        try:
            _fit(config, folder, histograms, results, figures)
        except InputError as error:  # the histograms stand, whatever the model makes of them
            results["fit_error"] = str(error)
    run_folder.write_text(folder / "report.html", page.page(config, results, figures))
    run_folder.write_results(folder, config, results, histograms)
    tell(console, results)
    console.print(f"Report: {folder / 'report.html'}", soft_wrap=True)
    return 1 if tally.failures or "fit_error" in results else 0


def _fit(
    config: RunConfig,
    folder: Path,
    histograms: dict[str, dict[str, hist.Hist[Any]]],
    results: dict[str, Any],
    figures: list[tuple[Path, str]],
) -> None:
    """Fit the model; add to the results and figures."""
    measurement = measure(config, histograms)
    results["fit"] = measurement.to_json()
    run_folder.write_text(folder / "workspace.json", measurement.workspace.model_dump_json(indent=1))
    stack.save(scan.draw(config, measurement), folder / "scan_mu")
    figures.insert(1, (folder / "scan_mu.png", "Profile likelihood of the signal strength."))


def prepare(folder: Path, *, overwrite: bool) -> None:
    """Make sure, before any work is done, that the result can be written."""
    run_folder.create(folder, overwrite)


def _stacks(
    config: RunConfig, folder: Path, histograms: dict[str, dict[str, hist.Hist[Any]]]
) -> list[tuple[Path, str]]:
    """Draw every histogram; return the figures with their captions, the N - 1 distributions last."""
    figures = []
    for name, by_process in sorted(histograms.items(), key=lambda entry: entry[0].startswith("n_minus_one")):
        if by_process:
            stack.save(stack.draw(config, by_process), folder / name)
            figures.append((folder / f"{name}.png", _caption(config, name, by_process)))
    return figures


def _caption(config: RunConfig, name: str, by_process: dict[str, hist.Hist[Any]]) -> str:
    """Say what a stacked figure shows, from which inputs."""
    what = "all cuts but the one on it" if name.startswith("n_minus_one") else "selected events, all categories"
    normalised = f"simulation normalised to {config.luminosity:g} fb⁻¹" if config.luminosity else "not normalised"
    return f"{name}: {what}; {', '.join(by_process)}; {normalised}; statistical uncertainties."


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


def tell(console: Console, results: dict[str, Any]) -> None:
    """Print the cutflow, the signal strength, and what went wrong."""
    for name, dataset in results["datasets"].items():
        if dataset["scale"] is None:
            console.print(f"[yellow]{name} is left out: {escape(dataset['normalised_to'])}")
        if n := dataset["events_over_capacity"]:
            console.print(f"[yellow]{name}: {n} events have more leptons or photons than the kernel has room for")
    if results["cutflow"]:
        table = Table("cut", *results["cutflow"], title="Events expected (entries)")
        for rows in zip(*results["cutflow"].values(), strict=True):
            table.add_row(rows[0]["step"], *(f"{row['events']:.4g} ({row['entries']})" for row in rows))
        console.print(table)
    for part, fitted in results.get("fit", {}).items():
        mu = page.interval(fitted["parameters"]["mu"])
        significance = fitted["discovery"]["significance"]
        console.print(f"{part}: mu = {mu}, significance {significance:.2f} σ", highlight=False)
        if not fitted["converged"]:
            console.print(f"[red]the {part} fit did not converge: {escape(' '.join(fitted['notes']))}")
    if "fit_error" in results:
        console.print(f"[red]no fit:[/red] {escape(results['fit_error'])}", highlight=False)
    for failure in results["failures"]:
        console.print(f"[red]failed:[/red] {escape(failure['error'])}", highlight=False)
