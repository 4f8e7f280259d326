from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gpuhiggs.inference import (
    Channel,
    Data,
    FlatModel,
    Likelihood,
    NormFactor,
    Sample,
    ShapeSys,
    StatError,
    Workspace,
    asimov,
    batch,
    counted,
    draw_toys,
    flatten,
)
from gpuhiggs.inference.batch import profiled_bins
from gpuhiggs.inference.flat_model import FloatArray


def best(likelihood: Likelihood, theta: FloatArray, keep: tuple[int, ...] = ()) -> FloatArray:
    return likelihood.profiled(theta, profiled_bins(likelihood.model, keep))[2]


@pytest.mark.parametrize("mu", [0.0, 0.4, 2.0])
def test_the_gradient_by_profiled_factors_vanishes(model: FlatModel, mu: float) -> None:
    (toy,) = draw_toys(model, 1, np.random.default_rng(8))
    likelihood = Likelihood(model, toy)
    profiled = model.arrays.bin_parameter[profiled_bins(model) == 1]
    assert len(profiled) == 105
    theta = best(likelihood, model.values({"mu": mu, "theory_ZZ": 0.7}))
    np.testing.assert_allclose(likelihood.gradient(theta)[profiled], 0.0, atol=1e-9)


def one_bin(multiplied: float, other: float, relative_error: float) -> FlatModel:
    """Events with and without an MC-statistics factor, and a signal without."""
    stat = StatError(parameter="stat", errors=(multiplied * relative_error,))
    samples = (
        Sample(name="s", yields=(1.0,), modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=(multiplied,), modifiers=(stat,)),
        Sample(name="o", yields=(other,)),
    )
    return flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),)))


@pytest.mark.parametrize("count", [0.0, 1.0, 7.0, 300.0])
@pytest.mark.parametrize(
    ("multiplied", "other", "error"), [(2.0, 0.0, 0.1), (2.0, 3.0, 0.5), (0.1, 0.0, 1.0), (80.0, 1e-6, 0.01)]
)
def test_the_best_factor_is_scipys(count: float, multiplied: float, other: float, error: float) -> None:
    model = one_bin(multiplied, other, error)
    likelihood = Likelihood(model, Data(np.array([count]), np.array([0.9])))
    theta = model.values({"mu": 0.5})
    found = minimize_scalar(
        lambda factor: likelihood.nll(np.array([0.5, factor])),
        bounds=(1e-10, 10.0),
        method="bounded",
        options={"xatol": 1e-9},
    )
    assert best(likelihood, theta)[1] == pytest.approx(
        found.x, rel=2e-5, abs=1e-6
    )  # scipy compares values, of 16 digits
    assert likelihood.nll(best(likelihood, theta)) <= found.fun + 1e-12


def test_a_factor_stays_within_its_bounds() -> None:
    """Without data, a wide constraint would like a negative factor: a - σ²S = 1 - 4."""
    model = one_bin(4.0, 0.0, 1.0)
    likelihood = Likelihood(model, Data(np.zeros(1), np.ones(1)))
    assert best(likelihood, model.values({"mu": 0.0}))[1] == 0.0


def test_what_is_kept_is_not_profiled(model: FlatModel) -> None:
    kept = model.index("staterror_4mu[3]")
    assert profiled_bins(model, [kept]).sum() == 104
    theta = model.values({"staterror_4mu[3]": 1.5, "mu": 0.0})
    assert best(Likelihood(model, asimov(model)), theta, (kept,))[kept] == 1.5


def test_two_factors_in_a_bin_are_left_to_the_minimiser() -> None:
    stats = [StatError(parameter=f"stat_{name}", errors=(0.1,)) for name in "sb"]
    shape = ShapeSys(parameter="shape", errors=(0.2,))
    samples = (
        Sample(name="s", yields=(1.0,), modifiers=(NormFactor(parameter="mu"), stats[0])),
        Sample(name="b", yields=(3.0,), modifiers=(stats[1], shape)),
    )
    model = flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),)))
    assert [parameter.name for parameter in model.parameters] == ["mu", "shape[0]", "stat_s[0]", "stat_b[0]"]
    assert not profiled_bins(model).any()


def test_a_factor_of_zero_is_no_way_out_of_a_negative_yield() -> None:
    """One simulated event in an empty bin, on the signal alone: -ln L has a wall at μ = 0 there, and no step."""
    stat = StatError(parameter="stat", errors=(0.1, 0.0))
    signal = Sample(name="s", yields=(0.1, 10.0), modifiers=(NormFactor(parameter="mu"), stat))
    background = Sample(name="b", yields=(0.0, 20.0))
    model = flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=(signal, background)),)))
    data = counted(model, [0.0, 15.0])
    points = np.array([[mu, 1.0] for mu in (-1e-3, -1e-9, 0.0, 1e-9, 1e-3)])
    rows = data.counts[np.newaxis], data.auxiliary[np.newaxis]
    nll, _, _ = batch.evaluate(model, *rows, points, batch.profiled_bins(model))
    assert np.ptp(nll[1:4]) < 1e-6
    assert nll[0] > nll[2] + 1.0
    moved = np.array([model.index("mu")])
    found = batch.minimise(model, *rows, points[-1:], moved=moved, profiled=batch.profiled_bins(model), covariance=True)
    assert found.converged.all()  # 15 events where 20 are expected pull μ down to the wall
    assert found.theta[0, 0] == pytest.approx(0.0, abs=1e-6)
