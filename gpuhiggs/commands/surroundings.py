"""Commands around the work: the catalogue, the column cache, examples, this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .application import AROUND, app

cache_app = typer.Typer(name="cache", help="Look at a column cache, or make room in it.", no_args_is_help=True)
app.add_typer(cache_app, rich_help_panel=AROUND)
_Folder = Annotated[Path, typer.Argument(help="The cache's folder.", show_default=False, exists=True, file_okay=False)]


@cache_app.command("list", epilog="Example: gpuhiggs cache list /scratch/columns")
def cache_list(folder: _Folder) -> None:
    """List the files whose columns a cache has, with bytes and last use."""
    from ..report import cache

    cache.show(folder)


@cache_app.command("prune", epilog="Example: gpuhiggs cache prune /scratch/columns --size 20")
def cache_prune(
    folder: _Folder,
    size: Annotated[float, typer.Option(min=0, help="GiB that may stay; what was used last stays.")] = 0.0,
) -> None:
    """Remove what was used least recently."""
    from ..report import cache

    cache.prune(folder, int(size * 2**30))


datasets_app = typer.Typer(name="datasets", help="The catalogue of public data sets.", no_args_is_help=True)
app.add_typer(datasets_app, rich_help_panel=AROUND)
_Pattern = Annotated[str, typer.Argument(help="Part of a name release/dataset, or a pattern with * and ?.")]


@datasets_app.command("list", epilog="Example: gpuhiggs datasets list cms-open-data-2016/")
def datasets_list(pattern: _Pattern = "") -> None:
    """List datasets: kind, process, files, size, cross section."""
    from ..report import datasets

    datasets.show_list(pattern)


@datasets_app.command("show", epilog="Example: gpuhiggs datasets show cms-open-data-2016/GluGluHToGG --files")
def datasets_show(
    name: Annotated[str, typer.Argument(help="release/dataset, or a pattern.", show_default=False)],
    files: Annotated[bool, typer.Option("--files", help="List the files too.")] = False,
) -> None:
    """Show all that is known of datasets, with sources."""
    from ..report import datasets

    datasets.show(name, files)


@datasets_app.command("check", epilog="Example: gpuhiggs datasets check 'atlas-open-data-2020/*.4lep' --files 1")
def datasets_check(
    name: Annotated[str, typer.Argument(help="release/dataset, or a pattern.", show_default=False)],
    files: Annotated[int | None, typer.Option(min=1, help="Open only the first N files of a dataset.")] = None,
    mirror: Annotated[str | None, typer.Option(help="Folder or URL that has the portal's folders below it.")] = None,
) -> None:
    """Open the files of datasets and compare sizes, events and sums of weights with the catalogue."""
    from ..report import datasets

    raise typer.Exit(datasets.check(name, files, mirror))


@app.command(rich_help_panel=AROUND, epilog="Example: gpuhiggs examples atlas-hzz4l.yaml")
def examples(
    name: Annotated[str | None, typer.Argument(help="The one to copy here; without it, list all.")] = None,
) -> None:
    """Copy a configuration or a channel to start from into the working folder."""
    from .. import examples as shipped

    if name is None:
        titles = shipped.titles()
        width = max(map(len, titles))
        sys.stdout.writelines(f"{name:<{width}}  {title}\n" for name, title in titles.items())
    else:
        sys.stdout.write(f"{shipped.copy(name, Path())}\n")


@app.command(rich_help_panel=AROUND, epilog="Example: gpuhiggs doctor --self-test --device cuda")
def doctor(
    self_test: Annotated[
        bool, typer.Option("--self-test", help="Compare every kernel bit by bit on this machine.")
    ] = False,
    device: Annotated[str, typer.Option(metavar="[cpu|cuda|auto]", help="What the self-test compares with.")] = "auto",
    events: Annotated[int, typer.Option(min=1, help="Random events of each kernel.")] = 20_000,
) -> None:
    """Say what this machine has, what is known to go wrong with it, and what to do about that."""
    from .. import doctor as examination

    raise typer.Exit(examination.run(device, self_test=self_test, n_events=events))
