"""The same bits from the compiled code, from the interpreter, and however the events are cut into ranges."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from bench import in_memory, nasty
from bench.channels import CASES
from gpuhiggs.engine import preparation, processing
from gpuhiggs.histogram import Counts

N_EVENTS = 8_000
ROOT = Path(__file__).resolve().parents[2]


class Sample(NamedTuple):
    """Events of one channel and what the CPU build makes of them."""

    prepared: preparation.Prepared
    inputs: Any
    processed: in_memory.Processed


@pytest.fixture(scope="module", params=CASES)
def sample(request: pytest.FixtureRequest) -> Sample:
    """A mix of 40 % preselected events, with all that a file can hold."""
    case = CASES[request.param]
    prepared = in_memory.prepare(case.selection)
    inputs = nasty.spoil(case.make(N_EVENTS, 0.4, seed=18), crowded_share=0.003)
    return Sample(prepared, inputs, in_memory.process(prepared, inputs))


def test_sample_takes_every_branch(sample: Sample) -> None:
    assert sample.processed.selected["event"].size > N_EVENTS / 1_000
    bad_weight, over_capacity = sample.processed.errors
    assert bad_weight > 0
    # That channel looks for the two hardest photons in the file: it needs no room for more.
    assert (over_capacity > 0) != (sample.prepared.channel.name == "diphoton_atlas")
    steps = sample.processed.steps
    idle = {
        step
        for step, before in zip(steps[1:], steps, strict=False)
        if sample.processed.entries(step) == sample.processed.entries(before)
    }
    # There is no luminosity mask, ATLAS has no filters, and its photons of 2020 are all above the leading one's cut.
    known = {"diphoton_atlas": {"leading_pt"}}.get(sample.prepared.channel.name, set())
    assert idle <= {"certified", "filters"} | known


INTERPRETED = """
import sys
from pathlib import Path
import numpy as np
sys.path.insert(0, {root!r})
from bench import in_memory
from gpuhiggs.kernels import launch
prepared = in_memory.prepare({selection!r})
columns = in_memory.load(prepared.channel.inputs, Path({columns!r}))
found = in_memory.process(prepared, columns)
launch.driver(prepared.channel.program).preselect = lambda event, inputs, cuts: True
everything = in_memory.process(prepared, columns)
np.savez({result!r}, digest=found.counts.digest(), everything=everything.counts.digest(), **found.selected)
"""


def test_interpreter(sample: Sample, tmp_path: Path) -> None:
    """Without a compiler: the same source, run by Python. Nor does it matter if every event is handed to the body."""
    columns, result = tmp_path / "columns.npz", tmp_path / "result.npz"
    in_memory.save(sample.inputs, columns)
    selection = CASES[sample.prepared.channel.name].selection
    script = INTERPRETED.format(root=str(ROOT), selection=selection, columns=str(columns), result=str(result))
    subprocess.run([sys.executable, "-c", script], env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, check=True)
    with np.load(result) as found:
        for name, values in sample.processed.selected.items():
            assert found[name].tobytes() == values.tobytes(), name
        assert str(found["digest"]) == sample.processed.counts.digest()
        assert str(found["everything"]) == sample.processed.counts.digest()


def _in_chunks(sample: Sample, size: int, map_: Callable[..., Any], shuffled: bool = False) -> Counts:
    edges = [*range(0, N_EVENTS, size), N_EVENTS]
    ranges = list(itertools.pairwise(edges))
    if shuffled:
        random.Random(5).shuffle(ranges)

    def chunk(limits: tuple[int, int]) -> Counts:
        return in_memory.process(sample.prepared, in_memory.take(sample.inputs, *limits)).counts

    return sum(map_(chunk, ranges), Counts())


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("size", [777, N_EVENTS])
def test_chunks(sample: Sample, size: int, shuffled: bool) -> None:
    assert _in_chunks(sample, size, map, shuffled).digest() == sample.processed.counts.digest()


@pytest.mark.parametrize("n_threads", [1, 2])
def test_threads(sample: Sample, n_threads: int) -> None:
    with ThreadPoolExecutor(n_threads) as pool:
        assert _in_chunks(sample, 1_000, pool.map).digest() == sample.processed.counts.digest()


def test_launches(sample: Sample, monkeypatch: pytest.MonkeyPatch) -> None:
    """One chunk run as many launches."""
    edges = [0, 1, 2, 500, 501, 5_000, N_EVENTS]
    monkeypatch.setattr(processing, "launch_ranges", lambda *_: list(itertools.pairwise(edges)))
    processed = in_memory.process(sample.prepared, sample.inputs)
    assert processed.counts.digest() == sample.processed.counts.digest()
    for name, values in sample.processed.selected.items():
        assert processed.selected[name].tobytes() == values.tobytes()


def test_nothing_to_do(sample: Sample) -> None:
    """No events give the sums of no events, not the absence of sums."""
    empty = in_memory.process(sample.prepared, in_memory.take(sample.inputs, 7, 7))
    assert empty.counts.sums.keys() == sample.processed.counts.sums.keys()
    assert (empty.counts + sample.processed.counts).digest() == sample.processed.counts.digest()
