from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from gpuhiggs.errors import MissingExtraError
from gpuhiggs.simulate.jets import b_tag_efficiency, reconstruct_jets
from gpuhiggs.simulate.nanoaod import Collection


def reconstruct(record: Any) -> Collection:
    visible = record.select(record.is_final)
    return reconstruct_jets(visible, record, np.random.default_rng(1))[0]


@pytest.mark.usefixtures("pythia")
def test_near_particles_are_one_jet_and_far_ones_two(particles: Any, made: Any) -> None:
    near = [made(211, 40.0, 1.0, 0.0, 0.14), made(-211, 40.0, 1.0, 0.2, 0.14)]
    far = [made(22, 60.0, -1.0, 2.0), made(2112, 50.0, -2.0, 2.5, 0.94)]
    jets = reconstruct(particles([[*near, *far], []] * 2000))
    assert jets.n_events == 4000
    np.testing.assert_array_equal(np.diff(jets.offsets)[::2], 3)
    np.testing.assert_array_equal(np.diff(jets.offsets)[1::2], 0)
    leading = jets["pt"][(jets["eta"] > 0)]
    # the sum of the two is 79.6 GeV; CMS-like resolution there is 10.6 %, error of the mean over 2000 jets 0.2 GeV
    assert leading.mean() == pytest.approx(2 * 40 * np.cos(0.1), abs=0.8)
    assert leading.std() / 79.6 == pytest.approx(0.106, rel=0.08)
    assert np.median(jets["phi"][jets["eta"] > 0]) == pytest.approx(0.1, abs=0.01)


@pytest.mark.usefixtures("pythia")
def test_soft_and_forward_jets_are_not_kept(particles: Any, made: Any) -> None:
    assert len(reconstruct(particles([[made(211, 7.0), made(211, 40.0, 4.9)]] * 20))) == 0


@pytest.mark.usefixtures("pythia")
def test_flavour_is_of_the_heaviest_hadron_inside(particles: Any, made: Any) -> None:
    decayed = {"status": -91}
    bottom = [
        made(511, 40.0, 1.0, 0.1, 5.3, **decayed),
        made(421, 20.0, 1.0, 0.1, 1.9, **decayed),
        made(211, 50.0, 1.0),
    ]
    charm = [made(4122, 20.0, -1.0, 1.9, 2.3, **decayed), made(211, 50.0, -1.0, 2.0)]
    light = [made(521, 3.0, 0.0, -2.0, 5.3, **decayed), made(211, 50.0, 0.0, -2.0)]
    jets = reconstruct(particles([[*bottom, *charm, *light]] * 3000))
    for eta, flavour in ((1.0, 5), (-1.0, 4), (0.0, 0)):
        of_kind = np.abs(jets["eta"] - eta) < 0.1
        assert set(jets["hadronFlavour"][of_kind]) == {flavour}
        tagged = np.mean(jets["btagDeepFlavB"][of_kind] > 0.2783)
        expected = b_tag_efficiency(jets["pt"][of_kind], np.full(int(np.sum(of_kind)), flavour)).mean()
        assert tagged == pytest.approx(expected, abs=0.03)


def test_b_tag_efficiency_is_that_of_the_delphes_card() -> None:
    measured = b_tag_efficiency(np.full(3, 100.0), np.array([5, 4, 0]))
    bottom = 0.85 * np.tanh(0.25) * 25 / 7.3
    charm = 0.25 * np.tanh(1.8) / 1.13
    np.testing.assert_allclose(measured, [bottom, charm, 0.0138])


def test_without_fastjet_the_message_names_the_extra(
    particles: Any, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "fastjet", None)
    with pytest.raises(MissingExtraError, match=r"'fastjet'.*gpuhiggs\[demo\]"):
        reconstruct(particles([[made(211, 40.0)]]))


@pytest.mark.usefixtures("pythia")
def test_jets_know_their_generated_one(particles: Any, made: Any) -> None:
    event = [made(211, 60.0, 1.0, 0.0), made(211, 30.0, -1.0, 2.0), made(211, 45.0, 0.0, -2.0)]
    record = particles([event, event[:1]] * 200)
    jets, gen_jets = reconstruct_jets(record.select(record.is_final), record, np.random.default_rng(1))
    assert set(gen_jets.fields) == {"pt", "eta", "phi", "mass", "hadronFlavour"}
    np.testing.assert_allclose(gen_jets["pt"][:3], [60.0, 45.0, 30.0])
    assert (jets["genJetIdx"] >= 0).all()
    place = jets["genJetIdx"] + gen_jets.offsets[jets.event]
    np.testing.assert_array_equal(jets["phi"], gen_jets["phi"][place])
    assert np.all(np.abs(jets["pt"] / gen_jets["pt"][place] - 1) < 1)
