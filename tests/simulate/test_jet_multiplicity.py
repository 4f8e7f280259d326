"""Weights by the number of jets, on events made by hand."""

from __future__ import annotations

import numpy as np

from gpuhiggs.simulate import find_process, jet_multiplicity
from gpuhiggs.simulate.nanoaod import Collection
from tests.simulate.conftest import Made, make_particles

PHOTONS = make_particles([[Made(22, 60.0, eta=0.5, phi=3.1)], [], [Made(22, 5.0, eta=0.5, phi=3.1)]])
EVENT = np.array([0, 0, 0, 1, 1, 1, 2])
JETS = Collection(
    3,
    EVENT,
    {
        # the photon itself, across ±π; a jet; a soft one | two jets, one beyond the detector | a jet with a soft photon
        "pt": np.array([61.0, 31.0, 29.0, 200.0, 40.0, 40.0, 50.0]),
        "eta": np.array([0.5, 0.5, 0.0, 4.6, -4.6, 4.8, 0.5]),
        "phi": np.array([-3.1, 2.0, 0.0, 0.0, 1.0, 0.0, 3.1]),
    },
)


def test_hard_jets_within_the_detector_that_are_no_photons_count() -> None:
    assert jet_multiplicity.count(JETS, PHOTONS).tolist() == [1, 2, 1]


def test_the_last_factor_is_for_more_jets_too() -> None:
    assert jet_multiplicity.weights(JETS, PHOTONS, (1.0, 4.0, 6.0)).tolist() == [4.0, 6.0, 4.0]
    assert jet_multiplicity.weights(JETS, PHOTONS, (1.0, 4.0)).tolist() == [4.0, 4.0, 4.0]


def test_photon_pairs_from_quarks_have_weights_and_the_cross_section_their_mean() -> None:
    process = find_process("qq_gamgam")
    assert process.jet_weights[0] == 1.0
    assert 1.0 < process.branching_ratio < max(process.jet_weights)
