"""A plane of two variables, unrolled: where its rows end, and what they are."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from .record import Record

PLANES = {"plane": ("m_ll", "m_t"), "plane_coarse": ("m_ll_coarse", "m_t_coarse")}
"""Histograms of cells: rows of the second variable, one for each bin of the first (``kernels.fill.plane_cell``)."""


def rows(run: Record, name: str) -> np.ndarray | None:
    """Return the edges of the variable whose bins are the rows; None if the histogram is no plane."""
    axes = run.config.selection.histograms
    if name not in PLANES or not set(PLANES[name]) <= set(axes):
        return None
    return np.asarray(axes[PLANES[name][0]].axis(name).to_hist().edges)


def _cells(run: Record, name: str) -> int:
    return run.config.selection.histograms[PLANES[name][1]].axis(name).bins


def separate(axes: Any, run: Record, name: str) -> None:
    """Draw a line between two rows."""
    if (edges := rows(run, name)) is not None:
        for place in range(1, len(edges) - 1):
            axes.axvline(place * _cells(run, name), color="gray", linestyle=":", linewidth=1)


def explain(axes: Any, run: Record, name: str) -> None:
    """Say above each row what it is."""
    if (edges := rows(run, name)) is None:
        return
    cells = _cells(run, name)
    for place, (low, high) in enumerate(itertools.pairwise(edges)):
        text = f"{low:g}–{high:g}"
        where = {"transform": axes.get_xaxis_transform(), "ha": "center", "va": "top", "fontsize": 12, "rotation": 90}
        axes.text((place + 0.5) * cells, 0.72, text, color="#555", **where)


def words(run: Record, name: str) -> str:
    """Return what a caption adds for a plane."""
    if rows(run, name) is None:
        return ""
    first, second = (f"{v.removesuffix('_coarse')}" for v in PLANES[name])
    return (
        f" Dotted lines part the bins of {first}, whose limits in GeV are given; within each, cells are the bins of "
        f"{second}."
    )
