"""From measured rates to what they mean: SM predictions, published measurements, κ, 2HDM, hMSSM, SMEFT, projections."""

from __future__ import annotations

from .combination import Combination, Estimate, Problem, combine, prepare
from .measurements import PUBLISHED, Measurements, published, read
from .model import Model, Parameter
from .models import MODELS
from .planes import Plane, Scan, plane, scan

__all__ = [
    "MODELS",
    "PUBLISHED",
    "Combination",
    "Estimate",
    "Measurements",
    "Model",
    "Parameter",
    "Plane",
    "Problem",
    "Scan",
    "combine",
    "plane",
    "prepare",
    "published",
    "read",
    "scan",
]
