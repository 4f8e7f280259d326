"""Models of coupling modifiers: κ_V-κ_F, resolved and effective loops, decays beyond the SM, ratios."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import sm
from .kappa import Kappas, Rates, Scaling, production, rates, widths
from .measurements import Array, Measurements
from .model import Model, Parameter, kappa_model, positive

Inputs = Sequence[Measurements]


def kappa_vf(inputs: Inputs) -> Model:
    """κ_V for W and Z, κ_F for all fermions; loops resolved. κ_F < 0 is allowed, κ_V ≥ 0 by convention."""

    def kappas(x: Array) -> Kappas:
        v, f = x[..., 0], x[..., 1]
        return Kappas(W=v, Z=v, t=f, b=f, tau=f, mu=f, c=f, s=f)

    parameters = (Parameter("kappa_V", low=0.0, high=5.0), Parameter("kappa_F", low=-5.0, high=5.0))
    starts = np.array([[1.0, -1.0]])
    return kappa_model("kappa-vf", "κ_V and κ_F", parameters, kappas, sm=(1.0, 1.0), starts=starts)


RESOLVED = ("kappa_Z", "kappa_W", "kappa_t", "kappa_b", "kappa_tau", "kappa_mu")


def _resolved(x: Array) -> Kappas:
    """Return κ_Z, κ_W, κ_t, κ_b, κ_τ and κ_μ from the first six parameters; κ_c = κ_t, κ_s = κ_b."""
    z, w, t, b, tau, mu = np.moveaxis(x[..., :6], -1, 0)
    return Kappas(W=w, Z=z, t=t, b=b, tau=tau, mu=mu, c=t, s=b)


def kappa_resolved(inputs: Inputs) -> Model:
    """Six coupling modifiers, loops resolved; κ_c = κ_t, κ_s = κ_b."""
    parameters = [positive(name) for name in RESOLVED]
    return kappa_model("kappa-resolved", "κ of particles, loops resolved", parameters, _resolved, sm=(1.0,) * 6)


def kappa_charm(inputs: Inputs) -> Model:
    """As `kappa_resolved`, with κ_c free: it acts through the total width and the gluon-fusion loop."""

    def kappas(x: Array) -> Kappas:
        return _resolved(x)._replace(c=x[..., 6])

    parameters = [
        *(positive(name) for name in RESOLVED),
        Parameter("kappa_c", low=0.0, high=30.0, limit="upper"),
    ]
    return kappa_model("kappa-charm", "κ of particles, loops resolved, κ_c free", parameters, kappas, sm=(1.0,) * 7)


EFFECTIVE = (*RESOLVED, "kappa_g", "kappa_gamma", "kappa_Zgamma")


def _effective(x: Array) -> Kappas:
    return _resolved(x)._replace(g=x[..., 6], gamma=x[..., 7], Zgamma=x[..., 8])


def kappa_effective(inputs: Inputs) -> Model:
    """Nine coupling modifiers: the loops of gg, γγ and Zγ have their own; nothing but SM decays."""
    parameters = [positive(name) for name in EFFECTIVE]
    return kappa_model("kappa-effective", "κ with effective loops", parameters, _effective, sm=(1.0,) * 9)


def kappa_loops(inputs: Inputs) -> Model:
    """κ_g, κ_γ and κ_Zγ; all tree-level couplings as in the SM."""

    def kappas(x: Array) -> Kappas:
        g, gamma, z_gamma = np.moveaxis(x, -1, 0)
        one = np.ones_like(g)
        return Kappas(W=one, Z=one, t=one, b=one, tau=one, mu=one, c=one, s=one, g=g, gamma=gamma, Zgamma=z_gamma)

    parameters = [positive(name) for name in EFFECTIVE[6:]]
    return kappa_model("kappa-loops", "κ of the loops alone", parameters, kappas, sm=(1.0,) * 3)


def kappa_bsm_decays(inputs: Inputs) -> Model:
    """As `kappa_effective`, with B_inv and B_u ≥ 0; κ_W, κ_Z ≤ 1 bound the total width from above."""

    def kappas(x: Array) -> Kappas:
        return _effective(x)._replace(inv=x[..., 9], undetected=x[..., 10])

    parameters = [
        *(Parameter(name, 0.98, 0.0, 1.0, widest=10.0) for name in EFFECTIVE[:2]),
        *(positive(name) for name in EFFECTIVE[2:]),
        Parameter("B_inv", 0.02, -0.5, 0.45, limit="upper"),
        Parameter("B_u", 0.02, 0.0, 0.45, limit="upper"),
    ]
    sm_point = (1.0,) * 9 + (0.0, 0.0)
    return kappa_model("kappa-bsm-decays", "κ with decays beyond the SM, κ_V ≤ 1", parameters, kappas, sm=sm_point)


RATIOS = (
    "kappa_gZ",
    "lambda_Zg",
    "lambda_tg",
    "lambda_WZ",
    "lambda_gammaZ",
    "lambda_tauZ",
    "lambda_bZ",
    "lambda_muZ",
    "lambda_ZgammaZ",
    "lambda_cZ",
)


def lambda_ratios(inputs: Inputs) -> Model:
    """κ_gZ = κ_g κ_Z/κ_H and ratios λ_ij = κ_i/κ_j: nothing is assumed of the total width.

    Ten numbers: ATLAS gives its fit (Nature 607 (2022) 52, auxiliary figure 21) ten degrees of freedom; charm is the
    tenth that its inputs measure.
    """

    def predict(x: Array, item: Measurements) -> Rates:
        overall, zg, tg, wz, gamma_z, tau_z, b_z, mu_z, zgamma_z, c_z = np.moveaxis(x, -1, 0)
        # In units of κ_g, and so of κ_Z = λ_Zg.
        k = Kappas(
            W=wz * zg, Z=zg, t=tg, b=b_z * zg, tau=tau_z * zg, mu=mu_z * zg, c=c_z * zg, s=b_z * zg,
            g=np.ones_like(zg), gamma=gamma_z * zg, Zgamma=zgamma_z * zg,
        )  # fmt: skip
        decay = widths(k, item.m_h) / (k.Z**2)[..., None]
        by_decay = decay @ item.decay_shares[:, : len(sm.DECAYS)].T
        by_production = production(k, item.sqrt_s, item.m_h) @ item.production_shares.T
        return Rates((overall**2)[..., None] * by_production * by_decay, sm.branching_ratios(item.m_h))

    parameters = (
        *(positive(name) for name in RATIOS[:-1]),
        Parameter(RATIOS[-1], low=0.0, high=30.0, limit="upper"),
    )
    title = "ratios of coupling modifiers"
    return Model("lambda-ratios", title, parameters, predict, (1.0,) * len(RATIOS))


C1_PRODUCTION = {
    7: {"ggH": 0.66, "VBF": 0.65, "WH": 1.06, "ZH": 1.23, "ttH": 3.87},
    8: {"ggH": 0.66, "VBF": 0.65, "WH": 1.05, "ZH": 1.22, "ttH": 3.78},
    13: {"ggH": 0.66, "VBF": 0.64, "WH": 1.03, "ZH": 1.19, "ttH": 3.51},
}
"""In %; arXiv:1607.04251, table 2. Those of bbH and tH are not given and taken as 0."""
K_EW = {"ggH": 1.049, "VBF": 0.932, "WH": 0.93, "ZH": 0.947, "ttH": 1.014}
"""Electroweak K factors; arXiv:1709.08649."""
C1_DECAY = {"gammagamma": 0.49, "ZZ": 0.83, "WW": 0.73, "gg": 0.66}
"""In %; arXiv:1607.04251, table 2. That of fermions is 0; that of Zγ is not given and taken as 0."""
DELTA_Z = -1.536e-3
"""Of the wave function, per κ_λ² - 1; arXiv:1709.08649."""


def kappa_lambda(inputs: Inputs) -> Model:
    """κ_λ, the self-coupling over the SM, by its electroweak corrections to single-Higgs rates (arXiv:1709.08649)."""

    def predict(x: Array, item: Measurements) -> Rates:
        k = x[..., 0]
        energy = min(C1_PRODUCTION, key=lambda known: abs(known - item.sqrt_s))
        wave = 1.0 / (1.0 - (k**2 - 1.0) * DELTA_Z)
        made = [
            wave * (1.0 + (k - 1.0) * C1_PRODUCTION[energy].get(mode, 0.0) / 100.0 / K_EW.get(mode, 1.0))
            for mode in sm.MODES
        ]
        decays = [1.0 + (k - 1.0) * C1_DECAY.get(decay, 0.0) / 100.0 for decay in sm.DECAYS]
        return rates(Scaling(np.stack(made, axis=-1), np.stack(decays, axis=-1)), item)

    parameter = Parameter("kappa_lambda", low=-30.0, high=30.0, limit="both")
    starts = np.array([[-5.0], [8.0]])
    return Model(
        "kappa-lambda", "Higgs self-coupling from single-Higgs rates", (parameter,), predict, (1.0,), starts=starts
    )
