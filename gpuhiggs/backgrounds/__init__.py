"""Backgrounds from data: what the control regions of a run say of objects that are not what they are selected as.

Everything here happens at the read-out of one run: the kernels fill the regions by cells in the same pass as the signal
region (:mod:`gpuhiggs.kernels.loose`), and the rates measured in that run turn them into a prediction.
"""

from __future__ import annotations

from .cells import left_out
from .estimate import check, estimate
from .result import Estimate, Uncertainty

__all__ = ["Estimate", "Uncertainty", "check", "estimate", "left_out"]
