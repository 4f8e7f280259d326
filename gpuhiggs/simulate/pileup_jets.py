"""Jets of pile-up collisions: soft, everywhere, and mostly recognised as such."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Ints

# Own choice, of the size that CMS finds in Run 2 (JINST 15 (2020) P09018): a jet above 15 GeV in two of a hundred
# collisions, falling with the fifth power of pT; a third of those in the tracker, half of those outside pass the loose
# working point of pile-up identification.
_PER_COLLISION, _LOWEST_PT, _POWER = 0.02, 15.0, 5.0
_LARGEST_ETA, _TRACKER_ETA = 4.7, 2.5
_PASS_LOOSE = (0.33, 0.5)
_LOOSE_AND_NOTHING, _TIGHT_JET = 4, 6  # bits of NanoAOD's puId (2017, 2018) and jetId


def with_pileup_jets(jets: Collection, n_pileup: Ints, random: np.random.Generator) -> Collection:
    """Return the jets of a block with those of its pile-up collisions among them."""
    counts = random.poisson(_PER_COLLISION * n_pileup)
    event = np.repeat(np.arange(jets.n_events), counts)
    n = len(event)
    pt = _LOWEST_PT * random.random(n) ** (-1.0 / _POWER)
    eta = random.uniform(-_LARGEST_ETA, _LARGEST_ETA, n)
    passes = random.random(n) < np.where(np.abs(eta) < _TRACKER_ETA, *_PASS_LOOSE)
    fields: dict[str, NDArray[Any]] = {
        "pt": pt,
        "eta": eta,
        "phi": random.uniform(-np.pi, np.pi, n),
        "mass": 0.12 * pt,
        "jetId": np.full(n, _TIGHT_JET, dtype=np.int32),
        "puId": np.where(passes, _LOOSE_AND_NOTHING, 0).astype(np.int32),
        "btagDeepFlavB": np.where(np.abs(eta) < _TRACKER_ETA, 0.1 * random.random(n) ** 2, 0.0),
        "area": np.full(n, 0.5),
        "genJetIdx": np.full(n, -1, dtype=np.int32),
    }
    together = {
        name: np.concatenate([values, fields.get(name, np.zeros(n, dtype=values.dtype))])
        for name, values in jets.fields.items()
    }
    both = np.concatenate([jets.event, event])
    return Collection.ordered(jets.n_events, both, together, np.ones(len(both), dtype=bool))
