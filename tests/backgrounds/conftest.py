"""Runs whose samples are columns in memory, and what the kernel makes of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuhiggs.engine.tally import Tally
from gpuhiggs.histogram import Counts, Wide, sum_of_weights

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # bench/ is not installed

from bench.nonprompt_runs import Run, make_run


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
