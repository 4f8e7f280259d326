"""How far the electroweak vacuum is stable: the scale at which the Higgs potential bends down."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

M_TOP = (172.57, 0.29)
"""GeV, pole mass and error; Particle Data Group 2024, direct measurements, quoted from memory."""
ALPHA_S = (0.1180, 0.0009)
"""At m_Z; Particle Data Group 2024, table of physical constants."""


class Instability(NamedTuple):
    """log₁₀ of the instability scale in GeV, its error, and that error's parts by input."""

    log10_scale: float
    error: float
    parts: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return self._asdict()


def instability(
    m_h: tuple[float, float],
    m_top: tuple[float, float] = M_TOP,
    alpha_s: tuple[float, float] = ALPHA_S,
) -> Instability:
    """Return the scale at which the effective potential turns negative.

    log₁₀(Λ/GeV) = 9.5 + 0.7 (m_H - 125.15) - 1.0 (m_t - 173.34) + 0.3 (α_s - 0.1184)/0.0007: Buttazzo et al., JHEP 12
    (2013) 089, arXiv:1307.3536 (coefficients quoted from memory). Each input is a value and its error, in GeV.
    """
    value = 9.5 + 0.7 * (m_h[0] - 125.15) - (m_top[0] - 173.34) + 0.3 * (alpha_s[0] - 0.1184) / 0.0007
    parts = {"m_h": 0.7 * m_h[1], "m_top": m_top[1], "alpha_s": 0.3 * alpha_s[1] / 0.0007}
    return Instability(value, math.sqrt(sum(part**2 for part in parts.values())), parts)
