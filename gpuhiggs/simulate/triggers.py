"""Triggers: each path as its legs, each leg as a turn-on in the lepton's pT."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Bools


class Path(NamedTuple):
    """A trigger path: thresholds in GeV, highest first, and the plateau and isolation that each leg asks for."""

    electrons: tuple[float, ...] = ()
    muons: tuple[float, ...] = ()
    photons: tuple[float, ...] = ()
    """Legs that electrons pass too: at the trigger the two look the same."""
    plateau: float = 0.96
    largest_iso: float = 0.4


# Paths of the 2018 menu. Plateaus and isolation are own choice, of the size that CMS reports for Run 2 (JINST 19
# (2024) P11021); requirements on the vertex (DZ) and the mass (Mass3p8, Mass90) of a pair are left out: Z and H
# pass the first two, and analyses of H → γγ begin at 100 GeV.
_SINGLE_PLATEAU, _SINGLE_ISO = 0.88, 0.15
PATHS = {
    "HLT_Ele23_Ele12_CaloIdL_TrackIdL_IsoVL": Path(electrons=(23, 12)),
    "HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ_Mass3p8": Path(muons=(17, 8)),
    "HLT_Mu23_TrkIsoVVL_Ele12_CaloIdL_TrackIdL_IsoVL": Path(muons=(23,), electrons=(12,)),
    "HLT_Mu12_TrkIsoVVL_Ele23_CaloIdL_TrackIdL_IsoVL_DZ": Path(muons=(12,), electrons=(23,)),
    "HLT_Diphoton30_22_R9Id_OR_IsoCaloId_AND_HE_R9Id_Mass90": Path(photons=(30, 22), plateau=0.97, largest_iso=0.6),
    "HLT_IsoMu24": Path(muons=(24,), plateau=_SINGLE_PLATEAU, largest_iso=_SINGLE_ISO),
    "HLT_Ele32_WPTight_Gsf": Path(electrons=(32,), plateau=_SINGLE_PLATEAU, largest_iso=_SINGLE_ISO),
}

_TURN_ON = {"electrons": 1.0, "muons": 0.4, "photons": 0.8}  # GeV; own choice: the width of the turn-on


def decide_triggers(
    electrons: Collection, muons: Collection, photons: Collection, random: np.random.Generator
) -> dict[str, Bools]:
    """Decide every path for every event; shape (events,) each.

    Each object has one random number for all legs, so that one which passes a high threshold passes a lower one too.
    """
    objects = {"electrons": electrons, "muons": muons, "photons": photons}
    chance = {kind: random.random(len(found)) for kind, found in objects.items()}
    decisions = {}
    for name, path in PATHS.items():
        passed = np.ones(electrons.n_events, dtype=bool)
        for kind, thresholds in (("electrons", path.electrons), ("muons", path.muons), ("photons", path.photons)):
            for required, threshold in enumerate(thresholds, start=1):
                on_leg = _passes_leg(objects[kind], threshold, path, _TURN_ON[kind], chance[kind])
                passed &= np.bincount(objects[kind].event[on_leg], minlength=len(passed)) >= required
        decisions[name] = passed
    return decisions


def _passes_leg(
    objects: Collection, threshold: float, path: Path, turn_on: float, chance: NDArray[np.float64]
) -> Bools:
    efficiency = path.plateau * ndtr((objects["pt"] - threshold) / turn_on)
    passes: Bools = (chance < efficiency) & (objects["pfRelIso03_all"] < path.largest_iso)
    return passes
