"""Runs whose samples are columns in memory, and what the kernel makes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from gpuhiggs import config
from gpuhiggs.config import RunConfig
from gpuhiggs.engine import preparation, processing
from gpuhiggs.engine.tally import FileInfo, Tally
from gpuhiggs.histogram import Counts, Wide, sum_of_weights

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # bench/ is not installed


class Run(NamedTuple):
    """A configuration, and its sums."""

    config: RunConfig
    tally: Tally


def make_run(
    selection: str, primary: str, data: Sequence[Any], simulation: Mapping[str, tuple[Any, float]], **settings: Any
) -> Run:
    """Process columns: *data* one after the other as one dataset, each *simulation* scaled by its factor."""
    datasets: list[dict[str, Any]] = [
        {"name": "data", "process": "data", "kind": "data", "primary_dataset": primary, "files": ["data"]}
    ]
    infos, sums = [], Counts()
    for process, (columns, factor) in simulation.items():
        n = columns.events.run.size
        datasets.append(
            {
                "name": process, "process": process, "kind": "simulation", "files": [process],
                "cross_section": factor * n / 1000.0,
            }
        )  # fmt: skip
        infos.append(FileInfo(process, process, process, n, float(n)))
    n = sum(columns.events.run.size for columns in data)
    infos.append(FileInfo("data", "data", "data", n, None))
    raw = {"selection": config.shipped_selection(selection), "datasets": datasets, "lumi_mask": None, "luminosity": 1.0}
    loaded = config.validate(RunConfig, {**raw, **settings}, "test")
    text = loaded.model_dump_json(by_alias=True)
    for name, parts in {"data": data, **{name: [columns] for name, (columns, _) in simulation.items()}}.items():
        prepared = preparation.prepare(text, name)
        for columns in parts:
            counts, _ = processing.run_kernel(prepared, columns, columns.events.run.size)
            sums = sums + counts
    tally = Tally()
    tally.restore(infos, sums)
    return Run(loaded, tally)


@pytest.fixture(scope="session")
def run() -> Callable[..., Run]:
    """A function that processes columns in memory."""
    return make_run


def total(counts: Counts, dataset: str, histogram: str) -> Any:
    """Return Σw of a histogram by category and bin, flow bins included."""
    return sum_of_weights(counts.sums[dataset, f"{histogram}/sumw"])[..., 0]


def emptied(run: Run, names: tuple[str, ...]) -> Tally:
    """Return a run's sums with histograms of the data emptied."""
    sums = {
        key: Wide.of(np.zeros(wide.high.shape, np.int64)) if key[0] == "data" and key[1].startswith(names) else wide
        for key, wide in run.tally.counts.sums.items()
    }
    tally = Tally()
    tally.restore(run.tally.complete, Counts(sums))
    return tally


def scaled(counts: Counts, share: float, random: np.random.Generator | None) -> Counts:
    """Return the data's sums, each event of weight 1, for fewer events: what is expected, or a draw of it."""
    found = dict(counts.sums)
    for (dataset, name), wide in counts.sums.items():
        if dataset == "data" and name.endswith("/sumw"):
            events = share * wide.to_float() * 2.0**-30
            events = events if random is None else random.poisson(events).astype(float)
            found[dataset, name] = Wide.of(np.rint(events * 2.0**30).astype(np.int64))
            whole = np.floor(events).astype(np.int64)
            squares = np.stack([whole, np.rint((events - whole) * 2.0**40).astype(np.int64)], axis=-1)
            found[dataset, f"{name}2"] = Wide.of(squares)
    return Counts(found)
