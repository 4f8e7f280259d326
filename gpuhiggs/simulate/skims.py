"""What is kept of simulated events as pseudo-data where all of them would be too many: skims by trigger and objects."""

from __future__ import annotations

import math

import awkward as ak
import numpy as np
from scipy.optimize import brentq

from gpuhiggs.simulate.particles import Bools, Floats

DIPHOTON_MASS = (100.0, 180.0)
"""GeV."""
_PHOTON_PT = (30.0, 22.0)  # GeV, of the trigger
_SHARES = (1.0 / 3.0, 1.0 / 4.0)
"""pT / mγγ of the hardest photons in H → γγ (CMS, arXiv:2103.06956)."""
_LEPTON_PT = (22.0, 12.0)  # GeV, below every threshold of the shipped selections
_LEPTON_ISOLATION = 0.2
_DIPHOTON_TRIGGER = "HLT_Diphoton30_22_R9Id_OR_IsoCaloId_AND_HE_R9Id_Mass90"
_DILEPTON_TRIGGERS = (
    "HLT_Mu23_TrkIsoVVL_Ele12_CaloIdL_TrackIdL_IsoVL",
    "HLT_Mu12_TrkIsoVVL_Ele23_CaloIdL_TrackIdL_IsoVL_DZ",
    "HLT_IsoMu24",
    "HLT_Ele32_WPTight_Gsf",
)
_PHOTON = ("Photon_pt", "Photon_energyErr")


def diphotons(events: ak.Array) -> Bools:
    """Whether events have the trigger and two photons whose mass is in DIPHOTON_MASS."""
    mass = _diphoton_mass(events)
    kept: Bools = ak.to_numpy(events[_DIPHOTON_TRIGGER]) & (mass > DIPHOTON_MASS[0]) & (mass < DIPHOTON_MASS[1])
    return kept


def electrons_and_muons(events: ak.Array) -> Bools:
    """Whether events have a trigger, an isolated electron and an isolated muon."""
    fired = np.any([ak.to_numpy(events[name]) for name in _DILEPTON_TRIGGERS], axis=0)
    hardest = []
    for kind in ("Electron", "Muon"):
        isolated = events[f"{kind}_pfRelIso03_all"] < _LEPTON_ISOLATION
        hardest.append(ak.to_numpy(ak.fill_none(ak.max(events[f"{kind}_pt"][isolated], axis=1), 0.0)))
    first, second = np.maximum(*hardest), np.minimum(*hardest)
    kept: Bools = fired & (first > _LEPTON_PT[0]) & (second > _LEPTON_PT[1])
    return kept


def rescale_diphotons(events: ak.Array, random: np.random.Generator) -> ak.Array:
    """Give each pair of photons a mass of its own, drawn from a power law, by scaling the photons of its event.

    The power is that of the events themselves, by maximum likelihood: of those whose photons have the shares of the
    mass that selections ask for, as the trigger's thresholds let more pass the higher the mass. So a few thousand
    simulated events make a spectrum without lumps, in each category of an analysis. What is beside the photons stays
    as it is: scaled with them, jets would pass thresholds at some mass, and few events would make a step there.
    """
    mass = _diphoton_mass(events)
    shares = [ak.to_numpy(events.Photon_pt[:, i]) / mass for i in range(2)]
    selected = (shares[0] > _SHARES[0]) & (shares[1] > _SHARES[1])
    drawn = _power_law(_power(mass[selected] if selected.any() else mass), random.random(len(mass)))
    factor = (drawn / mass).astype(np.float32)
    for name in _PHOTON:
        events = ak.with_field(events, events[name] * factor, name)
    return events


def _diphoton_mass(events: ak.Array) -> Floats:
    """Mass of the two hardest photons above the trigger's thresholds in GeV, 0 without; shape (events,)."""
    first_two = (ak.pad_none(events[f"Photon_{name}"], 2, clip=True) for name in ("pt", "eta", "phi"))
    pt, eta, phi = (ak.to_numpy(ak.fill_none(values, 0.0)).astype(np.float64) for values in first_two)
    squared = 2.0 * pt[:, 0] * pt[:, 1] * (np.cosh(eta[:, 0] - eta[:, 1]) - np.cos(phi[:, 0] - phi[:, 1]))
    hard = (pt[:, 0] > _PHOTON_PT[0]) & (pt[:, 1] > _PHOTON_PT[1])
    mass: Floats = np.where(hard, np.sqrt(np.maximum(squared, 0.0)), 0.0)
    return mass


def _power(mass: Floats) -> float:
    """Return a of the density m^-a in DIPHOTON_MASS that is most likely: its mean of ln m is that of the events."""
    wanted = float(np.mean(np.log(mass)))

    def excess(a: float) -> float:
        u, v = (math.log(m) for m in DIPHOTON_MASS)
        b = 1.0 - a  # in ln m the density is exponential: e^(b x)
        if abs(b) < 1e-9:
            return (u + v) / 2 - wanted
        return (v * math.exp(b * v) - u * math.exp(b * u)) / (math.exp(b * v) - math.exp(b * u)) - 1 / b - wanted

    return float(brentq(excess, -20.0, 40.0))


def _power_law(a: float, uniform: Floats) -> Floats:
    """Turn uniform random numbers into masses of density m^-a in DIPHOTON_MASS."""
    low, high = DIPHOTON_MASS
    b = 1.0 - a if abs(1.0 - a) > 1e-9 else 1e-9
    mass: Floats = (low**b + uniform * (high**b - low**b)) ** (1.0 / b)
    return mass
