from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from gpuhiggs.simulate.stxs import Truth, stage_0, stage_1_2, template_columns


def truth(**values: Any) -> Truth:
    """One event; what is not given is 0."""
    of = {"pt_h": 0.0, "y_h": 0.0, "n_jets": 0, "m_jj": 0.0, "pt_hjj": 0.0, "pt_v": 0.0, "leptonic": False, **values}
    return Truth(**{name: np.array([value]) for name, value in of.items()})


@pytest.mark.parametrize(
    ("production", "values", "code"),
    [
        ("ggH", {"pt_h": 5.0}, 105),
        ("ggH", {"pt_h": 10.0}, 106),
        ("ggH", {"pt_h": 59.0, "n_jets": 1}, 107),
        ("ggH", {"pt_h": 150.0, "n_jets": 1}, 109),
        ("ggH", {"pt_h": 70.0, "n_jets": 3, "m_jj": 349.0}, 111),
        ("ggH", {"pt_h": 70.0, "n_jets": 2, "m_jj": 500.0, "pt_hjj": 30.0}, 114),
        ("ggH", {"pt_h": 70.0, "n_jets": 2, "m_jj": 800.0, "pt_hjj": 20.0}, 115),
        ("ggH", {"pt_h": 250.0, "n_jets": 2, "m_jj": 800.0}, 101),
        ("ggH", {"pt_h": 700.0}, 104),
        ("ggH", {"pt_h": 700.0, "y_h": -2.6}, 100),
        ("VBF", {"n_jets": 1, "pt_h": 300.0}, 202),
        ("VBF", {"n_jets": 2, "m_jj": 60.0}, 204),
        ("VBF", {"n_jets": 2, "m_jj": 360.0, "pt_h": 210.0}, 206),
        ("VBF", {"n_jets": 2, "m_jj": 360.0, "pt_hjj": 25.0}, 208),
        ("VBF", {"n_jets": 2, "m_jj": 900.0}, 209),
        ("WH", {"n_jets": 2, "m_jj": 80.0}, 204),
        ("WH", {"leptonic": True, "pt_v": 80.0}, 302),
        ("ZH", {"leptonic": True, "pt_v": 160.0}, 403),
        ("ZH", {"leptonic": True, "pt_v": 160.0, "n_jets": 2}, 404),
        ("WH", {"leptonic": True, "pt_v": 260.0}, 305),
        ("ttH", {"pt_h": 59.0}, 601),
        ("ttH", {"pt_h": 301.0}, 605),
        ("ttH", {"pt_h": 301.0, "y_h": 3.0}, 600),
    ],
)
def test_bins_of_stage_1_2(production: str, values: dict[str, Any], code: int) -> None:
    assert stage_1_2(production, truth(**values)).tolist() == [code]


def test_bins_of_stage_0() -> None:
    assert stage_0("ggH", truth()).tolist() == [11]
    assert stage_0("VBF", truth(y_h=-2.7)).tolist() == [20]
    assert stage_0("ZH", truth()).tolist() == [23]
    assert stage_0("ZH", truth(leptonic=True)).tolist() == [41]


def test_codes_are_those_of_cms(shared: Path) -> None:
    """A sample of CMS's own: from its Higgs bosons' momenta its codes."""
    names = ["HTXS_Higgs_pt", "HTXS_Higgs_y", "HTXS_njets30", "HTXS_stage_0", "HTXS_stage1_2_cat_pTjet30GeV"]
    with uproot.open(shared / "data" / "cms" / "ttH_HToGG_M125_2017_100ev.root") as file:
        pt, y, n_jets, code_0, code_12 = (file["Events"][name].array(library="np") for name in names)
    nothing = np.zeros(len(pt))
    found = Truth(pt, y, n_jets, nothing, nothing, nothing, nothing.astype(bool))
    np.testing.assert_array_equal(stage_1_2("ttH", found), code_12)
    np.testing.assert_array_equal(stage_0("ttH", found), code_0)


@pytest.mark.usefixtures("pythia")
def test_columns_of_a_made_event(particles: Any, made: Any) -> None:
    """WH: the Higgs boson's photons and the W's muon are no jets, the two quarks' pions are."""
    event = [
        made(25, 150.0, 0.5, 0.0, 125.0, status=-22),  # 1
        made(22, 90.0, 0.7, 0.2, mother=1),
        made(22, 70.0, 0.2, -0.3, mother=1),
        made(24, 160.0, 0.1, 3.0, 80.0, status=-22),  # 4
        made(-13, 90.0, 0.1, 3.0, mother=4),
        made(14, 70.0, 0.1, 3.0, mother=4),
        made(211, 40.0, -1.0, 1.5),
        made(211, 27.0, 1.0, -1.5),
    ]
    columns = {name: values[0] for name, values in template_columns("WH", particles([event])).items()}
    assert columns["HTXS_njets30"] == 1
    assert columns["HTXS_njets25"] == 2
    assert columns["HTXS_stage_0"] == 31
    assert columns["HTXS_stage1_2_cat_pTjet30GeV"] == 304
    assert columns["HTXS_Higgs_pt"] == pytest.approx(150.0)
