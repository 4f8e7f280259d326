from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pyhf
import pytest
from scipy.stats import norm

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    FlatModel,
    NormFactor,
    Sample,
    Workspace,
    counted,
    discovery,
    draw_toys,
    expected_discovery,
    fit,
    flatten,
    hypothesis_test,
    observed,
)


def counting(signal: float, background: float) -> FlatModel:
    samples = (
        Sample(name="s", yields=(signal,), modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=(background,)),
    )
    return flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),)))


def test_expected_significance_of_a_counting_experiment() -> None:
    """Cowan et al., arXiv:1007.1727, eq. 97: Z = √(2((s+b) ln(1 + s/b) - s))."""
    for s, b in ((5.0, 1.0), (10.0, 100.0), (2.0, 20.0)):
        found = expected_discovery(counting(s, b))
        assert found.converged
        assert found.significance == pytest.approx(math.sqrt(2.0 * ((s + b) * math.log1p(s / b) - s)), rel=1e-6)
        assert found.p_value == pytest.approx(norm.sf(found.significance), rel=1e-12)
        assert found.q0 == pytest.approx(found.significance**2, rel=1e-12)


def test_the_expectation_follows_the_signal_strength() -> None:
    model = counting(5.0, 4.0)
    assert expected_discovery(model, {"mu": 2.0}).significance == pytest.approx(
        expected_discovery(counting(10.0, 4.0)).significance, rel=1e-6
    )


def test_a_deficit_is_no_discovery() -> None:
    model = counting(10.0, 20.0)
    found = discovery(model, counted(model, [15.0]))
    assert (found.q0, found.significance, found.p_value) == (0.0, 0.0, 0.5)
    assert found.best.parameters["mu"].value == pytest.approx(-0.5, abs=1e-4)


@pytest.mark.usefixtures("pyhf_minuit")
def test_q0_is_pyhfs(two_channels: Workspace, small_model: FlatModel, pyhf_twin: Callable[[Workspace], Any]) -> None:
    twin = pyhf_twin(two_channels)
    config = twin.model.config
    options = (config.suggested_init(), config.suggested_bounds(), config.suggested_fixed())
    data = observed(small_model, two_channels)
    found = discovery(small_model, data, best=fit(small_model, data))
    assert found.converged
    assert found.q0 == pytest.approx(
        float(pyhf.infer.test_statistics.q0(0.0, twin.data, twin.model, *options)), abs=1e-5
    )


def test_json_form() -> None:
    form = json.loads(json.dumps(expected_discovery(counting(5.0, 4.0)).to_json()))
    assert set(form) == {"q0", "significance", "p_value", "converged"}


def test_events_in_a_bin_without_background_are_refused() -> None:
    model = counting(5.0, 0.0)
    with pytest.raises(
        InputError, match=r"channel 'c', bin 0: 4 observed events, but 0 are expected \(fixed: mu = 0\)"
    ):
        discovery(model, counted(model, [4.0]))


@pytest.mark.parametrize(("value", "statistic"), [(math.nan, "q"), (-1.0, "q_tilde"), (math.inf, "q_tilde")])
def test_values_that_cannot_be_tested_are_refused(value: float, statistic: Any) -> None:
    model = counting(5.0, 4.0)
    with pytest.raises(InputError, match=r"test of 'mu': \S+, expected a finite number from \S+ to inf for"):
        hypothesis_test(model, counted(model, [7.0]), value, statistic=statistic)


def test_no_toys_are_refused() -> None:
    with pytest.raises(InputError, match="0 toys, expected at least 1"):
        draw_toys(counting(5.0, 4.0), 0, np.random.default_rng(1))
