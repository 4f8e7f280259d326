"""Commands that handle events: process, simulate, train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .application import CORES, EVENTS, app


@app.command(rich_help_panel=EVENTS, epilog="Example: gpuhiggs run analysis.yaml --output out --workers 2")
def run(
    config: Annotated[Path, typer.Argument(help="The configuration, a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the result.")] = Path("gpuhiggs-run"),
    channel: Annotated[
        Path | None,
        typer.Option(help="A channel of your own, a Python file, instead of the configuration's selection."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 runs in this one.")] = CORES,
    device: Annotated[
        str | None, typer.Option(metavar="[cpu|cuda|auto]", help="Where kernels run; auto: on a GPU if there is one.")
    ] = None,
    limit_files: Annotated[int | None, typer.Option(min=1, help="Take only the first N files of a dataset.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a result that is there.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on with what an earlier run in the folder has done.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="Address or file of a Dask scheduler to use.")] = None,
    max_failures: Annotated[int | None, typer.Option(min=0, help="Give up when more files have failed.")] = None,
    allow_partial: Annotated[bool, typer.Option("--allow-partial", help="Fit also what is not complete.")] = False,
    cache: Annotated[Path | None, typer.Option(help="Folder that keeps the columns read, for the next run.")] = None,
    cache_size: Annotated[float, typer.Option(min=0.001, help="Its size in GiB; what was used last stays.")] = 100.0,
    skim: Annotated[
        list[str] | None,
        typer.Option(metavar="[parquet|root]", help="Write the selected events too, in this format; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be read, and how long.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only compile, and try the first events of each dataset.")
    ] = False,
) -> None:
    """Process event files: select, reconstruct, histogram."""
    from .. import catalogue
    from .. import config as configuration
    from ..read import ColumnCache
    from ..report import process

    loaded = configuration.load(config, channel, catalogue.expand)
    if skim:
        loaded = configuration.validate(
            configuration.RunConfig, loaded.model_dump(by_alias=True) | {"skim": skim}, "--skim"
        )
    if check:
        from ..report import check as trial

        raise typer.Exit(trial.run(loaded))
    if dry_run:
        from ..report import dry_run as estimation

        raise typer.Exit(estimation.run(loaded, workers=workers, limit_files=limit_files))
    changed = {"max_failures": max_failures, "allow_partial": allow_partial or None, "device": device}
    loaded = configuration.with_execution(loaded, {key: value for key, value in changed.items() if value is not None})
    status = process.run(
        loaded,
        output,
        workers=workers,
        overwrite=overwrite,
        resume=resume,
        limit_files=limit_files,
        scheduler=scheduler,
        cache=None if cache is None else ColumnCache(cache, int(cache_size * 2**30)),
    )
    raise typer.Exit(status)


@app.command(rich_help_panel=EVENTS, epilog="Example: gpuhiggs retry out")
def retry(
    folder: Annotated[Path, typer.Argument(help="The folder of a run that is not complete.", show_default=False)],
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 runs in this one.")] = CORES,
    scheduler: Annotated[str | None, typer.Option(help="Address or file of a Dask scheduler to use.")] = None,
    device: Annotated[
        str | None, typer.Option(metavar="[cpu|cuda|auto]", help="Where kernels run; by default as before.")
    ] = None,
) -> None:
    """Do what is missing of a run: files that failed, and what was not reached when it was stopped."""
    from .. import config as configuration
    from ..report import process

    loaded = configuration.load(folder / "config.yaml")
    loaded = configuration.with_execution(loaded, {} if device is None else {"device": device})
    raise typer.Exit(process.run(loaded, folder, workers=workers, resume=True, scheduler=scheduler))


@app.command(rich_help_panel=EVENTS, epilog="Example: gpuhiggs demo --output my-demo --workers 2")
def demo(
    output: Annotated[Path, typer.Option(help="Folder for the simulation and the results.")] = Path("gpuhiggs-demo"),
    channels: Annotated[str, typer.Option(help="Some of 4l, gg, ww, divided by commas.")] = "4l,gg,ww",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = CORES,
    events: Annotated[int, typer.Option(help="Size of the simulation: shares of it are a process' events.")] = 30_000,
    luminosity: Annotated[float, typer.Option(help="Luminosity of the pseudo-data, fb⁻¹.")] = 36.3,
) -> None:
    """Simulate H→4ℓ, γγ and WW, process, fit, combine and report: from nothing to couplings."""
    from .. import demo as demonstration

    chosen = [name.strip() for name in channels.split(",")]
    status = demonstration.run(output, n_events=events, workers=workers, luminosity=luminosity, channels=chosen)
    raise typer.Exit(status)


@app.command(rich_help_panel=EVENTS, epilog="Example: gpuhiggs simulate campaign.yaml --output simulation --workers 2")
def simulate(
    config: Annotated[Path, typer.Argument(help="What to simulate, a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the samples.")] = Path("gpuhiggs-simulation"),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = CORES,
) -> None:
    """Simulate Higgs bosons and backgrounds into NanoAOD-like files, and draw pseudo-data."""
    from ..simulate import campaign, progress

    loaded = campaign.load(config)
    with progress.showing(loaded, output) as report:
        campaign.run(loaded, output, workers=workers, progress=report)


@app.command(rich_help_panel=EVENTS, epilog="Example: gpuhiggs train training.yaml --output model --workers 2")
def train(
    config: Annotated[Path, typer.Argument(help="What to train, a YAML file.", show_default=False)],
    output: Annotated[Path, typer.Option(help="Folder for the model and its report.")] = Path("gpuhiggs-training"),
    workers: Annotated[int, typer.Option(min=0, help="Processes of the selection.")] = CORES,
    overwrite: Annotated[bool, typer.Option(help="Replace a result that is there.")] = False,
) -> None:
    """Train a classifier on the selected events of an analysis' simulation."""
    from ..report import training

    loaded, analysis = training.load(config)
    raise typer.Exit(training.run(loaded, analysis, output, workers=workers, overwrite=overwrite))
