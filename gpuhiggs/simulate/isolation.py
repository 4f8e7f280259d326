"""Isolation: what the detector sees around a lepton or photon."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gpuhiggs.simulate.particles import Floats, Ints, Particles, delta_r, pairs_within_events, sum_by

CHARGED_HADRONS = (211, 321, 2212, 3112, 3222, 3312, 3334)  # those that Pythia leaves undecayed

# Pile-up under a cone of 0.3: its mean is subtracted, its fluctuation grows with the number of collisions. Own
# choice; 1 GeV with 32 of them.
_PILEUP_PER_ROOT_COLLISION = 0.18
_REFERENCE_RADIUS = 0.3

# Generation has no multiparton interactions: this is what they add per unit area of (η, φ) around the muons of
# H → 4ℓ and ZZ → 4ℓ, in GeV, measured with Pythia's own switched on; drawn exponentially for each cone.
_UNDERLYING_EVENT_CHARGED = 1.65
_UNDERLYING_EVENT_NEUTRAL = 0.3


class Surroundings(NamedTuple):
    """What can spoil an isolation: charged hadrons in the tracker, neutral hadrons and photons, pile-up collisions."""

    charged: Particles
    neutral: Particles
    n_pileup: Ints
    underlying_event: bool
    """Whether the particles have the underlying event; else it is drawn."""


class Cone(NamedTuple):
    """Sums of transverse momentum in a cone around each object, GeV: charged alone, and all with pile-up subtracted."""

    charged: Floats
    total: Floats


def surroundings(visible: Particles, n_pileup: Ints, *, underlying_event: bool = False) -> Surroundings:
    """Sort the *visible* final particles of a block into what enters charged and neutral isolation.

    Thresholds of CMS particle flow: neutral particles above 0.5 GeV; leptons are left out.
    """
    is_charged = np.isin(visible.kind, CHARGED_HADRONS)
    is_neutral = ~is_charged & ((visible.kind > 100) | (visible.kind == 22)) & (visible.pt > 0.5)
    in_tracker = np.abs(visible.eta) < 2.5
    in_reach = np.abs(visible.eta) < 3.0
    charged, neutral = visible.select(is_charged & in_tracker), visible.select(is_neutral & in_reach)
    return Surroundings(charged, neutral, n_pileup, underlying_event)


def isolation_sums(
    event: Ints,
    eta: Floats,
    phi: Floats,
    around: Surroundings,
    radii: tuple[float, ...],
    random: np.random.Generator,
    veto: float = 0.0,
) -> list[Cone]:
    """Scalar sums of transverse momentum in cones around objects, pile-up subtracted, in GeV.

    Parameters
    ----------
    event, eta, phi
        Event and direction of each object, shape (n,).
    around
        The particles that count.
    radii
        Cone sizes in √(Δη² + Δφ²).
    random
        Source of the pile-up fluctuation and the underlying event.
    veto
        Neutral particles nearer than this belong to the object itself.

    Returns
    -------
    list of Cone
        One for each radius, shapes (n,); in all charged + max(0, neutral - pile-up), as CMS defines it.
    """
    fluctuation = random.standard_normal(len(event)) * _PILEUP_PER_ROOT_COLLISION * np.sqrt(around.n_pileup[event])
    missing = 0.0 if around.underlying_event else 1.0
    charged_extra = random.standard_exponential(len(event)) * _UNDERLYING_EVENT_CHARGED * missing
    neutral_extra = random.standard_exponential(len(event)) * _UNDERLYING_EVENT_NEUTRAL * missing
    charged = _cone_sums(event, eta, phi, around.charged, radii, 0.0)
    neutral = _cone_sums(event, eta, phi, around.neutral, radii, veto)
    sums = []
    for radius, in_charged, in_neutral in zip(radii, charged, neutral, strict=True):
        area = np.pi * radius**2
        pileup = fluctuation * radius / _REFERENCE_RADIUS
        all_charged = in_charged + area * charged_extra
        all_neutral = np.maximum(0.0, in_neutral + area * neutral_extra + pileup)
        sums.append(Cone(all_charged, all_charged + all_neutral))
    return sums


def _cone_sums(
    event: Ints, eta: Floats, phi: Floats, around: Particles, radii: tuple[float, ...], veto: float
) -> list[Floats]:
    """Sum of pT within each radius and outside the veto."""
    left, right = pairs_within_events(event, around.offsets)
    distance = delta_r(eta[left], phi[left], around.eta[right], around.phi[right])
    sums = []
    for radius in radii:
        inside = (distance < radius) & (distance >= veto)
        sums.append(sum_by(left[inside], around.pt[right[inside]], len(event)))
    return sums
