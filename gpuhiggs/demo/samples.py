"""The demo's events: templates, and pseudo-data of a luminosity drawn from events with other seeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rich import get_console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from ..errors import InputError
from ..simulate import SimulatedSample, draw_pseudo_data, find_process, simulate, skims
from ..simulate.campaign import POOL_MARGIN
from ..simulate.nanoaod import read_recipe
from .analysis import Analysis

SEED = 20_260_214


class Step(NamedTuple):
    """One file to simulate."""

    process: str
    events: int
    path: Path
    seed: int


class Samples(NamedTuple):
    """What an analysis runs on: templates by process, and the file of pseudo-data."""

    templates: dict[str, SimulatedSample]
    data: Path


def make(
    analyses: Mapping[str, Analysis], folder: Path, *, n_events: int, workers: int, luminosity: float
) -> dict[str, Samples]:
    """Simulate what the analyses need into *folder*, or recognise it there.

    Raises
    ------
    InputError
        If the folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made: {error.strerror}"
        raise InputError(msg) from error
    plans = {name: _plan(analysis, folder, n_events, luminosity) for name, analysis in analyses.items()}
    total = sum(step.events for steps in plans.values() for step in steps)
    columns = (TextColumn("simulating {task.fields[name]}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=get_console(), disable=not get_console().is_terminal) as bar:
        task = bar.add_task("", total=total, name="")
        made: dict[Path, SimulatedSample] = {}
        before = 0
        for steps in plans.values():
            for process, events, path, seed in steps:
                report = _reporter(bar, task, before, process)
                report(0)
                made[path] = simulate(process, events, path, seed=seed, workers=workers, progress=report)
                before += events
        return {
            name: _drawn(name, analysis, folder, made, luminosity, lambda text: bar.update(task, name=text))
            for name, analysis in analyses.items()
        }


def _plan(analysis: Analysis, folder: Path, n_events: int, luminosity: float) -> list[Step]:
    steps = []
    for name, sample in analysis.samples.items():
        steps.append(Step(name, int(sample.share * n_events), _template(folder, name), SEED))
        if not sample.repeated:
            events = int(POOL_MARGIN * find_process(name).cross_section * luminosity * 1000.0) + 100
            steps.append(Step(name, events, _pool(folder, name), SEED + 1))
    return steps


def _template(folder: Path, process: str) -> Path:
    return folder / f"{process}.root"


def _pool(folder: Path, process: str) -> Path:
    return folder / f"{process}-pool.root"


def _reporter(bar: Progress, task: Any, before: int, name: str) -> Callable[[int], None]:
    return lambda done: bar.update(task, completed=before + done, name=name)


def _drawn(
    name: str,
    analysis: Analysis,
    folder: Path,
    made: Mapping[Path, SimulatedSample],
    luminosity: float,
    tell: Callable[[str], None],
) -> Samples:
    """Draw an analysis' pseudo-data, unless they are there, of the same events."""
    templates = {process: made[_template(folder, process)] for process in analysis.samples}
    repeated = [process for process, sample in analysis.samples.items() if sample.repeated]
    sources = [made[(_template if p in repeated else _pool)(folder, p)] for p in analysis.samples]
    data = folder / f"{name}-pseudo-data.root"
    recipe = json.dumps([name, luminosity, SEED, repeated, [read_recipe(source.path) for source in sources]])
    if read_recipe(data) != recipe:
        tell("pseudo-data")
        draw_pseudo_data(
            sources,
            luminosity,
            data,
            seed=SEED + 2,
            recorded=None if analysis.skim is None else getattr(skims, analysis.skim),
            repeated=repeated,
            changed=dict.fromkeys(repeated, skims.rescale_diphotons) if analysis.skim == "diphotons" else None,
            recipe=recipe,
        )
    return Samples(templates, data)
