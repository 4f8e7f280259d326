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
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 runs in this one.")] = CORES,
    limit_files: Annotated[int | None, typer.Option(min=1, help="Take only the first N files of a dataset.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace a result that is there.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on with what an earlier run in the folder has done.")] = False,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use.")] = None,
    max_failures: Annotated[int | None, typer.Option(min=0, help="Give up when more files have failed.")] = None,
) -> None:
    """Process event files: select, reconstruct, histogram."""
    from . import config as configuration
    from .report import process

    loaded = configuration.load(config)
    if max_failures is not None:
        execution = loaded.execution.model_copy(update={"max_failures": max_failures})
        loaded = loaded.model_copy(update={"execution": execution})
    status = process.run(
        loaded,
        output,
        workers=workers,
        overwrite=overwrite,
        resume=resume,
        limit_files=limit_files,
        scheduler=scheduler,
    )
    raise typer.Exit(status)


@app.command(epilog="Example: gpuhiggs retry out")
def retry(
    folder: Annotated[Path, typer.Argument(help="The folder of a run that is not complete.", show_default=False)],
    workers: Annotated[int, typer.Option(min=0, help="Processes; 0 runs in this one.")] = CORES,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use.")] = None,
) -> None:
    """Do what is missing of a run: files that failed, and what was not reached when it was stopped."""
    from . import config as configuration
    from .report import process

    loaded = configuration.load(folder / "config.yaml")
    raise typer.Exit(process.run(loaded, folder, workers=workers, resume=True, scheduler=scheduler))


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
