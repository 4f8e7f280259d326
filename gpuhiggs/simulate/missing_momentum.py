"""Missing transverse momentum: the neutrinos, and what the detector and pile-up make of the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate.particles import NEUTRINOS, Ints, Particles, sum_by

# Own choice: 3.5 GeV for each pile-up collision, in quadrature, and 60 % of √ΣET of the hard collision; 20 GeV in all
# for 32 collisions, close to CMS in Run 2.
_PER_COLLISION, _PER_ROOT_SUM_ET = 3.5, 0.6


def reconstruct_missing_momentum(
    record: Particles, visible: Particles, n_pileup: Ints, random: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Return ``MET_pt`` in GeV and ``MET_phi``, shape (events,)."""
    neutrinos = record.select(record.is_final & np.isin(record.kind, NEUTRINOS))
    sum_et = sum_by(visible.event, visible.pt, record.n_events)
    resolution = np.sqrt(_PER_COLLISION**2 * n_pileup + _PER_ROOT_SUM_ET**2 * sum_et)
    noise = random.standard_normal((2, record.n_events)) * resolution
    px = sum_by(neutrinos.event, neutrinos.px, record.n_events) + noise[0]
    py = sum_by(neutrinos.event, neutrinos.py, record.n_events) + noise[1]
    return {"MET_pt": np.hypot(px, py).astype(np.float32), "MET_phi": np.arctan2(py, px).astype(np.float32)}
