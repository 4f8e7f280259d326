"""How figures look: mplhep's style of CMS, with room for what a page shows beside each other."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import mplhep

for _name in ("font_manager", "mathtext"):  # the style names fonts that may be absent, and its own lacks big roots
    logging.getLogger(f"matplotlib.{_name}").setLevel(logging.ERROR)

COLORS = ("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
"""The ten-colour scheme that CMS recommends: M. A. Petroff, arXiv:2107.02270."""

OBSERVED, EXPECTED = "black", "#94a4a2"

DPI = 115
"""Of the PNG, in the page and beside it; what needs more takes the PDF."""

SIZE = (9.0, 8.0)
"""Inches of a figure of one panel; with a ratio panel below (9, 9.6)."""

HATCHED = {"hatch": "////", "facecolor": "none", "edgecolor": "gray", "linewidth": 0.0}
"""An uncertainty band."""


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in the style of the report."""
    settings: Any = {"figure.constrained_layout.use": True, "font.size": 22, "legend.fontsize": 18, "figure.dpi": DPI}
    with mpl.rc_context(mplhep.style.CMS | settings):
        yield


LONG = 30
"""Letters of a heading that leave room for √s beside them in the usual size."""


def heading(axes: Any, left: str, luminosity: float | None = None, sqrt_s: float | None = None) -> None:
    """Say above a figure whose data at which luminosity [fb⁻¹] and √s [TeV]."""
    size = {} if len(left) <= LONG else {"fontsize": 22 * LONG / len(left)}
    axes.text(0, 1.01, left, transform=axes.transAxes, fontweight="bold", va="bottom", **size)
    parts = [f"{luminosity:.4g} fb$^{{-1}}$"] if luminosity else []
    parts += [f"({sqrt_s:g} TeV)" if parts else f"{sqrt_s:g} TeV"] if sqrt_s else []
    axes.text(1, 1.01, " ".join(parts), transform=axes.transAxes, ha="right", va="bottom")
