"""The profile likelihood of one parameter of a model."""

from __future__ import annotations

from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ..inference import ScanResult
from .figure import Figure
from .numbers import Column, Numbers
from .statistics import Statistics, readable
from .strength import levels
from .style import SIZE, heading

HIGHEST = 10.0
"""-2 Δ ln L up to which a scan is drawn."""


def figure(statistics: Statistics, scan: ScanResult) -> Figure:
    """Return the figure of a scan."""
    name = readable(scan.parameter)
    caption = (
        f"{statistics.what}. Profile likelihood of {name}, all other parameters fitted at each of {len(scan.values)} "
        "points. The lines mark the 68 % and 95 % intervals of one parameter (Wilks)."
    )
    if lost := len(scan.converged) - sum(scan.converged):
        caption += f" At {lost} of {len(scan.converged)} points the fit of the others did not converge."
    columns = (
        Column(scan.parameter, scan.values, independent=True),
        Column("-2 delta ln L", scan.twice_nll),
    )
    draw = partial(_draw, statistics, scan)
    return Figure(f"scan_{scan.parameter}", f"Profile likelihood of {name}", caption, draw, (Numbers(columns),))


def _draw(statistics: Statistics, scan: ScanResult) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=SIZE)
    heights = np.where(scan.converged, scan.twice_nll, np.nan)
    axes.plot(scan.values, heights, color="black", linewidth=2.5)
    levels(axes)
    axes.set(xlim=(min(scan.values), max(scan.values)), ylim=(0, HIGHEST))
    axes.set_xlabel(readable(scan.parameter))
    axes.set_ylabel(r"$-2\,\Delta\ln L$")
    heading(axes, statistics.run.config.title, statistics.run.luminosity, statistics.run.config.sqrt_s)
    return canvas
