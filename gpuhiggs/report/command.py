"""``gpuhiggs report``: the page of one run, or of several with what they say together of the couplings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich import get_console

from ..errors import GpuhiggsError, InputError
from . import couplings, page, provenance, record, run_sections, strength
from .figure import Block, Figure, Missing, Section, Words
from .page import Head
from .record import Record
from .run_folder import CONFIG, RESULTS

OUTPUT = Path("gpuhiggs-report")
"""Where the page goes that is of no run."""


def run(folders: Sequence[Path], data: Sequence[str], output: Path | None) -> int:
    """Write the report; return the exit status.

    Parameters
    ----------
    folders
        Folders of finished runs, or folders that hold such folders.
    data
        Published measurements by name.
    output
        Where to write; by default the first folder.

    Raises
    ------
    InputError
        If a folder holds no finished run, or there is nothing to report on.
    """
    begin = time.perf_counter()
    if not folders and not data:
        msg = (
            "nothing to report on: give the folder of a run, or --data; gpuhiggs combine --list shows the measurements"
        )
        raise InputError(msg)
    runs = [record.load(path) for folder in folders for path in found(folder)]
    console = get_console()
    with console.status("working out the figures"):
        sections = _sections(runs, data)
        target = output or (folders[0] if folders else OUTPUT)
        target.mkdir(parents=True, exist_ok=True)
        path = page.publish(target, _head(runs, data), sections)
    shown = sum(isinstance(block, Figure) for section in sections for block in section.blocks)
    seconds = time.perf_counter() - begin
    console.print(f"Report: {path} ({shown} figures, {seconds:.0f} s)", soft_wrap=True, highlight=False)
    return 0


def found(folder: Path) -> list[Path]:
    """Return the folders of the finished runs in a folder: itself, or those that it holds.

    Raises
    ------
    InputError
        If there is none.
    """
    if _is_run(folder):
        return [folder]
    inside = sorted(path for path in folder.glob("*") if _is_run(path))
    if not inside:
        what = (
            "is no folder"
            if not folder.is_dir()
            else f"has no {RESULTS} and {CONFIG}, nor has a folder in it: no finished run"
        )
        msg = f"{folder}: {what}"
        raise InputError(msg)
    return inside


def _is_run(folder: Path) -> bool:
    """Whether a folder looks like that of a run; a combination of runs has a result too, but no configuration."""
    return (folder / RESULTS).is_file() and (folder / CONFIG).is_file()


def _sections(runs: Sequence[Record], data: Sequence[str]) -> list[Section]:
    sections = []
    for one in runs:
        own = run_sections.full(one)
        sections += own if len(runs) == 1 else [grouped(section, one.name) for section in own]
    sections += [grouped(section, "couplings") for section in _couplings(runs, data)]
    return [*sections, Section("missing", "What is missing", provenance.missing(sections))]


def _couplings(runs: Sequence[Record], data: Sequence[str]) -> list[Section]:
    """Return the interpretation; a run without a fit has no part in it."""
    try:
        return list(couplings.sections(data, [one.folder for one in runs if "fit" in one.results]))
    except (GpuhiggsError, np.linalg.LinAlgError) as error:
        if data and not runs:
            raise
        return [Section("couplings", "Couplings", [Missing("Couplings", str(error))])]


def grouped(section: Section, group: str) -> Section:
    """Return a section whose names say which run it is of."""

    def named(block: Block) -> Block:
        return block if isinstance(block, Missing | Words) else replace(block, name=f"{group}_{block.name}")

    blocks = [named(block) for block in section.blocks]
    return replace(section, name=f"{group}-{section.name}", group=group.replace("_", " "), blocks=blocks)


def _head(runs: Sequence[Record], data: Sequence[str]) -> Head:
    if not runs:
        return Head("Higgs couplings", f"Published measurements: {', '.join(data)}.")
    if len(runs) == 1:
        return strength.head(runs[0])
    answers = [f"{one.name.replace('_', ' ')}: {line}" for one in runs for line in strength.answers(one)[:1]]
    conditions = "; ".join(dict.fromkeys(one.conditions for one in runs))
    titles = " · ".join(dict.fromkeys(one.config.title for one in runs if one.config.title)) or "gpuhiggs"
    return Head(f"{titles}: {len(runs)} channels", f"{conditions}.", answers)
