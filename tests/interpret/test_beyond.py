"""Projections, precision of the mass, benchmarks, and the posterior."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from gpuhiggs.errors import InputError, MissingExtraError
from gpuhiggs.interpret import (
    benchmarks,
    combine,
    importance,
    mass_precision,
    posterior,
    prepare,
    projections,
    published,
    width,
)
from gpuhiggs.interpret.tables import load

ATLAS = published("atlas-run2")


def test_hl_lhc() -> None:
    """arXiv:1902.00134: the precision of each κ in scenario S2, within 30 %; S1 is worse, and more data never hurt."""
    answers = load("projections")["S2"]
    (s2,), (s1,) = (projections.project([3000.0], scenario) for scenario in ("S2", "S1"))
    for name, percent in answers.items():
        assert 100 * s2.errors[name] == pytest.approx(percent, rel=0.30), name
        assert s1.errors[name] > s2.errors[name]
    less, more = projections.project([300.0, 1000.0], "S2", "kappa-vf")
    assert less.errors["kappa_V"] > more.errors["kappa_V"]


def test_projections_refuse() -> None:
    with pytest.raises(InputError, match="unknown scenario 'S3'; known: S1, S2"):
        projections.project([3000.0], "S3")
    with pytest.raises(InputError, match="cms-run2: statistical errors are not given"):
        projections.scaled(published("cms-run2"), 10.0, "S1")


@pytest.mark.parametrize(("name", "published_precision"), [("four_lepton", 0.20), ("diphoton", 0.18)])
def test_mass(name: str, published_precision: float) -> None:
    """CMS with 35.9 fb⁻¹, arXiv:1706.09936 and 2002.06398; four times the data halve the error; no bias."""
    first, second = mass_precision.precision(mass_precision.channel(name), [35.9, 4 * 35.9], n_toys=300)
    assert first.precision == pytest.approx(published_precision, rel=0.15)
    assert second.precision == pytest.approx(first.precision / 2, rel=0.15)
    assert abs(second.bias) < 4 * second.precision / 300**0.5
    with pytest.raises(InputError, match="must be positive"):
        mass_precision.precision(mass_precision.channel(name), [0.0])


def test_benchmarks() -> None:
    """In the aligned point all is SM-like; the singlet's rates are all cos²θ; a rise is compared with 3.84 or 5.99."""
    found = {item.name: item for item in benchmarks.benchmarks([ATLAS])}
    assert [rate.predicted for rate in found["singlet-10"].rates] == pytest.approx(
        [0.9] * 25, abs=1e-5
    )  # shares have six digits
    assert found["hmssm-light"].excluded
    assert not found["hmssm-decoupled"].excluded
    assert found["mchm4-f800"].parameters["xi"] == pytest.approx(0.0947, abs=1e-3)


def test_width_of_a_kappa_model() -> None:
    model = prepare("kappa-bsm-decays", [ATLAS]).model
    standard = {name: 1.0 for name in model.names} | {"B_inv": 0.0, "B_u": 0.0}
    found = width.partial_widths(model, standard)
    assert found["total"] == pytest.approx(4.10, abs=0.01)
    assert sum(found.values()) - found["total"] == pytest.approx(found["total"])
    wider = width.partial_widths(model, standard | {"B_inv": 0.1})
    assert wider["invisible"] == pytest.approx(0.1 * wider["total"])
    assert sum(wider.values()) - wider["total"] == pytest.approx(wider["total"])
    with pytest.raises(InputError, match="says nothing about the width"):
        width.partial_widths(prepare("mu", [ATLAS]).model, {"mu": 1.0})


def test_posterior_of_a_nearly_gaussian_model() -> None:
    """With flat priors the posterior of CMS κ_V and κ_F is close to the likelihood, and two samplers agree on it."""
    cms = published("cms-run2")
    problem = prepare("kappa-vf", [cms])
    found, points = posterior.sample(problem, draws=250, tune=150, chains=2), posterior.weighted(problem)
    assert points.converged
    likelihood = combine("kappa-vf", [cms])
    for name, estimate in likelihood.parameters.items():
        marginal = found.marginals[name]
        assert marginal.mean == pytest.approx(estimate.value, abs=0.25 * estimate.error)
        assert marginal.sd == pytest.approx(estimate.error, rel=0.15)
        assert (marginal.r_hat or 9.9) < 1.05
        assert marginal.ess > 80
        other = points.marginals[name]
        assert other.mean == pytest.approx(marginal.mean, abs=4 * marginal.sd / marginal.ess**0.5)
        assert other.sd == pytest.approx(marginal.sd, rel=4 / (2 * marginal.ess) ** 0.5)
    assert found.priors["kappa_V"] == "flat from 0 to 5"


def test_weighted_posterior_of_one_number() -> None:
    """Of one strength with Gaussian errors and no nuisance the posterior is known: the normal distribution."""
    problem = prepare("mu", [published("cms-run2")])
    found = combine("mu", [published("cms-run2")]).parameters["mu"]
    (one,) = posterior.weighted(problem).marginals.values()
    assert one.mean == pytest.approx(found.value, abs=0.1 * found.error)
    assert one.sd == pytest.approx(found.error, rel=0.05)
    assert posterior.weighted(problem).marginals == {"mu": one}  # the same seed gives the same numbers
    with pytest.raises(InputError, match="needs ≥ 1000 draws"):
        posterior.weighted(problem, draws=10)


def test_importance_learns_a_bend() -> None:
    """A crescent, x of a unit normal and y of a normal of 0.5 around 0.3 x²: moments by hand."""

    def crescent(z: np.ndarray) -> np.ndarray:
        return np.asarray(-0.5 * z[:, 0] ** 2 - 0.5 * ((z[:, 1] - 0.3 * z[:, 0] ** 2) / 0.5) ** 2)

    rng = np.random.default_rng(3)
    drawn = importance.sample(crescent, np.array([3.0, -2.0]), 0.1 * np.eye(2), draws=40_000, rng=rng)
    assert drawn.effective > 2000
    x, y = drawn.points.T
    assert (x.mean(), x.std()) == pytest.approx((0.0, 1.0), abs=5 / drawn.effective**0.5)
    assert (y.mean(), y.var()) == pytest.approx((0.3, 0.43), abs=4 / drawn.effective**0.5)


def test_posterior_at_bounds() -> None:
    """κ_V ≤ 1 and B ≥ 0: without NUTS."""
    found = posterior.weighted(prepare("kappa-bsm-decays", [ATLAS]), draws=15_000)
    assert found.converged
    assert found.marginals["kappa_W"].high_95 < 1.0
    assert found.marginals["B_u"].low_95 > 0.0
    assert found.marginals["B_u"].high_95 < 0.25
    assert found.marginals["B_inv"].sd == pytest.approx(0.0407, rel=0.2)  # the published error, auxiliary figure 24j


def test_gradient_of_the_posterior() -> None:
    """By finite differences, with a parameter at its bound and all nuisances."""
    density = posterior._Density(prepare("singlet", [ATLAS]))
    z = np.random.default_rng(1).normal(0, 0.5, density.size)
    _, gradient = density(z)
    for i in range(0, density.size, 5):
        step = np.zeros_like(z)
        step[i] = 1e-5
        assert (density(z + step)[0] - density(z - step)[0]) / 2e-5 == pytest.approx(gradient[i], abs=1e-3)


def test_posterior_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("nutpie"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"gpuhiggs\[bayes\]"):
        posterior.sample(prepare("mu", [ATLAS]))
