"""Systematic variations against themselves: nominal, chunks, the interpreter, the preselection."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bench import in_memory
from gpuhiggs import variations
from gpuhiggs.engine import preparation, processing
from gpuhiggs.histogram import Counts
from gpuhiggs.kernels import four_lepton, launch
from gpuhiggs.kernels.shifts import NO_REACH
from tests.variations.declared import (
    ROOT,
    SHIFTS,
    N,
    branches_of,
    contents,
    prepared,
)


def test_the_nominal_does_not_depend_on_variations(filled: Counts, columns: four_lepton.Inputs) -> None:
    shifted, _ = processing.run_kernel(prepared({"shifts": SHIFTS}), columns, N)
    plain, _ = processing.run_kernel(prepared(None), columns, N)
    for name in ("m4l", "pt4l", "n_minus_one_pt"):
        np.testing.assert_array_equal(contents(shifted, name)[..., 0], contents(plain, name)[..., 0])
    np.testing.assert_array_equal(shifted.sums["events", "cutflow"].low, plain.sums["events", "cutflow"].low)


def test_one_digest_for_any_chunks(made: preparation.Prepared, filled: Counts, columns: four_lepton.Inputs) -> None:
    total = Counts()
    branches = branches_of(made, N)
    for first, last in ((0, 1), (1, 700), (700, 700), (700, N)):
        arrays = [
            branches.values[start + first * stride : start + last * stride]
            for start, stride in zip(branches.starts, branches.strides, strict=True)
        ]
        part = variations.branches(arrays, branches.strides.tolist())
        total = total + processing.run_kernel(made, in_memory.take(columns, first, last), last - first, part)[0]
    assert total.digest() == filled.digest()


def test_the_interpreter_fills_the_same(
    made: preparation.Prepared, columns: four_lepton.Inputs, tmp_path: Path
) -> None:
    """All variations on: the source itself and what was compiled of it."""
    n = 60
    some = in_memory.take(columns, 0, n)
    in_memory.save(some, tmp_path / "columns.npz")
    (tmp_path / "config.json").write_text(made.config.model_dump_json(by_alias=True))
    script = f"""
from tests.variations.declared import branches_of
from bench import in_memory
from gpuhiggs.engine import preparation, processing
from pathlib import Path
made = preparation.prepare(Path({str(tmp_path / "config.json")!r}).read_text(), "events")
columns = in_memory.load(made.channel.inputs, Path({str(tmp_path / "columns.npz")!r}))
print(processing.run_kernel(made, columns, {n}, branches_of(made, {n}))[0].digest())
"""
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    counts, selected = processing.run_kernel(made, some, n, branches_of(made, n))
    assert selected["event"].size > 3
    assert done.stdout.strip() == counts.digest()


def test_nothing_that_a_variation_selects_is_lost_before(columns: four_lepton.Inputs) -> None:
    """The preselection with thresholds at zero lets everything pass: the same sums."""
    one = prepared({"shifts": SHIFTS})
    reach = one.variations.reach
    assert reach == (1.125, 1.25, 1.0, 1.25, 1.25, 1.25)
    everything_passes = reach._replace(muon=math.inf, electron=math.inf, lepton=math.inf)
    cuts = one.cuts.value
    wide = cuts._replace(dataset=cuts.dataset._replace(reach=everything_passes))  # type: ignore[attr-defined]
    too_narrow = cuts._replace(dataset=cuts.dataset._replace(reach=NO_REACH))  # type: ignore[attr-defined]
    digests = [
        processing.run_kernel(one._replace(cuts=launch.record(type(cuts), value)), near(columns), N)[0].digest()
        for value in (cuts, wide, too_narrow)
    ]
    assert digests[0] == digests[1] != digests[2]


def near(columns: four_lepton.Inputs) -> four_lepton.Inputs:
    """The events with leptons about the thresholds."""

    def closer(one: Any) -> Any:
        return one._replace(pt=np.where(one.pt < 12, np.float32(4.75), one.pt).astype(np.float32))

    return columns._replace(muons=closer(columns.muons), electrons=closer(columns.electrons))
