"""Electrons as reconstructed, with NanoAOD's variables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from gpuhiggs.simulate.impact_parameters import impact_parameters
from gpuhiggs.simulate.isolation import Surroundings, isolation_sums
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Floats, Ints, Particles, delta_r, pairs_within_events, sum_by
from gpuhiggs.simulate.resolution import (
    electron_efficiency,
    electron_id_efficiency,
    electron_resolution,
    in_eta,
    smear,
)

ELECTRON_MASS = 0.51099895e-3  # GeV, PDG 2022 (PTEP 2022, 083C01)

_LOWEST_PT = 5.0  # of NanoAOD
_CLUSTER_RADIUS = 0.1  # photons nearer to the electron are part of its energy deposit
CALORIMETER_RADIUS, CALORIMETER_Z = 129.0, 317.0  # cm, front of the ECAL (CMS, JINST 3 (2008) S08004)

# Working points of the four-lepton analysis on mvaFall17V2Iso (CMS HIG-19-001, as in the public CJLST ZZAnalysis
# repository), by |η| of the supercluster below 0.8, 1.479, above; for pT up to and above 10 GeV.
_WORKING_POINT_LOW = (0.85216885, 0.82684551, 0.86937630)
_WORKING_POINT_HIGH = (0.98248929, 0.96919225, 0.79349796)
_WP90, _WPL = 0.90, 0.98  # efficiencies of NanoAOD's own working points
_CUT_BASED = (
    0.95,
    0.90,
    0.80,
    0.70,
)  # ... of its cut-based ones: veto, loose, medium, tight (CMS EGM, JINST 16 P05014)
_CONVERSION_VETO = 0.99  # own choice

# Own choice: how fast the score falls with relative isolation beyond what pile-up gives.
_ISOLATION_FREE, _ISOLATION_SLOPE = 0.15, 4.0


def reconstruct_electrons(
    visible: Particles, around: Surroundings, z: Floats, gen_index: Ints, random: np.random.Generator
) -> Collection:
    """Reconstruct the electrons of a block, prompt or from hadron decays alike.

    Parameters
    ----------
    visible
        Final particles but neutrinos.
    around
        What isolation is computed from.
    z
        Position of the collision in cm, shape (events,).
    gen_index
        Place in GenPart of each particle of the generator's record, -1 where it has none.
    random
        Source of efficiencies and resolutions.
    """
    in_reach = (visible.pt > 0.5 * _LOWEST_PT) & (np.abs(visible.eta) < 2.5)
    electrons = visible.select((visible.kind == 11) & in_reach)
    eta = electrons.eta
    energy = electrons.energy + _clustered_photons(electrons, visible)
    pt = smear(energy, electron_resolution(energy, eta), random) / np.cosh(eta)
    (cone,) = isolation_sums(electrons.event, eta, electrons.phi, around, (0.3,), random, veto=_CLUSTER_RADIUS)
    eta_cluster = supercluster_eta(eta, z[electrons.event])
    fields = {
        "pt": pt,
        "eta": eta,
        "phi": electrons.phi,
        "mass": np.full(len(electrons), ELECTRON_MASS),
        "charge": -np.sign(electrons.pdg_id).astype(np.int32),
        "pdgId": electrons.pdg_id.astype(np.int32),
        **impact_parameters(electrons, random),
        "deltaEtaSC": eta_cluster - eta,
        "energyErr": electron_resolution(energy, eta) * energy,
        "pfRelIso03_all": cone.total / pt,
        "pfRelIso03_chg": cone.charged / pt,
        **identify(pt, eta_cluster, cone.total / pt, random),
        "genPartIdx": gen_index[electrons.record].astype(np.int32),
    }
    found = random.random(len(electrons)) < electron_efficiency(pt, eta)
    return Collection.ordered(visible.n_events, electrons.event, fields, found & (pt > _LOWEST_PT))


def supercluster_eta(eta: Floats, z: Floats) -> Floats:
    """Pseudorapidity of the energy deposit seen from the detector's centre, for a collision at *z* in cm."""
    slope = np.sinh(eta)
    face = np.copysign(CALORIMETER_Z, eta)
    in_barrel = np.abs(z + CALORIMETER_RADIUS * slope) < CALORIMETER_Z
    return np.arcsinh(np.where(in_barrel, slope + z / CALORIMETER_RADIUS, face * slope / (face - z)))


def _clustered_photons(electrons: Particles, visible: Particles) -> Floats:
    """Energy of the photons that fall into each electron's deposit, in GeV."""
    photons = visible.select(visible.kind == 22)
    left, right = pairs_within_events(electrons.event, photons.offsets)
    distance = delta_r(electrons.eta[left], electrons.phi[left], photons.eta[right], photons.phi[right])
    near = distance < _CLUSTER_RADIUS
    return sum_by(left[near], photons.energy[right[near]], len(electrons))


def identify(
    pt: Floats, eta_cluster: Floats, relative_iso: Floats, random: np.random.Generator, lower: float = 0.0
) -> dict[str, NDArray[Any]]:
    """Draw the multivariate score: a normal quality, lowered by isolation, mapped so that working points fit.

    The score passes the four-lepton working point with the efficiency of ``resolution.electron_id_efficiency`` if the
    electron is isolated, and NanoAOD's own working points with theirs. What is no electron has a *lower* quality.
    """
    quality = random.standard_normal(len(pt)) - lower
    quality -= _ISOLATION_SLOPE * np.maximum(0.0, relative_iso - _ISOLATION_FREE)
    edges = (0.8, 1.479, np.inf)
    working_point = np.where(
        pt > 10, in_eta(eta_cluster, edges, _WORKING_POINT_HIGH), in_eta(eta_cluster, edges, _WORKING_POINT_LOW)
    )
    above_threshold = quality + ndtri(electron_id_efficiency(pt, eta_cluster))
    return {
        "mvaFall17V2Iso": np.tanh(np.arctanh(working_point) + above_threshold),
        "convVeto": random.random(len(pt)) < _CONVERSION_VETO,
        "cutBased": np.sum(quality > -ndtri(np.array(_CUT_BASED))[:, None], axis=0).astype(np.int32),
        "sieie": np.where(np.abs(eta_cluster) < 1.479, 0.0097, 0.0265) * (1 - 0.05 * np.minimum(quality, 0.0)),
        "hoe": 0.01 * np.exp(np.minimum(-quality, 5.0)),
        "eInvMinusPInv": 0.005 * random.standard_normal(len(pt)),
        "mvaFall17V2Iso_WPL": quality > -ndtri(_WPL),
        "mvaFall17V2Iso_WP90": quality > -ndtri(_WP90),
    }
