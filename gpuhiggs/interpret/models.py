"""Every model by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ..errors import InputError, choices
from . import kappa_models, one_parameter, smeft, strength_models
from .hmssm import hmssm
from .measurements import Measurements, View
from .model import Model
from .two_higgs_doublet import DOWN_TYPES, two_higgs_doublet

Factory = Callable[[Sequence[Measurements]], Model]

MODELS: dict[str, Factory] = {
    "mu": strength_models.mu,
    "mu-production": strength_models.mu_production,
    "mu-decay": strength_models.mu_decay,
    "mu-production-decay": strength_models.mu_production_decay,
    "br": strength_models.br,
    "sigma-br-ratios": strength_models.sigma_br_ratios,
    "stxs": strength_models.stxs,
    "kappa-vf": kappa_models.kappa_vf,
    "kappa-resolved": kappa_models.kappa_resolved,
    "kappa-charm": kappa_models.kappa_charm,
    "kappa-effective": kappa_models.kappa_effective,
    "kappa-loops": kappa_models.kappa_loops,
    "kappa-bsm-decays": kappa_models.kappa_bsm_decays,
    "lambda-ratios": kappa_models.lambda_ratios,
    "kappa-lambda": kappa_models.kappa_lambda,
    **{f"2hdm-{kind}": partial(two_higgs_doublet, kind) for kind in DOWN_TYPES},
    "hmssm": hmssm,
    "singlet": one_parameter.singlet,
    "mchm4": one_parameter.mchm4,
    "mchm5": one_parameter.mchm5,
    "smeft-linear": smeft.linear,
    "smeft-quadratic": smeft.quadratic,
}
VIEWS: dict[str, View] = {
    "mu-production": "production", "stxs": "stxs", "smeft-linear": "stxs", "smeft-quadratic": "stxs",
}  # fmt: skip
"""Models that take other tables of a publication than its strengths, where it has them."""


def find(name: str) -> Factory:
    """Return what makes the model of that name for a set of inputs.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in MODELS:
        msg = f"unknown model {name!r}; {choices(name, MODELS)}"
        raise InputError(msg)
    return MODELS[name]
