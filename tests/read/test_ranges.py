"""Work items along clusters, and the memory that they take."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.read.ranges import cover, cut


@given(st.integers(0, 10**6), st.integers(1, 2000), st.lists(st.integers(0, 10**6), max_size=50))
def test_ranges_cover_all_events_once(entries: int, most: int, edges: list[int]) -> None:
    most = max(most, entries // 500)
    cuts = cut(entries, most, sorted({edge for edge in edges if edge <= entries}))
    assert cuts[0] == 0
    assert cuts[-1] == entries
    sizes = [b - a for a, b in itertools.pairwise(cuts)]
    assert max(sizes) <= most
    assert min(sizes) > 0 or sizes == [0]
    assert len(sizes) == max(1, -(-entries // most))


def test_ranges_end_at_clusters() -> None:
    assert cut(1000, 300, range(0, 1001, 70)) == [0, 280, 490, 770, 1000]
    assert cut(1000, 300, [0, 240, 260, 510, 1000]) == [0, 240, 510, 755, 1000]
    assert cut(1000, 5000, [0, 240, 510, 1000]) == [0, 1000]
    assert cut(0, 10, [0]) == [0, 0]


_MEASURE = """
import re, sys
from pathlib import Path
from gpuhiggs import config, engine

def status(name):
    return int(re.search(name + r":\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) / 1024

def growth(file, **settings):
    run = config.RunConfig.model_validate_json(open(sys.argv[1]).read())
    dataset = run.datasets[0].model_copy(update={"files": (file,)})
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before = status("VmRSS")
    tally = engine.run(run.model_copy(update={"datasets": (dataset,), **settings}))
    assert not tally.failures, tally.failures
    return status("VmHWM") - before, tally.counts.digest()

growth(sys.argv[2])
bounded, digest = growth(sys.argv[3], chunk_memory=8)
whole, same = growth(sys.argv[3])
assert digest == same
print(bounded, whole)
"""


def test_memory_is_bounded_by_the_configuration(
    tmp_path: Path,
    four_muon_events: Callable[..., Any],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., Any],
) -> None:
    """Peak memory of a process that reads 55 MB of columns, 8 MiB at a time and at once."""
    events = four_muon_events(10_000)
    for path in ("HLT_A", "HLT_B"):  # no event is selected: what is kept of them grows with the file
        events[path] = np.zeros(10_000, np.bool_)
    small = write_nanoaod(tmp_path / "small.root", events)
    large = write_nanoaod(tmp_path / "large.root", *[events] * 25)
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None, "files": [str(small)]}
    (tmp_path / "config.json").write_text(four_muon_config(dataset).model_dump_json(by_alias=True))
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, str(tmp_path / "config.json"), str(small), str(large)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bounded, whole = map(float, done.stdout.split())
    assert bounded < 2 * 8 + 16
    assert whole > 40


@given(
    every=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda one: (min(one), max(one)))),
    wanted=st.tuples(st.integers(0, 20), st.integers(0, 20)),
)
def test_cover(every: list[tuple[int, int]], wanted: tuple[int, int]) -> None:
    start, stop = min(wanted), max(wanted)
    found = cover(every, start, stop)
    there = {event for first, last in every for event in range(first, last)}
    if start < stop:
        assert (found is not None) == (set(range(start, stop)) <= there)
    if found is not None:
        assert set(found) <= set(every)
        assert found[0][0] <= start
        assert found[-1][1] >= stop
        assert all(after[0] <= before[1] < after[1] for before, after in itertools.pairwise(found))
