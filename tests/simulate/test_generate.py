from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from gpuhiggs.errors import MissingExtraError, RunError
from gpuhiggs.simulate import find_process
from gpuhiggs.simulate.blocks import Block
from gpuhiggs.simulate.generate import GeneratedBlock, generate


@pytest.fixture(scope="module")
def zz(pythia: None) -> GeneratedBlock:
    return generate(find_process("qqZZ_4l"), Block("qqZZ_4l", 3, 0, 0, 400))


def test_pythia_agrees_with_the_table_on_the_cross_section(zz: GeneratedBlock) -> None:
    expected = find_process("qqZZ_4l").production_pb
    assert zz.cross_section_error < 0.05 * expected
    assert abs(zz.cross_section - expected) < 4 * zz.cross_section_error


def test_events_conserve_momentum(zz: GeneratedBlock) -> None:
    final = zz.particles.select(zz.particles.is_final)
    for component, expected in (("px", 0.0), ("py", 0.0), ("pz", 0.0), ("energy", 13000.0)):
        total = np.bincount(final.event, weights=getattr(final, component), minlength=400)
        np.testing.assert_allclose(total, expected, atol=0.05)


def test_mothers_are_of_the_same_event(zz: GeneratedBlock) -> None:
    record = zz.particles
    np.testing.assert_array_equal(record.event[record.mother], record.event)
    top = record.mother == record.record
    assert np.all(record.pdg_id[top & (record.record == record.offsets[record.event])] == 90)
    z = (record.pdg_id == 23) & (record.status == -22)
    daughters = np.isin(record.mother, np.flatnonzero(z))
    assert np.isin(record.kind[daughters], (11, 13, 23)).all()


def test_every_event_has_four_leptons(zz: GeneratedBlock) -> None:
    record = zz.particles
    hard = np.isin(record.kind, (11, 13)) & (np.abs(record.status) == 23)
    np.testing.assert_array_equal(np.bincount(record.event[hard], minlength=400), 4)
    assert zz.weight.shape == (400,)


def test_displaced_decays_have_their_vertex(zz: GeneratedBlock) -> None:
    record = zz.particles
    hadron = np.isin(record.kind[record.mother], (411, 421, 431, 511, 521, 531))
    displaced = np.hypot(record.x, record.y)[hadron]
    assert 0.01 < np.median(displaced) < 10.0  # mm: cτ of charm and bottom is 0.1 to 0.5 mm


def test_the_same_block_twice_is_the_same(pythia: None) -> None:
    block = Block("ggH_4l", 3, 1, 2000, 20)
    first, second = (generate(find_process("ggH_4l"), block).particles for _ in range(2))
    np.testing.assert_array_equal(first.px, second.px)
    other = generate(find_process("ggH_4l"), block._replace(number=2)).particles
    assert len(other) != len(first) or not np.array_equal(other.px, first.px)


def test_a_wrong_setting_is_named(pythia: None) -> None:
    wrong = replace(find_process("ggH_4l"), settings=("HiggsSM:gg2Higgs = on",))
    with pytest.raises(RunError, match="HiggsSM:gg2Higgs"):
        generate(wrong, Block("ggH_4l", 1, 0, 0, 1))


def test_impossible_phase_space_is_reported(pythia: None) -> None:
    settings = (*find_process("qqZZ_4l").settings, "PhaseSpace:mHatMin = 14000.")
    with pytest.raises(RunError, match="qqZZ_4l"):
        generate(replace(find_process("qqZZ_4l"), settings=settings), Block("qqZZ_4l", 1, 0, 0, 1))


def test_without_pythia_the_message_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pythia8mc", None)
    with pytest.raises(MissingExtraError, match=r"simulation needs the package 'pythia8mc'.*gpuhiggs\[demo\]"):
        generate(find_process("ggH_4l"), Block("ggH_4l", 1, 0, 0, 1))
