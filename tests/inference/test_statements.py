"""Tests, limits, scans, goodness of fit, impacts, budgets: against pyhf, scipy and formulas done by hand."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import pytest
from scipy.stats import chi2, norm, poisson

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    FlatModel,
    NormFactor,
    NormSys,
    Sample,
    ShapeSys,
    Workspace,
    asimov,
    budget,
    counted,
    discovery,
    draw_toys,
    fit,
    fit_toys,
    flatten,
    from_pyhf,
    goodness_of_fit,
    hypothesis_test,
    impacts,
    observed,
    profile_scan,
    profile_scan_2d,
    toy_test,
    upper_limit,
)


def one_channel(
    signal: tuple[float, ...], background: tuple[float, ...], counts: tuple[float, ...], *more: Any, **groups: Any
) -> tuple[Workspace, FlatModel]:
    samples = (
        Sample(name="s", yields=signal, modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=background, modifiers=more),
    )
    channel = Channel(name="c", samples=samples, observed=counts)
    workspace = Workspace(poi="mu", channels=(channel,), **groups)
    return workspace, flatten(workspace)


def test_cls_of_pyhfs_documentation(shared: Path) -> None:
    spec = json.loads((shared / "problems" / "pyhf" / "2-bin_1-channel.json").read_text())
    workspace = from_pyhf(spec)
    model = flatten(workspace)
    assert hypothesis_test(model, observed(model, workspace)).cls == pytest.approx(0.35998409, abs=1e-5)


def test_cls_of_pyhfs_readme() -> None:
    workspace, model = one_channel((12, 11), (50, 52), (51, 48), ShapeSys(parameter="u", errors=(3, 7)))
    found = hypothesis_test(model, observed(model, workspace))
    assert found.cls == pytest.approx(0.05251497, abs=1e-5)
    expected = (0.00260626, 0.01382005, 0.06445320, 0.23525644, 0.57303621)
    np.testing.assert_allclose(found.expected, expected, atol=1e-5)


@pytest.mark.parametrize("statistic", ["q", "q_tilde"])
def test_cls_and_limits_are_pyhfs(
    two_channels: Workspace,
    small_model: FlatModel,
    pyhf_twin: Callable[[Workspace], Any],
    pyhf_minuit: None,
    statistic: Any,
) -> None:
    twin, data = pyhf_twin(two_channels), observed(small_model, two_channels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for value in (1.0, 2.5):
            bounds = [list(b) for b in twin.model.config.suggested_bounds()]
            bounds[twin.model.config.poi_index] = [0.0 if statistic == "q_tilde" else -10.0, 10.0]
            theirs, bands = pyhf.infer.hypotest(
                value, twin.data, twin.model, par_bounds=bounds, test_stat=statistic.replace("_", ""),
                return_expected_set=True,
            )  # fmt: skip
            ours = hypothesis_test(small_model, data, value, statistic=statistic)
            assert ours.cls == pytest.approx(float(theirs), abs=1e-5)
            np.testing.assert_allclose(ours.expected, np.ravel(bands), atol=1e-5)
    limit = upper_limit(small_model, data, statistic=statistic)
    assert limit.observed is not None
    assert hypothesis_test(small_model, data, limit.observed, statistic=statistic).cls == pytest.approx(0.05, rel=1e-5)
    middle = limit.expected[2]
    assert middle is not None
    assert hypothesis_test(small_model, data, middle, statistic=statistic).expected[2] == pytest.approx(0.05, rel=1e-5)


def test_a_scan_is_fits_one_by_one(small_model: FlatModel, two_channels: Workspace) -> None:
    data = observed(small_model, two_channels)
    values = np.linspace(0.0, 3.0, 7)
    scan = profile_scan(small_model, data, "mu", values)
    single = [fit(small_model, data, fixed={"mu": float(v)}, minimiser="minuit").nll for v in values]
    np.testing.assert_allclose(scan.twice_nll, 2.0 * (np.array(single) - scan.best.nll), atol=1e-6)
    fine = profile_scan(small_model, data, "mu", np.linspace(0.3, 2.5, 45))
    mu = fit(small_model, data, minos=["mu"]).parameters["mu"]
    ((low, high),) = fine.intervals(0.6827)
    assert mu.minus is not None
    assert mu.plus is not None
    assert low == pytest.approx(mu.value + mu.minus, abs=2e-3)
    assert high == pytest.approx(mu.value + mu.plus, abs=2e-3)


def test_a_contour_of_two_poissons_is_where_it_can_be_computed() -> None:
    samples = (
        Sample(name="s", yields=(10.0, 0.0), modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="t", yields=(0.0, 10.0), modifiers=(NormFactor(parameter="nu"),)),
        Sample(name="b", yields=(5.0, 5.0)),
    )
    workspace = Workspace(poi="mu", pois=("nu",), channels=(Channel(name="c", samples=samples),))
    model = flatten(workspace)
    assert model.pois == ("mu", "nu")
    data = counted(model, [14.0, 18.0])
    scan = profile_scan_2d(model, data, ("mu", "nu"), np.linspace(0, 2.5, 60), np.linspace(0, 3, 61))
    assert scan.converged.all()
    for confidence in (0.68, 0.95):
        (line,) = scan.contour(confidence)
        rates = 5.0 + 10.0 * line
        heights = 2.0 * (rates - [14, 18] - np.array([14, 18]) * np.log(rates / [14, 18])).sum(axis=1)
        np.testing.assert_allclose(heights, chi2.ppf(confidence, 2), rtol=0.01)


def test_toys_of_a_counting_experiment_have_poissons_p_value() -> None:
    workspace, model = one_channel((10.0,), (20.0,), (29.0,))
    found = toy_test(model, observed(model, workspace), 0.0, 4000, np.random.default_rng(1), statistic="q0")
    truth = float(poisson.sf(28, 20.0))
    assert found.n_failed == 0
    assert abs(found.p_value - truth) < 4.0 * math.sqrt(truth / 4000)
    cls = toy_test(model, observed(model, workspace), 2.0, 4000, np.random.default_rng(2))
    sb, b = poisson.cdf(29, 40.0), poisson.cdf(29, 20.0)
    assert cls.cls == pytest.approx(sb / b, abs=4.0 * math.sqrt(sb / 4000))


def test_asymptotic_and_toy_significance_agree(small_model: FlatModel) -> None:
    data = asimov(small_model, {"mu": 0.4})
    found = toy_test(small_model, data, 0.0, 4000, np.random.default_rng(3), statistic="q0")
    asymptotic = discovery(small_model, data).significance
    assert norm.isf(found.p_value) == pytest.approx(asymptotic, abs=0.2)


def test_fits_of_toys_are_fits_one_by_one(small_model: FlatModel) -> None:
    toys = draw_toys(small_model, 20, np.random.default_rng(4))
    together = fit_toys(small_model, toys)
    assert together.converged.all()
    for k, toy in enumerate(toys):
        one = fit(small_model, toy)
        for name in ("mu", "scale", "ZX"):
            values, errors = together.of(name)
            assert abs(values[k] - one.parameters[name].value) < 1e-4 * one.parameters[name].error
            assert errors[k] == pytest.approx(one.parameters[name].error, rel=1e-4)  # made up to 4.5e-4 σ away
        assert together.nll[k] == pytest.approx(one.nll, abs=1e-7)


def test_goodness_of_fit_by_hand() -> None:
    workspace, model = one_channel((5.0, 1.0, 0.0), (20.0, 30.0, 40.0), (28.0, 25.0, 47.0))
    data = observed(model, workspace)
    best = fit(model, data)
    nu = np.array([20.0, 30.0, 40.0]) + best.parameters["mu"].value * np.array([5.0, 1.0, 0.0])
    n = data.counts
    saturated = goodness_of_fit(model, data)
    assert saturated.statistic == pytest.approx(2.0 * (nu - n + n * np.log(n / nu)).sum(), rel=1e-9)
    assert saturated.degrees == 2
    assert saturated.p_value == pytest.approx(chi2.sf(saturated.statistic, 2), rel=1e-12)
    assert goodness_of_fit(model, data, "chi2").statistic == pytest.approx(((n - nu) ** 2 / nu).sum(), rel=1e-6)
    distance = np.abs(np.cumsum(n) / n.sum() - np.cumsum(nu) / nu.sum()).max()
    assert goodness_of_fit(model, data, "ks").statistic == pytest.approx(distance, rel=1e-6)
    with_toys = goodness_of_fit(model, data, n_toys=1000)
    assert with_toys.p_toys == pytest.approx(saturated.p_value, abs=0.05)
    bad = counted(model, [20.0, 90.0, 40.0])
    for measure in ("saturated", "chi2", "ks", "ad"):
        found = goodness_of_fit(model, bad, measure, n_toys=300)
        assert found.p_toys is not None
        assert found.p_toys < 0.02, measure


def test_impacts_and_budget_of_a_gaussian_problem() -> None:
    """Many events: everything is linear, and errors add in quadrature."""
    more = (NormSys(parameter="a", up=1.01, down=1 / 1.01), NormSys(parameter="b", up=1.02, down=1 / 1.02))
    _, model = one_channel((1e4,), (1e5,), (1.1e5,), *more, groups={"experimental": ("a",), "theory": ("b",)})
    data = asimov(model)
    found = {impact.name: impact for impact in impacts(model, data)}
    for name, size in (("a", 0.1), ("b", 0.2)):
        assert found[name].up == pytest.approx(-size, rel=0.03)
        assert found[name].down == pytest.approx(size, rel=0.03)
        assert found[name].pull == pytest.approx(0.0, abs=1e-6)
        assert found[name].constraint == pytest.approx(1.0, rel=1e-3)
    shares = budget(model, data)
    statistical = math.sqrt(1.1e5) / 1e4
    assert shares.groups["experimental"][1] == pytest.approx(0.1, rel=0.03)
    assert shares.groups["theory"][0] == pytest.approx(-0.2, rel=0.03)
    assert shares.statistical[1] == pytest.approx(statistical, rel=0.01)
    squares = sum(plus**2 for _, plus in shares.groups.values()) + shares.statistical[1] ** 2
    assert math.sqrt(squares) == pytest.approx(shares.total[1], rel=1e-9)
    with pytest.raises(InputError, match="no group nothing; known: experimental, theory"):
        budget(model, data, groups=["nothing"])


@pytest.mark.parametrize("rho", [-0.6, 0.5])
def test_a_partial_correlation(rho: float) -> None:
    """Two log-normals of one yield: the error is that of the sum of two correlated normals."""
    more = (NormSys(parameter="a", up=1.01, down=1 / 1.01), NormSys(parameter="b", up=1.02, down=1 / 1.02))
    correlations = [{"parameters": ("a", "b"), "coefficient": rho}]
    _, model = one_channel((1e4,), (1e6,), (0.0,), *more, correlations=correlations)
    error = fit(model, asimov(model)).parameters["mu"].error
    a, b = math.log(1.01), math.log(1.02)
    variance = (a * a + b * b + 2 * rho * a * b) * 1e12 + 1.01e6
    assert error == pytest.approx(math.sqrt(variance) / 1e4, rel=2e-3)
    toys = draw_toys(model, 4000, np.random.default_rng(5))
    results = np.array([toy.auxiliary for toy in toys])
    assert np.corrcoef(results.T)[0, 1] == pytest.approx(rho, abs=0.04)
