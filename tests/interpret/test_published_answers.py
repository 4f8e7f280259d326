"""Fits against what the experiments published: the numbers are quoted where they are compared."""

from __future__ import annotations

import numpy as np
import pytest

from gpuhiggs.interpret import Combination, combine, published
from gpuhiggs.interpret.measurements import View
from gpuhiggs.interpret.models import VIEWS

# Nature 607 (2022) 52 (HEPData ins2104706): value, lower error, upper error.
ATLAS = {
    "kappa-resolved": {  # figure 5
        "kappa_Z": (0.990, 0.052, 0.061),
        "kappa_W": (1.0206, 0.0509, 0.0517),
        "kappa_t": (0.948, 0.065, 0.069),
        "kappa_b": (0.897, 0.107, 0.113),
        "kappa_tau": (0.936, 0.071, 0.074),
        "kappa_mu": (1.070, 0.307, 0.249),
    },
    "kappa-effective": {  # figure 6, B_inv = B_u = 0
        "kappa_Z": (0.9925, 0.0565, 0.0568),
        "kappa_W": (1.0544, 0.0594, 0.0596),
        "kappa_t": (0.944, 0.109, 0.111),
        "kappa_b": (0.892, 0.107, 0.114),
        "kappa_tau": (0.929, 0.070, 0.073),
        "kappa_mu": (1.063, 0.304, 0.246),
        "kappa_g": (0.949, 0.067, 0.073),
        "kappa_gamma": (1.009, 0.061, 0.063),
        "kappa_Zgamma": (1.377, 0.367, 0.310),
    },
    "kappa-vf": {"kappa_V": (1.036, 0.031, 0.031), "kappa_F": (0.954, 0.050, 0.050)},  # figure 4
    "mu": {"mu": (1.05, 0.06, 0.06)},
    "mu-decay": {  # figure 2b, over the SM
        "mu_bb": (0.90952, 0.13908, 0.1458),
        "mu_WW": (1.1951, 0.11211, 0.11902),
        "mu_tautau": (0.9613, 0.11378, 0.12234),
        "mu_ZZ": (1.0415, 0.10007, 0.10774),
        "mu_gammagamma": (1.0883, 0.0895, 0.0952),
        "mu_Zgamma": (2.0991, 0.9468, 0.9836),
        "mu_mumu": (1.2135, 0.6033, 0.6178),
    },
}
# Figure 4a of Nature 607 (2022) 60, as transcribed in NMSSMTools, COUPLINGFITS.
CMS = {
    "kappa_Z": (1.04, 0.07, 0.07),
    "kappa_t": (1.01, 0.10, 0.11),
    "kappa_b": (0.99, 0.16, 0.17),
    "kappa_g": (0.92, 0.08, 0.08),
    "kappa_gamma": (1.10, 0.08, 0.08),
    "kappa_tau": (0.92, 0.08, 0.08),
}
P_SM = {  # captions of the ATLAS record
    "mu-production": 0.65,
    "mu-production-decay": 0.72,
    "mu-decay": 0.56,
    "kappa-resolved": 0.56,
    "kappa-effective": 0.61,
    "kappa-loops": 0.63,
    "lambda-ratios": 0.71,
    "stxs": 0.94,
}


def fit(model: str, *data: str, view: View | None = None) -> Combination:
    return combine(model, [published(name, view or VIEWS.get(model, "strengths")) for name in data])


def compare(found: Combination, answers: dict[str, tuple[float, float, float]]) -> None:
    for name, (value, minus, plus) in answers.items():
        estimate, sigma = found.parameters[name], (minus + plus) / 2
        assert abs(estimate.value - value) < 0.35 * sigma, name
        assert estimate.error == pytest.approx(sigma, rel=0.15), name


@pytest.mark.parametrize("model", ATLAS)
def test_atlas(model: str) -> None:
    compare(fit(model, "atlas-run2"), ATLAS[model])


def test_cms() -> None:
    compare(fit("kappa-effective", "cms-run2"), CMS)


@pytest.mark.parametrize("model", P_SM)
def test_p_values(model: str) -> None:
    assert fit(model, "atlas-run2").p_sm == pytest.approx(P_SM[model], abs=0.04)


def test_production_from_strengths_by_decay() -> None:
    """Auxiliary figure 9 from the 25 strengths of figure 3: all but tH, which those of γγ alone tell from ttH."""
    answers = {  # errors of the record, without those of the prediction
        "mu_ggH": (1.026, 0.067, 0.070), "mu_VBF": (1.102, 0.124, 0.135), "mu_WH": (1.158, 0.217, 0.228),
        "mu_ZH": (0.962, 0.206, 0.221),
    }  # fmt: skip
    compare(fit("mu-production", "atlas-run2", view="strengths"), answers)


def test_correlation_of_kappa_v_and_kappa_f() -> None:
    found = fit("kappa-vf", "atlas-run2")
    assert found.free == ("kappa_V", "kappa_F")
    assert found.correlation[0, 1] == pytest.approx(0.39, abs=0.20)  # auxiliary figure 8


def test_correlations_of_kappas() -> None:
    """Auxiliary figure 18, its largest entries.

    κ_W-κ_b is the worst, 0.74 for 0.51: the correlations of the rates have two digits only, and asymmetric
    errors make curvatures at the minimum what they are.
    """
    found = fit("kappa-effective", "atlas-run2")
    answers = {("Z", "W"): 0.40, ("W", "b"): 0.51, ("b", "g"): 0.55, ("gamma", "W"): 0.47, ("gamma", "b"): 0.50}
    for (one, other), value in answers.items():
        i, j = found.free.index(f"kappa_{one}"), found.free.index(f"kappa_{other}")
        assert found.correlation[i, j] == pytest.approx(value, abs=0.25), (one, other)


def test_charm() -> None:
    """Figure 5 with κ_c free: 0.03 +3.02 -0.03."""
    charm = fit("kappa-charm", "atlas-run2").parameters["kappa_c"]
    assert charm.value == pytest.approx(0.03, abs=0.35 * 3.0)
    assert charm.plus == pytest.approx(3.02, rel=0.15)


def test_decays_beyond_the_sm() -> None:
    """Figure 6: limits at 95 % 0.128 and 0.124; κ_W at its bound 1."""
    found = fit("kappa-bsm-decays", "atlas-run2").parameters
    assert found["B_inv"].upper_95 == pytest.approx(0.128, rel=0.2)
    assert found["B_u"].upper_95 == pytest.approx(0.124, rel=0.2)
    assert found["kappa_W"].at_bound
    compare_to = {"kappa_Z": (0.975, 0.051, 0.025), "kappa_b": (0.819, 0.081, 0.085), "kappa_t": (0.937, 0.109, 0.111)}
    for name, (value, minus, plus) in compare_to.items():
        assert abs(found[name].value - value) < 0.35 * (minus + plus) / 2


def test_run1() -> None:
    """JHEP 08 (2016) 045: μ = 1.09 ± 0.11; the Gaussian approximation visibly fails here."""
    mu = fit("mu", "lhc-run1").parameters["mu"]
    assert abs(mu.value - 1.09) < 0.7 * 0.11
    assert mu.error == pytest.approx(0.11, rel=0.15)


def test_cms_strength() -> None:
    """Nature 607 (2022) 60: μ = 1.002 ± 0.057."""
    mu = fit("mu", "cms-run2").parameters["mu"]
    assert abs(mu.value - 1.002) < 0.35 * 0.057
    assert mu.error == pytest.approx(0.057, rel=0.15)


@pytest.mark.parametrize(
    ("data", "value", "error"),
    [("cms-run2-36fb", 1.17, 0.10), ("atlas-run2-80fb", 1.11, 0.085)],  # abstracts of arXiv:1809.10733, 1909.02845
)
def test_earlier_combinations(data: str, value: float, error: float) -> None:
    mu = fit("mu", data).parameters["mu"]
    assert abs(mu.value - value) < 0.35 * error
    assert mu.error == pytest.approx(error, rel=0.15)


def test_budget() -> None:
    """Auxiliary figure 8: 0.0299 stat, 0.0317 exp and 0.0172 background theory together, 0.0407 signal theory."""
    budget = combine("mu", [published("atlas-run2")], budget=True).budget
    assert budget is not None
    parts = budget["mu"]
    assert parts["statistical"] == pytest.approx(0.0299, rel=0.25)
    assert parts["experimental"] == pytest.approx(np.hypot(0.0317, 0.0172), rel=0.25)
    assert parts["signal_theory"] == pytest.approx(0.0407, rel=0.25)
    assert parts["total"] == pytest.approx(0.0621, rel=0.15)


def test_ggf_zz_and_vh_zz_are_anticorrelated() -> None:
    """-0.26 in the record, +0.26 in Lilith's file; the sign moves κ_g of the (κ_g, κ_γ) fit from 0.996 to 1.006."""
    atlas = published("atlas-run2")
    names = [entry.name for entry in atlas.entries]
    assert atlas.correlation[names.index("ggH_ZZ"), names.index("VH_ZZ")] == -0.26
    assert combine("kappa-loops", [atlas]).parameters["kappa_g"].value == pytest.approx(1.006, abs=0.004)


def test_theory_is_not_counted_twice() -> None:
    """CMS errors contain the theory: no nuisance acts; ATLAS errors do not."""
    assert fit("mu", "cms-run2").pulls == {}
    assert fit("mu", "atlas-run2").pulls
