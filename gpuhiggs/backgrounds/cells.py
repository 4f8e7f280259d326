"""Control regions as arrays: events of data and of prompt simulation by category, combination of cells, and bin."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..config import NonPromptConfig, RunConfig
from ..engine.tally import Tally
from ..errors import ConfigError, InputError
from ..histogram import HistogramSpec, sum_of_squares, sum_of_weights
from ..normalisation import contributions, luminosity_of, normalised_to

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
    for key, names in (("prompt", nonprompt.prompt), ("electroweak", nonprompt.electroweak)):
        if unknown := [name for name in names if known.get(name) != "simulation"]:
            simulated = ", ".join(sorted(name for name, kind in known.items() if kind == "simulation"))
            msg = f"nonprompt.{key}: no simulation of {', '.join(unknown)}; there is {simulated or 'none'}"
            raise ConfigError(msg)
    if both := sorted(set(nonprompt.prompt) & set(nonprompt.electroweak)):
        msg = f"nonprompt: {', '.join(both)} is in prompt and in electroweak"
        raise ConfigError(msg)
    measured_in = nonprompt.measured_in
    if measured_in is not None and (known.get(measured_in) != "data" or list(known.values()).count("data") < 2):
        msg = f"nonprompt.measured_in: {measured_in} is no process of data beside which there are others"
        raise ConfigError(msg)


def left_out(config: RunConfig) -> set[str]:
    """Return the processes that serve to measure rates, and are no part of anything else."""
    nonprompt = config.nonprompt
    if nonprompt is None:
        return set()
    return set(nonprompt.electroweak) | ({nonprompt.measured_in} if nonprompt.measured_in else set())


def read(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally, spec: HistogramSpec, bins: int) -> Region:
    """Return a histogram of the control regions with so many bins for each combination of cells.

    Raises
    ------
    InputError
        If data or a prompt process could not be processed.
    """
    shape = (len(spec.categories), spec.axis.bins // bins, bins)
    names = _data(config) - left_out(config)
    return _region(config, tally, spec, names, nonprompt.prompt, lambda sums: sums[:, 1:-1].reshape(shape))


def read_whole(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally, spec: HistogramSpec) -> Region:
    """Return an ordinary histogram of a control region, flow bins included: shape (categories, bins + 2).

    Raises
    ------
    InputError
        If data or a prompt process could not be processed.
    """
    names = _data(config) - left_out(config)
    return _region(config, tally, spec, names, nonprompt.prompt, lambda found: found)


def read_probes(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally, spec: HistogramSpec) -> Region:
    """Return a histogram by pt, shape (categories, bins); the first and last bin take what lies outside, as cells do.

    Simulation is scaled to the luminosity of the data in which rates are measured.

    Raises
    ------
    InputError
        If data or a process could not be processed.
    """

    def folded(sums: Floats) -> Floats:
        inner = sums[:, 1:-1].copy()
        inner[:, 0] += sums[:, 0]
        inner[:, -1] += sums[:, -1]
        return inner

    names = {nonprompt.measured_in} if nonprompt.measured_in else _data(config)
    simulated = (*nonprompt.prompt, *nonprompt.electroweak)
    found = _region(config, tally, spec, names, simulated, folded)
    factor = _share_of_luminosity(config, nonprompt, tally)
    return found._replace(prompt=Cells(found.prompt.value * factor, found.prompt.variance * factor**2))


def _share_of_luminosity(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally) -> float:
    """Return the luminosity in which rates are measured, over what simulation is normalised to."""
    own = nonprompt.measured_luminosity
    if own is None and nonprompt.measured_in is not None:
        own = luminosity_of(config, tally, nonprompt.measured_in)
    whole = normalised_to(config, tally)
    return 1.0 if own is None or whole is None else own / whole


def _data(config: RunConfig) -> set[str]:
    return {dataset.process for dataset in config.datasets if dataset.kind == "data"}


def _region(
    config: RunConfig,
    tally: Tally,
    spec: HistogramSpec,
    data: Collection[str],
    simulated: Collection[str],
    arranged: Callable[[Floats], Floats],
) -> Region:
    parts = contributions(config, tally)
    if missing := sorted({*data, *simulated} - set(parts)):
        msg = f"nonprompt: {', '.join(missing)} could not be processed, and the control regions need it"
        raise InputError(msg)
    both = ([part for process in sorted(names) for part in parts[process]] for names in (data, simulated))
    return Region(*(Cells(*map(arranged, sums(tally, datasets, spec))) for datasets in both))


def sums(tally: Tally, datasets: Iterable[tuple[str, float]], spec: HistogramSpec) -> tuple[Floats, Floats]:
    """Return events and variances of datasets and their factors, flow bins included: shape (categories, bins + 2)."""
    value, variance = np.zeros(spec.shape[:2]), np.zeros(spec.shape[:2])
    for dataset, factor in datasets:
        value += factor * sum_of_weights(tally.counts.sums[dataset, f"{spec.name}/sumw"])[..., 0]
        variance += factor**2 * sum_of_squares(tally.counts.sums[dataset, f"{spec.name}/sumw2"])[..., 0]
    return value, variance
