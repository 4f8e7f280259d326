"""Z+X as a process of the four-lepton run: yields of both methods combined, a shape, and their uncertainties."""

from __future__ import annotations

from typing import Any, NamedTuple

import hist
import numpy as np

from .. import channels
from ..config import NonPromptConfig, RunConfig
from ..engine.tally import Tally
from ..errors import InputError
from ..histogram import HistogramSpec
from ..kernels import four_lepton as channel_kernel
from ..kernels import four_lepton_out
from ..kernels import four_lepton_regions as kernel
from . import cells as control
from . import four_lepton, rates
from .cells import Cells, Floats, Region
from .four_lepton import Prediction
from .rates import Rates
from .result import Estimate, Uncertainty, to_hist

FINAL_STATES = channel_kernel.FINAL_STATES
TARGETS = four_lepton_out.COMMON
"""Histograms that are predicted, as the kernel has them by cells."""
MERGED = ((0,), (1,), (2, 3))
"""The kernel's STATES that make up each final state."""

NEGATIVE = 2.0
"""Standard deviations below zero at which a yield is an error: more is subtracted than can be there."""


class Measured(NamedTuple):
    """What the control regions of a run hold."""

    rates: Rates
    pt_edges: Floats
    by_histogram: dict[str, dict[str, Region]]
    """By histogram and region, shape (states, combinations, its bins with flow)."""
    production: dict[str, Region]
    """By region, shape (states, combinations, production categories × ranges of the score)."""

    @property
    def regions(self) -> dict[str, Region]:
        """Return the regions in bins of m4l."""
        return self.by_histogram["m4l"]


class Yields(NamedTuple):
    """Events of each final state, shape (3,), and their errors: all of them, and the part that is not in the bins."""

    value: Floats
    error: Floats
    common: Floats


def measure(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally) -> Measured:
    """Read the control regions and measure the rates.

    Raises
    ------
    InputError
        If a flavour has no rates, or a dataset is missing.
    """
    probes, *by_histogram, by_production = channels.find(config.selection.channel).regions(config.selection)
    specs = _specs(config)
    parts = kernel.N_PRODUCTION * _parts(specs["m4l"])
    fakes = control.read_probes(config, nonprompt, tally, probes).fakes
    shape = (len(four_lepton.FLAVOURS), 2, 2, probes.axis.bins)  # flavour, region of |η|, selected or failing, pt
    selected, failing = (Cells(*(values.reshape(shape)[:, :, i] for values in fakes)) for i in range(2))
    edges = np.asarray(probes.axis.to_hist().edges)
    return Measured(
        rates.measure(selected, failing, four_lepton.FLAVOURS, edges),
        edges,
        {
            name: four_lepton.split(control.read(config, nonprompt, tally, by_cells, specs[name].axis.bins + 2))
            for name, by_cells in zip(TARGETS, by_histogram, strict=True)
        },
        four_lepton.split(control.read(config, nonprompt, tally, by_production, parts)),
    )


def estimate(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally) -> Estimate:
    """Predict Z+X in every category of TARGETS.

    A final state whose yield is negative, within two standard deviations, has none; its bins that come out negative are
    set to zero, and the others scaled to the yield. Production categories, and ranges of a classifier's score, share
    the shape of their final state.

    Raises
    ------
    InputError
        If the regions are empty, a yield is further below zero, or a dataset is missing.
    """
    found = measure(config, nonprompt, tally)
    if not any(region.data.value.any() for region in found.regions.values()):
        msg = "nonprompt: the control regions of loose leptons hold no data at all"
        raise InputError(msg)
    opposite, same = _both(found.regions, found.rates)
    yields = believed(opposite, same, nonprompt)
    notes = list(found.rates.notes)
    for state, value, error in zip(FINAL_STATES, yields.value, yields.error, strict=True):
        if value < -NEGATIVE * error:
            msg = f"nonprompt: {value:.3g} ± {error:.2g} events of {state}: too much prompt simulation is subtracted"
            raise InputError(msg)
        if value <= 0.0:
            notes.append(f"{nonprompt.process}: {value:.3g} ± {error:.2g} events of {state}, taken as none")
    specs = _specs(config)
    shares = _both(found.production, found.rates)
    templates = {
        name: to_hist(specs[name], _template(_both(regions, found.rates), shares, yields, specs[name]))
        for name, regions in found.by_histogram.items()
    }
    uncertainties = tuple(
        Uncertainty(
            f"{nonprompt.process}_{state}",
            {c: float(common / value) for c in specs["m4l"].categories if state in c.split()},
        )
        for state, value, common in zip(FINAL_STATES, yields.value, yields.common, strict=True)
        if value > 0.0
    )
    return Estimate(
        nonprompt.process,
        templates,
        uncertainties,
        _control(config, nonprompt, tally, specs["m4l"]),
        {
            "yields": {
                state: {"value": float(v), "error": float(e)}
                for state, v, e in zip(FINAL_STATES, yields.value, yields.error, strict=True)
            },
            "opposite_sign": _by_state(opposite),
            "same_sign": _by_state(same),
            "regions": {name: _contents(region) for name, region in found.regions.items()},
            "fake_rates": rates.to_json(found.rates, four_lepton.FLAVOURS, found.pt_edges),
        },
        tuple(notes),
    )


def believed(opposite: Prediction, same: Prediction, nonprompt: NonPromptConfig) -> Yields:
    """Return the yields by final state of the method that the configuration names, its systematic error included."""
    match nonprompt.method:
        case "opposite-sign":
            value, error = opposite.total, opposite.error
        case "same-sign":
            value, error = same.total, same.error
            if not np.isfinite(error).all():
                empty = ", ".join(s for s, e in zip(kernel.STATES, error, strict=True) if not np.isfinite(e))
                msg = f"nonprompt: the same-sign method has no pairs of failing leptons in {empty}"
                raise InputError(msg)
        case _:
            value, error = four_lepton.combined(opposite, same)
    counted = np.minimum(opposite.events.variance.sum(axis=1), error**2)  # what the bins' own errors are made of
    merged = [[_sum(value, states), _sum(error**2, states), _sum(error**2 - counted, states)] for states in MERGED]
    total, variance, rest = np.array(merged).T
    systematic = (nonprompt.systematic * total) ** 2
    return Yields(total, np.sqrt(variance + systematic), np.sqrt(rest + systematic))


def _sum(values: Floats, states: tuple[int, ...]) -> float:
    return float(sum(values[state] for state in states))


def _both(regions: dict[str, Region], measured: Rates) -> tuple[Prediction, Prediction]:
    return four_lepton.opposite_sign(regions, measured), four_lepton.same_sign(regions, measured)


def _template(
    by_bin: tuple[Prediction, Prediction],
    by_category: tuple[Prediction, Prediction],
    yields: Yields,
    spec: HistogramSpec,
) -> Cells:
    """Spread the yields over bins, production categories and ranges of the score, as the opposite-sign method has them.

    Where that is negative everywhere, with few events, the same-sign method says it.
    """
    value = np.zeros(spec.shape[:2])
    variance = np.zeros(spec.shape[:2])
    for number, (state, states) in enumerate(zip(FINAL_STATES, MERGED, strict=True)):
        if yields.value[number] <= 0.0:
            continue
        shape, spread = _positive(by_bin, states)
        shares, _ = _positive(by_category, states)
        if not shape.any() or not shares.any():
            msg = f"nonprompt: {yields.value[number]:.3g} events of {state}, but no bin or no category to put them in"
            raise InputError(msg)
        factor = yields.value[number] / shape.sum()
        n = _parts(spec)
        for place, share in enumerate(shares / shares.sum()):
            row = (place // n * len(FINAL_STATES) + number) * n + place % n  # as the channel numbers its categories
            value[row] = factor * share * shape
            variance[row] = factor**2 * share * spread
    return Cells(value, variance)


def _positive(methods: tuple[Prediction, Prediction], states: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Return the events of the first method that has any, negative bins set to zero, and their variances."""
    for method in methods:
        events = np.maximum(method.events.value[list(states)].sum(axis=0), 0.0)
        if events.any():
            return events, np.asarray(method.events.variance[list(states)].sum(axis=0))
    return events, np.zeros_like(events)


def _specs(config: RunConfig) -> dict[str, HistogramSpec]:
    found = channels.find(config.selection.channel)
    return {spec.name: spec for spec in found.histograms(config.selection)}


def _parts(spec: HistogramSpec) -> int:
    """Return how many ranges of a classifier's score each category is divided into."""
    return len(spec.categories) // (kernel.N_PRODUCTION * len(FINAL_STATES))


def _control(
    config: RunConfig, nonprompt: NonPromptConfig, tally: Tally, spec: HistogramSpec
) -> dict[str, dict[str, hist.Hist[Any]]]:
    """Return m4l in each control region, of data and of each prompt process."""
    by_m4l = next(s for s in channels.find(config.selection.channel).regions(config.selection) if s.name == "loose_m4l")
    aside = control.left_out(config)
    data = next(d.process for d in config.datasets if d.kind == "data" and d.process not in aside)
    made: dict[str, dict[str, hist.Hist[Any]]] = {}
    for process in (*nonprompt.prompt, data):
        alone = nonprompt.model_copy(update={"prompt": (process,)})
        read = four_lepton.split(control.read(config, alone, tally, by_m4l, spec.axis.bins + 2))
        for name, region in read.items():
            own = spec._replace(name=f"m4l_{name.replace(' ', '_')}", categories=kernel.STATES)
            made.setdefault(own.name, {})[process] = to_hist(own, region.prompt.summed(1))
    return made


def _by_state(prediction: Prediction) -> dict[str, dict[str, float | None]]:
    return {
        state: {"value": float(value), "error": float(error) if np.isfinite(error) else None}
        for state, value, error in zip(kernel.STATES, prediction.total, prediction.error, strict=True)
    }


def _contents(region: Region) -> dict[str, dict[str, float]]:
    data, prompt = (cells.value.sum(axis=(1, 2)) for cells in region)
    return {
        state: {"data": float(d), "prompt": float(p)} for state, d, p in zip(kernel.STATES, data, prompt, strict=True)
    }
