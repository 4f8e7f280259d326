"""From histograms to statements: a binned model, its likelihood, fits, scans, significance and pseudo-data."""

from __future__ import annotations

from gpuhiggs.inference.compatibility import Compatibility, compatibility, split
from gpuhiggs.inference.data import Data, asimov, counted, draw_toys, observed
from gpuhiggs.inference.fit import Estimate, FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.goodness import GoodnessOfFit, goodness_of_fit, goodness_of_fits
from gpuhiggs.inference.impacts import Budget, Impact, budget, impacts
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
from gpuhiggs.inference.restriction import restricted
from gpuhiggs.inference.scan import Scan2DResult, ScanResult, grid_around, profile_scan, profile_scan_2d
from gpuhiggs.inference.significance import (
    DiscoveryResult,
    HypothesisTest,
    LimitResult,
    discovery,
    expected_discovery,
    hypothesis_test,
    upper_limit,
)
from gpuhiggs.inference.templates import Luminosity, Normalisation, build_workspace
from gpuhiggs.inference.toy_tests import ToyTest, toy_test
from gpuhiggs.inference.toys import ToyFits, fit_toys

__all__ = [
    "BinError",
    "Budget",
    "Channel",
    "Compatibility",
    "Correlation",
    "Data",
    "DiscoveryResult",
    "Estimate",
    "FitResult",
    "FlatModel",
    "FloatArray",
    "Formula",
    "GammaCount",
    "GoodnessOfFit",
    "HistoSys",
    "HypothesisTest",
    "Impact",
    "Likelihood",
    "LimitResult",
    "Lumi",
    "Luminosity",
    "NormFactor",
    "NormSys",
    "Normalisation",
    "ParameterSetting",
    "Sample",
    "Scan2DResult",
    "ScanResult",
    "ShapeFactor",
    "ShapeSys",
    "StatError",
    "ToyFits",
    "ToyTest",
    "Workspace",
    "asimov",
    "budget",
    "build_workspace",
    "compatibility",
    "counted",
    "discovery",
    "draw_toys",
    "expected_discovery",
    "fit",
    "fit_toys",
    "flatten",
    "from_pyhf",
    "goodness_of_fit",
    "goodness_of_fits",
    "grid_around",
    "hypothesis_test",
    "impacts",
    "load_workspace",
    "observed",
    "profile_scan",
    "profile_scan_2d",
    "pyhf_settings",
    "restricted",
    "split",
    "to_pyhf",
    "toy_test",
    "upper_limit",
]
