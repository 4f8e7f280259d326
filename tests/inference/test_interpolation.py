from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pyhf
import pytest

from gpuhiggs.inference.factors import code4_series
from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.kernels.response import asymmetric, code4, even_weight, exponential

UP, DOWN = np.array([1.08, 1.5, 0.9, 1.02, 3.0]), np.array([0.93, 1 / 1.5, 1.2, 1.05, 0.4])
THETA = np.array([-4.0, -1.3, -1.0, -0.7, -0.01, 0.0, 0.01, 0.4, 1.0, 1.7, 5.0])


def factors(theta: float, *, smooth: bool) -> tuple[FloatArray, FloatArray]:
    found = []
    for up, down in zip(np.log(UP), np.log(DOWN), strict=True):
        series = np.array(code4_series(up, down))
        found.append(code4(theta, up, down, series, 0) if smooth else exponential(theta, up, down))
    return np.array(found).T[0], np.array(found).T[1]


def shift(theta: float, up: float, down: float, *, smooth: bool) -> tuple[float, float]:
    """U and D are the shifts at θ = 1 and -1."""
    weight, growth, _ = even_weight(theta, not smooth)
    odd, even = (up - down) / 2, (up + down) / 16
    return odd * theta + even * weight, odd + even * growth


@pytest.mark.parametrize("theta", THETA)
def test_combines_asymmetric_log_normal(theta: float) -> None:
    """As written in Combine's documentation: ln κ is a polynomial of θ for |θ| < 1/2."""
    for up, down in zip(np.log(UP), np.log(DOWN), strict=True):
        mean, half, t = (up - down) / 2, (up + down) / 2, 2 * theta
        inside = mean + half * (3 * t**5 - 10 * t**3 + 15 * t) / 8
        log_kappa = inside if abs(theta) < 0.5 else up if theta > 0 else -down
        value, slope, _ = asymmetric(theta, up, down)
        assert value == pytest.approx(np.exp(theta * log_kappa), rel=1e-13)
        sides = [asymmetric(theta + h, up, down)[0] for h in (1e-6, -1e-6)]
        assert slope == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("code", ["code1", "code4"])
def test_normalisations_are_pyhfs(code: str) -> None:
    interpolate = getattr(pyhf.interpolators, code)(
        np.array([[[[d], [1.0], [u]]] for u, d in zip(UP, DOWN, strict=True)]), subscribe=False
    )
    for theta in THETA:
        expected = np.ravel(interpolate(np.full((len(UP), 1), theta)))
        np.testing.assert_allclose(factors(theta, smooth=code == "code4")[0], expected, rtol=2e-14)


@pytest.mark.parametrize(("code", "smooth"), [("code0", False), ("code4p", True)])
def test_shapes_are_pyhfs(code: str, smooth: bool) -> None:
    nominal, up, down = 10.0, 12.5, 9.0
    interpolate = getattr(pyhf.interpolators, code)(np.array([[[[down], [nominal], [up]]]]), subscribe=False)
    for theta in THETA:
        ours = shift(theta, up - nominal, down - nominal, smooth=smooth)[0]
        assert ours == pytest.approx(float(np.ravel(interpolate(np.array([[theta]])))[0]), rel=1e-14, abs=1e-14)


def test_code4_joins_in_value_slope_and_curvature() -> None:
    """The defining equations, solved by mpmath."""
    with mpmath.workdps(40):
        for column, (up, down) in enumerate(zip(map(mpmath.mpf, UP), map(mpmath.mpf, DOWN), strict=True)):
            rows, wanted = [], []
            for sign, base in ((1, up), (-1, down)):
                log = sign * mpmath.log(base)
                rows += [
                    [sign**k for k in range(1, 7)],
                    [k * sign ** (k - 1) for k in range(1, 7)],
                    [k * (k - 1) * sign**k for k in range(1, 7)],
                ]
                wanted += [base - 1, log * base, log**2 * base]
            solution = mpmath.lu_solve(mpmath.matrix(rows), mpmath.matrix(wanted))
            ours = code4_series(np.log(UP[column]), np.log(DOWN[column]))
            np.testing.assert_allclose(ours, [float(a) for a in solution], rtol=1e-11, atol=4e-15)


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("theta", [t for t in THETA if t not in (-1.0, 0.0, 1.0)])
def test_slopes_are_those_of_the_values(theta: float, smooth: bool) -> None:
    def central(function: Callable[[float], FloatArray | float]) -> FloatArray:
        return np.asarray((function(theta + 1e-6) - function(theta - 1e-6)) / 2e-6)

    slopes = central(lambda t: factors(t, smooth=smooth)[0])
    np.testing.assert_allclose(factors(theta, smooth=smooth)[1], slopes, rtol=1e-7, atol=1e-8)
    assert shift(theta, 2.5, -1.0, smooth=smooth)[1] == pytest.approx(
        float(central(lambda t: shift(t, 2.5, -1.0, smooth=smooth)[0])), rel=1e-7, abs=1e-8
    )


def test_nothing_changes_at_zero() -> None:
    for smooth in (True, False):
        np.testing.assert_allclose(factors(0.0, smooth=smooth)[0], 1.0, rtol=4e-16)
        assert shift(0.0, 2.5, -1.0, smooth=smooth)[0] == 0.0
