"""The GPU bench runs on a bare machine: a dry run, with everything blocked that is not there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bench import gpu, in_memory
from bench.channels import CASES
from gpuhiggs.engine import processing
from gpuhiggs.histogram import Counts
from tests.selftest.test_selftest import bare

SCRIPT = """
from bench import gpu
raise SystemExit(gpu.main(sys.argv[1:]))
"""


def test_a_dry_run_on_a_bare_machine(tmp_path: Path) -> None:
    path = tmp_path / "gpu.json"
    done = bare(
        SCRIPT, "--device", "cpu", "--events", "1000", "--repeat", "2", "--channels", "diphoton_atlas",
        "--only", "bandwidth", "channels", "overlap", "--json", str(path),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("python: "), "versions come first"
    found = json.loads(path.read_text())
    assert found["dry_run"] is True
    assert found["machine"]["numba"]
    assert found["bandwidth"]["copy_GB_per_s"] > 0
    few, every = found["channels"]
    assert (few["preselected"], every["preselected"]) == (0.02, 1.0)
    assert 0.0 < few["bytes_an_event"]["listed"] < 0.1 < every["bytes_an_event"]["listed"]
    for row in (few, every):
        assert set(row["kernels"]) == {"select", "process_shared", "widen"}
        assert row["bytes_an_event"]["select"] < row["bytes_an_event"]["both"]
        assert row["whole"]["million_events_per_s"] > 0
    assert 0.0 < found["overlap"]["of_the_slower"] < 2.0
    assert found["gate"] == {}, "nothing was loaded on a GPU"


def test_tiled_events_are_the_same_events_again() -> None:
    prepared = in_memory.prepare(CASES["diphoton_atlas"].selection)
    base = CASES["diphoton_atlas"].make(500, 0.5)
    once, _ = processing.run_kernel(prepared, base, 500)
    thrice, selected = processing.run_kernel(prepared, gpu.tiled(base, 3), 1500)
    assert thrice.digest() == sum([once] * 3, Counts()).digest()
    assert np.unique(selected["event"] % 500, return_counts=True)[1].tolist() == [3] * (selected["event"].size // 3)
