"""Fakes in eμ: loose leptons weighed with tight over loose, measured in dijets less electroweak simulation.

As in CMS HIG-16-042 (Phys. Lett. B 791 (2019) 96) and latinos: an event with one lepton that is loose but not tight
counts with its factor F; of those with two, F F' is taken away, since each of their leptons is loose in one of the
former. Prompt simulation is subtracted everywhere.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import hist
import numpy as np

from .. import channels
from ..config import NonPromptConfig, RunConfig
from ..engine.tally import Tally
from ..errors import InputError
from ..histogram import HistogramSpec
from . import cells as control
from . import rates
from .cells import Cells, Floats
from .rates import Rates
from .result import Estimate, Uncertainty, to_hist

FLAVOURS = ("muon", "electron")
TARGETS = ("m_ll", "m_t", "plane", "plane_coarse")
"""Histograms that are predicted."""

NEGATIVE = 2.0
"""Standard deviations below zero at which a yield is an error: more is subtracted than can be there."""
TENSION = 3.0
"""Standard deviations at which the same-sign region is a warning."""


class Prediction(NamedTuple):
    """Events by category and bin, and the errors of each category's total by the rates of each flavour."""

    events: Cells
    by_flavour: Floats
    """Shape (flavours, categories)."""


def predict(loose: Cells, factors: Rates) -> Prediction:
    """Return Σ F (one loose) - Σ F F' (both loose) of regions of shape (categories, combinations, bins).

    Combinations are the cells of a loose muon, those of a loose electron, and all pairs of them.
    """
    muon, electron = factors.transfer
    n = len(muon)
    weights = np.concatenate([muon, electron, -np.outer(muon, electron).reshape(-1)])
    value, variance = (np.einsum("c,kcb->kb", w, part) for w, part in zip((weights, weights**2), loose, strict=True))
    totals = loose.value.sum(axis=2)
    both = totals[:, 2 * n :].reshape(-1, n, n)
    slopes = totals[:, :n] - both @ electron, totals[:, n : 2 * n] - np.einsum("m,kme->ke", muon, both)
    errors = [
        np.sqrt((slope * error) ** 2 @ np.ones(n)) for slope, error in zip(slopes, factors.transfer_error, strict=True)
    ]
    return Prediction(Cells(value, variance), np.array(errors))


def measure(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally) -> tuple[Rates, Floats]:
    """Measure tight over all loose leptons; return the rates and the edges of their bins of pt.

    Raises
    ------
    InputError
        If a flavour has none, or a dataset is missing.
    """
    probes = channels.find(config.selection.channel).regions(config.selection)[0]
    fakes = control.read_probes(config, nonprompt, tally, probes).fakes
    shape = (len(FLAVOURS), 2, 2, probes.axis.bins)  # flavour, region of |η|, tight or loose, pt
    tight, loose = (Cells(*(values.reshape(shape)[:, :, i] for values in fakes)) for i in range(2))
    edges = np.asarray(probes.axis.to_hist().edges)
    return rates.measure(tight, loose, FLAVOURS, edges), edges


def estimate(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally) -> Estimate:
    """Predict fakes in every region of the channel.

    A category whose yield is negative, within two standard deviations, has none; its bins that come out negative are
    set to zero, and the others scaled to the yield.

    Raises
    ------
    InputError
        If the regions are empty, a yield is further below zero, or a dataset is missing.
    """
    channel = channels.find(config.selection.channel)
    regions = {spec.name: spec for spec in channel.regions(config.selection)}
    specs = {spec.name: spec for spec in channel.histograms(config.selection)}
    factors, edges = measure(config, nonprompt, tally)
    notes = list(factors.notes)
    predictions: dict[str, Prediction] = {}
    for target in TARGETS:
        found = control.read(config, nonprompt, tally, regions[f"loose_{target}"], specs[target].axis.bins + 2)
        if not found.data.value.any():
            msg = "nonprompt: the regions of loose leptons hold no data at all"
            raise InputError(msg)
        predictions[target] = predict(found.fakes, factors)
    first = predictions[TARGETS[0]]
    total, error = _totals(first, nonprompt)
    for category, value, size in zip(specs["m_ll"].categories, total, error, strict=True):
        if value < -NEGATIVE * size:
            msg = f"nonprompt: {value:.3g} ± {size:.2g} events of {category}: too much prompt simulation is subtracted"
            raise InputError(msg)
        if value < 0.0:
            notes.append(f"{nonprompt.process}: {value:.3g} ± {size:.2g} events of {category}, taken as none")
    same_sign, control_histograms = _same_sign(config, nonprompt, tally, factors, regions, specs["m_ll"])
    if abs(same_sign["deviation"]) > TENSION:
        notes.append(
            f"{nonprompt.process}: in pairs of like charges {same_sign['data'] - same_sign['prompt']:.4g} events are "
            f"fakes, {same_sign['predicted']:.4g} ± {same_sign['error']:.2g} are predicted"
        )
    positive = np.maximum(total, 1e-9)
    uncertainties = [
        Uncertainty(f"{nonprompt.process}_{flavour}", _relative(specs["m_ll"], first.by_flavour[i] / positive, total))
        for i, flavour in enumerate(FLAVOURS)
    ]
    whole = np.full(len(total), nonprompt.systematic)
    uncertainties.append(Uncertainty(f"{nonprompt.process}_method", _relative(specs["m_ll"], whole, total)))
    summary = {
        "yields": {
            category: {"value": float(v), "error": float(e)}
            for category, v, e in zip(specs["m_ll"].categories, total, error, strict=True)
        },
        "same_sign": same_sign,
        "fake_rates": rates.to_json(factors, FLAVOURS, edges),
    }
    templates = {target: to_hist(specs[target], _positive(p.events)) for target, p in predictions.items()}
    return Estimate(nonprompt.process, templates, tuple(uncertainties), control_histograms, summary, tuple(notes))


def _totals(prediction: Prediction, nonprompt: NonPromptConfig) -> tuple[Floats, Floats]:
    """Return the yields of all categories and their errors: events, rates, and the method's own."""
    value = prediction.events.value.sum(axis=1)
    variance = prediction.events.variance.sum(axis=1) + (prediction.by_flavour**2).sum(axis=0)
    return value, np.sqrt(variance + (nonprompt.systematic * value) ** 2)


def _relative(spec: HistogramSpec, sizes: Floats, total: Floats) -> dict[str, float]:
    return {
        category: float(size)
        for category, size, events in zip(spec.categories, sizes, total, strict=True)
        if events > 0.0
    }


def _positive(events: Cells) -> Cells:
    """Set negative bins to zero and keep the yield of their category; one that is negative as a whole has none."""
    total = np.maximum(events.value.sum(axis=1, keepdims=True), 0.0)
    clipped = np.maximum(events.value, 0.0)
    kept = clipped.sum(axis=1, keepdims=True)
    factor = np.divide(total, kept, out=np.zeros_like(total), where=kept > 0.0)
    return Cells(clipped * factor, events.variance * factor**2)


def _same_sign(
    config: RunConfig,
    nonprompt: NonPromptConfig,
    tally: Tally,
    factors: Rates,
    regions: dict[str, HistogramSpec],
    m_ll: HistogramSpec,
) -> tuple[dict[str, float], dict[str, dict[str, hist.Hist[Any]]]]:
    """Compare the prediction with tight pairs of like charges; return the numbers and the histograms."""
    bins = m_ll.axis.bins + 2
    loose = control.read(config, nonprompt, tally, regions["loose_same_sign_m_ll"], bins)
    found = predict(loose.fakes, factors)
    tight = regions["same_sign_m_ll"]
    seen = control.read_whole(config, nonprompt, tally, tight)
    predicted, data, prompt = (float(part.value.sum()) for part in (found.events, seen.data, seen.prompt))
    variance = float(found.events.variance.sum() + (found.by_flavour.sum(axis=1) ** 2).sum())
    error = float(np.sqrt(variance + (nonprompt.systematic * predicted) ** 2))
    spread = float(np.sqrt(error**2 + seen.data.variance.sum() + seen.prompt.variance.sum()))
    numbers = {
        "data": data, "prompt": prompt, "predicted": predicted, "error": error,
        "deviation": (data - prompt - predicted) / spread if spread > 0.0 else 0.0,
    }  # fmt: skip
    aside = control.left_out(config)
    name = next(d.process for d in config.datasets if d.kind == "data" and d.process not in aside)
    by_process = {nonprompt.process: to_hist(tight, _positive(found.events))}
    for process in nonprompt.prompt:
        alone = nonprompt.model_copy(update={"prompt": (process,)})
        by_process[process] = to_hist(tight, control.read_whole(config, alone, tally, tight).prompt)
    return numbers, {tight.name: {**by_process, name: to_hist(tight, seen.data)}}
