"""The figures of a peak on a smooth background: the spectrum of each category, and scans with the functions chosen."""

from __future__ import annotations

from functools import partial

import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np

from ..inference.parametric.command import PeakAnswer, Scan
from ..inference.parametric.model import Category
from .figure import Block, Figure
from .likelihood_scan import HIGHEST
from .numbers import Column, Errors, Numbers, bins
from .stack import garwood
from .strength import levels
from .style import COLORS, SIZE

SHOWN = 80
"""Bins that a figure has room for: finer ones are merged."""


def figures(answer: PeakAnswer) -> list[Block]:
    """Return a spectrum for each category, and the scans that were asked for."""
    model = answer.spectra.model(answer.best.functions)
    values = np.array([answer.best.fit.values[name] for name in model.names])
    blocks: list[Block] = [
        _spectrum(answer, category, *rates)
        for category, rates in zip(model.categories, model.rates(values), strict=True)
    ]
    return blocks + [_scan(scan) for scan in answer.scans.values()]


def _merged(values: np.ndarray, n: int) -> np.ndarray:
    """Add up n bins each; what is left over at the end makes a bin of its own."""
    return np.asarray(np.add.reduceat(values, np.arange(0, len(values), n)))


def _spectrum(answer: PeakAnswer, category: Category, signal: np.ndarray, background: np.ndarray) -> Figure:
    n = -(-len(category.counts) // SHOWN)
    edges = np.append(category.edges[:-1][::n], category.edges[-1])
    counts, peak, smooth = (_merged(values, n) for values in (category.counts, signal, background))
    low, high = garwood(counts)
    columns = (
        bins("mass", edges, "GeV"),
        Column("data", counts, errors=(Errors(high - counts, low - counts, "stat"),)),
        Column("signal", peak),
        Column("background", smooth),
    )
    function = answer.best.functions[category.name].name
    fit = answer.best.fit.values
    caption = (
        f"Category {category.name}. Points: data. Lines: the background, {function} (the best of "
        f"{', '.join(f.name for f in answer.spectra.candidates[category.name])}), and with the signal, mu = "
        f"{fit['mu']:.3g} at {fit['mass']:.2f} GeV. Below: data less the background."
    )
    draw = partial(_draw_spectrum, category.name, edges, counts, peak, smooth)
    return Figure(f"spectrum_{category.name}", f"Spectrum of {category.name}", caption, draw, (Numbers(columns),))


def _draw_spectrum(
    name: str, edges: np.ndarray, counts: np.ndarray, peak: np.ndarray, smooth: np.ndarray
) -> matplotlib.figure.Figure:
    canvas, (main, below) = plt.subplots(
        2, 1, figsize=(SIZE[0], 9.6), sharex=True, gridspec_kw={"height_ratios": [3, 1.3]}
    )
    seen = counts > 0
    centers, (low, high) = (edges[1:] + edges[:-1]) / 2, garwood(counts)
    errors = (counts - low)[seen], (high - counts)[seen]
    for axes, taken in ((main, 0.0), (below, smooth)):
        axes.plot(centers, smooth - taken, "--", color=COLORS[0], linewidth=2.5, label="Background")
        axes.plot(centers, smooth + peak - taken, color=COLORS[2], linewidth=2.5, label="Signal + background")
        axes.errorbar(centers[seen], (counts - taken)[seen], errors, fmt="o", color="black", markersize=5, label="Data")
    main.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.3 * max(high[seen].max(initial=0), (smooth + peak).max())))
    main.set_ylabel("Events / bin")
    main.legend(title=name.replace("_", " "), loc="upper right")
    below.set_xlabel("Mass [GeV]")
    below.set_ylabel("Data − bkg.", loc="center", fontsize=18)
    return canvas


def _scan(scan: Scan) -> Figure:
    unit = "GeV" if scan.parameter == "mass" else ""
    columns = (
        Column(scan.parameter, scan.values, unit, independent=True),
        Column("-2 delta ln L", [value if np.isfinite(value) else None for value in scan.twice_nll]),
        Column("functions", ["; ".join(f"{name}: {f}" for name, f in found.items()) for found in scan.functions]),
    )
    caption = (
        f"Profile likelihood of {scan.parameter}: at each point all other parameters are fitted, and the function of "
        "each category's background is chosen, with half a unit of -ln L for each of its parameters (arXiv:1408.6865)."
    )
    title = f"Profile likelihood of {scan.parameter}"
    return Figure(f"scan_{scan.parameter}", title, caption, partial(_draw_scan, scan), (Numbers(columns),))


def _draw_scan(scan: Scan) -> matplotlib.figure.Figure:
    canvas, axes = plt.subplots(figsize=SIZE)
    axes.plot(scan.values, scan.twice_nll, color="black", linewidth=2.5)
    levels(axes)
    axes.set(xlim=(scan.values[0], scan.values[-1]), ylim=(0, HIGHEST))
    axes.set_xlabel("Mass [GeV]" if scan.parameter == "mass" else scan.parameter)
    axes.set_ylabel(r"$-2\,\Delta\ln L$")
    return canvas
