from __future__ import annotations

from typing import Any

import awkward as ak
import numpy as np

from gpuhiggs.simulate.gen_particles import keep_gen_particles

PROMPT, HARD, FROM_HARD, FIRST, LAST = 1 << 0, 1 << 7, 1 << 8, 1 << 12, 1 << 13


def test_history_of_a_decay(particles: Any, made: Any) -> None:
    event = [
        made(21, 0.0, 5.0, status=-21),  # 1: incoming gluon
        made(25, 30.0, mass=125.0, status=-22, mother=1),  # 2: H
        made(25, 31.0, mass=125.0, status=-62, mother=2),  # 3: H after showering
        made(23, 40.0, mass=91.0, status=-22, mother=3),  # 4: Z
        made(13, 40.0, status=-23, mother=4),  # 5: muon, radiates
        made(13, 35.0, status=1, mother=5),  # 6: the same muon
        made(22, 5.0, status=1, mother=5),  # 7: its photon
        made(511, 20.0, mass=5.3, status=-83, mother=1),  # 8: B meson
        made(-15, 12.0, mass=1.8, status=-91, mother=8),  # 9: tau from it
        made(-11, 6.0, status=1, mother=9),  # 10: electron from the tau
        made(22, 9.0, status=1, mother=8),  # 11: photon of a hadron: not kept
        made(11, 0.5, status=1, mother=8),  # 12: too soft
    ]
    kept, index = keep_gen_particles(particles([event]))
    np.testing.assert_array_equal(index[1:], [0, 1, 2, 3, 4, 5, 6, -1, 7, 8, -1, -1])
    np.testing.assert_array_equal(kept["pdgId"], [21, 25, 25, 23, 13, 13, 22, -15, -11])
    np.testing.assert_array_equal(kept["status"], [21, 22, 62, 22, 23, 1, 1, 2, 1])
    np.testing.assert_array_equal(kept["genPartIdxMother"], [-1, 0, 1, 2, 3, 4, 4, 0, 7])
    np.testing.assert_array_equal(
        kept["statusFlags"],
        [
            PROMPT | HARD | FROM_HARD | FIRST | LAST,
            PROMPT | HARD | FROM_HARD | FIRST,
            PROMPT | FROM_HARD | LAST,
            PROMPT | HARD | FROM_HARD | FIRST | LAST,
            PROMPT | HARD | FROM_HARD | FIRST,
            PROMPT | FROM_HARD | LAST,
            PROMPT | FIRST | LAST,
            FIRST | LAST,
            FIRST | LAST,
        ],
    )


def test_places_are_counted_within_each_event(particles: Any, made: Any) -> None:
    event = [made(21, 0.0, 5.0, status=-21), made(13, 20.0, status=23, mother=1), made(13, 15.0, mother=2)]
    kept, index = keep_gen_particles(particles([event, [], event]))
    np.testing.assert_array_equal(np.diff(kept.offsets), [3, 0, 3])
    np.testing.assert_array_equal(index, [-1, 0, 1, 2, -1, -1, 0, 1, 2])
    np.testing.assert_array_equal(kept["genPartIdxMother"], [-1, 0, 1, -1, 0, 1])


def test_simulated_events_have_one_higgs_and_four_leptons(higgs_events: ak.Array) -> None:
    assert ak.all(np.isfinite(higgs_events.GenPart_eta))
    flags, kind = higgs_events.GenPart_statusFlags, abs(higgs_events.GenPart_pdgId)
    higgs = (kind == 25) & (flags & LAST > 0)
    assert ak.all(ak.sum(higgs, axis=1) == 1)
    assert ak.all(abs(higgs_events.GenPart_mass[higgs] - 125.09) < 1.0)
    lepton = ((kind == 11) | (kind == 13)) & (flags & HARD > 0)
    assert ak.all(ak.sum(lepton, axis=1) == 4)
    # each of them descends from the Higgs boson: lepton -> Z -> ... -> H
    place = higgs_events.GenPart_genPartIdxMother[lepton]
    for _ in range(10):
        above = higgs_events.GenPart_genPartIdxMother[place]
        place = ak.where(higgs_events.GenPart_pdgId[place] == 25, place, above)
    assert ak.all(higgs_events.GenPart_pdgId[place] == 25)
