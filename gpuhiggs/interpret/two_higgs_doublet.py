"""Two Higgs doublets: the light scalar's couplings in the four types without flavour-changing neutral currents.

With c = cos(β-α) and s = sin(β-α) = √(1-c²): κ_V = s, κ_u = s + c/tan β, and for down-type quarks and leptons
s + c/tan β where they couple as up-type quarks do, s - c tan β where they couple to the other doublet (Branco et al.,
arXiv:1106.0034). The wrong-sign branch of type II, κ_d ≈ -1 at c ≈ 2/tan β, is part of it. The charged scalar's part in
H → γγ is left out, as in the LHC's own fits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .kappa import Kappas
from .measurements import Array, Measurements
from .model import Model, Parameter, kappa_model

DOWN_TYPES = {"I": (False, False), "II": (True, True), "X": (False, True), "Y": (True, False)}
"""Whether down-type quarks, and leptons, couple to the other doublet. X: lepton-specific, Y: flipped."""


def couplings(kind: str, cos_ba: Array, tan_beta: Array) -> Kappas:
    """Return the coupling modifiers of a type at cos(β-α) and tan β, arrays of one shape."""
    sin_ba = np.sqrt(np.maximum(0.0, 1.0 - cos_ba**2))
    up, other = sin_ba + cos_ba / tan_beta, sin_ba - cos_ba * tan_beta
    quarks, leptons = (other if flipped else up for flipped in DOWN_TYPES[kind])
    return Kappas(W=sin_ba, Z=sin_ba, t=up, c=up, b=quarks, s=quarks, tau=leptons, mu=leptons)


def two_higgs_doublet(kind: str, inputs: Sequence[Measurements]) -> Model:
    """Return a type (I, II, X, Y) in cos(β-α) and tan β."""
    parameters = (
        Parameter("cos_beta_alpha", 0.0, -0.99, 0.99),
        Parameter("tan_beta", 1.0, 0.1, 60.0),
    )
    cos, tan = np.meshgrid([-0.2, 0.05, 0.3], np.geomspace(0.15, 50.0, 8))
    return kappa_model(
        f"2hdm-{kind}",
        f"two Higgs doublets, type {kind}",
        parameters,
        lambda x: couplings(kind, x[..., 0], x[..., 1]),
        sm=(0.0, 1.0),
        starts=np.stack([cos.ravel(), tan.ravel()], axis=-1),
        budget=False,
    )
