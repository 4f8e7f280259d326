"""The processes that can be simulated: Pythia settings and cross sections, from ``processes.yaml``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from gpuhiggs.errors import InputError, choices


@dataclass(frozen=True)
class Process:
    """A process that can be simulated.

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
    jet_fakes
        Whether one jet of each event is taken for a photon, with the chance of that as event weight.
    lepton_fakes
        How many jets of each event are taken for leptons, likewise: 0 to 2.
    jet_weights
        Factors on the weights of events with 0, 1 … hard jets, the last for more of them too; none if empty.
    """

    name: str
    title: str
    signal: bool
    settings: tuple[str, ...]
    production_pb: float
    branching_ratio: float
    k_factor: float
    source: str
    jet_fakes: bool = False
    lepton_fakes: int = 0
    jet_weights: tuple[float, ...] = ()

    @property
    def cross_section(self) -> float:
        """Cross section in pb, branching ratio and k-factor included."""
        return self.production_pb * self.branching_ratio * self.k_factor

    @property
    def production(self) -> str | None:
        """How the Higgs boson is made: ``ggH``, ``VBF``, ``WH``, ``ZH`` or ``ttH``; None without one."""
        return self.name.partition("_")[0] if self.signal else None


@cache
def known_processes() -> dict[str, Process]:
    """All processes by name, in the order of the table."""
    table = yaml.safe_load(files(__package__).joinpath("processes.yaml").read_text(encoding="utf-8"))
    processes = {process.name: process for process in _signals(table["higgs"])}
    for name, row in table["processes"].items():
        settings = (*row.pop("settings"), *table["decays"][row.pop("decay")])
        factors = tuple(row.pop("jet_weights", ()))
        processes[name] = Process(name=name, settings=settings, jet_weights=factors, **row)
    return processes


def _signals(higgs: dict[str, Any]) -> Iterator[Process]:
    """Combine each way to make a Higgs boson with each of its decays."""
    for production, made in higgs["productions"].items():
        for decay, row in higgs["decays"].items():
            if production not in row.get("without", ()):
                yield Process(
                    name=f"{production}_{decay}",
                    title=f"{made['title']}, {row['title']}",
                    signal=True,
                    settings=(*made["settings"], *row["settings"]),
                    production_pb=made["pb"],
                    branching_ratio=row["branching_ratio"] * row.get("with", {}).get(production, 1.0),
                    k_factor=1.0,
                    source=higgs["source"],
                )


def find_process(name: str) -> Process:
    """Return the process of that *name*, or raise InputError with the names that are known."""
    processes = known_processes()
    if name not in processes:
        msg = f"unknown process {name!r}; {choices(name, processes)}"
        raise InputError(msg)
    return processes[name]
