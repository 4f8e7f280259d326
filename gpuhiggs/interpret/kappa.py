"""The κ framework: how production and decay rates scale with coupling modifiers.

Polynomials of the LHC Higgs Cross Section Working Group (arXiv:1307.1347, LHCHXSWG2KAPPA); the narrow-width
approximation, σ_i B_f = σ_i^SM B_f^SM · κ_i² κ_f² / κ_H².
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from . import sm
from .measurements import Array, Measurements
from .tables import load

NO_WIDTH = 1e-12
"""Γ_H/Γ_H^SM where a fit passes a point without any couplings: branching ratios stay numbers."""


class Kappas(NamedTuple):
    """Coupling modifiers, arrays of one shape; 1 is the SM.

    ``g``, ``gamma`` and ``Zgamma`` are None where the loops are resolved into the particles in them.
    """

    W: Array
    Z: Array
    t: Array
    b: Array
    tau: Array
    mu: Array
    c: Array
    s: Array
    g: Array | None = None
    gamma: Array | None = None
    Zgamma: Array | None = None
    inv: Array | float = 0.0
    """Branching ratio to invisible particles."""
    undetected: Array | float = 0.0
    """Branching ratio to final states that no analysis looks for."""


class Rates(NamedTuple):
    """What a model predicts, over the SM.

    ``strength``: shape (..., N), the measured rates. ``branching``: shape (..., decays), the branching ratios, which
    say how uncertainties of partial widths act through the total one.
    """

    strength: Array
    branching: Array


class Scaling(NamedTuple):
    """Rates by mode, shape (..., modes), and partial widths by decay, shape (..., decays), over the SM."""

    production: Array
    width: Array
    invisible: Array | float = 0.0
    undetected: Array | float = 0.0


@cache
def _terms(mode: str, sqrt_s: float) -> tuple[tuple[str, str, float], ...]:
    """Return the normalised polynomial of a production mode; linear in √s between the tables."""
    table = load("kappa_scaling")["production"][mode]
    energies = sorted(table)
    found = {}
    for name in table[energies[0]]:
        normalised = [table[energy].get(name, 0.0) / sum(table[energy].values()) for energy in energies]
        found[name] = float(np.interp(sqrt_s, energies, normalised))
    return tuple((*name.split("*"), value) for name, value in found.items())


@cache
def _loop_terms(decay: str, m_h: float) -> tuple[tuple[str, str, float], ...]:
    """Return the normalised polynomial of a loop decay; beyond the masses of its table, that of the nearest."""
    table = dict(load("kappa_scaling")["decay"][decay])
    masses = table.pop("m_h")
    at = {name: float(np.interp(m_h, masses, values)) for name, values in table.items()}
    total = sum(at.values())
    return tuple((*name.split("*"), value / total) for name, value in at.items())


def _sum(terms: tuple[tuple[str, str, float], ...], kappas: Kappas) -> Array:
    total: Array = np.zeros(())
    for one, other, value in terms:
        total = total + value * getattr(kappas, one) * getattr(kappas, other)
    return total


def production(kappas: Kappas, sqrt_s: float, m_h: float) -> Array:
    """Return σ/σ_SM by `sm.MODES`, shape (..., modes)."""
    gluons = sm.cross_section("ggZH", sqrt_s, m_h).value / sm.cross_section("ZH", sqrt_s, m_h).value
    modes = {
        "ggH": _sum(_terms("ggH", sqrt_s), kappas) if kappas.g is None else kappas.g**2,
        "bbH": kappas.b**2,
        "VBF": _sum(_terms("VBF", sqrt_s), kappas),
        "WH": kappas.W**2,
        "ZH": (1 - gluons) * kappas.Z**2 + gluons * _sum(_terms("ggZH", sqrt_s), kappas),
        "ttH": kappas.t**2,
        "tHq": _sum(_terms("tHq", sqrt_s), kappas),
        "tHW": _sum(_terms("tHW", sqrt_s), kappas),
    }
    return np.stack(np.broadcast_arrays(*(modes[mode] for mode in sm.MODES)), axis=-1)


def widths(kappas: Kappas, m_h: float) -> Array:
    """Return Γ_f/Γ_f^SM by `sm.DECAYS`, shape (..., decays)."""
    decays = {
        "bb": kappas.b**2,
        "tautau": kappas.tau**2,
        "mumu": kappas.mu**2,
        "cc": kappas.c**2,
        "ss": kappas.s**2,
        "WW": kappas.W**2,
        "ZZ": kappas.Z**2,
        "gg": _sum(_loop_terms("gg", m_h), kappas) if kappas.g is None else kappas.g**2,
        "gammagamma": _sum(_loop_terms("gammagamma", m_h), kappas) if kappas.gamma is None else kappas.gamma**2,
        "Zgamma": _sum(_loop_terms("Zgamma", m_h), kappas) if kappas.Zgamma is None else kappas.Zgamma**2,
    }
    return np.stack(np.broadcast_arrays(*(decays[decay] for decay in sm.DECAYS)), axis=-1)


def scaling(kappas: Kappas, sqrt_s: float, m_h: float) -> Scaling:
    """Return production and partial widths for these coupling modifiers."""
    return Scaling(production(kappas, sqrt_s, m_h), widths(kappas, m_h), kappas.inv, kappas.undetected)


def width_ratio(scale: Scaling, m_h: float) -> Array:
    """Return Γ_H/Γ_H^SM, shape (...): the sum of the partial widths, over what invisible and undetected ones leave."""
    visible: Array = scale.width @ sm.branching_ratios(m_h)
    return np.maximum(visible, NO_WIDTH) / (1.0 - scale.invisible - scale.undetected)


def rates(scale: Scaling, inputs: Measurements) -> Rates:
    """Return the rates that a set of measurements would see."""
    total = width_ratio(scale, inputs.m_h)[..., None]
    decay = scale.width / total
    invisible = np.broadcast_to(np.asarray(scale.invisible, dtype=float)[..., None], (*decay.shape[:-1], 1))
    by_decay = np.concatenate([decay, invisible], axis=-1) @ inputs.decay_shares.T
    shares = inputs.production_shares
    by_production = scale.production @ shares.T + (shares.sum(axis=1) == 0.0)
    return Rates(by_production * by_decay, decay * sm.branching_ratios(inputs.m_h))
