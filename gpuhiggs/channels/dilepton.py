"""H→WW*→eνμν in CMS NanoAOD."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import SelectionConfig
from ..errors import ConfigError
from ..histogram import HistogramSpec
from ..kernels import dilepton as kernel
from ..kernels import dilepton_regions as loose
from ..kernels.launch import Program
from . import regions
from .channel import Channel

_PLANES = {"plane": ("m_ll", "m_t"), "plane_coarse": ("m_ll_coarse", "m_t_coarse")}


def _check(selection: SelectionConfig) -> None:
    """Hold the planes to the cells of their axes."""
    for plane, (x, y) in _PLANES.items():
        axes = [selection.histograms[name].axis(name) for name in (x, y, plane)]
        cells = axes[0].bins * axes[1].bins
        if (axes[2].bins, axes[2].low, axes[2].high, axes[2].edges) != (cells, 0.0, cells, ()):
            msg = (
                f"histograms.{plane}: the axes of {x} and {y} make {cells} cells, expected bins: {cells}, low: 0, "
                f"high: {cells}; got bins: {axes[2].bins}, low: {axes[2].low:g}, high: {axes[2].high:g}"
            )
            raise ConfigError(msg)


def _regions(selection: SelectionConfig, specs: Sequence[HistogramSpec]) -> list[HistogramSpec]:
    probes = regions.probe_pt(selection, loose.PROBES)
    cells = 2 * probes.axis.bins
    combinations = 2 * cells + cells * cells  # the muon is loose, the electron, both
    known = {spec.name: spec for spec in specs}

    def by_cells(name: str, target: str) -> HistogramSpec:
        return regions.by_cells(name, combinations, known[target].axis.bins + 2, known[target].categories)

    return [
        probes,
        *(by_cells(f"loose_{target}", target) for target in ("m_ll", "m_t", "plane", "plane_coarse")),
        known["m_ll"]._replace(name="same_sign_m_ll"),
        by_cells("loose_same_sign_m_ll", "m_ll"),
    ]


CHANNEL = Channel(
    "dilepton", Program(kernel.__name__), lambda histogram: kernel.CATEGORIES, check=_check, region_specs=_regions
)
