"""What a run would take, beforehand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uproot

from gpuhiggs.engine.estimate import estimate
from gpuhiggs.report import dry_run


def test_bytes_of_the_needed_branches(
    tmp_path: Path,
    four_muon_events: Callable[..., Any],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = [write_nanoaod(tmp_path / f"{i}.root", four_muon_events(500, i)) for i in range(2)]
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None}
    config = four_muon_config({**dataset, "files": [*map(str, paths), str(tmp_path / "none.root")]})
    [found] = estimate(config)
    assert (found.dataset, found.files, found.events) == ("mc", 2, 1000)
    stored = 0
    for path in paths:
        with uproot.open(path) as file:
            tree = file["Events"]
            unread = {"Electron_mvaFall17V2Iso_WP90", "Electron_mvaIso_WP90", "run", "luminosityBlock"}
            stored += sum(tree[name].compressed_bytes for name in tree.keys(recursive=False) if name not in unread)
    assert found.volumes.keys() == {"zlib"}
    assert 0.8 * stored < found.stored <= stored < found.size
    assert 0 < found.core_seconds < 60
    assert found.failures == (f"{tmp_path / 'none.root'}: no such file",)
    assert dry_run.run(config, workers=0) == 1
    printed = capsys.readouterr().out
    assert "To read: " in printed
    assert "none.root: no such file" in printed
