"""Efficiencies and resolutions of a CMS-like detector, as functions of pT (or energy) in GeV and η.

Most numbers are those of the CMS card of the fast simulation Delphes (arXiv:1307.6346, ``delphes_card_CMS.tcl``);
those that are not say so. They describe a detector *like* CMS; no correction makes them agree with its data.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from gpuhiggs.simulate.particles import Floats

# |η| up to, constant term, term proportional to pT
_MUON_TRACK = ((0.5, 0.01, 1.0e-4), (1.5, 0.015, 1.5e-4), (2.5, 0.025, 3.5e-4))
_ELECTRON_TRACK = ((0.5, 0.03, 1.3e-3), (1.5, 0.05, 1.7e-3), (2.5, 0.15, 3.1e-3))


def in_eta(eta: Floats, upper_edges: ArrayLike, values: ArrayLike) -> Floats:
    """Return for each |η| the value of the first bin whose upper edge is at or above it; 0 beyond the last."""
    table = np.append(np.asarray(values, dtype=np.float64), 0.0)
    return table[np.searchsorted(np.asarray(upper_edges), np.abs(eta))]


def muon_resolution(pt: Floats, eta: Floats) -> Floats:
    """σ(pT)/pT of a muon."""
    return _track_resolution(_MUON_TRACK, pt, eta)


def electron_resolution(energy: Floats, eta: Floats) -> Floats:
    """σ(E)/E of an electron: track and calorimeter, each weighted with its precision.

    2 to 5 % for electrons of Z decays, as CMS measures (JINST 16 (2021) P05014).
    """
    track = _track_resolution(_ELECTRON_TRACK, energy / np.cosh(eta), eta)
    central = 1 + 0.64 * eta**2
    forward = 2.16 + 5.6 * (np.abs(eta) - 2) ** 2
    intrinsic = np.sqrt(0.008**2 + 0.11**2 / energy + (0.40 / energy) ** 2)
    calorimeter = np.where(np.abs(eta) <= 1.5, central, forward) * intrinsic
    return 1 / np.sqrt(1 / track**2 + 1 / calorimeter**2)


def photon_resolution(energy: Floats, eta: Floats) -> Floats:
    """σ(E)/E of a photon.

    Not from the card, which makes photons as coarse as electrons that have radiated: 2.8 %/√E ⊕ 0.12 GeV/E of the test
    beam (CMS, JINST 3 (2008) S08004) with constant terms of 1.2 % in the barrel and 2.5 % in the endcaps. Own choice:
    m_γγ is then 1.1 GeV wide in the barrel and 1.3 GeV in all, close to CMS in Run 2.
    """
    constant = in_eta(eta, (1.479, np.inf), (0.012, 0.025))
    return np.sqrt(0.028**2 / energy + (0.12 / energy) ** 2 + constant**2)


def jet_resolution(pt: Floats) -> Floats:
    """σ(pT)/pT of a jet: 3 GeV of pile-up, 80 %/√pT and 4 %.

    Own choice: 18 % at 30 GeV and 9 % at 100 GeV, close to CMS with 30 pile-up collisions.
    """
    return np.sqrt((3.0 / pt) ** 2 + 0.80**2 / pt + 0.04**2)


def muon_efficiency(eta: Floats) -> Floats:
    """Efficiency to find a muon's track."""
    return in_eta(eta, (1.5, 2.4), (0.99, 0.98))


def muon_id_efficiency(pt: Floats) -> Floats:
    """Efficiency of the muon identification for a found muon; below 10 GeV, where the card has none, own choice."""
    return np.where(pt > 10, 0.95, 0.90)


def electron_efficiency(pt: Floats, eta: Floats) -> Floats:
    """Efficiency to find an electron."""
    return np.where(pt > 100, in_eta(eta, (1.5, 2.5), (0.99, 0.90)), in_eta(eta, (1.5, 2.5), (0.95, 0.83)))


def electron_id_efficiency(pt: Floats, eta: Floats) -> Floats:
    """Efficiency of the four-lepton identification for a found electron; below 10 GeV own choice, as for muons."""
    return np.where(pt > 10, in_eta(eta, (1.5, np.inf), (0.95, 0.85)), 0.70)


def photon_efficiency(pt: Floats, eta: Floats) -> Floats:
    """Efficiency to find a photon; below 10 GeV, where the card has none, 80 % as own choice."""
    return np.where(pt > 10, in_eta(eta, (1.5, 2.5), (0.95, 0.85)), in_eta(eta, (2.5,), (0.80,)))


def smear(value: Floats, relative: Floats, random: np.random.Generator) -> Floats:
    """Draw log-normally with mean *value* and standard deviation *relative* × *value*: never negative."""
    width = np.sqrt(np.log1p(relative**2))
    return value * np.exp(width * random.standard_normal(len(value)) - 0.5 * width**2)


def _track_resolution(table: tuple[tuple[float, float, float], ...], pt: Floats, eta: Floats) -> Floats:
    edges, constant, slope = zip(*table, strict=True)
    return np.hypot(in_eta(eta, edges, constant), in_eta(eta, edges, slope) * pt)
