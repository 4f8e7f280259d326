"""Data sets of the engine's tests, and what a tally says of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from gpuhiggs import channels
from gpuhiggs.config import RunConfig
from gpuhiggs.engine.tally import Tally
from gpuhiggs.engine.work import Work
from gpuhiggs.histogram import sum_of_squares, sum_of_weights

Branches = dict[str, Any]
Events = Callable[..., Branches]
Writer = Callable[..., Path]
Configure = Callable[..., RunConfig]


def simulation(name: str, *files: Path, **settings: Any) -> dict[str, Any]:
    dataset = {"name": name, "process": name, "kind": "simulation", "files": [str(path) for path in files]}
    return {**dataset, "cross_section": None, **settings}


def data(name: str, primary: str, *files: Path) -> dict[str, Any]:
    dataset = {"name": name, "process": "data", "kind": "data", "files": [str(path) for path in files]}
    return {**dataset, "primary_dataset": primary}


STEPS = channels.find("four_lepton").steps
CERTIFIED, FILTERS, TRIGGER, FOUR_LEPTONS = (
    STEPS.index(name) for name in ("certified", "filters", "trigger", "four_leptons")
)


def entries(tally: Tally, dataset: str) -> list[int]:
    """Events after each step of the cutflow."""
    return [int(n) for n in tally.counts.sums[dataset, "cutflow"].low[:, 0]]


def weights(tally: Tally, dataset: str) -> tuple[np.ndarray, np.ndarray]:
    """Σw and Σw² after each step of the cutflow, in the dataset's weight unit."""
    wide = tally.counts.sums[dataset, "cutflow"]
    sums = sum_of_weights(type(wide)(wide.high[:, 1], wide.low[:, 1]))
    return sums, sum_of_squares(type(wide)(wide.high[:, 2:], wide.low[:, 2:]))


def shuffled(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
    while True:
        results = [function(argument) for argument in iter(queue.take, None)]
        if not results:
            return
        random.Random(1).shuffle(results)
        yield from results


def twice(function: Callable[[Any], Any], queue: Work) -> Iterator[Any]:
    for argument in iter(queue.take, None):
        yield function(argument)
        yield function(argument)
