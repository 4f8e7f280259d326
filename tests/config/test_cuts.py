"""Cuts: the numbers of a selection, as a kernel takes them."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.config.cuts import build_cuts
from gpuhiggs.errors import ConfigError
from gpuhiggs.kernels.language import Positive, Real, Switch, Whole


class Inner(NamedTuple):
    """One cut of each kind."""

    real: Real
    positive: Positive
    whole: Whole
    switch: Switch


class Cuts(NamedTuple):
    """A tree of cuts, one branch of which the configuration does not give."""

    given: Inner
    inner: Inner


GIVEN = Inner(0.0, 0.0, 0, 0)


@given(
    real=st.floats(allow_nan=False),
    positive=st.floats(min_value=0, allow_nan=False),
    whole=st.integers(0, 2**62),
    switch=st.integers(0, 1),
)
def test_cuts_are_built(real: float, positive: float, whole: int, switch: int) -> None:
    values = {"inner": {"real": real, "positive": positive, "whole": whole, "switch": switch}}
    built = build_cuts(Cuts, values, "cuts", {"given": GIVEN})
    assert built == Cuts(GIVEN, Inner(real, positive, whole, switch))
    assert [type(value) for value in built.inner] == [float, float, int, int]


@given(st.integers(-(2**70), -1) | st.integers(2**62 + 1, 2**70) | st.floats() | st.booleans() | st.text() | st.none())
def test_wrong_whole_numbers(value: Any) -> None:
    with pytest.raises(
        ConfigError, match=r"^cuts\.inner\.whole: expected a (whole number|value between 0 and \d+), got "
    ):
        build_cuts(Cuts, {"inner": {"real": 0, "positive": 0, "whole": value, "switch": 0}}, "cuts", {"given": GIVEN})


def test_what_is_given_is_no_cut() -> None:
    with pytest.raises(ConfigError, match="cuts: unknown key 'given'; known: inner"):
        build_cuts(Cuts, {"inner": {}, "given": {}}, "cuts", {"given": GIVEN})
