"""The exact Hessian against differences of the gradient, for every kind of modifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs.inference import Data, FlatModel, Workspace, asimov, batch, combine, draw_toys, fit, flatten, observed
from gpuhiggs.inference.fit import free_parameters
from gpuhiggs.inference.flat_model import FloatArray, IndexArray
from tests.inference.random_workspaces import workspaces


def differences(model: FlatModel, data: Data, theta: FloatArray, moved: IndexArray, profiled: IndexArray) -> FloatArray:
    """Central differences of fourth order."""
    step, found = 1e-4 * model.arrays.step[moved], 0.0
    for k, weight in ((1, 8.0), (-1, -8.0), (2, -1.0), (-2, 1.0)):
        points = np.repeat(theta[np.newaxis], len(moved), axis=0)
        points[np.arange(len(moved)), moved] += k * step
        gradients = batch.evaluate(model, data.counts[None], data.auxiliary[None], points, profiled)[1]
        found = found + weight * gradients[:, moved] / (12.0 * step[:, np.newaxis])
    return np.asarray(found)


def assert_exact(model: FlatModel, data: Data, theta: FloatArray, *, profile: bool) -> None:
    profiled = batch.profiled_bins(model) if profile else np.zeros(model.n_bins, dtype=np.int64)
    moved = free_parameters(model, model.held(), profiled)[::-1].copy()  # in any order
    ours = batch.hessian(model, data.counts[None], data.auxiliary[None], theta[None], moved, profiled)[0]
    theirs = differences(model, data, theta, moved, profiled)
    size = np.sqrt(np.abs(np.diag(theirs))) + 1e-3 / model.arrays.step[moved]
    np.testing.assert_allclose(ours / np.outer(size, size), theirs / np.outer(size, size), atol=2e-6)
    np.testing.assert_array_equal(ours, ours.T)


@settings(max_examples=60, deadline=None)
@given(workspace=workspaces(), seed=st.integers(0, 1000), profile=st.booleans(), mu=st.sampled_from([None, 0.0, -0.2]))
def test_the_hessian_is_that_of_the_gradient(workspace: Workspace, seed: int, profile: bool, mu: float | None) -> None:
    """At a random point, also where a strength is zero: factors that vanish take no derivative with them."""
    model = flatten(workspace)
    theta = model.initial() + 0.7 * model.arrays.step * np.random.default_rng(seed).standard_normal(
        len(model.parameters)
    )
    theta[model.index("mu")] = 1.1 if mu is None else mu
    theta = np.clip(theta, model.arrays.lower + 1e-2, model.arrays.upper - 1e-2)
    assert_exact(model, observed(model, workspace), theta, profile=profile)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_for_templates_that_end_at_zero(shared: Path, seed: int) -> None:
    """Combine's CMS H→ττ example: 171 parameters, templates bent to zero, MC errors in quadrature."""
    workspace = combine.read(shared / "problems" / "combine" / "htt" / "combined.txt", mass="200")
    model = flatten(workspace)
    step = model.arrays.step * np.random.default_rng(seed).standard_normal(len(model.parameters))
    theta = np.clip(model.initial() + 0.5 * step, model.arrays.lower, model.arrays.upper)
    assert_exact(model, observed(model, workspace), theta, profile=True)


def test_the_covariance_is_iminuits(small_model: FlatModel) -> None:
    """HESSE finds it by differences of -ln L alone."""
    from iminuit import Minuit

    (toy,) = draw_toys(small_model, 1, np.random.default_rng(3))
    ours = fit(small_model, toy)

    def nll(theta: FloatArray) -> float:
        return float(batch.evaluate(small_model, toy.counts[None], toy.auxiliary[None], theta[None])[0][0])

    minuit = Minuit(nll, np.array(list(ours.values().values())))
    minuit.errordef, minuit.strategy = Minuit.LIKELIHOOD, 2
    minuit.hesse()
    errors = np.sqrt(np.diag(ours.covariance))
    np.testing.assert_allclose(np.asarray(minuit.errors), errors, rtol=1e-3)
    np.testing.assert_allclose(
        np.asarray(minuit.covariance) / np.outer(errors, errors),
        ours.covariance / np.outer(errors, errors),
        atol=1e-3,
    )


def test_where_nothing_is_observed_the_curvature_is_that_of_the_constraints(small_model: FlatModel) -> None:
    data = asimov(small_model, {"mu": 0.0})
    empty = Data(np.zeros_like(data.counts), data.auxiliary)
    moved = np.array([small_model.index(name) for name in ("mu", "lumi")])
    found = batch.hessian(small_model, empty.counts[None], empty.auxiliary[None], small_model.initial()[None], moved)[0]
    assert found[0, 0] == 0.0
    assert found[1, 1] == pytest.approx(1.0 / 0.016**2)
