"""Missing transverse momentum: the neutrinos, and what the detector and pile-up make of the rest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate.particles import NEUTRINOS, Floats, Ints, Particles, sum_by

# Own choice: 3.5 GeV for each pile-up collision, in quadrature, and 60 % of √ΣET of the hard collision; 20 GeV in all
# for 32 collisions, close to CMS in Run 2. PUPPI takes out three quarters of pile-up's part (CMS, JINST 14 (2019)
# P07004). One standard deviation of the unclustered energy scale moves pile-up's part by a tenth.
_PER_COLLISION, _PER_ROOT_SUM_ET = 3.5, 0.6
_PUPPI_SHARE, _UNCLUSTERED = 0.5, 0.1


def reconstruct_missing_momentum(
    record: Particles, visible: Particles, n_pileup: Ints, random: np.random.Generator
) -> dict[str, NDArray[np.float32]]:
    """Return the columns MET_* and PuppiMET_*, GeV, shape (events,), the unclustered energy's variations included."""
    neutrinos = record.select(record.is_final & np.isin(record.kind, NEUTRINOS))
    true = np.stack([sum_by(neutrinos.event, p, record.n_events) for p in (neutrinos.px, neutrinos.py)])
    sum_et = sum_by(visible.event, visible.pt, record.n_events)
    normal = random.standard_normal((4, record.n_events))
    pileup = normal[:2] * _PER_COLLISION * np.sqrt(n_pileup)
    resolution = normal[2:] * _PER_ROOT_SUM_ET * np.sqrt(sum_et)
    met, delta = true + resolution + pileup, _UNCLUSTERED * pileup
    puppi, puppi_delta = true + resolution + _PUPPI_SHARE * pileup, _PUPPI_SHARE * delta
    columns = {
        **_polar("MET_", met),
        "MET_sumEt": sum_et,
        "MET_MetUnclustEnUpDeltaX": delta[0],
        "MET_MetUnclustEnUpDeltaY": delta[1],
        **_polar("PuppiMET_", puppi),
        **_polar("PuppiMET_", puppi + puppi_delta, "UnclusteredUp"),
        **_polar("PuppiMET_", puppi - puppi_delta, "UnclusteredDown"),
    }
    return {name: values.astype(np.float32) for name, values in columns.items()}


def _polar(prefix: str, momentum: Floats, suffix: str = "") -> dict[str, Floats]:
    px, py = momentum
    return {f"{prefix}pt{suffix}": np.hypot(px, py), f"{prefix}phi{suffix}": np.arctan2(py, px)}
