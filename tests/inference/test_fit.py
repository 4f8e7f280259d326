from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import pytest
from scipy.optimize import brentq

from gpuhiggs.errors import InputError
from gpuhiggs.inference import (
    Channel,
    FitResult,
    FlatModel,
    NormFactor,
    ParameterSetting,
    Sample,
    Workspace,
    asimov,
    counted,
    draw_toys,
    fit,
    flatten,
    from_pyhf,
    observed,
)


def counting(signal: tuple[float, ...], background: tuple[float, ...], **setting: Any) -> FlatModel:
    samples = (
        Sample(name="s", yields=signal, modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=background),
    )
    settings = (ParameterSetting(name="mu", **setting),) if setting else ()
    return flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),), parameters=settings))


@pytest.mark.parametrize("start", [{}, {"mu": 0.1, "theory_ZZ": 1.0}, {"mu": 4.0, "ZX": -1.0, "lumi": 1.03}])
def test_asimov_gives_back_its_truth(model: FlatModel, start: dict[str, float]) -> None:
    result = fit(model, asimov(model), start=start)
    assert result.converged
    assert result.parameters["mu"].value == pytest.approx(1.0, abs=1e-4)
    for name, estimate in result.parameters.items():
        truth = model.parameters[model.index(name)].initial
        assert abs(estimate.value - truth) < 1e-3 * estimate.error, name


def test_asimov_of_another_truth(model: FlatModel) -> None:
    truth = {"mu": 1.7, "theory_ZZ": 0.8, "ZX": -0.5}
    result = fit(model, asimov(model, truth))
    for name, value in truth.items():
        assert result.parameters[name].value == pytest.approx(value, abs=1e-3)


@pytest.mark.parametrize("n", [1, 10, 400])
def test_a_counting_experiment_has_the_errors_of_a_poisson(n: int) -> None:
    """-ln L rises by 1/2 where ν - n - n ln(ν/n) does; the Hessian gives √n."""
    model = counting((1.0,), (0.5,))
    mu = fit(model, counted(model, [n]), minos=["mu"], start={"mu": float(n)}).parameters["mu"]
    assert mu.value == pytest.approx(n - 0.5, rel=1e-4)
    assert mu.error == pytest.approx(math.sqrt(n), rel=1e-3)
    rise = lambda v: v - n - n * math.log(v / n) - 0.5  # noqa: E731
    assert mu.minus == pytest.approx(brentq(rise, 1e-9, n) - n, rel=1e-3)
    assert mu.plus == pytest.approx(brentq(rise, n, 5 * n + 5) - n, rel=1e-3)


@pytest.mark.usefixtures("pyhf_minuit")
def test_the_fit_is_pyhfs(
    two_channels: Workspace, small_model: FlatModel, pyhf_twin: Callable[[Workspace], Any]
) -> None:
    twin = pyhf_twin(two_channels)
    values, twice_nll = pyhf.infer.mle.fit(twin.data, twin.model, return_fitted_val=True)
    result = fit(small_model, observed(small_model, two_channels))
    assert result.converged
    assert result.nll == pytest.approx(twice_nll / 2.0, abs=1e-6)
    for place, (name, estimate) in zip(twin.place, result.parameters.items(), strict=True):
        assert abs(estimate.value - values[place]) < 2e-3 * estimate.error, name


def test_minos_is_where_the_profile_rises_by_one_half(two_channels: Workspace, small_model: FlatModel) -> None:
    data = observed(small_model, two_channels)
    best = fit(small_model, data, minos=["mu", "ZX"])
    for name in ("mu", "ZX"):
        estimate = best.parameters[name]
        assert estimate.minus is not None
        assert estimate.plus is not None
        assert estimate.minus < 0.0 < estimate.plus

        def rise(value: float, name: str = name) -> float:
            return fit(small_model, data, fixed={name: value}, start=best.values()).nll - best.nll - 0.5

        for end in (estimate.minus, estimate.plus):
            edge = brentq(rise, estimate.value + 0.5 * end, estimate.value + 1.5 * end, xtol=1e-6)
            assert end == pytest.approx(edge - estimate.value, rel=2e-3)  # MINOS' own tolerance


def test_a_held_parameter_stays_and_widens_nothing(two_channels: Workspace, small_model: FlatModel) -> None:
    data = observed(small_model, two_channels)
    free, held = fit(small_model, data), fit(small_model, data, fixed={"ZX": 0.0, "staterror_4mu[2]": 1.0})
    assert held.parameters["ZX"].value == 0.0
    assert held.parameters["ZX"].error == 0.0
    assert held.parameters["staterror_4mu[2]"].value == 1.0
    assert {"ZX", "staterror_4mu[2]"}.isdisjoint(held.free)
    assert held.nll > free.nll
    assert held.parameters["mu"].error < free.parameters["mu"].error


def test_parameters_fixed_by_the_model_stay(two_channels: Workspace) -> None:
    settings = (*two_channels.parameters, ParameterSetting(name="ZX", fixed=True, initial=0.3))
    model = flatten(two_channels.model_copy(update={"parameters": settings}))
    assert fit(model, asimov(model)).parameters["ZX"].value == 0.3


def test_json_is_the_documented_form(two_channels: Workspace, small_model: FlatModel) -> None:
    result = fit(small_model, observed(small_model, two_channels), minos=["mu"])
    form = json.loads(json.dumps(result.to_json(), allow_nan=False))
    mu, found = result.parameters["mu"], form["parameters"]["mu"]
    assert found == {"value": mu.value, "error": mu.error, "minus": mu.minus, "plus": mu.plus}
    assert form["converged"] is True
    assert form["twice_nll"] == 2.0 * form["nll"]
    flat = fit(counting((1.0,), (5.0,)), counted(counting((1.0,), (5.0,)), [0.0]))
    assert json.loads(json.dumps(flat.to_json(), allow_nan=False))["parameters"]["mu"]["error"] is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"fixed": {"nu": 1.0}}, r"no parameter 'nu'; known: mu, "),
        ({"start": {"staterror_4mu[0]": -1.0}}, r"parameter 'staterror_4mu\[0\]': -1 is not within its bounds"),
        ({"fixed": {"mu": math.nan}}, r"parameter 'mu': nan is not within its bounds"),
        ({"fixed": {"mu": 1.0}, "minos": ["mu"]}, r"MINOS errors of 'mu' are asked for, but it is fixed"),
        ({"minos": ["nu"]}, r"no parameter 'nu'"),
    ],
)
def test_contradictions_are_refused(small_model: FlatModel, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit(small_model, asimov(small_model), **options)


def test_events_where_none_are_expected_are_refused() -> None:
    model = counting((1.0, 2.0), (0.0, 3.0))
    with pytest.raises(
        InputError, match=r"channel 'c', bin 0: 2 observed events, but 0 are expected \(fixed: mu = 0\)"
    ):
        fit(model, counted(model, [2.0, 3.0]), fixed={"mu": 0.0})


def test_the_published_limits_of_pyhfs_two_bins(shared: Path) -> None:
    """CLs at mu = 1 from the asymptotic formulas, of the file that pyhf's documentation uses: 0.35998409."""
    spec = json.loads((shared / "problems" / "pyhf" / "2-bin_1-channel.json").read_text())
    assert cls(from_pyhf(spec)) == pytest.approx(0.35998409, rel=1e-5)


def test_the_published_limits_of_pyhfs_readme() -> None:
    """Two bins s = [12, 11], b = [50, 52] ± [3, 7], n = [51, 48]: CLs = 0.05251497.

    That is with SciPy's default tolerance; pyhf 0.7.6 with Minuit at 1e-6, and ours, give 0.0525155.
    """
    strength = {"name": "mu", "type": "normfactor", "data": None}
    errors = {"name": "b", "type": "shapesys", "data": [3.0, 7.0]}
    samples = [
        {"name": "signal", "data": [12.0, 11.0], "modifiers": [strength]},
        {"name": "background", "data": [50.0, 52.0], "modifiers": [errors]},
    ]
    spec = {
        "channels": [{"name": "c", "samples": samples}],
        "observations": [{"name": "c", "data": [51.0, 48.0]}],
        "measurements": [{"name": "m", "config": {"poi": "mu", "parameters": []}}],
    }
    assert cls(from_pyhf(spec)) == pytest.approx(0.05251497, abs=1e-6)
    assert cls(from_pyhf(spec)) == pytest.approx(0.0525155, abs=1e-7)


def cls(workspace: Workspace) -> float:
    """CLs of mu = 1 by q̃ (Cowan et al., arXiv:1007.1727, eq. 16 and §3.7), with mu between 0 and 10 as in pyhf."""
    bounded = workspace.model_copy(update={"parameters": (ParameterSetting(name="mu", bounds=(0.0, 10.0)),)})
    model = flatten(bounded)
    data = observed(model, bounded)
    background = fit(model, data, fixed={"mu": 0.0})
    roots = [math.sqrt(2.0 * rise(model, d)) for d in (data, asimov(model, background.values()))]
    root, root_asimov = roots
    if root <= root_asimov:
        return float(normal_sf(root) / normal_sf(root - root_asimov))
    root_bands = [(root**2 + sign * root_asimov**2) / (2.0 * root_asimov) for sign in (1.0, -1.0)]
    return float(normal_sf(root_bands[0]) / normal_sf(root_bands[1]))


def rise(model: FlatModel, data: Any) -> float:
    best = fit(model, data)
    return max(fit(model, data, fixed={"mu": 1.0}).nll - best.nll, 0.0) if best.parameters["mu"].value < 1.0 else 0.0


def normal_sf(value: float) -> float:
    return math.erfc(value / math.sqrt(2.0)) / 2.0


def pulls(model: FlatModel, n: int) -> np.ndarray[Any, Any]:
    """(mu - 1)/σ of toys at mu = 1, with the MINOS error towards the truth."""
    found = []
    for toy in draw_toys(model, n, np.random.default_rng(2024)):
        result: FitResult = fit(model, toy, minos=["mu"])
        assert result.converged, result.notes
        mu = result.parameters["mu"]
        error = mu.plus if mu.value < 1.0 else mu.minus
        assert error is not None
        found.append((mu.value - 1.0) / abs(error))
    return np.array(found)


def test_pulls_of_ten_toys(model: FlatModel) -> None:
    """Within three standard errors, 1/√10 of the mean and 1/√20 of the width."""
    found = pulls(model, 10)
    assert abs(found.mean()) < 3.0 / math.sqrt(10)
    assert abs(found.std(ddof=1) - 1.0) < 3.0 / math.sqrt(20)


@pytest.mark.nightly
def test_pulls_of_two_hundred_toys(model: FlatModel) -> None:
    """As of ten, within three standard errors: 0.21 and 0.15."""
    found = pulls(model, 200)
    assert abs(found.mean()) < 3.0 / math.sqrt(200)
    assert abs(found.std(ddof=1) - 1.0) < 3.0 / math.sqrt(400)
