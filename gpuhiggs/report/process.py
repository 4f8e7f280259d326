"""One run from configuration to folder: process, write, draw, tell."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich import get_console
from rich.markup import escape

from .. import backend, backgrounds, engine, skim
from ..config import RunConfig
from ..engine.ledger import Ledger
from ..errors import InputError
from ..read import ColumnCache, proxy
from . import progress, run_folder, workforce
from .stages import EVENTS, Stages

LEDGER = "ledger"
"""The folder of the ledger in a run's."""


def run(
    config: RunConfig,
    folder: Path,
    *,
    workers: int,
    overwrite: bool = False,
    resume: bool = False,
    limit_files: int | None = None,
    scheduler: str | None = None,
    cache: ColumnCache | None = None,
) -> int:
    """Process a configuration into *folder*.

    Parameters
    ----------
    workers
        Processes on this machine; 0 runs in this one.
    resume
        Go on with what an earlier run in *folder* has done.
    scheduler
        Address of a Dask scheduler whose workers are taken instead.

    Returns
    -------
    int
        The exit status: 0 if every file counts and the fit, where there is one, converged; else 1.
    """
    console = get_console()
    stages = Stages()
    again = _again(config, folder, workers, limit_files, scheduler)
    if config.divided_model is not None:
        from ..measurement import check  # fits take a second to load, and a run without a model needs none

        check(config)
    backgrounds.check(config)
    skim.require(config)
    if (warning := proxy.check(path for dataset in config.datasets for path in dataset.files)) is not None:
        console.print(f"[yellow]{escape(warning)}", highlight=False)
    there = _on_device(config, elsewhere=scheduler is not None or config.cluster is not None)
    engine.require(there)
    prepare(folder, overwrite=overwrite or resume)
    with Ledger(folder / LEDGER) as ledger:
        _open(ledger, folder, overwrite=overwrite, resume=resume)
        run_folder.write_config(folder, config)
        pieces = skim.Pieces(folder / run_folder.SKIM, config, fresh=not resume) if config.skim else None
        try:
            with (
                stages.stage(EVENTS),
                workforce.terminable(),
                workforce.mapping(workers, scheduler, config.cluster, there.execution.device, console.print) as mapper,
                progress.shown(console, folder) as show,
            ):
                selecting = skim.leaving_out(mapper) if pieces is None else skim.keeping(mapper, config, pieces, cache)
                tally = engine.run(there, selecting, show, limit_files, cache, ledger)
        except KeyboardInterrupt:
            place = escape(str(folder / LEDGER))
            console.print(f"[yellow]stopped[/yellow]; what is done is kept in {place}", soft_wrap=True, highlight=False)
            console.print(f"to go on: {escape(again)}", soft_wrap=True, highlight=False)
            return 1
    from . import conclusion  # fits and figures: the first events need not wait for them

    results = conclusion.write(
        config, folder, tally, pieces, stages, workers=workers, device=there.execution.device, resume=resume
    )
    conclusion.tell(console, results)
    console.print(f"Report: {folder / run_folder.REPORT}", soft_wrap=True)
    converged = all(part["converged"] for part in results.get("fit", {}).values())
    whole = not config.skim or "skim" in results
    missing = {"fit_error", "nonprompt_error"} & set(results)
    return 0 if converged and whole and not tally.failures and not missing else 1


def _again(config: RunConfig, folder: Path, workers: int, limit_files: int | None, scheduler: str | None) -> str:
    """Return the command that goes on with a run that was stopped."""
    place = shlex.quote(str(folder))
    command = f"gpuhiggs retry {place}"
    if limit_files is not None:
        config_file = shlex.quote(str(folder / "config.yaml"))
        command = f"gpuhiggs run {config_file} --output {place} --resume --limit-files {limit_files}"
    if scheduler is not None:
        return f"{command} --scheduler {scheduler}"
    return command if config.cluster is not None else f"{command} --workers {workers}"


def _on_device(config: RunConfig, *, elsewhere: bool) -> RunConfig:
    """Choose the device of this machine before anything is written; each worker *elsewhere* looks for its own."""
    if elsewhere:
        return config
    device = backend.open_device(config.execution.device).name
    return config.model_copy(update={"execution": config.execution.model_copy(update={"device": device})})


def _open(ledger: Ledger, folder: Path, *, overwrite: bool, resume: bool) -> None:
    """Refuse to go on with an earlier run, or to forget it, unless asked to."""
    if overwrite and not resume:
        ledger.clear()
    elif not ledger.empty and not resume:
        msg = f"{folder}: a run was stopped here; --resume goes on with it, --overwrite starts anew"
        raise InputError(msg)


def prepare(folder: Path, *, overwrite: bool) -> None:
    """Make sure, before any work is done, that the result can be written."""
    run_folder.create(folder, overwrite)
