"""A campaign: the samples of one configuration, and pseudo-data made of events of their own (``gpuhiggs simulate``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pydantic import Field, PositiveInt, field_validator, model_validator

from gpuhiggs.config import Model, read_yaml, validate
from gpuhiggs.errors import InputError
from gpuhiggs.simulate.nanoaod import Format, replacing
from gpuhiggs.simulate.processes import find_process
from gpuhiggs.simulate.pseudo_data import PseudoData, draw_pseudo_data
from gpuhiggs.simulate.sample import SimulatedSample, simulate
from gpuhiggs.simulate.settings import MASS, Settings

POOL_MARGIN = 1.1
"""Events simulated for the pseudo-data, over those expected: more than five standard deviations where they matter."""

DATASETS = "datasets.yaml"
"""The file beside the samples that a run's configuration can take its ``datasets`` from."""


class DataConfig(Model):
    """Pseudo-data: what an experiment would record."""

    luminosity: float = Field(gt=0)
    """fb⁻¹."""
    mu: float = Field(default=1.0, ge=0)
    """Signal strength."""
    processes: tuple[str, ...] | None = None
    """What is in the data; by default every sample's process."""


class CampaignConfig(Model):
    """What ``gpuhiggs simulate`` makes."""

    samples: dict[str, PositiveInt] = Field(min_length=1)
    """Number of events by process."""
    seed: int = Field(ge=0)
    mass: float = Field(default=MASS, gt=0)
    """Of the Higgs boson, GeV."""
    multiparton_interactions: bool = False
    shower_weights: bool = False
    format: Format = "ttree"
    data: DataConfig | None = None

    @field_validator("samples")
    @classmethod
    def _known(cls, samples: dict[str, int]) -> dict[str, int]:
        for name in samples:
            _require_known(name)
        return samples

    @model_validator(mode="after")
    def _data_can_be_drawn(self) -> CampaignConfig:
        for name in self.data.processes or () if self.data else ():
            _require_known(name)
        return self

    def settings(self) -> Settings:
        """Return the settings of the generation."""
        return Settings(self.mass, self.multiparton_interactions, self.shower_weights)


def _require_known(name: str) -> None:
    try:
        find_process(name)
    except InputError as error:
        raise ValueError(str(error)) from error


class Step(NamedTuple):
    """One file of a campaign."""

    process: str
    events: int
    path: Path
    seed: int


class Campaign(NamedTuple):
    """What was made: samples by process, and the pseudo-data if there are any."""

    samples: dict[str, SimulatedSample]
    data: PseudoData | None


def load(path: Path) -> CampaignConfig:
    """Read the configuration of a campaign.

    Raises
    ------
    ConfigError
        If the file cannot be read, or a key or value in it is wrong.
    """
    return validate(CampaignConfig, read_yaml(path), str(path))


def plan(config: CampaignConfig, folder: Path) -> tuple[list[Step], list[Step]]:
    """Return the files to simulate: the samples, and the pools of events that become pseudo-data."""
    samples = [Step(name, n, folder / f"{name}.root", config.seed) for name, n in config.samples.items()]
    pools = []
    if config.data is not None:
        for name in config.data.processes or tuple(config.samples):
            process = find_process(name)
            strength = config.data.mu if process.signal else 1.0
            expected = strength * process.cross_section * config.data.luminosity * 1000.0
            events = int(POOL_MARGIN * expected) + 100
            pools.append(Step(name, events, folder / f"{name}-pool.root", config.seed + 1))
    return samples, pools


def run(
    config: CampaignConfig,
    folder: Path,
    *,
    workers: int = 1,
    progress: Callable[[Step, int], None] | None = None,
) -> Campaign:
    """Simulate what a configuration asks for into *folder*; files that are there already are recognised.

    Parameters
    ----------
    config
        What to make. The pseudo-data's events have seeds of their own.
    folder
        Made if absent. Receives a file a process, ``pseudo-data.root`` with its truth beside it, ``datasets.yaml``.
    workers
        Processes; the result does not depend on them.
    progress
        Called with the file being made and the number of its events that are finished.

    Raises
    ------
    InputError
        If the folder cannot be made; else as :func:`gpuhiggs.simulate.simulate`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: cannot be made: {error.strerror}"
        raise InputError(msg) from error

    def make(step: Step) -> SimulatedSample:
        return simulate(
            step.process,
            step.events,
            step.path,
            seed=step.seed,
            workers=workers,
            settings=config.settings(),
            format=config.format,
            progress=None if progress is None else lambda done: progress(step, done),
        )

    samples, pools = plan(config, folder)
    made = {step.process: make(step) for step in samples}
    data = None
    if config.data is not None:
        drawn = [make(step) for step in pools]
        data = draw_pseudo_data(
            drawn,
            config.data.luminosity,
            folder / "pseudo-data.root",
            seed=config.seed + 2,
            mu=config.data.mu,
            mass=config.mass,
        )
    _write_datasets(folder / DATASETS, made, data)
    return Campaign(made, data)


def _write_datasets(path: Path, samples: dict[str, SimulatedSample], data: PseudoData | None) -> None:
    rows: list[dict[str, Any]] = [
        {
            "name": name,
            "process": name,
            "kind": "simulation",
            "files": [sample.path.name],
            "cross_section": sample.cross_section,
        }
        for name, sample in samples.items()
    ]
    if data is not None:
        rows.append({"name": "pseudo-data", "process": "data", "kind": "data", "files": [data.path.name]})
    with replacing(path) as temporary:
        temporary.write_text(yaml.safe_dump({"datasets": rows}, sort_keys=False, allow_unicode=True), encoding="utf-8")
