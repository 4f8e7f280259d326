"""Rates: how often an object that passes the relaxed selection passes the full one, measured beside a tag.

A rate is selected over all, f; a prediction takes selected over failing, f/(1 - f), for each failing object.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from .cells import Cells, Floats

ONE_SIGMA_OF_NONE = 1.15
"""Events at which none is as unlikely as a fluctuation of one σ: exp(-n) = 0.317 (PDG 2022, statistics, Poisson)."""


class Rates(NamedTuple):
    """Rates by flavour and cell, shape (flavours, cells): a bin of pt in a region of |η|, inner ones first."""

    value: Floats
    error: Floats
    notes: tuple[str, ...]
    """What had to be taken from elsewhere, or was below zero."""

    @property
    def transfer(self) -> Floats:
        """f/(1 - f): what one failing object counts."""
        return np.asarray(self.value / (1.0 - self.value))

    @property
    def transfer_error(self) -> Floats:
        """The error of f/(1 - f)."""
        return np.asarray(self.error / (1.0 - self.value) ** 2)

    def scaled(self, factor: float) -> Rates:
        """Return the rates times a factor: for tests of how much a prediction depends on them."""
        return Rates(self.value * factor, self.error * factor, self.notes)


def measure(selected: Cells, failing: Cells, flavours: tuple[str, ...], pt_edges: Floats) -> Rates:
    """Measure rates.

    A cell without failing objects, or without any, takes the rate of all pt in its region of |η|; a region without any
    that of its flavour. A rate below zero, where more prompt objects are subtracted than there are, is taken as zero.
    None selected is a rate of zero, whose error is that of 1.15 events. All of these are said in the notes.

    Parameters
    ----------
    selected, failing
        Events less prompt simulation, shape (flavours, 2, bins of pt).

    Raises
    ------
    InputError
        If a flavour has no objects, or none that fail: there is nothing to measure.
    """
    notes: list[str] = []
    value = np.zeros(selected.value.shape)
    error = np.zeros(selected.value.shape)
    for flavour, name in enumerate(flavours):
        whole = _ratio(selected.at(flavour).summed((0, 1)), failing.at(flavour).summed((0, 1)))
        if whole is None:
            n = (float(selected.value[flavour].sum()), float(failing.value[flavour].sum()))
            msg = (
                f"nonprompt: no rate of {name}s can be measured: {n[0]:.4g} are selected and {n[1]:.4g} fail "
                "where it is, prompt simulation subtracted"
            )
            raise InputError(msg)
        for region, where in enumerate(("inner", "outer")):
            place = (flavour, region)
            of_region = _ratio(selected.at(place).summed(0), failing.at(place).summed(0))
            for b in range(len(pt_edges) - 1):
                found = _ratio(selected.at((*place, b)), failing.at((*place, b)))
                what = f"{name} {where} {pt_edges[b]:g}-{pt_edges[b + 1]:g} GeV"
                if found is None:
                    found = of_region or whole
                    source = "its region of |η|" if of_region else "all of its flavour"
                    notes.append(f"{what}: no failing objects; the rate is that of {source}")
                if found[0] < 0.0:
                    notes.append(f"{what}: rate {found[0]:.3g} ± {found[1]:.2g}, taken as 0")
                    found = 0.0, max(found[1], -found[0])
                value[(*place, b)], error[(*place, b)] = found
    return Rates(value.reshape(len(flavours), -1), error.reshape(len(flavours), -1), tuple(notes))


def _ratio(selected: Cells, failing: Cells) -> tuple[float, float] | None:
    """Return selected over all and its error; None where nothing fails."""
    s, f = float(selected.value), float(failing.value)
    if f <= 0.0 or s + f <= 0.0:
        return None
    rate = s / (s + f)
    variance = ((1.0 - rate) ** 2 * float(selected.variance) + rate**2 * float(failing.variance)) / (s + f) ** 2
    if s == 0.0:
        variance = max(variance, (ONE_SIGMA_OF_NONE / (s + f)) ** 2)
    return rate, float(np.sqrt(variance))


def to_json(rates: Rates, flavours: tuple[str, ...], pt_edges: Floats) -> dict[str, Any]:
    """Return the JSON form: by flavour and region of |η|, a number for each bin of pt."""
    n = len(pt_edges) - 1
    tables = {
        f"{name} {where}": {
            "value": rates.value[flavour, region * n :][:n].tolist(),
            "error": rates.error[flavour, region * n :][:n].tolist(),
        }
        for flavour, name in enumerate(flavours)
        for region, where in enumerate(("inner", "outer"))
    }
    return {"pt_edges": list(map(float, pt_edges)), "rates": tables, "notes": list(rates.notes)}
