from __future__ import annotations

import numpy as np
import pytest

from gpuhiggs.simulate.nanoaod import Collection
from gpuhiggs.simulate.triggers import PATHS, decide_triggers

N = 4000

DOUBLE_E = "HLT_Ele23_Ele12_CaloIdL_TrackIdL_IsoVL"
DOUBLE_MU = "HLT_Mu17_TrkIsoVVL_Mu8_TrkIsoVVL_DZ_Mass3p8"
MU_E = "HLT_Mu23_TrkIsoVVL_Ele12_CaloIdL_TrackIdL_IsoVL"
E_MU = "HLT_Mu12_TrkIsoVVL_Ele23_CaloIdL_TrackIdL_IsoVL_DZ"


def leptons(*pt: float, iso: float = 0.0) -> Collection:
    """The same leptons in N events."""
    event = np.repeat(np.arange(N), len(pt))
    return Collection(N, event, {"pt": np.tile(pt, N), "pfRelIso03_all": np.full(len(event), iso)})


def rates(electrons: Collection, muons: Collection, photons: Collection | None = None) -> dict[str, float]:
    photons = leptons() if photons is None else photons
    decisions = decide_triggers(electrons, muons, photons, np.random.default_rng(1))
    assert set(decisions) == set(PATHS)
    return {name: float(np.mean(passed)) for name, passed in decisions.items()}


def test_two_leptons_pass_their_legs() -> None:
    rate = rates(leptons(40.0, 20.0), leptons())
    assert rate[DOUBLE_E] == pytest.approx(0.96**2, abs=0.02)
    assert rate["HLT_Ele32_WPTight_Gsf"] == pytest.approx(0.88, abs=0.02)
    assert rate[DOUBLE_MU] == rate[MU_E] == rate["HLT_IsoMu24"] == 0.0


def test_both_legs_need_their_threshold() -> None:
    assert rates(leptons(40.0, 8.0), leptons())[DOUBLE_E] < 0.01
    assert rates(leptons(18.0, 18.0), leptons())[DOUBLE_E] < 0.01
    assert rates(leptons(40.0), leptons())[DOUBLE_E] == 0.0


def test_mixed_paths_need_both_flavours() -> None:
    soft_electron = rates(leptons(16.0), leptons(40.0))
    assert soft_electron[MU_E] == pytest.approx(0.96**2, abs=0.02)
    assert soft_electron[E_MU] < 0.01
    assert rates(leptons(), leptons(40.0))[MU_E] == 0.0


def test_turn_on_is_half_way_at_the_threshold() -> None:
    assert rates(leptons(), leptons(24.0))["HLT_IsoMu24"] == pytest.approx(0.44, abs=0.03)


def test_leptons_in_jets_do_not_fire() -> None:
    assert rates(leptons(60.0, 40.0, iso=1.0), leptons(60.0, 40.0, iso=1.0)) == dict.fromkeys(PATHS, 0.0)


def test_two_photons() -> None:
    path = "HLT_Diphoton30_22_R9Id_OR_IsoCaloId_AND_HE_R9Id_Mass90"
    assert rates(leptons(), leptons(), leptons(50.0, 30.0))[path] == pytest.approx(0.97**2, abs=0.02)
    assert rates(leptons(), leptons(), leptons(50.0, 15.0))[path] < 0.01
    assert rates(leptons(50.0, 30.0), leptons())[path] == 0.0
