"""What a run says of itself while it goes on and when it ends: few lines, complete."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from gpuhiggs.engine.books import Progress
from gpuhiggs.report import progress, provenance

HALFWAY = Progress(
    files=40, files_done=20, files_restored=5, files_failed=1, events=4_000_000, events_done=2_000_000, retries=3,
    seconds=10.0, read_seconds=12.0, process_seconds=18.5, worker_memory=300 * 2**20,
)  # fmt: skip


def test_sentence() -> None:
    said = progress.sentence(HALFWAY)
    for part in (
        "21 of 40 files", "2000000 events", "0.2 M/s", "5 files done before", "1 failed, 3 tried again",
        "12 s reading, 6 s in kernels", "12 s left", "workers 300",
    ):  # fmt: skip
        assert part in said
    assert "5000/s" in progress.sentence(HALFWAY._replace(seconds=400.0))


def test_progress_is_kept_for_other_programs(tmp_path: Path) -> None:
    said = io.StringIO()
    with progress.shown(Console(file=said), tmp_path) as show:
        show(HALFWAY)
    kept = json.loads((tmp_path / "progress.json").read_text())
    assert kept.items() >= HALFWAY._asdict().items()
    assert kept["rate"] == 200_000
    assert kept.keys() - HALFWAY._asdict() == {"rate", "remaining", "peak_memory", "time"}
    assert progress.kept(tmp_path) == kept
    assert len(said.getvalue().splitlines()) == 1


def test_absent_trigger_paths_are_one_line() -> None:
    warnings = [f"{name}: no HLT_{n}: taken as false (in 3 of 3 files)" for n in range(12) for name in ("a", "b")]
    assert provenance.briefly(["a: 1 of 2 files are processed", *warnings], ["a", "b"]) == (
        "1 of 2 files are processed (a)",
        "12 trigger paths are not in all files, and taken as false there: HLT_0, HLT_1, HLT_2 and 9 more",
    )
    assert provenance.briefly(warnings[:2], ["a", "b"]) == (
        "1 trigger paths are not in all files, and taken as false there: HLT_0",
    )
