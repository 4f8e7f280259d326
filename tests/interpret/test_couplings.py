"""Coupling modifiers of models beyond the SM, derived a second way; sum rules and limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.interpret import hmssm, kappa, kappa_models, one_parameter, sm
from gpuhiggs.interpret import two_higgs_doublet as thdm
from gpuhiggs.interpret.kappa import Kappas
from gpuhiggs.interpret.measurements import read

KINDS = st.sampled_from(list(thdm.DOWN_TYPES))


def diagonalised(matrix: np.ndarray, tan_beta: float) -> tuple[float, float, float]:
    """Return κ_V, κ_u and κ_d of the lighter state of a mass matrix in (Re H1⁰, Re H2⁰); H2 couples to up-type."""
    beta = np.arctan(tan_beta)
    _, vectors = np.linalg.eigh(matrix)
    h1, h2 = vectors[:, 0] * np.sign(vectors[1, 0])
    return h1 * np.cos(beta) + h2 * np.sin(beta), h2 / np.sin(beta), h1 / np.cos(beta)


@given(KINDS, st.floats(-0.95, 0.95), st.floats(0.2, 50))
def test_2hdm_from_its_mass_matrix(kind: str, cos_ba: float, tan_beta: float) -> None:
    """The light state's share of each doublet, in units of that doublet's vacuum value, is what it couples with."""
    beta = np.arctan(tan_beta)
    alpha = beta - np.arccos(cos_ba)  # sin(β-α) ≥ 0
    rotation = np.array([[np.cos(alpha), np.sin(alpha)], [-np.sin(alpha), np.cos(alpha)]])  # rows H, h in (1, 2)
    matrix = rotation.T @ np.diag([500.0**2, 125.0**2]) @ rotation
    _, vectors = np.linalg.eigh(matrix)
    h1, h2 = vectors[:, 0]
    vector = h1 * np.cos(beta) + h2 * np.sin(beta)
    sign = np.sign(vector)  # κ_V ≥ 0
    up, down = sign * h2 / np.sin(beta), sign * h1 / np.cos(beta)
    found = thdm.couplings(kind, np.array(cos_ba), np.array(tan_beta))
    flipped_quarks, flipped_leptons = {"I": (0, 0), "II": (1, 1), "X": (0, 1), "Y": (1, 0)}[kind]
    assert pytest.approx(sign * vector, abs=1e-9) == found.W
    assert found.t == pytest.approx(up, rel=1e-7, abs=1e-9)
    assert found.b == pytest.approx(down if flipped_quarks else up, rel=1e-7, abs=1e-9)
    assert found.tau == pytest.approx(down if flipped_leptons else up, rel=1e-7, abs=1e-9)


def test_2hdm_at_the_sm_and_off_it() -> None:
    """Combine's TwoHDM gives κ_d = -1 at cos(β-α) = 0, and -0.867 for 0.795 at 0.1 and tan β = 2: a sign in tan α."""
    for kind in thdm.DOWN_TYPES:
        assert thdm.couplings(kind, np.array(0.0), np.array(2.0)).b == 1.0
    assert thdm.couplings("II", np.array(0.1), np.array(2.0)).b == pytest.approx(0.795, abs=5e-4)


def test_wrong_sign_branch() -> None:
    tan_beta = np.array(20.0)
    found = thdm.couplings("II", np.sin(2 * np.arctan(1 / tan_beta)), tan_beta)
    assert found.b == pytest.approx(-1.0, abs=1e-9)
    assert found.t == pytest.approx(1.0, abs=1e-2)


@given(st.floats(-0.95, 0.95), st.floats(0.2, 50))
def test_sum_rule(cos_ba: float, tan_beta: float) -> None:
    """Of type II: κ_V = sin²β κ_u + cos²β κ_d, and sin²β κ_u² + cos²β κ_d² = 1, the length of the mixed state."""
    found = thdm.couplings("II", np.array(cos_ba), np.array(tan_beta))
    sin2 = tan_beta**2 / (1 + tan_beta**2)
    assert sin2 * found.t + (1 - sin2) * found.b == pytest.approx(found.W, abs=1e-9)
    assert sin2 * found.t**2 + (1 - sin2) * found.b**2 == pytest.approx(1.0, rel=1e-9)


@pytest.mark.parametrize(
    ("m_a", "tan_beta", "answer"),
    [(300, 10, (0.9995, 0.9963, 1.3187)), (500, 2, (0.9991, 0.9774, 1.0858)), (200, 5, (0.9830, 0.9463, 1.9004))],
)
def test_hmssm_points(m_a: float, tan_beta: float, answer: tuple[float, float, float]) -> None:
    found = hmssm.couplings(np.array(m_a, dtype=float), np.array(tan_beta, dtype=float))
    assert (found.W, found.t, found.b) == pytest.approx(answer, abs=2e-4)


@given(st.floats(180, 3000), st.floats(1.5, 50))
def test_hmssm_from_its_mass_matrix(m_a: float, tan_beta: float) -> None:
    """The tree-level matrix of the MSSM with a correction to its 22 element, such that the lighter mass is m_h."""
    s, c = np.sin(np.arctan(tan_beta)), np.cos(np.arctan(tan_beta))
    m_z, m_h = hmssm.M_Z, hmssm.M_H
    m11, m12, m22 = m_a**2 * s**2 + m_z**2 * c**2, -(m_a**2 + m_z**2) * s * c, m_a**2 * c**2 + m_z**2 * s**2
    if m11 <= m_h**2:
        return  # m_h cannot be the lighter mass
    correction = m12**2 / (m11 - m_h**2) + m_h**2 - m22
    matrix = np.array([[m11, m12], [m12, m22 + correction]])
    values = np.linalg.eigvalsh(matrix)
    assert np.sqrt(values[0]) == pytest.approx(m_h, rel=1e-6)
    assert np.sqrt(values[1]) == pytest.approx(hmssm.heavy_mass(m_a, tan_beta), rel=1e-6)
    found = hmssm.couplings(np.array(m_a), np.array(tan_beta))
    assert (found.W, found.t, found.b) == pytest.approx(diagonalised(matrix, tan_beta), rel=1e-6)


@pytest.mark.parametrize("tan_beta", [1.5, 5.0, 30.0])
def test_hmssm_decouples(tan_beta: float) -> None:
    found = hmssm.couplings(np.array(1e5), np.array(tan_beta))
    assert (found.W, found.t, found.b) == pytest.approx((1.0, 1.0, 1.0), abs=1e-4)


def test_one_parameter_models() -> None:
    assert one_parameter.singlet_couplings(np.array(0.19)).t == pytest.approx(0.9)
    mchm5 = one_parameter.mchm5_couplings(np.array(0.1))
    assert (mchm5.W, mchm5.b) == pytest.approx((0.9**0.5, 0.8 / 0.9**0.5))


def universal(value: float) -> Kappas:
    return one_parameter.universal(np.array(value), np.array(value))


@given(st.floats(0.1, 3), st.sampled_from([7.0, 8.0, 13.0, 13.6, 14.0]), st.floats(123, 128))
def test_polynomials_are_homogeneous(value: float, sqrt_s: float, m_h: float) -> None:
    """All couplings times κ: every rate times κ²; the width too, so that on-peak rates go as κ²."""
    scale = kappa.scaling(universal(value), sqrt_s, m_h)
    assert scale.production == pytest.approx(np.full(len(sm.MODES), value**2))
    assert scale.width == pytest.approx(np.full(len(sm.DECAYS), value**2))
    assert kappa.width_ratio(scale, m_h) == pytest.approx(value**2)


def test_interference() -> None:
    """κ_t = -1: γγ is enhanced, tHq made an order of magnitude more often (published coefficients, summed by hand)."""
    one = np.array(1.0)
    flipped = universal(1.0)._replace(t=-one, c=-one)
    production = dict(zip(sm.MODES, kappa.production(flipped, 13.0, 125.0), strict=True))
    assert production["tHq"] == pytest.approx((2.633 + 3.578 + 5.211) / (2.633 + 3.578 - 5.211))
    widths = dict(zip(sm.DECAYS, kappa.widths(flipped, 125.0), strict=True))
    assert widths["gammagamma"] == pytest.approx(2.36, abs=0.03)
    assert production["ggH"] == pytest.approx(1.04 + 0.002 + 0.038 - 0.005 - 0.0004, abs=1e-3)


def test_undetected_decays_widen() -> None:
    scale = kappa.scaling(universal(1.0)._replace(inv=0.1, undetected=0.2), 13.0, 125.0)
    assert kappa.width_ratio(scale, 125.0) == pytest.approx(1 / 0.7)


def rate(mode: str, decay: str, kappa_lambda: float) -> float:
    """Return σ_i B_f over the SM at √s = 13 TeV from the model."""
    entry = {"name": "a", "decay": decay, "production": {mode: 1.0}, "value": 1.0, "minus": 0.1, "plus": 0.1}
    content = {
        "title": "", "source": "", "sqrt_s": 13, "m_h": 125.09, "theory_in_errors": True, "events": ["x"],
        "strengths": [entry], "correlation": [[1.0]],
    }  # fmt: skip
    inputs = read("one", content)
    return float(kappa_models.kappa_lambda([inputs]).predict(np.array([kappa_lambda]), inputs).strength[0])


@pytest.mark.parametrize(
    ("mode", "c1", "k_ew"),
    [("ggH", 0.66, 1.049), ("VBF", 0.64, 0.932), ("WH", 1.03, 0.93), ("ZH", 1.19, 0.947), ("ttH", 3.51, 1.014)],
)
@pytest.mark.parametrize(("decay", "c1_decay"), [("gammagamma", 0.49), ("ZZ", 0.83), ("WW", 0.73), ("bb", 0.0)])
@pytest.mark.parametrize("k", [-5.0, 1.0, 2.0, 10.0])
def test_self_coupling_by_mode(mode: str, c1: float, k_ew: float, decay: str, c1_decay: float, k: float) -> None:
    """C₁ of Degrassi et al. (arXiv:1607.04251, table 2), K_EW and δZ_H of Maltoni et al. (arXiv:1709.08649), by hand.

    The total width is the sum of the partial ones, each with its C₁.
    """
    wave = 1.0 / (1.0 + 1.536e-3 * (k**2 - 1.0))
    branching = {name: sm.branching_ratio(name) for name in sm.DECAYS}
    of_width = {"gammagamma": 0.0049, "ZZ": 0.0083, "WW": 0.0073, "gg": 0.0066}
    total = 1.0 + (k - 1.0) * sum(of_width.get(name, 0.0) * b for name, b in branching.items()) / sum(
        branching.values()
    )
    by_hand = wave * (1.0 + (k - 1.0) * c1 / 100 / k_ew) * (1.0 + (k - 1.0) * c1_decay / 100) / total
    assert rate(mode, decay, k) == pytest.approx(by_hand, rel=1e-6)


@given(st.floats(0.0, 0.4))
def test_composite_higgs_is_a_rotation(xi: float) -> None:
    """κ = v ∂ ln m/∂h with v = f sin(h/f): m_W ∝ sin(h/f), fermion masses ∝ sin(h/f) in MCHM4, sin(2h/f) in MCHM5."""
    angle = np.arcsin(np.sqrt(xi))  # of the vacuum, h/f
    step = 1e-6

    def modifier(mass: Callable[[float], float]) -> float:
        slope = (np.log(mass(angle + step)) - np.log(mass(angle - step))) / (2 * step)
        return float(np.sin(angle) * slope)

    if xi < 1e-6:
        return
    four, five = one_parameter.mchm4_couplings(np.array(xi)), one_parameter.mchm5_couplings(np.array(xi))
    assert modifier(np.sin) == pytest.approx(float(four.W), rel=1e-4)
    assert modifier(np.sin) == pytest.approx(float(four.t), rel=1e-4)
    assert modifier(np.sin) == pytest.approx(float(five.W), rel=1e-4)
    assert modifier(lambda a: np.sin(2 * a)) == pytest.approx(float(five.b), rel=1e-4)


@given(st.floats(0.0, 0.9))
def test_singlet_is_a_rotation(sin2_theta: float) -> None:
    """The share of the doublet in the lighter state of a mass matrix that mixes it with a singlet."""
    theta = np.arcsin(np.sqrt(sin2_theta))
    rotation = np.array([[np.cos(theta), np.sin(theta)], [-np.sin(theta), np.cos(theta)]])
    matrix = rotation.T @ np.diag([125.0**2, 500.0**2]) @ rotation
    _, vectors = np.linalg.eigh(matrix)
    assert abs(vectors[0, 0]) == pytest.approx(float(one_parameter.singlet_couplings(np.array(sin2_theta)).Z), abs=1e-9)
