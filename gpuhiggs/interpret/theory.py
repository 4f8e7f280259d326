"""Nuisance parameters for the uncertainties of the SM prediction, shared by all inputs that need them.

Cross sections: one for the missing higher orders of each process, PDF and α_s one for the processes that gluons make
and one for those that quarks make. Partial widths: α_s, the masses of the quarks, and one for the missing higher orders
of each decay (the option ``BRU`` of Combine). All act as exp(δ·θ), θ with a unit Gaussian.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from . import sm
from .measurements import Array, Measurements
from .tables import load

PDF_GROUPS = {
    "pdf_gg": ("ggH", "bbH"),
    "pdf_qq": ("VBF", "WH", "ZH"),
    "pdf_ttH": ("ttH",),
    "pdf_tH": ("tHq", "tHW"),
}
SCALE_GROUPS = {
    "scale_ggH": ("ggH",),
    "scale_bbH": ("bbH",),
    "scale_VBF": ("VBF",),
    "scale_WH": ("WH",),
    "scale_ZH": ("ZH",),
    "scale_ttH": ("ttH",),
    "scale_tH": ("tHq", "tHW"),
}
WIDTH_PARAMETERS = ("alpha_s", "m_b", "m_c", "m_t")
OWN_THEORY = {"VV": ("WW", "ZZ"), **{decay: (decay,) for decay in sm.DECAYS if decay not in ("WW", "ZZ")}}

PRODUCTION = (*SCALE_GROUPS, *PDF_GROUPS)
DECAY = (*(f"width_{name}" for name in WIDTH_PARAMETERS), *(f"width_{name}" for name in OWN_THEORY))
NAMES = PRODUCTION + DECAY


@cache
def production_effects(sqrt_s: float) -> Array:
    """Return ln of the effect of one standard deviation of each of `PRODUCTION`, shape (modes, nuisances)."""
    effects = np.zeros((len(sm.MODES), len(PRODUCTION)))
    for group, modes in {**SCALE_GROUPS, **PDF_GROUPS}.items():
        for mode in modes:
            found = sm.cross_section(mode, sqrt_s)
            size = (found.scale_plus + found.scale_minus) / 2 if group in SCALE_GROUPS else found.pdf_alpha_s
            effects[sm.MODES.index(mode), PRODUCTION.index(group)] = np.log1p(size)
    return effects


@cache
def width_effects() -> Array:
    """Return ln of the effect of one standard deviation of each of `DECAY`, shape (decays, nuisances)."""
    effects = np.zeros((len(sm.DECAYS), len(DECAY)))
    table = load("branching_ratios")["width_uncertainty"]
    for row, decay in zip(effects, sm.DECAYS, strict=True):
        for name in WIDTH_PARAMETERS:
            row[DECAY.index(f"width_{name}")] = np.log1p(table[decay][name] / 100.0)
        own = next(name for name, decays in OWN_THEORY.items() if decay in decays)
        row[DECAY.index(f"width_{own}")] = np.log1p(table[decay]["theory"] / 100.0)
    return effects


def effects(inputs: Measurements, branching: Array, *, production: bool, decay: bool) -> Array:
    """Return ∂ ln(rate)/∂θ of each nuisance of `NAMES` and each entry, shape (..., nuisances, N).

    A partial width acts on its own decay and, through the total width, on all: *branching* (..., decays) are the
    branching ratios where the rates are predicted. Entries of an invisible decay have none.
    """
    shares = inputs.decay_shares
    of_production = (inputs.production_shares @ production_effects(inputs.sqrt_s) * production).T
    if not decay:
        return np.concatenate([of_production, np.zeros((len(DECAY), len(shares)))])
    visible = shares[:, : len(sm.DECAYS)]
    through_total = np.asarray(branching @ width_effects())[..., None] * (visible.sum(axis=1) > 0)
    found = np.empty((*through_total.shape[:-2], len(NAMES), len(shares)))
    found[..., : len(PRODUCTION), :] = of_production
    np.subtract((visible @ width_effects()).T, through_total, out=found[..., len(PRODUCTION) :, :])
    return found
