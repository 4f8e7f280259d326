"""Weights by the number of jets, where a process at leading order has too few of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Floats, Ints, Particles, delta_r, pairs_within_events, sum_by

_PT, _ETA = 30.0, 4.7  # of the jets that analyses count
_RADIUS = 0.4
_PHOTON_PT = 10.0


def weights(gen_jets: Collection, prompt_photons: Particles, factors: Sequence[float]) -> Floats:
    """Return the factor of each event by its number of generated jets; the last one is for more jets too."""
    return np.asarray(factors)[np.minimum(count(gen_jets, prompt_photons), len(factors) - 1)]


def count(gen_jets: Collection, prompt_photons: Particles) -> Ints:
    """Return the number of generated jets of each event that are hard, within the detector and no photons."""
    left, right = pairs_within_events(gen_jets.event, prompt_photons.offsets)
    distance = delta_r(
        gen_jets["eta"][left], gen_jets["phi"][left], prompt_photons.eta[right], prompt_photons.phi[right]
    )
    counted = (gen_jets["pt"] > _PT) & (np.abs(gen_jets["eta"]) < _ETA)
    counted[left[(distance < _RADIUS) & (prompt_photons.pt[right] > _PHOTON_PT)]] = False
    return sum_by(gen_jets.event, counted.astype(np.float64), gen_jets.n_events).astype(np.int64)
