"""The command's frame: its name, what holds for every command, options that take several values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

CORES = len(os.sched_getaffinity(0))  # what this process may use, which in a batch slot is not the whole machine

EVENTS, MEASUREMENTS, AROUND = "From events to histograms", "From histograms to couplings", "Around"
"""Groups of commands in the help."""

app = typer.Typer(
    name="gpuhiggs",
    help="LHC event files in, Higgs couplings out, with the same bits on every device.",
    epilog="Exit status: 0 all is done, 1 a run is incomplete or a fit failed, 2 bad input. "
    "gpuhiggs COMMAND --help has an example of each; gpuhiggs --install-completion completes them in your shell.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def _root(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")] = False,
) -> None:
    """LHC event files in, Higgs couplings out, with the same bits on every device."""
    if quiet:
        import rich

        rich.reconfigure(quiet=True)


def spread(arguments: list[str]) -> list[str]:
    """Repeat an option before each of its values: ``--poi A B`` is ``--poi A --poi B``."""
    several = {
        "fit": ("--poi", "--scan", "--set", "--freeze", "--minos", "--unfold", "--treat"),
        "convert": ("--poi",),
        "combine": ("--data", "--operator"),
        "interpret": ("--data", "--run", "--luminosity"),
        "report": ("--data",),
    }
    command = next((word for word in arguments if not word.startswith("-")), "")
    repeated = several.get(command)
    if repeated is None:
        return arguments
    argument = Path.is_dir if command == "report" else Path.is_file  # what stands for itself, after whatever option
    found: list[str] = []
    option: str | None = None
    for word in arguments:
        if word.startswith("--"):
            option = word if word in repeated else None
            if option is None:
                found.append(word)
        elif option is not None and not (found and argument(Path(word))):
            found += [option, word]
        else:
            found.append(word)
    return found
