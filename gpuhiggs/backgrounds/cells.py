"""Control regions as arrays: events of data and of prompt simulation by category, combination of cells, and bin."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..config import NonPromptConfig, RunConfig
from ..errors import ConfigError, InputError
from ..histogram import HistogramSpec, sum_of_squares, sum_of_weights
from ..normalisation import contributions, kind_of
from ..tally import Tally

Floats = NDArray[np.float64]


class Cells(NamedTuple):
    """Events and their variances, arrays of one shape."""

    value: Floats
    variance: Floats

    def minus(self, other: Cells) -> Cells:
        """Return the difference; variances add."""
        return Cells(self.value - other.value, self.variance + other.variance)

    def at(self, where: Any) -> Cells:
        """Return a part."""
        return Cells(self.value[where], self.variance[where])

    def summed(self, axis: int | tuple[int, ...]) -> Cells:
        """Return the sum over axes."""
        return Cells(self.value.sum(axis=axis), self.variance.sum(axis=axis))


class Region(NamedTuple):
    """What one histogram of the control regions holds: shape (categories, combinations, bins)."""

    data: Cells
    prompt: Cells
    """Simulation of genuine objects, as the configuration lists it."""

    @property
    def fakes(self) -> Cells:
        """Data less prompt simulation."""
        return self.data.minus(self.prompt)


def check(config: RunConfig) -> None:
    """Check ``nonprompt`` against the datasets, before anything is processed.

    Raises
    ------
    ConfigError
        If there are no data, a process is unknown, or the prediction is named as a process that there is.
    """
    nonprompt = config.nonprompt
    if nonprompt is None:
        return
    known = {dataset.process: dataset.kind for dataset in config.datasets}
    if "data" not in known.values():
        msg = "nonprompt: there are no data to take a background from"
        raise ConfigError(msg)
    if nonprompt.process in known:
        msg = f"nonprompt.process: {nonprompt.process} is a process of {known[nonprompt.process]} already"
        raise ConfigError(msg)
    classifier = config.selection.classifier
    if classifier is not None and classifier.boundaries:
        msg = "nonprompt: the control regions are not divided by the score of a classifier; leave out its boundaries"
        raise ConfigError(msg)
    if unknown := [name for name in nonprompt.prompt if known.get(name) != "simulation"]:
        simulated = ", ".join(sorted(name for name, kind in known.items() if kind == "simulation"))
        msg = f"nonprompt.prompt: no simulation of {', '.join(unknown)}; there is {simulated or 'none'}"
        raise ConfigError(msg)


def read(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally, spec: HistogramSpec, bins: int) -> Region:
    """Return a histogram of the control regions with so many bins for each combination of cells.

    Raises
    ------
    InputError
        If data or a prompt process could not be processed.
    """
    shape = (len(spec.categories), spec.axis.bins // bins, bins)
    return _region(config, nonprompt, tally, spec, lambda sums: sums[:, 1:-1].reshape(shape))


def read_probes(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally, spec: HistogramSpec) -> Region:
    """Return a histogram by pt, shape (categories, bins); the first and last bin take what lies outside, as cells do.

    Raises
    ------
    InputError
        If data or a prompt process could not be processed.
    """

    def folded(sums: Floats) -> Floats:
        inner = sums[:, 1:-1].copy()
        inner[:, 0] += sums[:, 0]
        inner[:, -1] += sums[:, -1]
        return inner

    return _region(config, nonprompt, tally, spec, folded)


def _region(
    config: RunConfig,
    nonprompt: NonPromptConfig,
    tally: Tally,
    spec: HistogramSpec,
    arranged: Callable[[Floats], Floats],
) -> Region:
    parts = contributions(config, tally)
    wanted = {*nonprompt.prompt} | {dataset.process for dataset in config.datasets if dataset.kind == "data"}
    if missing := sorted(wanted - set(parts)):
        msg = f"nonprompt: {', '.join(missing)} could not be processed, and the control regions need it"
        raise InputError(msg)
    data = [part for process, found in parts.items() if kind_of(config, process) == "data" for part in found]
    prompt = [part for process in nonprompt.prompt for part in parts[process]]
    return Region(*(Cells(*map(arranged, _sums(tally, datasets, spec))) for datasets in (data, prompt)))


def _sums(tally: Tally, datasets: Iterable[tuple[str, float]], spec: HistogramSpec) -> tuple[Floats, Floats]:
    """Return events and variances, flow bins included: shape (categories, bins + 2)."""
    value, variance = np.zeros(spec.shape[:2]), np.zeros(spec.shape[:2])
    for dataset, factor in datasets:
        value += factor * sum_of_weights(tally.counts.sums[dataset, f"{spec.name}/sumw"])[..., 0]
        variance += factor**2 * sum_of_squares(tally.counts.sums[dataset, f"{spec.name}/sumw2"])[..., 0]
    return value, variance
