"""Control regions in one pass with the signal region: the same bits from the interpreter, however events are cut."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import in_memory, nasty
from bench.channels import CASES
from gpuhiggs.histogram import Counts

N_EVENTS = 4_000
ROOT = Path(__file__).resolve().parents[2]
CHANNELS = ("four_lepton", "dilepton", "diphoton")

INTERPRETED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from bench import in_memory
prepared = in_memory.prepare({selection!r}, regions=True)
columns = in_memory.load(prepared.channel.inputs, Path({columns!r}))
print(in_memory.process(prepared, columns).counts.digest())
"""


@pytest.fixture(scope="module", params=CHANNELS)
def channel(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def _events(channel: str) -> tuple[Any, Any]:
    case = CASES[channel]
    prepared = in_memory.prepare(case.selection, regions=True)
    return prepared, nasty.spoil(case.make(N_EVENTS, 0.5, seed=31), crowded_share=0.003)


def test_one_digest(channel: str, tmp_path: Path) -> None:
    prepared, columns = _events(channel)
    whole = in_memory.process(prepared, columns)
    for spec in prepared.specs[-len(prepared.channel.program.namespace().REGION_HISTOGRAMS) :]:
        assert any(whole.integers(f"{spec.name}/sumw")), f"{spec.name} is empty: nothing is tested"

    edges = [0, 1, 700, 701, 2_500, N_EVENTS]
    ranges = list(itertools.pairwise(edges))
    random.Random(3).shuffle(ranges)
    parts = (in_memory.process(prepared, in_memory.take(columns, *limits)).counts for limits in ranges)
    assert sum(parts, Counts()).digest() == whole.counts.digest()

    path = tmp_path / "columns.npz"
    in_memory.save(columns, path)
    script = INTERPRETED.format(root=str(ROOT), selection=CASES[channel].selection, columns=str(path))
    found = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, check=True, capture_output=True,
        text=True,
    )  # fmt: skip
    assert found.stdout.strip() == whole.counts.digest()


def test_the_signal_region_is_the_same_with_and_without(channel: str) -> None:
    prepared, columns = _events(channel)
    with_regions = in_memory.process(prepared, columns)
    without = in_memory.process(in_memory.prepare(CASES[channel].selection), columns)
    for (dataset, name), wide in without.counts.sums.items():
        if name == "cutflow":  # the preselection lets more pass, all of which the channel's own cuts refuse
            assert np.array_equal(wide.low[-1], with_regions.counts.sums[dataset, name].low[-1])
        elif name != "errors":
            assert np.array_equal(wide.low, with_regions.counts.sums[dataset, name].low), name
    for name, values in without.selected.items():
        assert values.tobytes() == with_regions.selected[name].tobytes(), name
