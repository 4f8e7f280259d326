"""The command ``gpuhiggs``; ``python -m gpuhiggs`` is the same.

Exit status: 0 when all is done, 1 when a run is incomplete or failed, 2 on bad input.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

CORES = len(os.sched_getaffinity(0))  # what this process may use, which in a batch slot is not the whole machine

app = typer.Typer(
    name="gpuhiggs",
    help="LHC event files in, Higgs couplings out, with the same bits on every device.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root() -> None:
    """LHC event files in, Higgs couplings out, with the same bits on every device."""


@app.command(epilog="Example: gpuhiggs run analysis.yaml --output out --workers 2")
def run(
    config: Annotated[Path, typer.Argument(help="The configuration, a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the result.")] = Path("gpuhiggs-run"),
    channel: Annotated[
        Path | None,
        typer.Option(help="A channel of your own, a Python file, instead of the configuration's selection."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 runs in this one.")] = CORES,
    limit_files: Annotated[int | None, typer.Option(min=1, help="Take only the first N files of a dataset.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a result that is there.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps the columns read, for the next run.")] = None,
    cache_size: Annotated[float, typer.Option(min=0.001, help="Its size in GiB; what was used last stays.")] = 100.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be read, and how long.")] = False,
) -> None:
    """Process event files: select, reconstruct, histogram."""
    from . import catalogue
    from . import config as configuration
    from .read import ColumnCache
    from .report import process

    loaded = configuration.load(config, channel, catalogue.expand)
    if dry_run:
        from .report import dry_run as estimation

        raise typer.Exit(estimation.run(loaded, workers=workers, limit_files=limit_files))
    columns = None if cache is None else ColumnCache(cache, int(cache_size * 2**30))
    done = process.run(
        loaded, output, workers=workers, overwrite=overwrite, limit_files=limit_files, cache=columns
    )  # fmt: skip
    raise typer.Exit(done)


@app.command(epilog="Example: gpuhiggs demo --output my-demo --workers 2")
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the simulation and the result.")] = Path("gpuhiggs-demo"),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = CORES,
    events: Annotated[int, typer.Option(help="Simulated events for the templates.")] = 30_000,
    luminosity: Annotated[float, typer.Option(help="Luminosity of the pseudo-data, fb⁻¹.")] = 138.0,
) -> None:
    """Simulate H→4ℓ and its background, process, fit and report: from nothing to a signal strength."""
    from . import demo as demonstration

    raise typer.Exit(demonstration.run(output, n_events=events, workers=workers, luminosity=luminosity))


cache_app = typer.Typer(name="cache", help="Look at a column cache, or make room in it.", no_args_is_help=True)
app.add_typer(cache_app)
_Folder = Annotated[Path, typer.Argument(help="The cache's folder.", show_default=False, exists=True, file_okay=False)]


@cache_app.command("list", epilog="Example: gpuhiggs cache list /scratch/columns")
def cache_list(folder: _Folder) -> None:
    """List the files whose columns a cache has, with bytes and last use."""
    from .report import cache

    cache.show(folder)


@cache_app.command("prune", epilog="Example: gpuhiggs cache prune /scratch/columns --size 20")
def cache_prune(
    folder: _Folder,
    size: Annotated[float, typer.Option(min=0, help="GiB that may stay; what was used last stays.")] = 0.0,
) -> None:
    """Remove what was used least recently."""
    from .report import cache

    cache.prune(folder, int(size * 2**30))


datasets_app = typer.Typer(name="datasets", help="The catalogue of public data sets.", no_args_is_help=True)
app.add_typer(datasets_app)
_Pattern = Annotated[str, typer.Argument(help="Part of a name release/dataset, or a pattern with * and ?.")]


@datasets_app.command("list", epilog="Example: gpuhiggs datasets list cms-open-data-2016/")
def datasets_list(pattern: _Pattern = "") -> None:
    """List datasets: kind, process, files, size, cross section."""
    from .report import datasets

    datasets.show_list(pattern)


@datasets_app.command("show", epilog="Example: gpuhiggs datasets show cms-open-data-2016/GluGluHToGG --files")
def datasets_show(
    name: Annotated[str, typer.Argument(help="release/dataset, or a pattern.", show_default=False)],
    files: Annotated[bool, typer.Option("--files", help="List the files too.")] = False,
) -> None:
    """Show all that is known of datasets, with sources."""
    from .report import datasets

    datasets.show(name, files)


@datasets_app.command("check", epilog="Example: gpuhiggs datasets check 'atlas-open-data-2020/*.4lep' --files 1")
def datasets_check(
    name: Annotated[str, typer.Argument(help="release/dataset, or a pattern.", show_default=False)],
    files: Annotated[int | None, typer.Option(min=1, help="Open only the first N files of a dataset.")] = None,
    mirror: Annotated[str | None, typer.Option(help="Folder or URL that has the portal's folders below it.")] = None,
) -> None:
    """Open the files of datasets and compare sizes, events and sums of weights with the catalogue."""
    from .report import datasets

    raise typer.Exit(datasets.check(name, files, mirror))


@app.command(epilog="Example: gpuhiggs simulate campaign.yaml --output simulation --workers 2")
def simulate(
    config: Annotated[Path, typer.Argument(help="What to simulate, a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the samples.")] = Path("gpuhiggs-simulation"),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = CORES,
) -> None:
    """Simulate Higgs bosons and backgrounds into NanoAOD-like files, and draw pseudo-data."""
    from .simulate import campaign, progress

    loaded = campaign.load(config)
    with progress.showing(loaded, output) as report:
        campaign.run(loaded, output, workers=workers, progress=report)


def main() -> None:
    """Run the command; an error that the user can act on is one message, not a traceback."""
    from .errors import GpuhiggsError

    try:
        app()
    except GpuhiggsError as error:
        sys.stderr.write(f"gpuhiggs: {error}\n")
        sys.exit(error.exit_status)


if __name__ == "__main__":
    main()
