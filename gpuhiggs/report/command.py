"""``gpuhiggs report``: the page of one run, or of several with what they say together of the couplings."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich import get_console

from ..errors import GpuhiggsError, InputError
from ..interpret import measurements
from . import couplings, page, parts, provenance, record, run_sections, strength
from .figure import Block, Missing, Picture, Section, Words
from .page import Head
from .parts import Part
from .record import Record
from .run_folder import CONFIG, RESULTS

OUTPUT = Path("gpuhiggs-report")
"""Where the page goes that is of no run."""


def run(folders: Sequence[Path], data: Sequence[str], output: Path | None, *, workers: int = 1) -> int:
    """Write the report; return the exit status.

    Parameters
    ----------
    folders
        Folders of finished runs, or folders that hold such folders.
    data
        Published measurements by name.
    output
        Where to write; by default the first folder.
    workers
        Processes that make it.

    Raises
    ------
    InputError
        If a folder holds no finished run, data are unknown, or there is nothing to report on.
    """
    begin = time.perf_counter()
    if not folders and not data:
        msg = (
            "nothing to report on: give the folder of a run, or --data; gpuhiggs combine --list shows the measurements"
        )
        raise InputError(msg)
    for name in data:
        measurements.check_known(name)
    runs = [record.load(path) for folder in folders for path in found(folder)]
    console = get_console()
    with console.status("working out the figures"):
        target = output or (folders[0] if folders else OUTPUT)
        target.mkdir(parents=True, exist_ok=True)
        sections = parts.drawn(_parts(runs, data), target, workers)
        sections.append(Section("missing", "What is missing", provenance.missing(sections)))
        path = page.write(target, _head(runs, data, folders), sections)
    shown = sum(isinstance(block, Picture) for section in sections for block in section.blocks)
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


def _parts(runs: Sequence[Record], data: Sequence[str]) -> list[Part]:
    fitted = [one.folder for one in runs if "fit" in one.results]  # one without a fit says nothing of couplings
    of_runs, of_couplings = [Part(_of_run, (one, len(runs) > 1)) for one in runs], Part(_of_couplings, (data, fitted))
    return [of_couplings, *of_runs] if len(runs) > 1 else [*of_runs, of_couplings]


def _of_run(run: Record, several: bool) -> list[Section]:
    own = run_sections.full(run)
    return [grouped(section, run.name, run.title) for section in own] if several else own


def _of_couplings(data: Sequence[str], folders: Sequence[Path]) -> list[Section]:
    """Return the interpretation."""
    try:
        made = couplings.sections(data, folders)
    except (GpuhiggsError, np.linalg.LinAlgError) as error:
        made = [Section("couplings", "Couplings", [Missing("Couplings", str(error))])]
    return [grouped(section, "couplings", "Interpretation") for section in made]


def grouped(section: Section, name: str, title: str) -> Section:
    """Return a section of a group, a run for example, whose names say so."""

    def named(block: Block) -> Block:
        return block if isinstance(block, Missing | Words) else replace(block, name=f"{name}_{block.name}")

    blocks = [named(block) for block in section.blocks]
    return replace(section, name=f"{name}-{section.name}", group=title, blocks=blocks)


def _head(runs: Sequence[Record], data: Sequence[str], folders: Sequence[Path]) -> Head:
    if not runs:
        return Head("Higgs couplings", f"Published measurements: {', '.join(data)}.")
    if len(runs) == 1:
        return strength.head(runs[0])
    answers = [f"All channels together: {line}" for folder in folders for line in _together(folder)]
    answers += [f"{one.title}: {line}" for one in runs for line in strength.answers(one.results)[:1]]
    conditions = "; ".join(dict.fromkeys(one.conditions for one in runs))
    titles = " · ".join(dict.fromkeys(one.config.title for one in runs if one.config.title)) or "gpuhiggs"
    return Head(f"{titles}: {len(runs)} channels", f"{conditions}.", answers)


def _together(folder: Path) -> list[str]:
    """Return what a folder of runs says of all of them in one likelihood, if their combination left it there."""
    if _is_run(folder) or not (folder / RESULTS).is_file():
        return []
    try:
        return strength.answers(json.loads((folder / RESULTS).read_text(encoding="utf-8")))[:1]
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{folder / RESULTS}: not the result of a combination: {error}"
        raise InputError(msg) from error
