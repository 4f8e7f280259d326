"""The processes that can be simulated: Pythia settings and cross sections, one row a process in ``processes.yaml``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import yaml

from gpuhiggs.errors import InputError


@dataclass(frozen=True)
class Process:
    """One row of ``processes.yaml``.

    Attributes
    ----------
    name, title
        Name in configurations and file names; title for figures.
    signal
        Whether a signal strength applies to it.
    settings
        Pythia commands, decays included.
    production_pb, branching_ratio, k_factor
        Factors of the cross section.
    source
        Where these three numbers are from.
    """

    name: str
    title: str
    signal: bool
    settings: tuple[str, ...]
    production_pb: float
    branching_ratio: float
    k_factor: float
    source: str

    @property
    def cross_section(self) -> float:
        """Cross section in pb, branching ratio and k-factor included."""
        return self.production_pb * self.branching_ratio * self.k_factor


@cache
def known_processes() -> dict[str, Process]:
    """All processes by name, in the order of the table."""
    table = yaml.safe_load(files(__package__).joinpath("processes.yaml").read_text(encoding="utf-8"))
    processes = {}
    for name, row in table["processes"].items():
        settings = (*row.pop("settings"), *table["decays"][row.pop("decay")])
        processes[name] = Process(name=name, settings=settings, **row)
    return processes


def find_process(name: str) -> Process:
    """Return the process of that *name*, or raise InputError with the names that are known."""
    processes = known_processes()
    if name not in processes:
        msg = f"unknown process {name!r}; known to the simulation: {', '.join(processes)}"
        raise InputError(msg)
    return processes[name]
