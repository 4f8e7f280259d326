"""H→ZZ*→4ℓ in CMS NanoAOD."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import SelectionConfig
from ..histogram import HistogramSpec
from ..kernels import four_lepton as kernel
from ..kernels import four_lepton_out
from ..kernels import four_lepton_regions as loose
from ..kernels.launch import Program
from . import regions
from .channel import Channel

CATEGORIES = tuple(f"{category} {state}" for category in kernel.CATEGORIES for state in kernel.FINAL_STATES)


def _categories(histogram: str) -> tuple[str, ...]:
    return ("all",) if histogram.startswith("n_minus_one") else CATEGORIES


def _unused(selection: SelectionConfig) -> tuple[str, ...]:
    """Read either the electron BDT or the file's own working point."""
    if selection.cuts.get("electron", {}).get("use_wp90") == 1:
        return ("electrons.bdt", "electrons.delta_eta_sc")
    return ("electrons.bdt_wp90",)


def _regions(selection: SelectionConfig, specs: Sequence[HistogramSpec]) -> list[HistogramSpec]:
    probes = regions.probe_pt(selection, loose.PROBES)
    pairs = regions.pairs(2 * probes.axis.bins)
    categories = tuple(f"{region} {state}" for region in loose.REGIONS for state in loose.STATES)
    known = {spec.name: spec for spec in specs}
    parts = len(known["m4l"].categories) // len(CATEGORIES)
    return [
        probes,
        *(regions.by_cells(f"loose_{x}", pairs, known[x].axis.bins + 2, categories) for x in four_lepton_out.COMMON),
        regions.by_cells("loose_production", pairs, loose.N_PRODUCTION * parts, categories),
    ]


CHANNEL = Channel("four_lepton", Program(kernel.__name__), _categories, _unused, region_specs=_regions)
