"""Models in which one number moves all couplings: a real singlet that mixes, and composite Higgs bosons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .kappa import Kappas
from .measurements import Array, Measurements
from .model import Model, Parameter, kappa_model


def universal(vector: Array, fermion: Array) -> Kappas:
    """Return coupling modifiers: one for W and Z, one for all fermions."""
    return Kappas(W=vector, Z=vector, t=fermion, c=fermion, b=fermion, s=fermion, tau=fermion, mu=fermion)


def singlet_couplings(sin2_theta: Array) -> Kappas:
    """Return cos θ for all couplings of a doublet that mixes with a real singlet (arXiv:1303.1150)."""
    kappa = np.sqrt(1.0 - sin2_theta)
    return universal(kappa, kappa)


def mchm4_couplings(xi: Array) -> Kappas:
    """Return √(1-ξ) for all, ξ = v²/f² (Agashe, Contino, Pomarol, hep-ph/0412089)."""
    kappa = np.sqrt(1.0 - xi)
    return universal(kappa, kappa)


def mchm5_couplings(xi: Array) -> Kappas:
    """Return √(1-ξ) for vectors, (1-2ξ)/√(1-ξ) for fermions (Contino, Da Rold, Pomarol, hep-ph/0612048)."""
    vector = np.sqrt(1.0 - xi)
    return universal(vector, (1.0 - 2.0 * xi) / vector)


def singlet(inputs: Sequence[Measurements]) -> Model:
    """Return a real singlet, in sin²θ."""
    parameter = Parameter("sin2_theta", 0.02, 0.0, 0.99, limit="upper")
    return kappa_model("singlet", "real singlet", (parameter,), lambda x: singlet_couplings(x[..., 0]), sm=(0.0,))


def mchm4(inputs: Sequence[Measurements]) -> Model:
    """Return MCHM4, in ξ."""
    parameter = Parameter("xi", 0.02, 0.0, 0.95, limit="upper")
    return kappa_model("mchm4", "composite Higgs, MCHM4", (parameter,), lambda x: mchm4_couplings(x[..., 0]), sm=(0.0,))


def mchm5(inputs: Sequence[Measurements]) -> Model:
    """Return MCHM5, in ξ."""
    parameter = Parameter("xi", 0.02, 0.0, 0.95, limit="upper")
    return kappa_model("mchm5", "composite Higgs, MCHM5", (parameter,), lambda x: mchm5_couplings(x[..., 0]), sm=(0.0,))
