"""The analyses of the demo, one a decay: what each simulates, and its configuration. The numbers are in YAML files."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from .. import config as configuration
from ..config import ProcessStyle, RunConfig
from ..config.fit import ModelConfig
from ..config.frozen import Model
from ..simulate import SimulatedSample
from ..simulate.triggers import PATHS

NAMES = ("four_lepton", "diphoton", "dilepton")


class SampleConfig(Model):
    """A simulated process of an analysis."""

    process: str
    """What figures call it."""
    share: float = Field(gt=0)
    """Events of the templates, over those that the demo is asked for."""
    repeated: bool = False
    """Its template's events are the pseudo-data's too, drawn several times; otherwise these have their own."""


class Analysis(Model):
    """One analysis of the demo."""

    short: str
    """What the command line calls it."""
    selection: str
    skim: Literal["diphotons", "electrons_and_muons"] | None = None
    """What the pseudo-data keep of all events; all of them if not given."""
    samples: dict[str, SampleConfig] = Field(min_length=1)
    """In the order in which figures stack them."""
    processes: dict[str, ProcessStyle]
    model: ModelConfig


def load(name: str) -> Analysis:
    """Return the analysis of that name."""
    path = resources.files(__package__) / f"{name}.yaml"
    with resources.as_file(path) as file:
        return configuration.validate(Analysis, configuration.read_yaml(file), str(file))


def run_config(analysis: Analysis, templates: dict[str, SimulatedSample], data: Path, luminosity: float) -> RunConfig:
    """Return the configuration that a user would write for these files."""
    selection = configuration.shipped_selection(analysis.selection)
    paths = [path for primary in selection["triggers"].values() for path in primary if path in PATHS]
    selection["triggers"] = {"all": paths}  # of those that are simulated; pseudo-data is one data set, whatever fired
    datasets: list[dict[str, Any]] = [
        {
            "name": name,
            "process": sample.process,
            "kind": "simulation",
            "files": [str(templates[name].path.resolve())],  # as in any configuration that is read
            "cross_section": templates[name].cross_section,
        }
        for name, sample in analysis.samples.items()
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
        "sqrt_s": 13,
        "selection": selection,
        "luminosity": luminosity,
        "lumi_mask": None,
        "unblind": True,  # pseudo-data: there is nothing to be influenced by
        "datasets": [*datasets, measured],
        "processes": {name: style.model_dump(exclude_unset=True) for name, style in analysis.processes.items()},
        "model": analysis.model.model_dump(exclude_unset=True),
    }
    return configuration.validate(RunConfig, raw, "demo")
