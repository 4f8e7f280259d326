"""Likelihood-ratio tests of a parameter of interest, asymptotically and with toys: discovery, p-values, CLs, limits.

Test statistics, with L_max at the best value of the parameter (Cowan et al., arXiv:1007.1727):

- t_μ = -2 ln L(μ)/L_max (eq. 8); t̃_μ does not let the best value be negative;
- q_0 = t_0 where the best value is positive, else 0 (eq. 12);
- q_μ = t_μ where the best value is below μ, else 0 (eq. 14); q̃_μ as t̃_μ (eq. 16).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scipy.optimize import brentq
from scipy.stats import norm

from gpuhiggs.errors import InputError, RunError
from gpuhiggs.inference.data import Data, asimov
from gpuhiggs.inference.fit import FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel
from gpuhiggs.inference.profile import Profile

Statistic = Literal["t", "q0", "q", "q_tilde"]
BANDS = (-2, -1, 0, 1, 2)
"""Standard deviations at which an expectation is quoted."""


@dataclass(frozen=True)
class DiscoveryResult:
    """A test of the hypothesis without signal.

    Attributes
    ----------
    q0
        -2 ln(L(0)/L_max) where the fitted signal is positive, else 0 (Cowan et al., arXiv:1007.1727, eq. 12).
    significance
        √q0, in standard deviations (eq. 53).
    p_value
        Probability of data at least as signal-like without signal, 1 - Φ(√q0) (eq. 52).
    background_only, best
        The fits with no signal and with a free signal.
    """

    q0: float
    significance: float
    p_value: float
    background_only: FitResult
    best: FitResult

    @property
    def converged(self) -> bool:
        """Whether both fits did; if not, the numbers are not to be trusted."""
        return self.background_only.converged and self.best.converged

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, without the fits."""
        return {
            "q0": self.q0,
            "significance": self.significance,
            "p_value": self.p_value,
            "converged": self.converged,
        }


def discovery(
    model: FlatModel, data: Data, *, best: FitResult | None = None, poi: str | None = None
) -> DiscoveryResult:
    """Test the hypothesis that the parameter of interest is 0.

    Parameters
    ----------
    model, data
        The model, whose parameter of interest is a signal strength, and the data.
    best
        The fit with a free signal, if it is there already.
    poi
        The parameter of interest; None for the model's first.

    Raises
    ------
    InputError
        As `fit`; so also where events are observed in a bin without background.
    """
    name = poi or model.poi
    best = best or fit(model, data)
    background_only = fit(model, data, fixed={name: 0.0}, start=best.values())
    rise = 2.0 * (background_only.nll - best.nll)
    q0 = max(rise, 0.0) if best.parameters[name].value > 0.0 else 0.0
    significance = math.sqrt(q0)
    return DiscoveryResult(q0, significance, float(norm.sf(significance)), background_only, best)


def expected_discovery(model: FlatModel, parameters: Mapping[str, float] | None = None) -> DiscoveryResult:
    """Return the median test expected with signal: that of the Asimov data set (Cowan et al., §4).

    The signal strength is the parameter of interest's initial value, 1 as a rule, unless `parameters` set it; they can
    be the values of a fit, for the expectation after it.
    """
    return discovery(model, asimov(model, parameters))


@dataclass(frozen=True)
class HypothesisTest:
    """A test of one value of the parameter of interest.

    Attributes
    ----------
    value
        The tested value.
    statistic
        Value of the test statistic.
    cls_sb, cls_b, cls
        p-values of signal plus background and of 1 - background, and their ratio.
    expected
        CLs at -2, -1, 0, 1 and 2 standard deviations of background-only data.
    """

    value: float
    statistic: float
    cls_sb: float
    cls_b: float
    cls: float
    expected: tuple[float, ...]

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "value": self.value,
            "statistic": self.statistic,
            "cls_sb": self.cls_sb,
            "cls_b": self.cls_b,
            "cls": self.cls,
            "expected": list(self.expected),
        }


@dataclass(frozen=True)
class LimitResult:
    """Upper limits by CLs.

    Attributes
    ----------
    confidence
        Confidence level.
    observed
        The limit; None if CLs does not fall so far.
    expected
        Median and bands without signal: at -2, -1, 0, 1, 2 standard deviations.
    test
        The test at the parameter's nominal value, 1 as a rule.
    """

    parameter: str
    confidence: float
    observed: float | None
    expected: tuple[float | None, ...]
    test: HypothesisTest

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "parameter": self.parameter,
            "confidence": self.confidence,
            "observed": self.observed,
            "expected": list(self.expected),
            "cls": self.test.cls,
            "cls_expected": list(self.test.expected),
            "tested_value": self.test.value,
        }


class _Tester:
    """q or q̃ of data and of the background-only Asimov data set, at any value."""

    def __init__(self, model: FlatModel, data: Data, poi: str, statistic: Statistic, best: FitResult | None) -> None:
        if statistic not in ("q", "q_tilde"):
            msg = f"CLs with statistic {statistic!r}, expected 'q' or 'q_tilde'"
            raise InputError(msg)
        self.model, self.poi, self.is_tilde = model, poi, statistic == "q_tilde"
        best = best or fit(model, data)
        background = fit(model, data, fixed={poi: 0.0}, start=best.values())
        if not (best.converged and background.converged):
            msg = f"test of {poi!r}: {' '.join((*best.notes, *background.notes))}"
            raise RunError(msg)
        expected = asimov(model, background.values())
        self.asimov_best = fit(model, expected, start=background.values())
        self.profiles = (
            Profile(model, data, [poi], best=best),
            Profile(model, expected, [poi], best=self.asimov_best),
        )
        self.lowest = (
            (best.nll if best.parameters[poi].value >= 0.0 or not self.is_tilde else background.nll),
            self.asimov_best.nll,
        )
        self.best_value = best.parameters[poi].value

    def statistics(self, value: float) -> tuple[float, float]:
        """Return q of the data and q_A of the Asimov data set."""
        heights = []
        for profile, lowest in zip(self.profiles, self.lowest, strict=True):
            nll, converged, _ = profile.at([[value]])
            if not converged[0]:
                msg = f"test of {self.poi} = {value:g}: the fit of the other parameters did not converge"
                raise RunError(msg)
            heights.append(max(2.0 * (float(nll[0]) - lowest), 0.0))
        return (heights[0] if self.best_value <= value else 0.0), heights[1]

    def test(self, value: float) -> HypothesisTest:
        """Return the asymptotic test (Cowan et al., eqs. 59, 65, 66)."""
        q, q_asimov = self.statistics(value)
        root, width = math.sqrt(q), math.sqrt(q_asimov)
        if self.is_tilde and root > width > 0.0:
            sb, b = norm.sf((q + q_asimov) / (2.0 * width)), norm.sf((q - q_asimov) / (2.0 * width))
        else:
            sb, b = norm.sf(root), norm.sf(root - width)
        expected = tuple(float(norm.sf(width - n) / norm.cdf(n)) for n in BANDS)
        return HypothesisTest(value, q, float(sb), float(b), float(sb / b), expected)


def hypothesis_test(
    model: FlatModel,
    data: Data,
    value: float = 1.0,
    *,
    poi: str | None = None,
    statistic: Statistic = "q_tilde",
    best: FitResult | None = None,
) -> HypothesisTest:
    """Test a value of the parameter of interest against smaller ones, asymptotically.

    Raises
    ------
    InputError
        The value is no number, out of the parameter's bounds or, for q̃, negative.
    RunError
        A fit did not converge.
    """
    name = poi or model.poi
    low, high = model.bounds(name)
    low = max(low, 0.0) if statistic == "q_tilde" else low
    if not (math.isfinite(value) and low <= value <= high):
        msg = f"test of {name!r}: {value:g}, expected a finite number from {low:g} to {high:g} for {statistic!r}"
        raise InputError(msg)
    return _Tester(model, data, name, statistic, best).test(value)


def upper_limit(
    model: FlatModel,
    data: Data,
    *,
    poi: str | None = None,
    confidence: float = 0.95,
    statistic: Statistic = "q_tilde",
    best: FitResult | None = None,
) -> LimitResult:
    """Return the upper limit where CLs falls to 1 - `confidence`, observed and expected without signal.

    Raises
    ------
    RunError
        A fit did not converge.
    """
    name = poi or model.poi
    tester = _Tester(model, data, name, statistic, best)
    size = tester.asimov_best.parameters[name].error
    size = size if math.isfinite(size) and size > 0.0 else 1.0
    highest = model.bounds(name)[1]
    known: dict[float, HypothesisTest] = {}

    def at(value: float) -> HypothesisTest:
        return known.setdefault(value, tester.test(value)) if value not in known else known[value]

    def solve(which: int | None) -> float | None:
        def excess(value: float) -> float:
            test = at(value)
            cls = test.cls if which is None else test.expected[which]
            return math.log(max(cls, 1e-300)) - math.log(1.0 - confidence)

        low, high = 1e-3 * size, min(4.0 * size + max(tester.best_value, 0.0), highest)
        while excess(high) > 0.0:
            if high >= highest or high > 1e4 * size:
                return None
            low, high = high, min(2.0 * high, highest)
        if excess(low) <= 0.0:
            return low
        return float(brentq(excess, low, high, rtol=1e-6, xtol=1e-9 * size))

    nominal = model.parameters[model.index(name)].initial
    return LimitResult(
        name, confidence, solve(None), tuple(solve(k) for k in range(len(BANDS))), at(nominal if nominal > 0 else 1.0)
    )
