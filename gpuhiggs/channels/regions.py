"""Histograms of control regions: a variable of the channel's own, once for each combination of cells."""

from __future__ import annotations

from ..config import SelectionConfig
from ..errors import ConfigError
from ..histogram import Axis, HistogramSpec

PROBE_PT = "probe_pt"


def probe_pt(selection: SelectionConfig, categories: tuple[str, ...]) -> HistogramSpec:
    """Return the histogram in whose bins rates are measured.

    Raises
    ------
    ConfigError
        If the selection does not say its axis.
    """
    if set(selection.region_axes) != {PROBE_PT}:
        found = ", ".join(selection.region_axes) or "nothing"
        msg = f"selection.region_axes: expected {PROBE_PT}, the bins of pt in which rates are measured; got {found}"
        raise ConfigError(msg)
    return HistogramSpec(PROBE_PT, selection.region_axes[PROBE_PT].axis(PROBE_PT), categories)


def by_cells(name: str, combinations: int, bins: int, categories: tuple[str, ...]) -> HistogramSpec:
    """Return a histogram of so many bins, flow bins included, for each combination of cells."""
    n = combinations * bins
    return HistogramSpec(name, Axis(name, "combination of cells and bin", n, 0.0, float(n)), categories)


def pairs(cells: int) -> int:
    """Return how many unordered pairs of cells there are, those of a cell with itself included."""
    return cells * (cells + 1) // 2
