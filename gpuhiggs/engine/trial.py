"""A configuration tried on a few events: does its channel compile, are its branches there, does anything pass.

What takes minutes to find out in a run takes seconds here: nothing is written, and no file but the first of each
dataset is opened.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from .. import engine
from ..config import DatasetConfig, RunConfig
from ..histogram import Counts, sum_of_weights
from . import sparse
from .preparation import prepare
from .tally import Failure, ListedFile, WorkItem

EVENTS = 1000
"""Of each dataset, unless the user says otherwise."""


class Trial(NamedTuple):
    """What came of the first events of a dataset."""

    dataset: str
    path: str
    events: int
    cutflow: tuple[tuple[str, int], ...]
    """Events that pass each step."""
    filled: tuple[tuple[str, float], ...]
    """Sum of the weights in each histogram, flow bins included, in units of the dataset's weight unit."""
    notes: tuple[str, ...]
    """What the file does not have, and what is taken instead."""
    seconds: float
    """Compilation included."""
    error: str = ""
    """Why there is nothing, if there is nothing."""


def tried(config: RunConfig, events: int = EVENTS) -> list[Trial]:
    """Run a configuration's channel over the first events of each dataset, in this process.

    Raises
    ------
    ConfigError
        If the configuration does not fit its channel, or the channel cannot be compiled; of a channel in a file, the
        message has the line.
    """
    job = engine.Job.of(config)
    for dataset in config.datasets:
        prepare(job.config_json, dataset.name).channel.compile()
    return [_dataset(config, job, dataset, events) for dataset in config.datasets]


def _dataset(config: RunConfig, job: engine.Job, dataset: DatasetConfig, events: int) -> Trial:
    began = time.perf_counter()
    path = dataset.files[0]
    info = job.inspect(ListedFile(dataset.name, path))
    if isinstance(info, Failure):
        return Trial(dataset.name, path, 0, (), (), (), time.perf_counter() - began, info.error)
    n = min(events, info.entries)
    partial = job.process(WorkItem(dataset.name, path, 0, n))
    seconds = time.perf_counter() - began
    if isinstance(partial, Failure):
        return Trial(dataset.name, path, n, (), (), info.notes, seconds, partial.error)
    counts = sparse.unpack(partial.sums)
    steps = prepare(job.config_json, dataset.name).channel.steps
    entries = counts.sums[dataset.name, "cutflow"].to_float()[:, 0].astype(int).tolist()
    filled = tuple((name, _filled(counts, dataset.name, name)) for name in config.selection.histograms)
    return Trial(dataset.name, path, n, tuple(zip(steps, entries, strict=True)), filled, info.notes, seconds)


def _filled(counts: Counts, dataset: str, histogram: str) -> float:
    """Return the nominal Σw in a histogram."""
    return float(sum_of_weights(counts.sums[dataset, f"{histogram}/sumw"])[..., 0].sum())
