"""A peak on a smooth background as its YAML file declares it: histograms, families of functions, uncertainties."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import uproot
from pydantic import Field, model_validator

from gpuhiggs.config.frozen import read_yaml, validate
from gpuhiggs.errors import InputError, RunError
from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.inference.modifiers import Declaration
from gpuhiggs.inference.parametric.background import FAMILIES, Background
from gpuhiggs.inference.parametric.envelope import FTest, choose_order
from gpuhiggs.inference.parametric.model import Category, Nuisance
from gpuhiggs.inference.parametric.peak import fit_gaussians, fit_peak

Sizes = float | dict[str, float]
"""A relative change at +1 σ: of all categories, or by category."""


class NuisanceConfig(Declaration):
    """A constrained parameter: relative changes of the peak's position, width and yield."""

    scale: Sizes = 0.0
    resolution: Sizes = 0.0
    rate: Sizes = 0.0


class PeakConfig(Declaration):
    """A peak on a smooth background."""

    file: str
    """ROOT file of TH1s, such as a run's ``histograms.root``; from the folder of this declaration."""
    data: str
    """Name of the histogram of data, in which ``{category}`` stands for each category's parts."""
    signal: tuple[str, ...] = Field(min_length=1)
    """Names of those of the signal, in events expected; they are added up."""
    categories: dict[str, tuple[str, ...]] = Field(min_length=1)
    """Names of categories, and the parts of each in the file, which are added up."""
    window: tuple[float, float]
    """In GeV: edges of bins."""
    mass: float = Field(gt=0)
    """Of the simulated signal, in GeV."""
    shape: Literal["crystal-ball", "gaussians"] = "crystal-ball"
    """The peak: a double-sided Crystal Ball, or a sum of three Gaussians."""
    families: tuple[str, ...] = tuple(FAMILIES)
    highest_order: int = Field(default=6, ge=1, le=9)
    p_value: float = Field(default=0.05, gt=0, lt=1)
    """Of the F-test: the order is raised as long as the improvement is less probable than this."""
    nuisances: dict[str, NuisanceConfig] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _names(cls, raw: Any) -> Any:
        """Let one name stand for a list of one, and a list of categories for categories of one part."""
        if not isinstance(raw, dict):
            return raw
        made = dict(raw)
        if isinstance(made.get("signal"), str):
            made["signal"] = (made["signal"],)
        parts = made.get("categories")
        if isinstance(parts, list):
            made["categories"] = {str(name): (str(name),) for name in parts}
        elif isinstance(parts, dict):
            made["categories"] = {n: (part,) if isinstance(part, str) else part for n, part in parts.items()}
        return made

    @model_validator(mode="after")
    def _check(self) -> PeakConfig:
        if unknown := [name for name in self.families if name not in FAMILIES]:
            msg = f"families: unknown {', '.join(unknown)}; known: {', '.join(FAMILIES)}"
            raise ValueError(msg)
        for name, nuisance in self.nuisances.items():
            for what in (nuisance.scale, nuisance.resolution, nuisance.rate):
                if isinstance(what, dict) and (unknown := sorted(set(what) - set(self.categories))):
                    msg = (
                        f"nuisances.{name}: unknown category {', '.join(unknown)}; known: {', '.join(self.categories)}"
                    )
                    raise ValueError(msg)
        if not self.window[0] < self.mass < self.window[1]:
            msg = f"window {list(self.window)}: the mass {self.mass:g} is not within"
            raise ValueError(msg)
        return self


@dataclass(frozen=True)
class PeakModel:
    """What was declared, read and prepared: the categories with the best of their functions to start with."""

    config: PeakConfig
    categories: tuple[Category, ...]
    nuisances: tuple[Nuisance, ...]
    tests: dict[str, dict[str, FTest]]
    """The F-tests by category and family."""

    @property
    def candidates(self) -> dict[str, tuple[Background, ...]]:
        """The functions of each category: of each family that of the order which the F-test chose."""
        return {name: tuple(test.chosen for test in found.values()) for name, found in self.tests.items()}


def read(path: Path) -> PeakModel:
    """Read a declaration and its histograms, fit the peaks to simulation, choose the order of each family.

    Raises
    ------
    InputError
        The declaration is not understood, or a histogram is missing or not what it should be.
    RunError
        A peak, or every function of a category, could not be fitted.
    """
    config = _config(path)
    try:
        categories = _categories(config, path)
    except InputError as error:
        msg = f"{path}: {error}"
        raise InputError(msg) from error
    nuisances = tuple(
        Nuisance(name, *(_sizes(config, part) for part in (one.scale, one.resolution, one.rate)))
        for name, one in config.nuisances.items()
    )
    tests = {
        category.name: {
            family: choose_order(
                category, family, highest=config.highest_order, p_value=config.p_value, mass=config.mass
            )
            for family in config.families
        }
        for category in categories
    }
    return PeakModel(config, categories, nuisances, tests)


def _config(path: Path) -> PeakConfig:
    raw = read_yaml(path)
    if set(raw) != {"peak"} or not isinstance(raw["peak"], dict):
        msg = f"{path}: expected the one key peak, a mapping; a run's configuration is for gpuhiggs run"
        raise InputError(msg)
    return validate(PeakConfig, raw["peak"], f"{path}: peak")


def _sizes(config: PeakConfig, sizes: Sizes) -> dict[str, float]:
    if isinstance(sizes, dict):
        return sizes
    return dict.fromkeys(config.categories, sizes) if sizes else {}


def _categories(config: PeakConfig, path: Path) -> tuple[Category, ...]:
    file = path.parent / config.file
    try:
        source = uproot.open(file)
    except Exception as error:  # whatever a file that is no ROOT file makes uproot stumble over
        msg = f"{file}: cannot be read as a ROOT file: {str(error).strip().splitlines()[0]}"
        raise InputError(msg) from error
    with source:
        known = set(source.keys(cycle=False, filter_classname="TH1*"))
        return tuple(_category(config, source, known, name, parts) for name, parts in config.categories.items())


def _category(config: PeakConfig, source: Any, known: set[str], name: str, parts: Sequence[str]) -> Category:
    edges, counts, _ = _summed(config, source, known, (config.data,), parts)
    _, expected, variances = _summed(config, source, known, config.signal, parts)
    if not np.array_equal(counts, np.rint(counts)):
        msg = f"category {name!r}: {config.data} has bins that are no counts (are data withheld?)"
        raise InputError(msg)
    fit = fit_peak if config.shape == "crystal-ball" else fit_gaussians
    try:
        peak = fit(edges, expected, variances, config.mass)
    except (InputError, RunError) as error:
        msg = f"category {name!r}, its signal: {error}"
        raise type(error)(msg) from error
    inside = np.diff(peak.cumulative(edges[[0, -1]], config.mass))[0]
    first = FAMILIES[config.families[0]](1)
    return Category(name, edges, counts, peak, float(expected.sum() / inside), first)


def _summed(
    config: PeakConfig, source: Mapping[str, Any], known: set[str], names: Sequence[str], parts: Sequence[str]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return edges, events and their variances in the window."""
    edges: FloatArray | None = None
    total: Any = 0.0
    variance: Any = 0.0
    for name in [name.replace("{category}", part) for name in names for part in parts]:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or sorted(known)[:3]
            msg = f"no histogram {name!r} in {config.file}; near: {', '.join(near)}"
            raise InputError(msg)
        histogram = source[name]
        own = np.asarray(histogram.axis().edges())
        if edges is not None and not np.array_equal(own, edges):
            msg = f"histogram {name!r} has other bins than those before it"
            raise InputError(msg)
        edges = own
        total, variance = total + histogram.values(), variance + histogram.variances()
    assert edges is not None
    first, last = (int(np.argmin(np.abs(edges - edge))) for edge in config.window)
    for place, edge in ((first, config.window[0]), (last, config.window[1])):
        if abs(edges[place] - edge) > 1e-6 * abs(edge):
            msg = f"window: {edge:g} is no edge of the histograms; the nearest is {edges[place]:g}"
            raise InputError(msg)
    bins = slice(first, last)
    return edges[first : last + 1], np.asarray(total[bins], dtype=float), np.asarray(variance[bins], dtype=float)
