"""The profile-likelihood scan of a parameter: expected and observed."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import mplhep
from matplotlib.figure import Figure

from ..config import RunConfig
from ..inference import ScanResult
from ..measurement import Measurement
from .stack import heading

ONE_SIGMA, TWO_SIGMA = 1.0, 3.84
"""-2 Δ ln L at the edges of the 68 % and 95 % intervals of one parameter (Wilks)."""


def draw(config: RunConfig, measurement: Measurement) -> Figure:
    """Draw -2 Δ ln L against the signal strength."""
    with mpl.rc_context({**mplhep.style.CMS, "figure.constrained_layout.use": True}):
        figure, axes = plt.subplots(figsize=(10, 8))
        for name, part in measurement.parts.items():
            if part.scan is not None:
                _curve(axes, part.scan, name.capitalize(), "--" if name == "expected" else "-")
        for level, text in ((ONE_SIGMA, "68 % CL"), (TWO_SIGMA, "95 % CL")):
            axes.axhline(level, color="gray", linewidth=1)
            axes.text(0.99, level, text, ha="right", va="bottom", fontsize=18, transform=axes.get_yaxis_transform())
        axes.set_ylim(0, 9)
        axes.set_xlabel(r"Signal strength $\mu$")
        axes.set_ylabel(r"$-2\,\Delta\ln L$")
        axes.legend(loc="upper center")
        heading(axes, config)
    return figure


def _curve(axes: mpl.axes.Axes, scan: ScanResult, label: str, style: str) -> None:
    mu = scan.best.parameters[scan.parameter]
    text = f"{label}: ${mu.value:.2f}_{{{mu.minus or -mu.error:+.2f}}}^{{{mu.plus or mu.error:+.2f}}}$"
    axes.plot(scan.values, scan.twice_nll, style, color="black", label=text)
