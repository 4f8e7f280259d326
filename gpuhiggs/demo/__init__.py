"""The embedded default: from nothing to couplings.

Simulates H→ZZ*→4ℓ, H→γγ and H→WW*→eνμν with their backgrounds, draws pseudo-data of one luminosity from other events,
and puts each channel through the same steps as real files: configuration, engine, fit, report. At the end stand the
signal strengths of all channels together, and the couplings. The simulation is kept and recognised. The folder::

    four_lepton/ diphoton/ dilepton/     each the folder of a run
    combination/results.json             strengths, their correlation, κ; see `combination`
    simulation/                          events
    results.json                         the luminosity, and the signal strength of all channels together
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from rich import get_console

from ..errors import InputError
from ..report import process, run_folder
from . import analysis, combination, samples

LUMINOSITY = 36.3
"""fb⁻¹: what CMS recorded in 2016 (CMS-LUM-17-003)."""

SIMULATION, COMBINATION = "simulation", "combination"
"""Folders within the demo's, of the simulated events and of the result of all channels."""


def run(
    folder: Path, *, n_events: int, workers: int, luminosity: float = LUMINOSITY, channels: Sequence[str] | None = None
) -> int:
    """Simulate, process, fit and report into *folder*; return the exit status.

    Parameters
    ----------
    n_events
        Simulated events that the templates' numbers are shares of.
    luminosity
        Of the pseudo-data, fb⁻¹.
    channels
        Short names: ``4l``, ``gg``, ``ww``; all of them if not given.

    Raises
    ------
    InputError
        If the numbers or channels cannot be used, or the folder cannot be written.
    MissingExtraError
        Without the packages of ``gpuhiggs[demo]``.
    """
    analyses = _chosen(channels)
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
    made = samples.make(analyses, folder / SIMULATION, n_events=n_events, workers=workers, luminosity=luminosity)
    console = get_console()
    status = 0
    for name, one in analyses.items():
        console.rule(name)
        config = analysis.run_config(one, made[name].templates, made[name].data, luminosity)
        # One process needs no other.
        status = max(status, process.run(config, folder / name, workers=workers if workers > 1 else 0, overwrite=True))
    if status == 0:
        console.rule(COMBINATION)
        combination.run(folder, list(analyses), luminosity, console)
    return status


def _chosen(channels: Sequence[str] | None) -> dict[str, analysis.Analysis]:
    """Return the analyses by name."""
    known = {name: analysis.load(name) for name in analysis.NAMES}
    shorts = [one.short for one in known.values()]
    wanted = shorts if channels is None else list(channels)
    if not wanted or set(wanted) - set(shorts) or len(set(wanted)) < len(wanted):
        msg = f"channels: expected some of {', '.join(shorts)}, each once; got {', '.join(wanted) or 'none'}"
        raise InputError(msg)
    return {name: one for name, one in known.items() if one.short in wanted}
