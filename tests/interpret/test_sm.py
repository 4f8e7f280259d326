"""SM predictions against the tables and numbers that they do not contain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.errors import InputError
from gpuhiggs.interpret import gluon_fusion, sm, vacuum, width


@pytest.mark.parametrize(
    ("mode", "sqrt_s", "m_h", "value"),
    [
        # Yellow Report 4 by another interpolation, at the mass of the CMS publications.
        ("ggH", 13, 125.38, 48.31),
        ("VBF", 13, 125.38, 3.771),
        ("WH", 13, 125.38, 1.359),
        ("ZH", 13, 125.38, 0.8771),
        ("ttH", 13, 125.38, 0.5035),
        ("bbH", 13, 125.38, 0.4824),
        ("ggH", 7, 125.09, 16.82),
        ("ttH", 14, 125.09, 0.6128),
        # arXiv:2402.09955, 13.6 TeV.
        ("ggH", 13.6, 125.0, 52.23),
        ("VBF", 13.6, 125.0, 4.078),
        ("ZH", 13.6, 125.0, 0.9439),
        ("ttH", 13.6, 125.0, 0.570),
        ("ggH", 13.6, 125.38, 51.96),
    ],
)
def test_cross_sections(mode: str, sqrt_s: float, m_h: float, value: float) -> None:
    assert sm.cross_section(mode, sqrt_s, m_h).value == pytest.approx(value, rel=3e-3)


@pytest.mark.parametrize(("sqrt_s", "value"), [(9.0, 23.92), (10.0, 28.64), (11.0, 33.6), (12.0, 38.77)])
def test_between_8_and_13_tev(sqrt_s: float, value: float) -> None:
    """Against the working group's scan in √s, NNLO+NNLL, which the interpolation does not use; N³LO grows alike."""
    ratio = sm.cross_section("ggH_NNLO_NNLL", sqrt_s, 125.0).value / sm.cross_section("ggH_NNLO_NNLL", 13, 125.0).value
    n3lo = sm.cross_section("ggH", sqrt_s, 125.0).value / sm.cross_section("ggH", 13, 125.0).value
    assert n3lo == pytest.approx(ratio, rel=5e-3)
    assert sm.cross_section("ggH_NNLO_NNLL", sqrt_s, 125.0).value == pytest.approx(value, rel=3e-3)


@pytest.mark.parametrize(
    ("decay", "m_h", "value"),
    [("bb", 125.38, 0.5763), ("WW", 125.38, 0.2200), ("ZZ", 125.38, 0.02711), ("tautau", 125.09, 0.06256)],
)
def test_branching_ratios(decay: str, m_h: float, value: float) -> None:
    assert sm.branching_ratio(decay, m_h) == pytest.approx(value, rel=2e-3)


def test_width() -> None:
    assert sm.total_width(125.0).value == pytest.approx(4.088, abs=0.002)
    assert sm.total_width(125.38).value == pytest.approx(4.138, abs=0.003)
    assert width.lifetime(4.1) == pytest.approx(1.605e-22, rel=1e-3)


@given(st.floats(120, 130), st.floats(7, 14))
def test_ratios_add_up_and_cross_sections_rise(m_h: float, sqrt_s: float) -> None:
    assert sum(sm.branching_ratio(decay, m_h) for decay in sm.DECAYS) == pytest.approx(1.0, abs=2e-3)
    higher = min(14.0, sqrt_s + 0.1)
    for mode in ("ggH", "VBF", "ttH"):
        assert sm.cross_section(mode, higher, m_h).value >= sm.cross_section(mode, sqrt_s, m_h).value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sm.cross_section("ggH", 13, 131.0), "m_H = 131 GeV is outside"),
        (lambda: sm.cross_section("ggH", 100), "√s = 100 TeV is outside"),
        (lambda: sm.cross_section("gH", 13), "unknown production mode 'gH'; known: ggH"),
        (lambda: sm.branching_ratio("uu"), "unknown decay 'uu'; known: bb"),
        (lambda: width.lifetime(0.0), "a width must be positive"),
    ],
)
def test_outside(call, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        call()


def test_gluon_fusion_by_order() -> None:
    """arXiv:1602.00695: 48.58 pb in all; LO 16.00."""
    found = gluon_fusion.orders(13.0, 125.0, kappa_g=0.95)
    assert [order.name for order in found] == ["LO", "NLO", "NNLO", "N3LO"]
    assert found[-1].value == pytest.approx(48.58, rel=1e-3)
    assert found[0].value == pytest.approx(16.00, rel=1e-3)
    assert found[-1].kappa_g == pytest.approx(0.95)
    rates = [order.kappa_g**2 * order.value for order in found]
    assert rates == pytest.approx([rates[0]] * 4)


def test_instability_scale() -> None:
    """arXiv:1307.3536 at its own central inputs: 10^9.5 GeV."""
    found = vacuum.instability((125.15, 0.24), (173.34, 0.76), (0.1184, 0.0007))
    assert found.log10_scale == pytest.approx(9.5)
    assert found.parts == pytest.approx({"m_h": 0.168, "m_top": 0.76, "alpha_s": 0.3})


def test_off_shell() -> None:
    """The strength comes back from the events that it gives, with interference and without."""
    events = width.off_shell_yield(1.7, 10.0, -12.0, 100.0)
    assert width.off_shell_strength(events, 10.0, -12.0, 100.0) == pytest.approx(1.7)
    assert width.off_shell_strength(120.0, 10.0, 0.0, 100.0) == pytest.approx(2.0)
    with pytest.raises(InputError, match=r"the least is 96\.4"):
        width.off_shell_strength(90.0, 10.0, -12.0, 100.0)
    on = width.Interval(1.05, 0.06, 0.06)
    found = width.from_off_shell(width.Interval(1.1, 0.6, 0.7), on)
    assert found.value == pytest.approx(4.5, abs=0.35 * 2.9)  # ATLAS, arXiv:2304.01532: 4.5 +3.3 -2.5 MeV
    assert (found.minus, found.plus) == pytest.approx((2.5, 3.3), rel=0.2)
