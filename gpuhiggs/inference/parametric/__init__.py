"""A peak on a smooth background in fine bins, with functions for both: H→γγ, and the mass of a resonance."""

from __future__ import annotations

from gpuhiggs.inference.parametric.background import FAMILIES, Background, Bernstein, Exponentials, Laurent, PowerLaws
from gpuhiggs.inference.parametric.envelope import Envelope, FTest, choose_order, envelope
from gpuhiggs.inference.parametric.model import Category, MassFit, MassModel, Nuisance
from gpuhiggs.inference.parametric.peak import CrystalBall, GaussianSum, Peak, fit_peak
from gpuhiggs.inference.parametric.templates import to_workspace

__all__ = [
    "FAMILIES",
    "Background",
    "Bernstein",
    "Category",
    "CrystalBall",
    "Envelope",
    "Exponentials",
    "FTest",
    "GaussianSum",
    "Laurent",
    "MassFit",
    "MassModel",
    "Nuisance",
    "Peak",
    "PowerLaws",
    "choose_order",
    "envelope",
    "fit_peak",
    "to_workspace",
]
