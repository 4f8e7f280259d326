"""A finished run of a few four-muon events, with data and a fit: what a report is made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpuhiggs.config import RunConfig
from gpuhiggs.report import command, couplings, page, process, record, run_sections
from gpuhiggs.report.figure import Section, Table
from gpuhiggs.report.numbers import Column, Numbers

MODEL = {
    "histogram": "m4l",
    "edges": [70, 90, 110, 130, 150, 170],
    "channels": {"untagged": "untagged*", "tagged": "V* | ttH*"},
    "signals": ["H"],
    "luminosity_uncertainty": 0.02,
    "normalisations": [{"parameter": "theory_H", "processes": ["H"], "up": 1.1}],
}

KAPPA = Numbers((Column("kappa", ["kappa_V"], independent=True), Column("value", [1.04])))
INTERPRETATION = Section("strengths", "Couplings", [Table("parameters", "Fitted couplings", "Words.", KAPPA)])
"""What stands for the interpretation: with names that a run's own sections have too."""


@pytest.fixture(scope="session")
def finished_config(
    four_muon_events: Callable[..., Any],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
    tmp_path_factory: pytest.TempPathFactory,
) -> RunConfig:
    """Signal, background and data, drawn alike."""
    folder = tmp_path_factory.mktemp("events")
    sizes = {"signal": 400, "background": 1200, "data": 240}
    paths = {
        name: write_nanoaod(
            folder / f"{name}.root", four_muon_events(n, seed), runs={"genEventSumw": [float(n)]},
            sections={"run": [1], "luminosityBlock": [1]},
        )
        for seed, (name, n) in enumerate(sizes.items())
    }  # fmt: skip
    files = {name: [str(path)] for name, path in paths.items()}
    return four_muon_config(
        {"name": "sig", "process": "H", "kind": "simulation", "cross_section": 0.04, "files": files["signal"]},
        {"name": "bkg", "process": "ZZ", "kind": "simulation", "cross_section": 0.2, "files": files["background"]},
        {"name": "data", "process": "data", "kind": "data", "primary_dataset": "First", "files": files["data"]},
        luminosity=1.0, sqrt_s=13, unblind=True, model=MODEL, title="Test",
        processes={"H": {"label": "$H$", "color": "#bd1f01"}, "ZZ": {"label": "$ZZ^*$"}},
    )  # fmt: skip


@pytest.fixture(scope="session")
def finished(finished_config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the run, without its page."""
    folder = tmp_path_factory.mktemp("run") / "four_lepton"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(page, "publish", lambda *_: None)
        assert process.run(finished_config, folder, workers=0) == 0
    return folder


@pytest.fixture(scope="session")
def sections(finished: Path) -> list[Section]:
    """All that the run has to show."""
    return run_sections.full(record.load(finished))


@pytest.fixture(scope="session")
def reported(finished: Path, sections: list[Section], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of its full report."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_sections, "full", lambda _: sections)
        patch.setattr(couplings, "sections", lambda *_: [INTERPRETATION])  # are tested by themselves
        assert command.run([finished], [], folder) == 0
    return folder
