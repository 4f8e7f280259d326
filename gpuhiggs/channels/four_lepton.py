"""H→ZZ*→4ℓ in CMS NanoAOD."""

from __future__ import annotations

from ..config import SelectionConfig
from ..kernels import four_lepton as kernel
from ..kernels.launch import Program
from .channel import Channel

CATEGORIES = tuple(f"{category} {state}" for category in kernel.CATEGORIES for state in kernel.FINAL_STATES)


def _categories(histogram: str) -> tuple[str, ...]:
    return ("all",) if histogram.startswith("n_minus_one") else CATEGORIES


def _unused(selection: SelectionConfig) -> tuple[str, ...]:
    """Read either the electron BDT or the file's own working point."""
    if selection.cuts.get("electron", {}).get("use_wp90") == 1:
        return ("electrons.bdt", "electrons.delta_eta_sc")
    return ("electrons.bdt_wp90",)


CHANNEL = Channel("four_lepton", Program(kernel.__name__), _categories, _unused)
