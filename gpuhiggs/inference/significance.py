"""The discovery of a positive signal: the test statistic q_0, its significance and p-value, asymptotically."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import norm

from gpuhiggs.inference.data import Data, asimov
from gpuhiggs.inference.fit import FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel


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


def discovery(model: FlatModel, data: Data, *, best: FitResult | None = None) -> DiscoveryResult:
    """Test the hypothesis that the parameter of interest is 0.

    Parameters
    ----------
    model, data
        The model, whose parameter of interest is a signal strength, and the data.
    best
        The fit with a free signal, if it is there already.

    Raises
    ------
    InputError
        As `fit`; so also where events are observed in a bin without background.
    """
    best = best or fit(model, data)
    background_only = fit(model, data, fixed={model.poi: 0.0}, start=best.values())
    rise = 2.0 * (background_only.nll - best.nll)
    q0 = max(rise, 0.0) if best.parameters[model.poi].value > 0.0 else 0.0
    significance = math.sqrt(q0)
    return DiscoveryResult(q0, significance, float(norm.sf(significance)), background_only, best)


def expected_discovery(model: FlatModel, parameters: Mapping[str, float] | None = None) -> DiscoveryResult:
    """Return the median test expected with signal: that of the Asimov data set (Cowan et al., §4).

    The signal strength is the parameter of interest's initial value, 1 as a rule, unless `parameters` set it; they can
    be the values of a fit, for the expectation after it.
    """
    return discovery(model, asimov(model, parameters))
