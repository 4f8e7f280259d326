"""From histograms to statements: a binned model, its likelihood, fits, scans, significance and pseudo-data."""

from __future__ import annotations

from gpuhiggs.inference.data import Data, asimov, counted, draw_toys, observed
from gpuhiggs.inference.fit import Estimate, FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.layout import flatten
from gpuhiggs.inference.likelihood import Likelihood
from gpuhiggs.inference.model import Channel, Correlation, ParameterSetting, Sample, Workspace, load_workspace
from gpuhiggs.inference.modifiers import (
    BinError,
    Formula,
    GammaCount,
    HistoSys,
    Lumi,
    NormFactor,
    NormSys,
    ShapeFactor,
    ShapeSys,
    StatError,
)
from gpuhiggs.inference.pyhf_json import from_pyhf, pyhf_settings, to_pyhf
from gpuhiggs.inference.scan import ScanResult, profile_scan
from gpuhiggs.inference.significance import DiscoveryResult, discovery, expected_discovery
from gpuhiggs.inference.templates import Luminosity, Normalisation, build_workspace

__all__ = [
    "BinError",
    "Channel",
    "Correlation",
    "Data",
    "DiscoveryResult",
    "Estimate",
    "FitResult",
    "FlatModel",
    "FloatArray",
    "Formula",
    "GammaCount",
    "HistoSys",
    "Likelihood",
    "Lumi",
    "Luminosity",
    "NormFactor",
    "NormSys",
    "Normalisation",
    "ParameterSetting",
    "Sample",
    "ScanResult",
    "ShapeFactor",
    "ShapeSys",
    "StatError",
    "Workspace",
    "asimov",
    "build_workspace",
    "counted",
    "discovery",
    "draw_toys",
    "expected_discovery",
    "fit",
    "flatten",
    "from_pyhf",
    "load_workspace",
    "observed",
    "profile_scan",
    "pyhf_settings",
    "to_pyhf",
]
