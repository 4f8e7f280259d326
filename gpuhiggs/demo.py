"""The embedded default: from nothing to a fitted signal strength.

Simulates H→ZZ*→4ℓ and its ZZ background, draws pseudo-data of Run-2 luminosity from separate events, and puts both
through the same steps as real files: configuration, engine, fit, report. The simulation is kept and recognised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich import get_console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from . import config as configuration
from .config import RunConfig
from .errors import InputError
from .report import process, run_folder
from .simulate import SimulatedSample, draw_pseudo_data, simulate

LUMINOSITY = 138.0
"""fb⁻¹, CMS Run 2 (CMS-PAS-LUM-18-002 and its updates)."""

SEED = 20_260_214

SIMULATION = "simulation"
"""The folder of simulated events within the demo's."""


class Share(NamedTuple):
    """How many events of one process are simulated."""

    process: str
    sample: str
    """What figures call it."""
    template: float
    """Share of the demo's events that make the templates."""


SHARES = (
    Share("ggH_4l", "ggH", 0.22),
    Share("VBF_4l", "VBF", 0.05),
    Share("qqZZ_4l_70to100", "ZZ", 0.05),
    Share("qqZZ_4l_100to150", "ZZ", 0.50),
    Share("qqZZ_4l_150up", "ZZ", 0.18),
)
"""ZZ comes in slices of its mass, so that its small part below the Higgs boson's peak has events enough."""

POOL_MARGIN = 1.1
"""Events simulated for the pseudo-data, over those expected: more than five standard deviations where they matter."""

MODEL: dict[str, Any] = {
    "histogram": "m4l",
    "edges": [106, 112, 118, 122, 124, 126, 130, 134, 140],
    "channels": {"4mu": "* 4mu", "4e": "* 4e", "2e2mu": "* 2e2mu"},
    "signals": ["ggH", "VBF"],
    # CMS-LUM-17-003, -17-004, -18-002: 1.6 % on the whole of Run 2.
    "luminosity_uncertainty": 0.016,
    "normalisations": [
        # LHC Higgs Working Group, Yellow Report 4 (arXiv:1610.07922), 13 TeV: scale ⊕ PDF + αs.
        {"parameter": "theory_ggH", "processes": ["ggH"], "up": 1.056, "down": 0.926},
        {"parameter": "theory_VBF", "processes": ["VBF"], "up": 1.021},
        # The demo's own choice, of the size that analyses of real data find: to be replaced by measured ones there.
        {"parameter": "theory_ZZ", "processes": ["ZZ"], "up": 1.05},
        {"parameter": "efficiency_mu", "channels": ["4mu"], "up": 1.03},
        {"parameter": "efficiency_mu", "channels": ["2e2mu"], "up": 1.015},
        {"parameter": "efficiency_e", "channels": ["4e"], "up": 1.09},
        {"parameter": "efficiency_e", "channels": ["2e2mu"], "up": 1.045},
    ],
}


def run(folder: Path, *, n_events: int, workers: int, luminosity: float = LUMINOSITY) -> int:
    """Simulate, process, fit and report into *folder*; return the exit status.

    Raises
    ------
    InputError
        If the numbers cannot be used, or the folder cannot be written.
    MissingExtraError
        Without the packages of ``gpuhiggs[demo]``.
    """
    if not 0 < luminosity < math.inf:
        msg = f"luminosity: expected a positive number of fb⁻¹, got {luminosity}"
        raise InputError(msg)
    if n_events < 1000:
        msg = f"events: expected at least 1000, got {n_events}"
        raise InputError(msg)
    if (folder / run_folder.RESULTS).exists() and not (folder / SIMULATION).is_dir():
        msg = f"{folder}: has a result that is no demo's; choose another --output"
        raise InputError(msg)
    process.prepare(folder, overwrite=True)
    templates, data = samples(folder / SIMULATION, n_events, workers, luminosity)
    return process.run(make_config(templates, data, luminosity), folder, workers=workers, overwrite=True)


def samples(folder: Path, n_events: int, workers: int, luminosity: float) -> tuple[dict[str, SimulatedSample], Path]:
    """Simulate the templates' events and, with other seeds, those of the pseudo-data; return both."""
    from .simulate import find_process

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made: {error.strerror}"
        raise InputError(msg) from error
    wanted = {share.process: int(share.template * n_events) for share in SHARES}
    pools = {name: int(POOL_MARGIN * find_process(name).cross_section * luminosity * 1000.0) + 100 for name in wanted}
    total = sum(wanted.values()) + sum(pools.values())
    columns = (TextColumn("simulating {task.fields[name]}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=get_console(), disable=not get_console().is_terminal) as bar:
        task = bar.add_task("", total=total, name="")
        before = 0

        def made(name: str, n: int, path: Path, seed: int) -> SimulatedSample:
            nonlocal before
            report = _reporter(bar, task, before, name)
            report(0)
            sample = simulate(name, n, path, seed=seed, workers=workers, progress=report)
            before += n
            return sample

        templates = {name: made(name, n, folder / f"{name}.root", SEED) for name, n in wanted.items()}
        drawn = [made(name, n, folder / f"{name}-pool.root", SEED + 1) for name, n in pools.items()]
    data = draw_pseudo_data(drawn, luminosity, folder / "pseudo-data.root", seed=SEED + 2)
    return templates, data.path


def _reporter(bar: Progress, task: Any, before: int, name: str) -> Callable[[int], None]:
    return lambda done: bar.update(task, completed=before + done, name=name)


def make_config(templates: dict[str, SimulatedSample], data: Path, luminosity: float) -> RunConfig:
    """Return the configuration that a user would write for these files."""
    selection = configuration.shipped_selection("cms-hzz4l-run2-ul")
    paths = [path for primary in selection["triggers"].values() for path in primary]
    selection["triggers"] = {"all": paths}  # pseudo-data is one data set, whatever has fired
    simulated = [
        {
            "name": share.process,
            "process": share.sample,
            "kind": "simulation",
            "files": [str(templates[share.process].path.resolve())],  # as in any configuration that is read
            "cross_section": templates[share.process].cross_section,
        }
        for share in reversed(SHARES)
    ]
    measured = {
        "name": "pseudo-data",
        "process": "pseudo-data",
        "kind": "data",
        "primary_dataset": "all",
        "files": [str(data.resolve())],
    }
    raw = {
        "title": "gpuhiggs simulation",
        "selection": selection,
        "luminosity": luminosity,
        "lumi_mask": None,
        "unblind": True,  # pseudo-data: there is nothing to be influenced by
        "datasets": [*simulated, measured],
        "processes": {
            "ZZ": {"label": "$ZZ^*$", "color": "#3f90da"},
            "VBF": {"label": "$H$ (125 GeV), VBF", "color": "#ffa90e"},
            "ggH": {"label": "$H$ (125 GeV), ggF", "color": "#bd1f01"},
            "pseudo-data": {"label": "Pseudo-data"},
        },
        "model": MODEL,
    }
    return configuration.validate(RunConfig, raw, "demo")
