"""The hMSSM: the MSSM's Higgs sector at tree level, with the one correction that the measured mass fixes.

Couplings of the light scalar in m_A and tan β: Djouadi et al., Eur. Phys. J. C 73 (2013) 2650 (arXiv:1307.5205) and
arXiv:1502.05653. Superpartners in loops and decays are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .kappa import Kappas
from .measurements import Array, Measurements
from .model import Model, Parameter, kappa_model

M_Z = 91.1876
"""GeV, Particle Data Group."""
M_H = 125.09
"""GeV: the mass that fixes the correction."""


def couplings(m_a: Array, tan_beta: Array, m_h: float = M_H) -> Kappas:
    """Return the coupling modifiers at m_A (GeV) and tan β, arrays of one shape."""
    t2 = tan_beta**2
    both = m_a**2 + M_Z**2
    d = M_Z**2 + m_a**2 * t2 - m_h**2 * (1.0 + t2)
    ratio = both * tan_beta / d
    s_u = np.sign(d) / np.sqrt(1.0 + ratio**2)
    s_d = s_u * ratio
    root = np.sqrt(1.0 + t2)
    vector = (s_d + tan_beta * s_u) / root
    up, down = s_u * root / tan_beta, s_d * root
    return Kappas(W=vector, Z=vector, t=up, c=up, b=down, s=down, tau=down, mu=down)


def heavy_mass(m_a: float, tan_beta: float, m_h: float = M_H) -> float:
    """Return the mass of the heavy CP-even scalar in GeV; NaN where m_h cannot be reached."""
    sin2 = tan_beta**2 / (1.0 + tan_beta**2)
    cos2 = 1.0 - sin2
    cos_2b = cos2 - sin2
    denominator = M_Z**2 * cos2 + m_a**2 * sin2 - m_h**2
    numerator = (m_a**2 + M_Z**2 - m_h**2) * (M_Z**2 * cos2 + m_a**2 * sin2) - m_a**2 * M_Z**2 * cos_2b**2
    return float(np.sqrt(numerator / denominator)) if numerator / denominator > 0 else float("nan")


def hmssm(inputs: Sequence[Measurements]) -> Model:
    """Return the hMSSM in m_A and tan β; the SM is at m_A → ∞."""
    parameters = (Parameter("m_A", 1000.0, 150.0, 5000.0, limit="lower"), Parameter("tan_beta", 5.0, 1.0, 60.0))
    m_a, tan = np.meshgrid([250.0, 500.0, 2000.0], [1.2, 2.5, 5.0, 12.0, 40.0])
    starts = np.stack([m_a.ravel(), tan.ravel()], axis=-1)
    return kappa_model(
        "hmssm", "hMSSM", parameters, lambda x: couplings(x[..., 0], x[..., 1]), starts=starts, budget=False
    )
