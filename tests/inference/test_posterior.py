from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy.stats import gamma

from gpuhiggs.errors import MissingExtraError, RunError
from gpuhiggs.inference import (
    Channel,
    FlatModel,
    NormFactor,
    NormSys,
    ParameterSetting,
    Sample,
    StatError,
    Workspace,
    asimov,
    counted,
    fit,
    flatten,
)
from gpuhiggs.inference.posterior import sample_posterior


def counting(*more: NormSys | StatError) -> FlatModel:
    samples = (
        Sample(name="s", yields=(1.0,), modifiers=(NormFactor(parameter="mu"),)),
        Sample(name="b", yields=(100.0,), modifiers=more),
    )
    settings = (ParameterSetting(name="mu", bounds=(-100.0, 400.0)),)
    return flatten(Workspace(poi="mu", channels=(Channel(name="c", samples=samples),), parameters=settings))


def test_a_flat_prior_on_a_rate_gives_a_gamma() -> None:
    pytest.importorskip("nutpie")
    model = counting()
    found = sample_posterior(model, counted(model, [109.0]), draws=700, tune=300)
    truth = gamma(110.0)
    rates = 100.0 + found.of("mu")
    assert rates.mean() == pytest.approx(110.0, abs=1.0)
    assert rates.std() == pytest.approx(truth.std(), rel=0.08)
    assert found.upper_limit("mu") == pytest.approx(truth.ppf(0.95) - 100.0, abs=2.5)
    low, high = found.interval("mu")
    assert low == pytest.approx(truth.ppf(0.15865) - 100.0, abs=1.5)
    assert high == pytest.approx(truth.ppf(0.84135) - 100.0, abs=1.5)
    assert found.priors == {"mu": "flat in [-100, 400]"}


@pytest.mark.parametrize("profile_bins", [False, True])
def test_with_many_events_it_is_the_fit(profile_bins: bool) -> None:
    pytest.importorskip("nutpie")
    simulated = [StatError(parameter="gamma", errors=(8.0,))] if profile_bins else []
    model = counting(NormSys(parameter="b", up=1.1, down=1 / 1.1), *simulated)
    data = asimov(model, {"mu": 50.0})
    found, best = sample_posterior(model, data, draws=600, tune=300, profile_bins=profile_bins), fit(model, data)
    assert found.of("b").std() == pytest.approx(1.0, abs=0.12)
    assert found.of("mu").std() == pytest.approx(best.parameters["mu"].error, rel=0.12)
    assert set(found.to_json()["parameters"]) == {"mu", "b"}  # type: ignore[call-overload]


def test_an_unconverged_posterior_is_refused() -> None:
    pytest.importorskip("nutpie")
    model = counting()
    with pytest.raises(RunError, match=r"the posterior has not converged: mu \(R̂"):
        sample_posterior(model, counted(model, [109.0]), draws=100, tune=100, chains=2)


def test_without_nutpie_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nutpie", None)
    model = counting()
    with pytest.raises(MissingExtraError, match=r"needs the package 'nutpie': pip install 'gpuhiggs\[bayes\]'"):
        sample_posterior(model, asimov(model))
    assert np.isfinite(fit(model, asimov(model)).nll)
