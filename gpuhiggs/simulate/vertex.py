"""The vertex that is taken for the hard collision's: another one where too few tracks point to it."""

from __future__ import annotations

import numpy as np

from gpuhiggs.simulate.electrons import CALORIMETER_RADIUS, CALORIMETER_Z
from gpuhiggs.simulate.isolation import CHARGED_HADRONS
from gpuhiggs.simulate.particles import Floats, Particles, sum_by
from gpuhiggs.simulate.pileup import LUMINOUS_LENGTH

# Own choice: with these, pairs of photons have the right vertex in about four of five cases, as CMS finds in Run 2
# (arXiv:2103.06956), more often the harder what recoils against them. An electron or muon always points to it.
_CHANCE, _SCALE = 0.5, 20.0
_LEPTON_PT, _TRACKER_ETA = 5.0, 2.5


def choose_vertex(visible: Particles, z: Floats, random: np.random.Generator) -> Floats:
    """Return where along the beam, in cm, each event is taken to be, for collisions at *z*; shape (events,)."""
    n = visible.n_events
    inside = np.abs(visible.eta) < _TRACKER_ETA
    lepton = inside & np.isin(visible.kind, (11, 13)) & (visible.pt > _LEPTON_PT)
    hadron = inside & np.isin(visible.kind, CHARGED_HADRONS)
    sum_pt = sum_by(visible.event[hadron], visible.pt[hadron], n)
    has_lepton = np.bincount(visible.event[lepton], minlength=n) > 0
    wrong = (random.random(n) < _CHANCE * np.exp(-sum_pt / _SCALE)) & ~has_lepton
    return np.where(wrong, random.normal(0.0, LUMINOUS_LENGTH, n), z)


def eta_from_vertex(eta_cluster: Floats, z: Floats) -> Floats:
    """Return the pseudorapidity that a deposit at *eta_cluster*, seen from the detector's centre, has from a vertex."""
    slope = np.sinh(eta_cluster)
    in_barrel = np.abs(CALORIMETER_RADIUS * slope) < CALORIMETER_Z
    face = np.copysign(CALORIMETER_Z, eta_cluster)
    with np.errstate(divide="ignore"):
        radius = np.where(in_barrel, CALORIMETER_RADIUS, np.abs(face / slope))
    along = np.where(in_barrel, CALORIMETER_RADIUS * slope, face)
    found: Floats = np.arcsinh((along - z) / radius)
    return found
