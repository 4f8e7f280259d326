"""γγ, γ+jet and jet+jet in a diphoton sample: the matrix method with loose-not-tight photons.

A photon that is one is tight with the efficiency ε of simulation, a jet with the rate f of photons in data that are not
isolated. With both known in barrel and endcaps, the numbers of pairs that are tight and loose (TT, TL, LT, LL) give
those of pairs that are photons and jets:

    (TT, TL, LT, LL) = (ε₁, f₁; 1 - ε₁, 1 - f₁) ⊗ (ε₂, f₂; 1 - ε₂, 1 - f₂) · (γγ, γj, jγ, jj)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import blinding, channels
from ..config import NonPromptConfig, RunConfig
from ..engine.tally import Tally
from ..errors import InputError
from . import cells as control
from .cells import Cells, Floats
from .result import Estimate

ORIGINS = ("gamma_gamma", "gamma_jet", "jet_gamma", "jet_jet")
"""The harder object first."""
PLACES = ("barrel", "endcap")
TIGHT, LOOSE = range(2)
NOT_ISOLATED = 1

SHAPE = (2, 2, 2)
"""Classes of one photon: place, tight or loose, isolated or not."""

NEAREST = 0.1
"""The least difference of efficiency and rate at which photons and jets can be told apart."""


class Chances(NamedTuple):
    """How often an object is tight, by place, and the error of that: shape (2,)."""

    value: Floats
    error: Floats


def chances(selected: Cells, failing: Cells, what: str) -> Chances:
    """Return tight over all.

    Raises
    ------
    InputError
        If a place has no object to measure it with, or a result is not between 0 and 1.
    """
    total = selected.value + failing.value
    for place, (s, n) in enumerate(zip(selected.value, total, strict=True)):
        if not 0.0 <= s < n:
            msg = f"nonprompt: {what} in the {PLACES[place]} cannot be measured: {s:.4g} of {n:.4g} events are tight"
            raise InputError(msg)
    value = selected.value / total
    variance = ((1 - value) ** 2 * selected.variance + value**2 * failing.variance) / total**2
    return Chances(value, np.sqrt(variance))


def solve(counts: Cells, photons: Chances, jets: Chances) -> Cells:
    """Return the numbers of each of ORIGINS, shape (4, bins).

    Parameters
    ----------
    counts
        Shape (2 places, 2 widths, 2 places, 2 widths, bins).

    Raises
    ------
    InputError
        If photons and jets are too much alike to be told apart.
    """
    for place in range(2):
        if not photons.value[place] - jets.value[place] > NEAREST:
            msg = (
                f"nonprompt: in the {PLACES[place]} {photons.value[place]:.3g} of the photons and "
                f"{jets.value[place]:.3g} of the jets are tight: they cannot be told apart"
            )
            raise InputError(msg)
    columns = [np.stack([x.value, 1 - x.value]) for x in (photons, jets)]  # (tight or loose, place)
    one = np.stack(columns, axis=1)  # (tight or loose, photon or jet, place)
    n_bins = counts.value.shape[-1]
    value, variance = np.zeros((4, n_bins)), np.zeros((4, n_bins))
    for first in range(2):
        for second in range(2):
            inverse = np.linalg.inv(np.kron(one[:, :, first], one[:, :, second]))
            value += inverse @ counts.value[first, :, second].reshape(4, n_bins)
            variance += inverse**2 @ counts.variance[first, :, second].reshape(4, n_bins)
    return Cells(value, variance)


def estimate(config: RunConfig, nonprompt: NonPromptConfig, tally: Tally) -> Estimate:
    """Return how many of the selected pairs are photons; no template: the background comes from the sidebands.

    Bins where data are withheld are left out.

    Raises
    ------
    InputError
        If there are no photons that are not isolated, or photons and jets cannot be told apart.
    """
    channel = channels.find(config.selection.channel)
    spec = next(spec for spec in channel.histograms(config.selection) if spec.name == "m_gg")
    [by_class] = channel.regions(config.selection)
    n_bins = spec.axis.bins + 2
    found = control.read(config, nonprompt, tally, by_class, n_bins)
    shown = np.ones(n_bins, dtype=bool)
    if (blind := blinding.of(config)) is not None:
        shown &= ~blinding.bins(blind, spec).any(axis=0)
    data, prompt = (Cells(*(values.reshape(*SHAPE, *SHAPE, n_bins)[..., shown] for values in part)) for part in found)
    if not data.value.any():
        msg = "nonprompt: no pair of photons in data"
        raise InputError(msg)
    genuine = _single(prompt)
    photons = chances(genuine.at((slice(None), TIGHT)).summed(1), genuine.at((slice(None), LOOSE)).summed(1), "photons")
    around = _single(data.minus(prompt)).at((slice(None), slice(None), NOT_ISOLATED))
    jets = chances(around.at((slice(None), TIGHT)), around.at((slice(None), LOOSE)), "jets taken for photons")
    counts = data.summed((2, 5))
    central = solve(counts, photons, jets)
    total = central.value.sum(axis=1)
    error = _error(counts, photons, jets, nonprompt)
    return Estimate(nonprompt.process, {}, (), {}, _summary(total, error, photons, jets), ())


def _single(pairs: Cells) -> Cells:
    """Return photons one by one, the harder and the softer together: shape (places, widths, isolations)."""
    return Cells(*(part.sum(axis=(3, 4, 5, 6)) + part.sum(axis=(0, 1, 2, 6)) for part in pairs))


def _error(counts: Cells, photons: Chances, jets: Chances, nonprompt: NonPromptConfig) -> Floats:
    """Return the errors of the totals: events, each chance moved by its error, and the rate by the method's."""
    central = solve(counts, photons, jets)
    variance = central.variance.sum(axis=1)
    whole = np.hypot(jets.error, nonprompt.systematic * jets.value)
    for place in range(2):
        step = np.eye(2)[place]
        for moved in (
            solve(counts, photons._replace(value=photons.value - photons.error * step), jets),
            solve(counts, photons, jets._replace(value=jets.value - whole * step)),
        ):
            variance += (moved.value.sum(axis=1) - central.value.sum(axis=1)) ** 2
    return np.asarray(np.sqrt(variance))


def _summary(total: Floats, error: Floats, photons: Chances, jets: Chances) -> dict[str, Any]:
    whole = float(total.sum())
    return {
        "pairs": {
            origin: {"value": float(n), "error": float(e), "share": float(n) / whole, "share_error": float(e) / whole}
            for origin, n, e in zip(ORIGINS, total, error, strict=True)
        },
        **{
            name: {place: {"value": float(v), "error": float(e)} for place, v, e in zip(PLACES, *found, strict=True)}
            for name, found in (("photon_efficiency", photons), ("jet_rate", jets))
        },
    }
