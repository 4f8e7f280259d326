from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import crystalball, norm

from gpuhiggs.errors import InputError
from gpuhiggs.inference import fit, flatten, observed
from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.inference.parametric import (
    FAMILIES,
    Bernstein,
    Category,
    CrystalBall,
    Exponentials,
    GaussianSum,
    Laurent,
    MassModel,
    Nuisance,
    PowerLaws,
    choose_order,
    envelope,
    fit_peak,
    to_workspace,
)

EDGES = np.linspace(100.0, 180.0, 161)
PEAK = CrystalBall(124.8, 1.6, 1.4, 5.0, 1.8, 12.0)


def category(seed: int = 1, signal: float = 200.0, name: str = "c") -> Category:
    truth = 20_000 * np.diff(np.exp(-0.03 * (EDGES - 100.0))) / (np.exp(-0.03 * 80.0) - 1.0)
    truth = truth + signal * np.diff(PEAK.cumulative(EDGES, 125.0))
    return Category(name, EDGES, np.random.default_rng(seed).poisson(truth).astype(float), PEAK, 200.0, Exponentials(1))


def test_the_crystal_ball_is_scipys_on_either_side() -> None:
    x = np.linspace(100.0, 150.0, 101)
    low = CrystalBall(125.0, 2.0, 1.5, 4.0, 30.0, 3.0)
    np.testing.assert_allclose(low.cumulative(x, 125.0), crystalball(1.5, 4.0, 125.0, 2.0).cdf(x), atol=1e-12)
    high = CrystalBall(125.0, 2.0, 30.0, 3.0, 1.2, 6.0)
    mirrored = 1.0 - crystalball(1.2, 6.0, 125.0, 2.0).cdf(250.0 - x)
    np.testing.assert_allclose(high.cumulative(x, 125.0), mirrored, atol=1e-12)
    two = GaussianSum((0.7, 0.3), (125.0, 124.0), (1.5, 3.0))
    truth = 0.7 * norm.cdf(x, 127.0, 1.5) + 0.3 * norm.cdf(x, 126.0, 3.0)
    np.testing.assert_allclose(two.cumulative(x, 127.0), truth, atol=1e-12)


def test_a_simulated_peak_is_found_again() -> None:
    values = np.random.default_rng(2).poisson(4e5 * np.diff(PEAK.cumulative(EDGES, 125.0))).astype(float)
    found = fit_peak(EDGES, values, np.maximum(values, 1.0))
    assert found.mean == pytest.approx(PEAK.mean, abs=0.02)
    assert found.width == pytest.approx(PEAK.width, rel=0.02)
    assert found.alpha_low == pytest.approx(PEAK.alpha_low, rel=0.05)


@pytest.mark.parametrize("background", [Bernstein(3), Exponentials(2), PowerLaws(2), Laurent(2)], ids=lambda b: b.name)
def test_terms_are_normalised_and_integrals_those_of_the_density(background: FloatArray) -> None:
    parameters = background.start(1000.0)  # type: ignore[attr-defined]
    fine = np.linspace(100.0, 180.0, 40_001)
    coarse, parts = (background.rates(e, parameters) for e in (EDGES, fine))  # type: ignore[attr-defined]
    assert coarse.sum() == pytest.approx(1000.0, rel=1e-9)
    np.testing.assert_allclose(parts.reshape(160, -1).sum(axis=1), coarse, rtol=1e-9)
    assert np.all(np.diff(coarse) < 0.0)


def test_strength_and_mass_come_back() -> None:
    model = MassModel([category()], [Nuisance("scale", {"c": 0.002}), Nuisance("resolution", {}, {"c": 0.1})])
    found = model.fit(minos=["mu", "mass"])
    assert found.converged
    for name, truth in (("mu", 1.0), ("mass", 125.0)):
        low, high = found.intervals[name]
        assert low < 0.0 < high
        assert abs(found.values[name] - truth) < 3.0 * found.errors[name]
    values = found.values["mass"] + found.intervals["mass"][1] * np.array([-1.0, 0.0, 1.0])
    _, heights = model.scan("mass", values)
    assert heights[1] == pytest.approx(0.0, abs=1e-3)
    assert heights[2] == pytest.approx(1.0, abs=0.02)
    # the scale's uncertainty is one of the mass: 0.2 % of 125 GeV, in quadrature
    plain = MassModel([category()], [Nuisance("resolution", {}, {"c": 0.1})]).fit()
    assert found.errors["mass"] ** 2 - plain.errors["mass"] ** 2 == pytest.approx(0.25**2, rel=0.1)


def test_the_f_test_stops_at_the_truth_and_the_envelope_covers_it() -> None:
    chosen = [choose_order(category(), family).chosen for family in FAMILIES]
    assert {c.family: c for c in chosen}["exponential"].order == 1
    values = np.linspace(0.0, 2.0, 9)
    found = envelope(category(), chosen, values)
    assert set(found.curves) == {c.name for c in chosen}
    low, high = found.interval()
    assert low < found.best.values["mu"] < high
    single = MassModel([category()]).fit(fixed={"mass": 125.0})
    assert high - low >= 1.9 * single.errors["mu"] * 0.9
    assert all(np.all(found.twice_nll <= curve + 1e-9) for curve in found.curves.values())


def test_templates_say_the_same() -> None:
    model = MassModel([category()], [Nuisance("rate", {}, {}, {"c": 0.1})])
    best = model.fit(fixed={"mass": 125.0})
    workspace = to_workspace(model, best)
    flat = flatten(workspace)
    result = fit(flat, observed(flat, workspace))
    assert result.converged
    assert result.parameters["mu"].value == pytest.approx(best.values["mu"], abs=0.02 * best.errors["mu"])
    assert result.parameters["mu"].error == pytest.approx(best.errors["mu"], rel=0.05)
    assert result.nll == pytest.approx(best.nll, abs=0.01)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="category 'c': \\(3,\\) counts for 161 edges"):
        Category("c", EDGES, np.zeros(3), PEAK, 1.0, Exponentials(1))
    with pytest.raises(InputError, match="nuisance 's': unknown category d"):
        MassModel([category()], [Nuisance("s", {"d": 0.1})])
    with pytest.raises(InputError, match="bernstein of order 0"):
        Bernstein(0)
    with pytest.raises(InputError, match="no parameter 'nu'; known: mu, mass"):
        MassModel([category()]).fit(fixed={"nu": 1.0})


def test_names_of_categories_may_begin_alike() -> None:
    """``vbf`` and ``vbf_b``: the parameters of one background are not taken for the other's."""
    model = MassModel([category(name="vbf"), category(2, name="vbf_b")])
    assert model.background("vbf") == ["vbf_b0", "vbf_b1"]
    assert model.background("vbf_b") == ["vbf_b_b0", "vbf_b_b1"]
    workspace = to_workspace(model, model.fit(fixed={"mass": 125.0}))
    names = {setting.name for setting in workspace.parameters}
    assert names == {"vbf_shape0", "vbf_shape1", "vbf_b_shape0", "vbf_b_shape1"}
