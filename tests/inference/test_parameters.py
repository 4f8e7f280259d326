from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    Lumi,
    NormFactor,
    NormSys,
    ParameterSetting,
    Sample,
    ShapeSys,
    StatError,
    Workspace,
)
from gpuhiggs.inference.parameters import Gaussian, PoissonCount, collect_parameters

MU = NormFactor(parameter="mu")


def workspace(signal: tuple[Any, ...], background: tuple[Any, ...], *settings: ParameterSetting) -> Workspace:
    samples = (
        Sample(name="ZZ", yields=(3.0, 0.0, 4.0), modifiers=background),
        Sample(name="H", yields=(1.0, 0.0, 4.0), modifiers=(MU, *signal)),
    )
    return Workspace(poi="mu", channels=(Channel(name="4mu", samples=samples),), parameters=settings)


def test_mc_statistics_are_one_factor_a_bin_with_the_relative_error_of_the_sum() -> None:
    stat = [StatError(parameter="stat", errors=errors) for errors in ((0.3, 0.0, 0.0), (0.4, 0.0, 0.8))]
    found = collect_parameters(workspace((stat[1],), (stat[0],)))
    assert [parameter.name for parameter in found] == ["mu", "stat[0]", "stat[2]"]  # bin 1 is empty
    np.testing.assert_allclose(
        [p.constraint.width for p in found[1:] if isinstance(p.constraint, Gaussian)], [0.125, 0.1]
    )


def test_an_uncorrelated_error_is_a_count() -> None:
    found = collect_parameters(workspace((), (ShapeSys(parameter="shape", errors=(0.3, 1.0, 0.0)),)))
    assert [parameter.name for parameter in found] == ["mu", "shape[0]"]
    assert isinstance(found[1].constraint, PoissonCount)
    assert found[1].constraint.events == pytest.approx(100.0)


def test_the_parameter_of_interest_is_first_and_correlated_names_are_one() -> None:
    norm = NormSys(parameter="eff", up=1.1, down=0.9)
    setting = ParameterSetting(name="lumi", center=1.0, width=0.02)
    found = collect_parameters(workspace((norm,), (norm, Lumi()), setting))
    assert [parameter.name for parameter in found] == ["mu", "eff", "lumi"]
    assert found[2].constraint == Gaussian(1.0, 0.02)


@pytest.mark.parametrize(
    ("modifier", "settings", "words"),
    [
        (Lumi(), (), r"luminosity 'lumi': the workspace's parameters must set its center and width"),
        (Lumi(), (ParameterSetting(name="lumi", center=1.0),), r"center and width, both, are for a lumi"),
        (NormSys(parameter="mu", up=1.1, down=0.9), (), r"channel '4mu': free parameter 'mu' is nuisance elsewhere"),
        (MU, (ParameterSetting(name="eff"),), r"setting of parameter 'eff': no modifier names it; known: \['mu'\]"),
        (MU, (ParameterSetting(name="mu", initial=3.0, bounds=(0.0, 2.0)),), r"'mu': initial value 3 is not within"),
        (MU, (ParameterSetting(name="mu", center=1.0),), r"'mu' \(free\): center and width"),
        (MU, (ParameterSetting(name="mu", flat=True),), r"'mu' \(free\): only a nuisance can be made flat"),
    ],
)
def test_contradictions_are_refused(modifier: Any, settings: tuple[ParameterSetting, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        collect_parameters(workspace((), (modifier,), *settings))
