"""Conditions of each bunch crossing: pile-up collisions, reconstructed vertices, the place of the hard collision."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gpuhiggs.simulate.particles import Floats, Ints

# Own choice, close to CMS in 2018: pile-up of 32 with a wide spread, vertices found in 7 of 10 collisions, luminous
# region 3.5 cm long.
_MEAN, _SPREAD, _MOST = 32.0, 11.0, 98.0
_VERTEX_EFFICIENCY = 0.7
LUMINOUS_LENGTH = 3.5
_DENSITY, _DENSITY_SPREAD = 0.65, 1.2  # GeV per collision and unit of area


class BunchCrossing(NamedTuple):
    """Conditions of each event, shape (events,).

    True mean number of collisions, their number, good vertices, z of the hard collision in cm, energy density in GeV.
    """

    n_true: Floats
    n_pileup: Ints
    n_good_vertices: Ints
    z: Floats
    rho: Floats


def draw_bunch_crossings(n_events: int, random: np.random.Generator) -> BunchCrossing:
    """Draw the conditions of *n_events* events."""
    n_true = np.clip(random.normal(_MEAN, _SPREAD, n_events), 1.0, _MOST)
    n_pileup = random.poisson(n_true)
    n_good_vertices = 1 + random.binomial(n_pileup, _VERTEX_EFFICIENCY)
    z = random.normal(0.0, LUMINOUS_LENGTH, n_events)
    rho = np.maximum(0.0, random.normal(_DENSITY * n_pileup, _DENSITY_SPREAD))
    return BunchCrossing(n_true, n_pileup, n_good_vertices, z, rho)
