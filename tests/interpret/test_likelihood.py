"""Minima, errors and planes against iminuit on the same likelihood, written down a second time."""

from __future__ import annotations

from dataclasses import replace

import iminuit
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gpuhiggs.errors import InputError
from gpuhiggs.interpret import PUBLISHED, combine, plane, prepare, published, read, scan, sm
from gpuhiggs.interpret.measurements import Measurements


def by_hand(cms: Measurements, kappa_v: float, kappa_f: float) -> float:
    """-2 ln L of κ_V and κ_F for CMS, whose errors contain the theory: only the branching ratios are shared code."""
    m_h = cms.m_h
    loop = 1.0 / (1.5878 + 0.0713 - 0.6727)  # γγ: WW, tt and tW at 125.38 GeV; the small terms below
    gamma = (1.5878 * kappa_v**2 + 0.0713 * kappa_f**2 - 0.6727 * kappa_v * kappa_f) * loop
    z_gamma = (1.1178 * kappa_v**2 + 0.00346 * kappa_f**2 - 0.1243 * kappa_v * kappa_f) / (1.1178 + 0.00346 - 0.1243)
    width = {d: kappa_f**2 for d in sm.DECAYS} | {
        "WW": kappa_v**2,
        "ZZ": kappa_v**2,
        "gammagamma": gamma,
        "Zgamma": z_gamma,
    }
    total = sum(width[d] * sm.branching_ratio(d, m_h) for d in sm.DECAYS) / sum(
        sm.branching_ratio(d, m_h) for d in sm.DECAYS
    )
    gg_zh = (0.456 * kappa_f**2 + 2.456 * kappa_v**2 - 1.903 * kappa_v * kappa_f) / (0.456 + 2.456 - 1.903)
    thq = (2.633 * kappa_f**2 + 3.578 * kappa_v**2 - 5.211 * kappa_v * kappa_f) / (2.633 + 3.578 - 5.211)
    thw = (2.909 * kappa_f**2 + 2.31 * kappa_v**2 - 4.22 * kappa_v * kappa_f) / (2.909 + 2.31 - 4.22)
    share = 0.1223 / 0.8771
    made = {"ggH": kappa_f**2, "VBF": kappa_v**2, "WH": kappa_v**2, "ZH": (1 - share) * kappa_v**2 + share * gg_zh}
    made["top"] = (0.5035 * kappa_f**2 + 0.0770 * thq + 0.01517 * thw) / (0.5035 + 0.0770 + 0.01517)
    made["VH"] = (1.359 * made["WH"] + 0.8771 * made["ZH"]) / (1.359 + 0.8771)
    pulls = []
    for entry in cms.entries:
        (process,) = entry.production
        away = made[process] * width[entry.decay] / total - entry.value
        pulls.append(away / np.sqrt(max(1e-4, entry.minus * entry.plus + (entry.plus - entry.minus) * away)))
    return float(np.array(pulls) @ np.linalg.solve(cms.correlation, pulls))


def test_minimum_and_errors_against_iminuit() -> None:
    cms = published("cms-run2")
    minuit = iminuit.Minuit(lambda v, f: by_hand(cms, v, f), v=1.0, f=1.0)
    minuit.errordef = 1.0
    minuit.migrad()
    minuit.minos()
    found = combine("kappa-vf", [cms])
    assert found.chi2 == pytest.approx(minuit.fval, abs=0.05)
    for name, parameter in (("v", "kappa_V"), ("f", "kappa_F")):
        estimate, minos = found.parameters[parameter], minuit.merrors[name]
        assert estimate.value == pytest.approx(minuit.values[name], abs=1e-3)
        assert estimate.minus == pytest.approx(minos.lower, rel=0.02)
        assert estimate.plus == pytest.approx(minos.upper, rel=0.02)
    assert found.correlation[0, 1] == pytest.approx(minuit.covariance.correlation()[0, 1], abs=0.05)


def test_scan_and_plane_agree_with_the_interval() -> None:
    problem = prepare("kappa-vf", [published("atlas-run2")])
    estimate = combine("kappa-vf", [published("atlas-run2")]).parameters["kappa_V"]
    assert estimate.minus is not None
    assert estimate.plus is not None
    edges = np.array([estimate.value + estimate.minus, estimate.value, estimate.value + estimate.plus])
    assert scan(problem, "kappa_V", edges).rise == pytest.approx([1.0, 0.0, 1.0], abs=5e-3)
    grid = plane(problem, "kappa_V", np.linspace(0.95, 1.1, 31), "kappa_F", np.linspace(0.75, 1.15, 41))
    assert grid.rise.shape == (41, 31)
    assert grid.rise.min() == pytest.approx(0.0, abs=0.05)
    assert scan(problem, "kappa_V", grid.x).rise == pytest.approx(grid.rise.min(axis=0), abs=0.05)
    assert not grid.excluded()[abs(grid.y - 0.95).argmin(), abs(grid.x - 1.025).argmin()]


@settings(deadline=None, max_examples=15)
@example(1.25, 0.71875)  # from (1, 1) the fit alone ends in another valley
@given(st.floats(0.7, 1.3), st.floats(0.7, 1.3))
def test_what_was_put_in_comes_out(kappa_v: float, kappa_f: float) -> None:
    """Rates of a point, taken as measured, give the point back, and χ² = 0."""
    atlas = published("atlas-run2")
    model = prepare("kappa-vf", [atlas]).model
    rates = model.predict(np.array([kappa_v, kappa_f]), atlas).strength
    entries = tuple(e.model_copy(update={"value": float(r)}) for e, r in zip(atlas.entries, rates, strict=True))
    found = combine("kappa-vf", [replace(atlas, entries=entries)])
    assert found.chi2 == pytest.approx(0.0, abs=1e-6)
    assert found.parameters["kappa_V"].value == pytest.approx(kappa_v, abs=1e-3)
    assert found.parameters["kappa_F"].value == pytest.approx(kappa_f, abs=1e-3)


def test_two_independent_halves_weigh_as_one() -> None:
    """Without theory in common, errors of two equal inputs fall by √2."""
    cms = published("cms-run2")
    twin = replace(cms, name="twin", events=frozenset({"others"}))
    one, two = combine("mu", [cms]).parameters["mu"], combine("mu", [cms, twin]).parameters["mu"]
    assert two.value == pytest.approx(one.value, abs=1e-3)
    assert two.error == pytest.approx(one.error / 2**0.5, rel=0.01)


def test_theory_is_shared() -> None:
    """With it, they fall by less."""
    atlas = published("atlas-run2")
    twin = replace(atlas, name="twin", events=frozenset({"others"}))
    one, two = combine("mu", [atlas]).parameters["mu"], combine("mu", [atlas, twin]).parameters["mu"]
    assert one.error > two.error > 1.1 * one.error / 2**0.5


def test_unmeasured_parameters_are_held() -> None:
    found = combine("kappa-resolved", [published("lhc-run1")])
    assert found.parameters["kappa_mu"].error == 0.0
    assert "kappa_mu" not in found.free
    assert any("kappa_mu is held at 1" in note for note in found.notes)


ENTRIES: list[dict[str, object]] = [
    {"name": "a", "decay": "ZZ", "production": {"ggH": 1}, "value": 1.0, "minus": 0.1, "plus": 0.1},
    {"name": "b", "decay": "WW", "production": {"VBF": 1}, "value": 1.0, "minus": 0.1, "plus": 0.1},
]
CONTENT: dict[str, object] = {
    "title": "two rates", "source": "a test", "sqrt_s": 13, "m_h": 125.0, "theory_in_errors": True, "events": ["ours"],
    "strengths": ENTRIES,
    "correlation": [[1.0], [0.5, 1.0]],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"m_h": 140.0}, "m_H = 140 GeV is outside the tables of SM predictions, 120 to 130 GeV"),
        ({"correlation": [[1.0], [1.0, 1.0]]}, "not positive definite: its smallest eigenvalue is"),
        ({"correlation": [[1.0], [1.5, 1.0]]}, "nothing outside"),
        ({"correlation": [[1.0]]}, "correlation: needs the lower triangle of 2 rows"),
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        (
            {"strengths": [{**ENTRIES[0], "minus": -1.0}]},
            "strengths.0.minus: Input should be greater than 0",
        ),
    ],
)
def test_refused_measurements(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read("ours", {**CONTENT, **change})


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("decay", "uu", r"ours: a: no scaling rule for decay 'uu'; known: bb"),
        (
            "production",
            {"ggX": 1.0},
            r"ours: a: no scaling rule for production 'ggX'; known: ggH",
        ),
    ],
)
def test_no_scaling_rule(field: str, value: object, message: str) -> None:
    entry = {**ENTRIES[0], field: value}
    with pytest.raises(InputError, match=message):
        combine("kappa-vf", [read("ours", {**CONTENT, "strengths": [entry, ENTRIES[1]]})])


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_set_of_measurements(name: str) -> None:
    """Each is near the SM: a strength within three standard deviations of 1."""
    mu = combine("mu", [published(name)]).parameters["mu"]
    assert abs(mu.value - 1.0) < 3 * mu.error
    assert mu.error < 0.12


def test_repair() -> None:
    """The nearest matrix with an inverse: a diagonal of 1, and hardly moved."""
    repaired = read("ours", {**CONTENT, "correlation": [[1.0], [1.0, 1.0]]}, repair=True).correlation
    assert np.linalg.eigvalsh(repaired)[0] > 0
    assert repaired == pytest.approx(np.ones((2, 2)), abs=1e-5)


def test_other_refusals() -> None:
    atlas = published("atlas-run2")
    with pytest.raises(InputError, match="share events"):
        combine("mu", [atlas, published("atlas-run2-80fb")])
    with pytest.raises(InputError, match="unknown data 'atlas'"):
        published("atlas")
    with pytest.raises(InputError, match="unknown model 'kappa'; known: mu,"):
        combine("kappa", [atlas])
    with pytest.raises(InputError, match="no data given"):
        combine("mu", [])
    with pytest.raises(InputError, match="model stxs needs a measurement of simplified"):
        combine("stxs", [atlas])
    with pytest.raises(InputError, match="no scaling rule for decay 'stxs'"):
        combine("kappa-vf", [published("atlas-run2", "stxs")])
    with pytest.raises(InputError, match="has no parameter 'kappa_W'; known: kappa_V, kappa_F"):
        scan(prepare("kappa-vf", [atlas]), "kappa_W", np.ones(1))


def test_own_results_keep_their_theory_once() -> None:
    """Inputs whose errors contain theory get no nuisance on top, alone or beside published ones that have none."""
    own = read("own", {**CONTENT, "theory_in_errors": True})
    bare = read("own", {**CONTENT, "theory_in_errors": False})
    alone = combine("mu", [own]).parameters["mu"]
    weights = np.linalg.inv(0.01 * own.correlation)
    assert alone.error == pytest.approx(weights.sum() ** -0.5, rel=1e-3)
    assert combine("mu", [bare]).parameters["mu"].error > 1.05 * alone.error
    atlas = published("atlas-run2")
    with_own = combine("mu", [atlas, own]).parameters["mu"].error
    assert with_own < combine("mu", [atlas, bare]).parameters["mu"].error
    errors = np.array([alone.error, combine("mu", [atlas]).parameters["mu"].error])
    assert with_own == pytest.approx((errors**-2.0).sum() ** -0.5, rel=0.03)


def test_the_sm_in_a_plane_is_where_the_model_is_the_sm() -> None:
    problem = prepare("kappa-vf", [published("atlas-run2")])
    found = plane(problem, "kappa_V", np.array([0.95, 1.0]), "kappa_F", np.array([1.0]))
    assert found.rise_sm == pytest.approx(found.rise[0, 1], abs=1e-4)
