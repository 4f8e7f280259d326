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
    plateau: float = 0.96
    largest_iso: float = 0.4


# Paths of the 2018 menu. Plateaus and isolation are own choice, of the size that CMS reports for Run 2 (JINST 19
# (2024) P11021); requirements on the vertex (DZ) and the mass (Mass3p8) of a pair, which Z and H pass, are left out.
_SINGLE_PLATEAU, _SINGLE_ISO = 0.88, 0.15
PATHS = {
    "HLT_Ele23_Ele12_CaloIdL_TrackIdL_IsoVL": Path(electrons=(23, 12)),
    "HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ_Mass3p8": Path(muons=(17, 8)),
    "HLT_Mu23_TrkIsoVVL_Ele12_CaloIdL_TrackIdL_IsoVL": Path(muons=(23,), electrons=(12,)),
    "HLT_Mu12_TrkIsoVVL_Ele23_CaloIdL_TrackIdL_IsoVL_DZ": Path(muons=(12,), electrons=(23,)),
    "HLT_IsoMu24": Path(muons=(24,), plateau=_SINGLE_PLATEAU, largest_iso=_SINGLE_ISO),
    "HLT_Ele32_WPTight_Gsf": Path(electrons=(32,), plateau=_SINGLE_PLATEAU, largest_iso=_SINGLE_ISO),
}

_TURN_ON = {"electrons": 1.0, "muons": 0.4}  # GeV; own choice: the width of the turn-on


def decide_triggers(electrons: Collection, muons: Collection, random: np.random.Generator) -> dict[str, Bools]:
    """Decide every path for every event; shape (events,) each.

    Each lepton has one random number for all legs, so that one which passes a high threshold passes a lower one too.
    """
    chance = {"electrons": random.random(len(electrons)), "muons": random.random(len(muons))}
    leptons = {"electrons": electrons, "muons": muons}
    decisions = {}
    for name, path in PATHS.items():
        passed = np.ones(electrons.n_events, dtype=bool)
        for flavour, thresholds in (("electrons", path.electrons), ("muons", path.muons)):
            for required, threshold in enumerate(thresholds, start=1):
                on_leg = _passes_leg(leptons[flavour], threshold, path, _TURN_ON[flavour], chance[flavour])
                passed &= np.bincount(leptons[flavour].event[on_leg], minlength=len(passed)) >= required
        decisions[name] = passed
    return decisions


def _passes_leg(
    leptons: Collection, threshold: float, path: Path, turn_on: float, chance: NDArray[np.float64]
) -> Bools:
    efficiency = path.plateau * ndtr((leptons["pt"] - threshold) / turn_on)
    passes: Bools = (chance < efficiency) & (leptons["pfRelIso03_all"] < path.largest_iso)
    return passes
