"""Values and CLs of pyhf on workspaces drawn at random: every modifier that it knows, channels, shared parameters."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pyhf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuhiggs.inference import Likelihood, Workspace, flatten, hypothesis_test, observed
from tests.inference.random_workspaces import PYHFS, workspace_of, workspaces

SHARED_FIXTURES = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=40, deadline=None, suppress_health_check=SHARED_FIXTURES)
@given(workspace=workspaces(PYHFS), seed=st.integers(0, 1000))
def test_values_are_pyhfs(pyhf_twin: Callable[[Workspace], Any], workspace: Workspace, seed: int) -> None:
    model = flatten(workspace)
    twin, likelihood = pyhf_twin(workspace), Likelihood(model, observed(model, workspace))
    generator, low = np.random.default_rng(seed), np.maximum(model.arrays.lower, -5.0) + 0.05
    for width in (0.0, 0.5, 1.0):
        theta = model.initial() + width * model.arrays.step * generator.standard_normal(len(model.parameters))
        theta = np.clip(theta, low, model.arrays.upper)
        assert likelihood.nll(theta) == pytest.approx(twin.nll(theta), rel=1e-10)


@pytest.mark.parametrize("seed", [2, 3])
@pytest.mark.usefixtures("pyhf_minuit")
def test_cls_is_pyhfs(pyhf_twin: Callable[[Workspace], Any], seed: int) -> None:
    """Seeds of those workspaces whose minima pyhf's own minimiser finds well enough."""
    workspace = workspace_of(seed, ("normsys", "histosys", "lumi", "shapesys", "staterror"))
    model, twin = flatten(workspace), pyhf_twin(workspace)
    ours = hypothesis_test(model, observed(model, workspace), 0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        observed_cls, bands = pyhf.infer.hypotest(
            0.5, twin.data, twin.model, test_stat="qtilde", return_expected_set=True
        )
    assert ours.cls == pytest.approx(float(observed_cls), abs=1e-5)
    np.testing.assert_allclose(ours.expected, np.ravel(bands), atol=1e-5)
