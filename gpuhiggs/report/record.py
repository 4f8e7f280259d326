"""What a run leaves, and what a report is made from: in memory at its end, from its folder ever after."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hist
from uhi.io.json import object_hook

from .. import config as configuration
from ..config import RunConfig
from ..errors import GpuhiggsError, InputError
from . import run_folder
from .band import Systematics

ByProcess = dict[str, "hist.Hist[Any]"]


@dataclass(frozen=True)
class Record:
    """A finished run."""

    name: str
    """What a page calls it: the folder's name."""
    folder: Path
    config: RunConfig
    results: dict[str, Any]
    """The content of ``results.json``."""
    histograms: dict[str, ByProcess]
    """By name and process, axes (category, variable), in events expected."""
    systematics: Systematics
    """By name and process, axes (parameter, side, variable)."""
    performance: dict[str, Any]
    """The content of ``performance.json``; empty if the run left none."""

    @property
    def title(self) -> str:
        """The name as words."""
        return self.name.replace("_", " ")

    @property
    def luminosity(self) -> float | None:
        """What simulation is normalised to, fb⁻¹."""
        value = self.results.get("luminosity")
        return float(value) if value else None

    @property
    def conditions(self) -> str:
        """Luminosity and √s in words, for captions."""
        parts = [f"{self.luminosity:.4g} fb⁻¹"] if self.luminosity else []
        parts += [f"√s = {self.config.sqrt_s:g} TeV"] if self.config.sqrt_s else []
        return ", ".join(parts) or "not normalised to a luminosity"

    def of_kind(self, kind: str) -> list[str]:
        """Return the processes of ``data`` or ``simulation``, in the configuration's order.

        A background from data stands before the simulated ones, which it is drawn with.
        """
        found = [dataset.process for dataset in self.config.datasets if dataset.kind == kind]
        if self.config.nonprompt is not None and kind == "simulation":
            found.insert(0, self.config.nonprompt.process)
        return list(dict.fromkeys(found))

    @property
    def signals(self) -> list[str]:
        """The processes that the model scales; none without one."""
        return [] if self.config.model is None else list(self.config.model.signals)

    def label(self, process: str) -> str:
        """Return what a figure calls a process, as LaTeX."""
        style = self.config.processes.get(process)
        return style.label if style else process.replace("_", " ")


def load(folder: Path) -> Record:
    """Read the folder of a finished run.

    Raises
    ------
    InputError
        If it is none, or a file in it is damaged.
    """
    results = _json(folder, run_folder.RESULTS)
    if not isinstance(results, dict) or "selection" not in results:
        msg = f"{folder / run_folder.RESULTS}: not the result of a run"
        raise InputError(msg)
    try:
        config = configuration.load(folder / run_folder.CONFIG)
    except GpuhiggsError as error:
        msg = f"{folder}: its config.yaml is not what this version reads: {error}"
        raise InputError(msg) from error
    return Record(
        folder.resolve().name,
        folder,
        config,
        results,
        _json(folder, run_folder.HISTOGRAMS, histograms=True),
        _json(folder, run_folder.SYSTEMATICS, histograms=True, optional=True),
        _json(folder, run_folder.PERFORMANCE, optional=True),
    )


def _json(folder: Path, name: str, *, histograms: bool = False, optional: bool = False) -> Any:
    path = folder / name
    if optional and not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"), object_hook=object_hook if histograms else None)
        return _hists(content) if histograms else content
    except FileNotFoundError as error:
        msg = f"{folder}: no {name}: not the folder of a finished run"
        raise InputError(msg) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(msg) from error


def _hists(content: Any) -> Any:
    """Turn the leaves of a tree into histograms."""
    if isinstance(content, dict) and "uhi_schema" not in content:
        return {name: _hists(inner) for name, inner in content.items()}
    return hist.Hist(content)
