"""Z+X in four leptons: the opposite-sign and the same-sign method, and both together.

Formulas as in CMS HIG-16-041 (JHEP 11 (2017) 047) §7.2 and HIG-19-001 (Eur. Phys. J. C 81 (2021) 488). Of the final
states, the last two letters are the pair with the loose leptons.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..kernels import four_lepton_regions as kernel
from .cells import Cells, Floats, Region
from .rates import Rates

FLAVOURS = ("muon", "electron")
LOOSE_FLAVOUR = (0, 1, 0, 1)
"""Flavour of the loose pair in each of the kernel's STATES."""


class Prediction(NamedTuple):
    """Events by final state and bin, shape (states, bins), and the errors of their sums over bins, shape (states,)."""

    events: Cells
    rate_error: Floats
    """Of the total of a state: the errors of the rates, all bins alike."""

    @property
    def total(self) -> Floats:
        """Events of each state."""
        return np.asarray(self.events.value.sum(axis=1))

    @property
    def error(self) -> Floats:
        """The error of the totals: events of the control regions, and the rates."""
        return np.asarray(np.sqrt(self.events.variance.sum(axis=1) + self.rate_error**2))


def split(region: Region) -> dict[str, Region]:
    """Return the control regions by name, each of shape (states, combinations, bins)."""
    n = len(kernel.STATES)
    return {
        name: Region(*(cells.at(slice(i * n, (i + 1) * n)) for cells in region))
        for i, name in enumerate(kernel.REGIONS)
    }


def members(cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the two cells of each pair, in the order in which the kernel numbers pairs."""
    pairs = [(a, b) for a in range(cells) for b in range(a + 1)]
    return np.array([a for a, _ in pairs]), np.array([b for _, b in pairs])


def opposite_sign(regions: dict[str, Region], rates: Rates) -> Prediction:
    """Predict by 3P1F and 2P2F: Σ t (3P1F - prompt) - Σ t t' (2P2F - prompt), with t = f/(1 - f) of failing leptons.

    An event with two fakes is in 3P1F twice as often as one with it counted as such would say, and the second sum takes
    one of them away; one with a third genuine lepton, as WZ has, is in the first sum alone.
    """
    one, two = regions["3P1F"].fakes, regions["2P2F"].fakes
    first, second = members(rates.value.shape[1])
    states = []
    for state, flavour in enumerate(LOOSE_FLAVOUR):
        t = np.zeros(len(first))
        t[: rates.value.shape[1]] = rates.transfer[flavour]  # 3P1F is filled by the cell of its one failing lepton
        tt = rates.transfer[flavour][first] * rates.transfer[flavour][second]
        value = t @ one.value[state] - tt @ two.value[state]
        variance = t**2 @ one.variance[state] + tt**2 @ two.variance[state]
        slope = one.value[state].sum(axis=1)[: rates.value.shape[1]].copy()
        pairs = two.value[state].sum(axis=1)
        np.subtract.at(slope, first, pairs * rates.transfer[flavour][second])
        np.subtract.at(slope, second, pairs * rates.transfer[flavour][first])
        states.append((value, variance, np.sqrt(((slope * rates.transfer_error[flavour]) ** 2).sum())))
    return _prediction(states)


def same_sign(regions: dict[str, Region], rates: Rates) -> Prediction:
    """Predict by pairs of like charges, selected or not: (OS/SS of two failing leptons) · Σ f f' (SS - prompt).

    It knows fakes in pairs only: of a genuine third lepton beside one fake it sees but a part.
    """
    like = Cells(*(regions["SS"].fakes[i] + regions["SS 2F"].fakes[i] for i in range(2)))
    opposite, same = regions["2P2F"].fakes.summed((1, 2)), regions["SS 2F"].fakes.summed((1, 2))
    first, second = members(rates.value.shape[1])
    states = []
    for state, flavour in enumerate(LOOSE_FLAVOUR):
        f, df = rates.value[flavour], rates.error[flavour]
        if not same.value[state] > 0.0 or not opposite.value[state] > 0.0:
            empty = np.zeros(like.value.shape[2])
            states.append((empty, empty, np.float64(np.inf)))  # it says nothing, and has no weight
            continue
        ratio = opposite.value[state] / same.value[state]
        relative = opposite.variance[state] / opposite.value[state] ** 2 + same.variance[state] / same.value[state] ** 2
        ff = f[first] * f[second]
        value, variance = ratio * (ff @ like.value[state]), ratio**2 * (ff**2 @ like.variance[state])
        pairs = like.value[state].sum(axis=1)
        slope = np.zeros(len(f))
        np.add.at(slope, first, pairs * f[second])
        np.add.at(slope, second, pairs * f[first])
        of_rates = ratio**2 * ((slope * df) ** 2).sum()
        states.append((value, variance, np.sqrt(of_rates + relative * value.sum() ** 2)))
    return _prediction(states)


def _prediction(states: list[tuple[Floats, Floats, np.float64]]) -> Prediction:
    value, variance, rate_error = (np.array(column) for column in zip(*states, strict=True))
    return Prediction(Cells(value, variance), rate_error)


def combined(first: Prediction, second: Prediction) -> tuple[Floats, Floats]:
    """Return the mean of two predictions of each state, weighted by their errors, and its error.

    Both use the same rates and the same 2P2F events, so that the mean is not taken to be better than the better one.
    """
    weights = np.array([1.0 / np.maximum(p.error, 1e-12) ** 2 for p in (first, second)])
    total = (weights * np.array([first.total, second.total])).sum(axis=0) / weights.sum(axis=0)
    return total, np.minimum(first.error, second.error)
