from __future__ import annotations

import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.simulate import find_process, known_processes


def test_signal_cross_sections_are_those_of_yellow_report_4() -> None:
    # 48.52 and 3.779 pb, BR(H -> 4l; e, mu) = 1.251e-4: arXiv:1610.07922 at 125.09 GeV, in fb
    assert find_process("ggH_4l").cross_section == pytest.approx(6.0699e-3, rel=1e-4)
    assert find_process("VBF_4l").cross_section == pytest.approx(0.47275e-3, rel=1e-4)
    # without interference, BR(ZZ) (2 BR(Z -> ll))^2 is 4 % less (PDG: 3.3658 % for each lepton)
    assert find_process("ggH_4l").branching_ratio == pytest.approx(0.0264 * (2 * 0.033658) ** 2, rel=0.06)


def test_slices_of_zz_add_up_to_the_whole() -> None:
    slices = [process for name, process in known_processes().items() if name.startswith("qqZZ_4l_")]
    assert len(slices) == 3
    assert sum(s.cross_section for s in slices) == pytest.approx(find_process("qqZZ_4l").cross_section, rel=1e-4)
    assert not any(s.signal for s in slices)


def test_every_row_is_complete() -> None:
    for name, process in known_processes().items():
        assert process.name == name
        assert process.cross_section > 0
        assert process.title
        assert process.source
        assert any(setting.endswith("= on") for setting in process.settings)


def test_an_unknown_process_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"unknown process 'ggH'.*ggH_4l, .*, qqZZ_4l"):
        find_process("ggH")


def test_signals_are_all_modes_and_decays() -> None:
    signals = {name for name, process in known_processes().items() if process.signal}
    modes = ("ggH", "VBF", "WH", "ZH", "ttH")
    without = {"WH_2l2nu", "ttH_2l2nu", "WH_emu", "ttH_emu"}  # the other W would decay likewise
    assert signals == {f"{m}_{d}" for m in modes for d in ("gamgam", "4l", "2l2nu", "emu", "WW")} - without
    assert find_process("ttH_gamgam").production == "ttH"
    assert find_process("qq_gamgam").production is None
    # 48.52 pb, BR(H -> WW) = 0.215 (YR4), BR(W -> lnu) = 10.86 % a flavour (PDG 2022)
    assert find_process("ggH_2l2nu").cross_section == pytest.approx(48.52 * 0.215 * (3 * 0.1086) ** 2, rel=2e-3)
