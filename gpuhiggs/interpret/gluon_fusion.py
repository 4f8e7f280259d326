"""The gluon-fusion cross section order by order, and what each order makes of a measured κ_g."""

from __future__ import annotations

from typing import Any, NamedTuple

from .sm import cross_section
from .tables import load


class Order(NamedTuple):
    """The cross section up to an order of α_s, in pb; ``low`` and ``high`` are its scale band."""

    name: str
    value: float
    low: float
    high: float
    kappa_g: float
    """What a κ_g that was measured against N³LO would be against this order."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return self._asdict()


def orders(sqrt_s: float = 13.0, m_h: float = 125.0, kappa_g: float = 1.0) -> list[Order]:
    """Return LO, NLO, NNLO and N³LO.

    The ratios of the orders are those of 13 TeV and 125 GeV (arXiv:1602.00695); the N³LO cross section at *sqrt_s* and
    *m_h* fixes their size. A measured rate is κ_g² σ: against a smaller σ the same rate is a larger κ_g.

    Parameters
    ----------
    sqrt_s, m_h
        TeV and GeV.
    kappa_g
        Measured against N³LO.

    Raises
    ------
    InputError
        If the energy or mass is outside the tables.
    """
    table = load("gluon_fusion")["orders"]
    sums, total = {}, 0.0
    for name, order in table.items():
        total += sum(order["contributions"].values())
        sums[name] = total
    full = cross_section("ggH", sqrt_s, m_h).value
    found = []
    for name, value in sums.items():
        sigma, spread = full * value / total, table[name]["scale"] / 100.0
        found.append(Order(name, sigma, sigma * (1 - spread), sigma * (1 + spread), kappa_g * (total / value) ** 0.5))
    return found
