"""What the Standard Model predicts: cross sections, branching ratios and widths, with their uncertainties.

The numbers are those of the LHC Higgs Cross Section Working Group's Yellow Report 4 (arXiv:1610.07922). They are
interpolated within the tables, m_H from 120 to 130 GeV and √s from 7 to 14 TeV, and never beyond.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.interpolate import BarycentricInterpolator, PchipInterpolator

from ..errors import InputError
from .tables import load

MODES = ("ggH", "bbH", "VBF", "WH", "ZH", "ttH", "tHq", "tHW")
"""Production modes; ``ZH`` is q q̄ → ZH and g g → ZH."""
DECAYS = ("bb", "tautau", "mumu", "cc", "ss", "gg", "gammagamma", "Zgamma", "WW", "ZZ")
M_H, M_H_ERROR = 125.09, 0.24
"""GeV, Phys. Rev. Lett. 114 (2015) 191803, 125.09 ± 0.21 (stat) ± 0.11 (syst): where most results are quoted."""


class CrossSection(NamedTuple):
    """A cross section in pb; the uncertainties are relative."""

    value: float
    scale_plus: float
    scale_minus: float
    pdf_alpha_s: float


class Width(NamedTuple):
    """A width in MeV and its relative uncertainty."""

    value: float
    uncertainty: float


def check_mass(m_h: float) -> None:
    """Refuse a mass outside the tables.

    Raises
    ------
    InputError
        If *m_h* (GeV) is not within them.
    """
    low, high = load("branching_ratios")["m_h"][0], load("branching_ratios")["m_h"][-1]
    if not low <= m_h <= high:
        msg = f"m_H = {m_h:g} GeV is outside the tables of SM predictions, {low:g} to {high:g} GeV"
        raise InputError(msg)


def check_energy(sqrt_s: float) -> None:
    """Refuse a centre-of-mass energy outside the tables.

    Raises
    ------
    InputError
        If *sqrt_s* (TeV) is not within them.
    """
    if not 7.0 <= sqrt_s <= 14.0:
        msg = f"√s = {sqrt_s:g} TeV is outside the tables of SM predictions, 7 to 14 TeV"
        raise InputError(msg)


@cache
def _by_mass(mode: str, energy: int) -> PchipInterpolator:
    table = load("cross_sections")["energies"][energy][mode]
    return PchipInterpolator(np.log(table["m_h"]), np.log(table["cross_section"]))


def _at(mode: str, energy: int, m_h: float) -> float:
    return float(np.exp(_by_mass(mode, energy)(np.log(m_h))))


@cache
def cross_section(mode: str, sqrt_s: float, m_h: float = M_H) -> CrossSection:
    """Return the inclusive cross section of a production mode.

    In m_H, log σ is interpolated in log m_H by a monotone cubic. In √s, it is a cubic in log √s through 7, 8, 13 and
    14 TeV; between 13 and 14 TeV σ is linear, the working group's own rule for 13.6 TeV (arXiv:2402.09955).

    Parameters
    ----------
    mode
        One of `MODES`, or ``ggZH``, the part of ``ZH`` that gluons make, or ``ggH_NNLO_NNLL``.
    sqrt_s
        Centre-of-mass energy in TeV.
    m_h
        Mass in GeV.

    Raises
    ------
    InputError
        If the mode is unknown, or the energy or mass outside the tables.
    """
    check_energy(sqrt_s)
    check_mass(m_h)
    tables = load("cross_sections")["energies"]
    if mode not in tables[13]:
        msg = f"unknown production mode {mode!r}; known: {', '.join(tables[13])}"
        raise InputError(msg)
    values = {energy: _at(mode, energy, m_h) for energy in tables}
    if sqrt_s >= 13.0:
        value = values[13] + (sqrt_s - 13.0) * (values[14] - values[13])
    else:
        value = float(
            np.exp(BarycentricInterpolator(np.log(list(values)), np.log(list(values.values())))(np.log(sqrt_s)))
        )
    nearest = tables[min(tables, key=lambda energy: abs(energy - sqrt_s))][mode]
    percent = [nearest.get(key, 0.0) / 100.0 for key in ("scale_plus", "scale_minus", "pdf_alpha_s")]
    return CrossSection(value, *percent)


@cache
def _ratio(decay: str) -> PchipInterpolator:
    table = load("branching_ratios")
    return PchipInterpolator(table["m_h"], table["branching_ratio"][decay])


@cache
def branching_ratio(decay: str, m_h: float = M_H) -> float:
    """Return the branching ratio of one of `DECAYS`.

    Raises
    ------
    InputError
        If the decay is unknown or the mass outside the tables.
    """
    check_mass(m_h)
    if decay not in DECAYS:
        msg = f"unknown decay {decay!r}; known: {', '.join(DECAYS)}"
        raise InputError(msg)
    return float(_ratio(decay)(m_h))


def branching_ratios(m_h: float = M_H) -> np.ndarray:
    """Return the branching ratios in the order of `DECAYS`, as shares of their sum (which is 1 within rounding)."""
    ratios = np.array([branching_ratio(decay, m_h) for decay in DECAYS])
    return np.asarray(ratios / ratios.sum())


@cache
def total_width(m_h: float = M_H) -> Width:
    """Return the total width in MeV; its theory, mass and α_s uncertainties are added in quadrature.

    Raises
    ------
    InputError
        If the mass is outside the tables.
    """
    check_mass(m_h)
    table = load("branching_ratios")
    parts = table["uncertainty"]["total"]
    relative = np.hypot(parts["theory"], np.hypot(max(parts["quark_masses"]), max(parts["alpha_s"]))) / 100.0
    return Width(float(PchipInterpolator(table["m_h"], table["total_width"])(m_h)), float(relative))


def partial_width(decay: str, m_h: float = M_H) -> Width:
    """Return the partial width of a decay in MeV; its uncertainty is that of the width parameters in quadrature.

    Raises
    ------
    InputError
        If the decay is unknown or the mass outside the tables.
    """
    value = branching_ratio(decay, m_h) * total_width(m_h).value
    parts = load("branching_ratios")["width_uncertainty"][decay]
    return Width(value, float(np.linalg.norm(list(parts.values()))) / 100.0)
