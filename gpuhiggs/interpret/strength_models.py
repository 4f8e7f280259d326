"""Models that measure rates: signal strengths, cross sections, branching ratios and their ratios, STXS bins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from . import sm
from .errors import unmeasured
from .kappa import Rates, Scaling
from .measurements import COMPOSITE, COMPOSITE_DECAYS, INVISIBLE, Array, Entry, Measurements
from .model import Model, Parameter, strength

Inputs = Sequence[Measurements]

GROUPS = {
    "ggH": ("ggH", "bbH"),
    "VBF": ("VBF",),
    "WH": ("WH",),
    "ZH": ("ZH",),
    "ttH": ("ttH",),
    "tH": ("tHq", "tHW"),
}
"""Production modes that are measured as one."""


def _measured_groups(inputs: Inputs) -> dict[str, tuple[str, ...]]:
    """Return the groups that the inputs tell apart; what they only measure together is one parameter.

    tH has one of its own only where some entry measures it by itself, else it goes with ttH; VH alike.
    """
    names = {process for entry in _entries(inputs) for process in entry.production}
    groups = dict(GROUPS)
    if not names & {"tH", "tHq", "tHW"}:
        groups["ttH"] = groups["ttH"] + groups.pop("tH")
    if not names & {"WH", "ZH"}:
        groups["VH"] = groups.pop("WH") + groups.pop("ZH")
    seen = {mode for name in names for mode in COMPOSITE.get(name, (name,))}
    return {name: modes for name, modes in groups.items() if seen & set(modes)}


def _measured_decays(inputs: Inputs) -> tuple[str, ...]:
    entries = [*_entries(inputs), *(entry for item in inputs for entry in item.supplements)]
    seen = {decay for entry in entries for decay in COMPOSITE_DECAYS.get(entry.decay, (entry.decay,))}
    order = ("gammagamma", "ZZ", "WW", "tautau", "bb", "mumu", "Zgamma")
    return tuple(decay for decay in order if decay in seen)


def _entries(inputs: Inputs) -> list[Entry]:
    return [entry for item in inputs for entry in item.entries]


def mu(inputs: Inputs) -> Model:
    """One signal strength for everything."""

    def predict(points: Array, item: Measurements) -> Rates:
        visible = np.array([entry.decay != INVISIBLE for entry in item.entries])
        return Rates(points * visible, sm.branching_ratios(item.m_h))

    return Model("mu", "global signal strength", (strength("mu"),), predict, (1.0,))


def _scaled(points: Array, groups: dict[str, tuple[str, ...]], decays: Sequence[str]) -> Scaling:
    """Return production scaled by the first parameters (one a group), decays by those that follow."""
    ones = np.ones(points.shape[:-1])
    production = {mode: ones for mode in sm.MODES}
    for position, modes in enumerate(groups.values()):
        production |= dict.fromkeys(modes, points[..., position])
    width = {decay: ones for decay in sm.DECAYS}
    for position, decay in enumerate(decays, start=len(groups)):
        width[decay] = points[..., position]
    return Scaling(
        np.stack([production[mode] for mode in sm.MODES], axis=-1),
        np.stack([width[decay] for decay in sm.DECAYS], axis=-1),
    )


def _factorised(points: Array, item: Measurements, groups: dict[str, tuple[str, ...]], decays: Sequence[str]) -> Rates:
    """Return rates that are products of a factor for production and one for decay, total width included."""
    scale = _scaled(points, groups, decays)
    shares = item.production_shares
    visible = item.decay_shares[:, : len(sm.DECAYS)]
    by_production = scale.production @ shares.T + (shares.sum(axis=1) == 0.0)
    return Rates(by_production * (scale.width @ visible.T), sm.branching_ratios(item.m_h))


def mu_production(inputs: Inputs) -> Model:
    """σ_i/σ_i^SM by production mode, with SM branching ratios."""
    groups = _measured_groups(inputs)
    return Model(
        "mu-production",
        "cross sections over the SM, SM branching ratios",
        tuple(strength(f"mu_{name}") for name in groups),
        lambda points, item: _factorised(points, item, groups, ()),
        (1.0,) * len(groups),
        production_theory=False,
        view="production",
    )


def mu_decay(inputs: Inputs) -> Model:
    """B_f/B_f^SM by decay, with SM cross sections."""
    decays = _measured_decays(inputs)
    return Model(
        "mu-decay",
        "branching ratios over the SM, SM cross sections",
        tuple(strength(f"mu_{decay}") for decay in decays),
        lambda points, item: _factorised(points, item, {}, decays),
        (1.0,) * len(decays),
        decay_theory=False,
    )


def br(inputs: Inputs) -> Model:
    """Branching ratios themselves, with SM cross sections."""
    decays = _measured_decays(inputs)
    standard = np.array([sm.branching_ratio(decay, inputs[0].m_h) for decay in decays])

    def predict(points: Array, item: Measurements) -> Rates:
        there = np.array([sm.branching_ratio(decay, item.m_h) for decay in decays])
        return _factorised(points / there, item, {}, decays)

    parameters = [Parameter(f"B_{d}", float(ratio), -0.5, 1.5) for d, ratio in zip(decays, standard, strict=True)]
    return Model(
        "br", "branching ratios, SM cross sections", tuple(parameters), predict, tuple(standard), decay_theory=False
    )


def mu_production_decay(inputs: Inputs) -> Model:
    """One strength for each combination of production and decay that was measured."""
    names = tuple(dict.fromkeys(entry.name for entry in _entries(inputs)))

    def predict(points: Array, item: Measurements) -> Rates:
        index = [names.index(entry.name) for entry in item.entries]
        return Rates(points[..., index], sm.branching_ratios(item.m_h))

    return Model(
        "mu-production-decay",
        "a signal strength for each measured production and decay",
        tuple(strength(f"mu_{name}") for name in names),
        predict,
        (1.0,) * len(names),
        production_theory=False,
        decay_theory=False,
        compare=False,
    )


def sigma_br_ratios(inputs: Inputs) -> Model:
    """σ(ggH)·B_ZZ, ratios of cross sections to σ(ggH) and of branching ratios to B_ZZ, all over the SM."""
    groups, decays = _measured_groups(inputs), _measured_decays(inputs)
    if "ggH" not in groups or "ZZ" not in decays:
        raise unmeasured(inputs, "gg → H → ZZ", model="sigma-br-ratios")
    others, ratios = [g for g in groups if g != "ggH"], [d for d in decays if d != "ZZ"]
    names = ["sigma_ggH_B_ZZ", *(f"sigma_{g}_over_ggH" for g in others), *(f"B_{d}_over_ZZ" for d in ratios)]
    ordered = {"ggH": groups["ggH"], **{name: groups[name] for name in others}}

    def predict(points: Array, item: Measurements) -> Rates:
        factors = np.concatenate([np.ones_like(points[..., :1]), points[..., 1:]], axis=-1)
        found = _factorised(factors, item, ordered, ratios)
        return Rates(points[..., :1] * found.strength, found.branching)

    return Model(
        "sigma-br-ratios",
        "σ(ggH)·B_ZZ and ratios of cross sections and branching ratios, over the SM",
        tuple(strength(name) for name in names),
        predict,
        (1.0,) * len(names),
        production_theory=False,
        decay_theory=False,
    )


def stxs(inputs: Inputs) -> Model:
    """Return the bins of the simplified template cross sections, over the SM, with SM branching ratios."""
    if any(entry.decay != "stxs" for entry in _entries(inputs)):
        raise unmeasured(inputs, "simplified template cross sections", model="stxs")
    names = tuple(dict.fromkeys(entry.name for entry in _entries(inputs)))

    def predict(points: Array, item: Measurements) -> Rates:
        index = [names.index(entry.name) for entry in item.entries]
        return Rates(points[..., index], sm.branching_ratios(item.m_h))

    return Model(
        "stxs",
        "simplified template cross sections over the SM",
        tuple(strength(f"mu_{name}") for name in names),
        predict,
        (1.0,) * len(names),
        production_theory=False,
        decay_theory=False,
        view="stxs",
        compare=False,
    )
