"""Photons radiated by muons: NanoAOD's FsrPhoton."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpuhiggs.simulate.isolation import Surroundings, isolation_sums
from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.particles import Floats, Ints, Particles, delta_r, pairs_within_events
from gpuhiggs.simulate.resolution import photon_efficiency, photon_resolution, smear

# What NanoAOD keeps (cmssw, LeptonFSRProducer): version 9 near muons above 20 GeV, later ones near any, as here.
_LOWEST_PT, _LARGEST_ETA = 2.0, 2.4
_LARGEST_DELTA_R = 0.5
_LARGEST_RELATIVE_ISO = 2.0
_LARGEST_DR_OVER_ET2 = 0.05


def reconstruct_fsr_photons(
    visible: Particles, muons: Collection, around: Surroundings, random: np.random.Generator
) -> tuple[Collection, Ints]:
    """Find photons near reconstructed muons, each with its nearest one.

    Returns
    -------
    photons
        The collection FsrPhoton.
    best
        For each muon the place of its photon of least ΔR/ET² in the event, -1 without; shape (muons,).
    """
    in_reach = (visible.pt > 0.5 * _LOWEST_PT) & (np.abs(visible.eta) < _LARGEST_ETA)
    photons = visible.select((visible.kind == 22) & in_reach)
    pt = smear(photons.energy, photon_resolution(photons.energy, photons.eta), random) / np.cosh(photons.eta)
    # the photon itself is in the neutral sum; a veto of a crystal's size takes it out
    (cone,) = isolation_sums(photons.event, photons.eta, photons.phi, around, (0.3,), random, veto=0.01)
    muon, distance = _nearest_muon(photons, muons)
    relative_iso, dr_over_et2 = cone.total / pt, distance / pt**2
    fields: dict[str, NDArray[Any]] = {
        "pt": pt,
        "eta": photons.eta,
        "phi": photons.phi,
        "relIso03": relative_iso,
        "dROverEt2": dr_over_et2,
        "muonIdx": (muon - muons.offsets[photons.event]).astype(np.int32),
    }
    kept = (
        (random.random(len(photons)) < photon_efficiency(pt, photons.eta))
        & (pt > _LOWEST_PT)
        & (distance < _LARGEST_DELTA_R)
        & (relative_iso < _LARGEST_RELATIVE_ISO)
        & (dr_over_et2 < _LARGEST_DR_OVER_ET2)
    )
    collection = Collection.ordered(visible.n_events, photons.event, fields, kept)
    return collection, _best_photon(collection, muons)


def _nearest_muon(photons: Particles, muons: Collection) -> tuple[Ints, Floats]:
    """Return index and distance of the muon nearest to each photon; the distance is infinite without any."""
    left, right = pairs_within_events(photons.event, muons.offsets)
    distance = delta_r(photons.eta[left], photons.phi[left], muons["eta"][right], muons["phi"][right])
    order = np.lexsort((distance, left))
    photon, first = np.unique(left[order], return_index=True)
    nearest, least = np.zeros(len(photons), dtype=np.int64), np.full(len(photons), np.inf)
    nearest[photon], least[photon] = right[order][first], distance[order][first]
    return nearest, least


def _best_photon(photons: Collection, muons: Collection) -> Ints:
    """Return for each muon the place in the event of its photon of least ΔR/ET², -1 without."""
    muon = photons["muonIdx"] + muons.offsets[photons.event]
    order = np.lexsort((photons["dROverEt2"], muon))
    which, first = np.unique(muon[order], return_index=True)
    best = np.full(len(muons), -1)
    best[which] = (np.arange(len(photons)) - photons.offsets[photons.event])[order][first]
    return best
