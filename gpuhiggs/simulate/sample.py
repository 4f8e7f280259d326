"""A simulated sample: the events of one process in a file that is made once and recognised later."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import uproot

from gpuhiggs.errors import InputError, RunError
from gpuhiggs.simulate.blocks import EVENTS_PER_BLOCK, Block, blocks_of
from gpuhiggs.simulate.detector import detect
from gpuhiggs.simulate.generate import COMMON_SETTINGS, generate, import_pythia
from gpuhiggs.simulate.jets import import_fastjet
from gpuhiggs.simulate.nanoaod import Events, Format, read_recipe, writing
from gpuhiggs.simulate.processes import find_process
from gpuhiggs.simulate.settings import DEFAULT, Settings

Progress = Callable[[int], None]

_WORTH_PROCESSES = 4
"""Blocks from which on other processes are started: each takes as long to start as a block or two to make."""


class SimulatedSample(NamedTuple):
    """A file of simulated events.

    Attributes
    ----------
    process
        Name of the process, see ``processes.yaml``.
    path
        The NanoAOD-like file.
    events
        Number of generated events, all of which are in the file.
    cross_section
        In pb, branching ratio and k-factor included.
    sum_of_weights
        Of all generated events: an event stands for ``genWeight * cross_section * luminosity / sum_of_weights``.
    """

    process: str
    path: Path
    events: int
    cross_section: float
    sum_of_weights: float


def simulate(
    process: str,
    n_events: int,
    path: str | Path,
    *,
    seed: int,
    workers: int = 1,
    settings: Settings = DEFAULT,
    format: Format = "ttree",
    progress: Progress | None = None,
) -> SimulatedSample:
    """Simulate events of one process into a NanoAOD-like file, or recognise the file if it is already there.

    The events depend on the process and the seed alone, not on *workers*. A file that was made with the same recipe
    is kept; any other one at *path* is replaced, at the end and in one step.

    Parameters
    ----------
    process
        One of ``processes.yaml``.
    n_events
        Number of events to generate.
    path
        The file.
    seed
        Not negative.
    workers
        Number of processes. They are spawned: a script that asks for more than one needs ``if __name__ ==
        "__main__"`` around its own work.
    settings
        Of the generation.
    format
        ``ttree`` or ``rntuple``.
    progress
        Called with the number of events finished so far.

    Raises
    ------
    InputError
        For an unknown process, a number of events or workers below 1, a negative seed; FileError if *path* cannot be
        written to.
    MissingExtraError
        Without ``pythia8mc`` or ``fastjet``.
    RunError
        If Pythia, a worker or the disk fails; nothing half-written is left.
    """
    path = Path(path)
    cross_section = find_process(process).cross_section
    _require_at_least("n_events", n_events, 1)
    _require_at_least("workers", workers, 1)
    _require_at_least("seed", seed, 0)
    recipe = _recipe(process, n_events, seed, settings, format)
    if read_recipe(path) != recipe:
        import_pythia()
        import_fastjet()
        blocks = blocks_of(process, n_events, seed, settings)
        identity = json.dumps([process, seed, *settings.commands(), *find_process(process).settings])
        with writing(path, recipe, format, identity) as writer, _simulated(blocks, workers) as simulated:
            for block, events in zip(blocks, simulated, strict=True):
                writer.extend(events)
                if progress is not None:
                    progress(block.first + block.events)
    elif progress is not None:
        progress(n_events)
    return SimulatedSample(process, path, n_events, cross_section, _sum_of_weights(path))


def is_current(
    process: str,
    n_events: int,
    path: str | Path,
    *,
    seed: int,
    settings: Settings = DEFAULT,
    format: Format = "ttree",
) -> bool:
    """Whether *path* is the complete file that :func:`simulate` would make now: same settings, seed and versions."""
    return read_recipe(Path(path)) == _recipe(process, n_events, seed, settings, format)


def simulate_block(block: Block) -> Events:
    """Generate one block of events and simulate the detector's response."""
    process = find_process(block.process)
    return detect(generate(process, block), process, block)


@contextmanager
def _simulated(blocks: list[Block], workers: int) -> Iterator[Iterator[Events]]:
    """Give the simulated blocks in order; worker processes end with the context, whatever happens."""
    if workers == 1 or len(blocks) < _WORTH_PROCESSES:
        yield map(simulate_block, blocks)
        return
    executor = ProcessPoolExecutor(
        min(workers, len(blocks)),
        mp_context=get_context("spawn"),
        initializer=signal.signal,  # an interrupt from the keyboard is for the main process alone
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
    try:
        yield executor.map(simulate_block, blocks)
    except BrokenProcessPool as error:
        msg = f"a worker process of the simulation of {blocks[0].process} ended unexpectedly: {error}"
        raise RunError(msg) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _recipe(process: str, n_events: int, seed: int, settings: Settings, format: Format) -> str:
    """All that decides the content of a file, as text."""
    return json.dumps(
        {
            "process": process,
            "events": n_events,
            "seed": seed,
            "events_per_block": EVENTS_PER_BLOCK,
            "settings": [*COMMON_SETTINGS, *settings.commands(), *find_process(process).settings],
            "jet_weights": find_process(process).jet_weights,
            "format": format,
            "versions": {package: _version(package) for package in ("gpuhiggs", "pythia8mc", "fastjet", "numpy")},
            "simulation": _source_hash(),
        },
        sort_keys=True,
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _source_hash() -> str:
    """SHA-256 of the modules of the simulation: an edited parametrisation makes other events."""
    digest = hashlib.sha256()
    for module in sorted(files(__package__).iterdir(), key=lambda file: file.name):
        if module.name.endswith(".py"):
            digest.update(module.name.encode() + b"\0" + module.read_bytes())
    return digest.hexdigest()


def _sum_of_weights(path: Path) -> float:
    with uproot.open(path) as file:
        return float(file["Runs"]["genEventSumw"].array(library="np").sum())


def _require_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        msg = f"simulation: {name} is {value}, expected at least {least}"
        raise InputError(msg)
