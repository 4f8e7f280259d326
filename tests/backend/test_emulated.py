"""The CUDA kernels' own scheduling, thread by thread in the interpreter: compaction, shared memory, gate sums.

What this does not say is what a GPU's arithmetic gives: that is for tests with the marker ``gpu``, and the PTX gate.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bench import in_memory, nasty
from bench.channels import CASES
from gpuhiggs.engine import processing

ROOT = Path(__file__).resolve().parents[2]
CHANNEL = "diphoton_atlas"
SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from bench import in_memory
from gpuhiggs.engine import processing
from gpuhiggs.backend.cuda import Cuda
from tests.backend.emulator import EmulatedCard, emulated
prepared = in_memory.prepare({selection!r})
columns = in_memory.load(prepared.channel.inputs, Path({columns!r}))
device = Cuda(EmulatedCard({blocks}, shuffled={shuffled}))
device.kernel = {kernel!r}
with emulated():
    counts, selected = processing.run_kernel(prepared, columns, {n}, device=device, ranges={ranges})
np.savez({result!r}, digest=counts.digest(), **selected)
"""


@pytest.mark.parametrize(
    ("blocks", "shuffled", "kernel", "ranges"),
    [(1, False, "process", ((0, 1900),)), (3, True, "process_shared", ((0, 700), (700, 1900)))],
    ids=["one block, its list runs full", "blocks in any order, two launches"],
)
def test_same_sums_and_events(
    blocks: int, shuffled: bool, kernel: str, ranges: tuple[tuple[int, int], ...], tmp_path: Path
) -> None:
    n = ranges[-1][1]
    case = CASES[CHANNEL]
    inputs = nasty.spoil(case.make(n, 0.7, seed=5), crowded_share=0.003)
    prepared = in_memory.prepare(case.selection)
    expected, events = processing.run_kernel(prepared, inputs, n)
    assert in_memory.Processed(expected, events, prepared.channel.steps).entries("trigger") > 1_024, "of those staged"
    columns, result = tmp_path / "columns.npz", tmp_path / "result.npz"
    in_memory.save(inputs, columns)
    script = SCRIPT.format(
        selection=case.selection, columns=str(columns), result=str(result), blocks=blocks, shuffled=shuffled,
        kernel=kernel, n=n, ranges=ranges,
    )  # fmt: skip
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with np.load(result) as found:
        assert str(found["digest"]) == expected.digest()
        for name, values in events.items():
            assert found[name].tobytes() == values.tobytes(), name
