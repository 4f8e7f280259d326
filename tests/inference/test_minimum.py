from __future__ import annotations

import numpy as np
import pytest

from gpuhiggs.inference import (
    Channel,
    FitResult,
    FlatModel,
    Likelihood,
    NormFactor,
    ParameterSetting,
    Sample,
    StatError,
    Workspace,
    asimov,
    batch,
    counted,
    draw_toys,
    fit,
    flatten,
)
from gpuhiggs.inference.fit import free_parameters
from gpuhiggs.inference.minimum import minimise


def two_samples(
    background: tuple[float, ...], *modifiers: NormFactor, bounds: tuple[float, float] | None = None
) -> FlatModel:
    samples = (
        Sample(name="s", yields=(10.0, 5.0), modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=background, modifiers=modifiers),
    )
    settings = (ParameterSetting(name="mu", bounds=bounds),) if bounds else ()
    return flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),), parameters=settings))


def fit_counts(model: FlatModel, *counts: float) -> FitResult:
    return fit(model, counted(model, counts), minos=["mu"])


def test_the_covariance_is_the_inverse_of_the_full_hessian(small_model: FlatModel) -> None:
    """With all parameters, the profiled ones too: central differences of the full gradient at the minimum."""
    (toy,) = draw_toys(small_model, 1, np.random.default_rng(12))
    likelihood, result = Likelihood(small_model, toy), fit(small_model, toy)
    theta = small_model.values(result.values())
    steps = 1e-5 * np.eye(len(theta))
    hessian = [(likelihood.gradient(theta + step) - likelihood.gradient(theta - step)) / 2e-5 for step in steps]
    covariance = np.linalg.inv(hessian)
    assert result.free == tuple(parameter.name for parameter in small_model.parameters)
    errors = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(result.covariance, covariance, atol=1e-5 * np.outer(errors, errors).max(), rtol=1e-4)
    np.testing.assert_allclose([e.error for e in result.parameters.values()], errors, rtol=1e-5)


def test_profiling_changes_nothing(small_model: FlatModel) -> None:
    """A fit of all 21 parameters ends where that of the 7 without a closed form does."""
    (toy,) = draw_toys(small_model, 1, np.random.default_rng(13))
    likelihood, found = Likelihood(small_model, toy), []
    for profiled in (np.zeros(small_model.n_bins, dtype=np.int64), batch.profiled_bins(small_model)):
        moved = free_parameters(small_model, frozenset(), profiled)
        found.append(minimise(likelihood, small_model.initial(), moved, profiled, ["mu"]))
    one, other = found
    assert (len(one.covariance), len(other.covariance)) == (21, 7)
    assert one.converged
    assert other.converged
    errors = np.sqrt(np.diag(one.covariance))
    assert np.abs((one.theta - other.theta) / errors).max() < 1e-3
    for left, right in zip(one.minos["mu"], other.minos["mu"], strict=True):
        assert left == pytest.approx(right, rel=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_newton_agrees_with_iminuit(model: FlatModel, small_model: FlatModel, seed: int) -> None:
    """Values within 1e-3 σ, errors and intervals to MINOS' own tolerance."""
    for chosen in (model, small_model):
        (toy,) = draw_toys(chosen, 1, np.random.default_rng(seed))
        ours, theirs = (fit(chosen, toy, minos=["mu", "scale"], minimiser=m) for m in ("newton", "minuit"))
        assert ours.converged
        assert theirs.converged
        assert ours.nll <= theirs.nll + 1e-9
        for name, estimate in ours.parameters.items():
            other = theirs.parameters[name]
            assert abs(estimate.value - other.value) < 1e-3 * estimate.error, name
            assert estimate.error == pytest.approx(other.error, rel=1e-3)
            if estimate.minus is not None and estimate.plus is not None:
                assert estimate.minus == pytest.approx(other.minus, rel=2e-3)
                assert estimate.plus == pytest.approx(other.plus, rel=2e-3)


def test_equal_templates_are_a_flat_direction() -> None:
    model = two_samples((10.0, 5.0), NormFactor(parameter="nu"))
    result = fit_counts(model, 30.0, 14.0)
    assert not result.converged
    assert result.notes == ("-ln L has a flat direction, along mu, nu",)
    assert np.isnan(result.parameters["mu"].error)
    assert result.parameters["mu"].minus is None


def test_without_events_nothing_curves_up() -> None:
    result = fit_counts(two_samples((1.0, 5.0)), 0.0, 0.0)
    assert not result.converged
    assert "bin 0 expects no events at the minimum" in result.notes[0]


def test_a_minimum_at_a_bound_is_one_and_is_named() -> None:
    result = fit_counts(two_samples((1.0, 5.0), bounds=(0.0, 10.0)), 0.0, 0.0)
    assert result.converged
    assert result.at_bounds == ("mu",)
    mu = result.parameters["mu"]
    assert mu.value == pytest.approx(0.0, abs=1e-8)
    assert (mu.error, mu.minus) == (0.0, None)
    assert mu.plus == pytest.approx(0.5 / 15.0, rel=1e-3)  # -ln L = 15 mu + 6
    assert result.notes == ("MINOS found no lower error of 'mu': -ln L does not rise by 1/2 within its bounds",)


def test_a_likelihood_that_ends_where_a_bin_expects_nothing_is_no_minimum() -> None:
    """A deficit of 2 in 5 pulls mu down until the bin without background expects nothing."""
    result = fit_counts(two_samples((0.0, 5.0)), 0.0, 2.0)
    assert not result.converged
    assert any("channel 'c', bin 0 expects no events at the minimum" in note for note in result.notes)


def test_a_fit_without_anything_to_minimise(small_model: FlatModel) -> None:
    held = {p.name: p.initial for p in small_model.parameters if p.kind != "staterror"}
    result = fit(small_model, asimov(small_model), fixed=held)
    assert result.converged
    assert result.n_evaluations == 1
    assert all(name.startswith("staterror") for name in result.free)
    for estimate in result.parameters.values():
        assert estimate.value == pytest.approx(1.0 if estimate.error else estimate.value, abs=1e-12)


def test_a_factor_whose_interval_is_asked_for_is_minimised() -> None:
    stat = StatError(parameter="stat", errors=(0.5, 1.0))
    samples = (
        Sample(name="s", yields=(10.0, 5.0), modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=(1.0, 5.0), modifiers=(stat,)),
    )
    model = flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),)))
    data = counted(model, [12.0, 7.0])
    asked, profiled = fit(model, data, minos=["stat[0]"]), fit(model, data)
    assert asked.parameters["stat[0]"].error == pytest.approx(profiled.parameters["stat[0]"].error, rel=1e-4)
    assert asked.parameters["stat[0]"].plus == pytest.approx(0.499, abs=0.002)
    assert asked.nll == pytest.approx(profiled.nll, abs=1e-7)
