"""pT of the Higgs boson: predicted dσ/dpT with scale bands, published measurements, and own runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hist
import matplotlib.figure
import matplotlib.pyplot as plt
import numpy as np
import yaml
from uhi.io.json import object_hook

from ...interpret import sm
from ...interpret.tables import load
from ..figure import Figure, Missing
from ..numbers import Column, Errors, Numbers, bins, symmetric
from ..style import COLORS, heading
from .fits import Fits

ENERGIES = (8, 13, 14)
MADE_BY = (
    "Shapes: Pythia 8 at leading order with its initial-state shower (bench/higgs_pt.py), without matrix elements of"
    " hard jets: beyond about m_t an extrapolation. Bands: renormalisation scale of the shower times 1/2 and 2, added"
    " in quadrature to the scale uncertainty of the cross section"
)
PT = ("pt4l", "pt_gg")
"""Histograms of a run that hold the pT of a Higgs boson."""

Band = tuple[np.ndarray, np.ndarray, np.ndarray]


def _spectrum(process: str, sqrt_s: int, sigma: float, scale: tuple[float, float]) -> Band:
    """Return dσ/dpT in pb/GeV of each closed bin, and its errors up and down."""
    table = load("higgs_pt")
    widths = np.diff(table["edges"])
    shape = {name: np.array(values)[: len(widths)] for name, values in table[process][sqrt_s].items()}
    nominal, moved = shape["nominal"], np.stack([shape["up"], shape["down"]])
    up = np.hypot(np.maximum(moved.max(axis=0) - nominal, 0.0), scale[0] * nominal)
    down = np.hypot(np.maximum(nominal - moved.min(axis=0), 0.0), scale[1] * nominal)
    return sigma * nominal / widths, sigma * up / widths, sigma * down / widths


def _gluon_fusion(sqrt_s: int) -> Band:
    found = sm.cross_section("ggH", float(sqrt_s))
    return _spectrum("ggH", sqrt_s, found.value, (found.scale_plus, found.scale_minus))


def predicted(fits: Fits) -> Figure:
    """Return dσ/dpT of gluon fusion at three energies."""
    edges = np.array(load("higgs_pt")["edges"], dtype=float)
    bands = {energy: _gluon_fusion(energy) for energy in ENERGIES}
    caption = (
        "dσ/dpT of gg → H at 8, 13 and 14 TeV, normalised to the N³LO cross sections of Yellow Report 4 at m_H ="
        f" 125.09 GeV; below, over 13 TeV. {MADE_BY}."
    )

    def draw() -> matplotlib.figure.Figure:
        figure, (axes, ratio) = plt.subplots(2, 1, figsize=(9, 9.6), height_ratios=(2.4, 1), sharex=True)
        reference = bands[13][0]
        for k, (energy, (value, up, down)) in enumerate(bands.items()):
            _steps(axes, edges, (value, up, down), COLORS[(0, 2, 1)[k]], f"{energy} TeV")
            _steps(ratio, edges, (value / reference, up / reference, down / reference), COLORS[(0, 2, 1)[k]])
        axes.set(yscale="log", ylabel=r"$d\sigma/dp_T$ [pb/GeV]", xlim=(0, edges[-1]))
        ratio.set(xlabel="$p_T^H$ [GeV]", ylabel="over 13 TeV", ylim=(0.2, 1.6))
        axes.legend(frameon=False)
        heading(axes, r"$gg\to H$")
        return figure

    numbers = Numbers(
        (
            bins("pT", edges, "GeV"),
            *(
                Column(f"dsigma/dpT at {energy} TeV", value, "pb/GeV", errors=(Errors(up, -down, "scale"),))
                for energy, (value, up, down) in bands.items()
            ),
        )
    )
    return Figure("higgs_pt_energies", "dσ/dpT by √s", caption, draw, (numbers,))


def _steps(axes: Any, edges: np.ndarray, band: Band, color: str, label: str | None = None) -> None:
    value, up, down = band
    axes.stairs(value, edges, color=color, linewidth=2, label=label)
    axes.stairs(value + up, edges, baseline=value - down, fill=True, color=color, alpha=0.25)


def total_spectrum() -> Band:
    """Return dσ/dpT at 13 TeV of all production modes: gluon fusion and, as one shape, VBF, VH and tt̄H."""
    fusion = _gluon_fusion(13)
    modes = ("VBF", "WH", "ZH", "ttH")
    sigma = sum(sm.cross_section(mode, 13.0).value for mode in modes)
    other = _spectrum("others", 13, sigma, (0.02, 0.02))
    return fusion[0] + other[0], np.hypot(fusion[1], other[1]), np.hypot(fusion[2], other[2])


def measured(fits: Fits) -> Figure:
    """Return published dσ/dpT at 13 TeV beside the prediction, and their ratio."""
    edges = np.array(load("higgs_pt")["edges"], dtype=float)
    band = total_spectrum()
    published = load("differential")["pt"]
    caption = (
        "dσ/dpT of pp → H at 13 TeV: published, "
        + "; ".join(f"{m['experiment']}, {m['luminosity']} fb⁻¹, {m['source']}" for m in published)
        + " (errors are total, correlations are not shown), and simulated: gluon fusion, and VBF, VH and tt̄H"
        " together, each normalised to Yellow Report 4. Below, measured over simulated, the simulation averaged in"
        f" each bin. {MADE_BY}."
    )
    averages = [_averaged(edges, band[0], np.array(m["edges"], dtype=float)) for m in published]

    def draw() -> matplotlib.figure.Figure:
        figure, (axes, ratio) = plt.subplots(2, 1, figsize=(9, 9.6), height_ratios=(2.4, 1), sharex=True)
        _steps(axes, edges, band, COLORS[3], "simulation, all modes")
        _steps(ratio, edges, (np.ones(len(edges) - 1), band[1] / band[0], band[2] / band[0]), COLORS[3])
        for k, (item, average) in enumerate(zip(published, averages, strict=True)):
            own, value, error = (np.array(item[key], dtype=float) for key in ("edges", "value", "error"))
            centre, half = (own[1:] + own[:-1]) / 2, np.diff(own) / 2
            seen = (value > 0) & (own[1:] <= edges[-1])
            color, marker = COLORS[(0, 2)[k]], "os"[k]
            label = f"{item['experiment']}, {item['luminosity']:g} fb$^{{-1}}$"
            axes.errorbar(centre[seen], value[seen], error[seen], half[seen], fmt=marker, color=color, label=label)
            ratio.errorbar(
                centre[seen], (value / average)[seen], (error / average)[seen], half[seen], fmt=marker, color=color
            )
        axes.set(yscale="log", ylabel=r"$d\sigma/dp_T$ [pb/GeV]", xlim=(0, edges[-1]), ylim=(2e-4, 8))
        ratio.set(xlabel="$p_T^H$ [GeV]", ylabel="over simulation", ylim=(0, 2.6))
        axes.legend(frameon=False)
        heading(axes, r"$pp\to H$", None, 13)
        return figure

    simulated = Numbers(
        (
            bins("pT", edges, "GeV"),
            Column("dsigma/dpT", band[0], "pb/GeV", errors=(Errors(band[1], -band[2], "scale"),)),
        ),
        "simulated",
    )
    points = [
        Numbers(
            (
                bins("pT", item["edges"], "GeV"),
                Column("dsigma/dpT", item["value"], "pb/GeV", errors=(symmetric(item["error"]),)),
                Column("simulated", average, "pb/GeV"),
            ),
            item["experiment"],
        )
        for item, average in zip(published, averages, strict=True)
    ]
    return Figure("higgs_pt", "pT of the Higgs boson, data and simulation", caption, draw, (simulated, *points))


def _averaged(edges: np.ndarray, density: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the average density in other bins; beyond the last edge there is none."""
    cumulative = np.concatenate([[0.0], np.cumsum(density * np.diff(edges))])
    found = np.diff(np.interp(wanted, edges, cumulative)) / np.diff(wanted)
    return np.where(wanted[1:] <= edges[-1], found, np.nan)


def own(folder: Path) -> Figure | Missing:
    """Return the pT of the candidates of a run: data over the sum of its simulation."""
    title = f"pT of the candidates, {folder.name}"
    try:
        histograms = json.loads((folder / "histograms.json").read_text(encoding="utf-8"), object_hook=object_hook)
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        return Missing(title, f"{folder} is not the folder of a finished run: {error}")
    name = next((name for name in PT if name in histograms), None)
    if name is None:
        return Missing(title, f"the run fills none of the histograms {', '.join(PT)}")
    data = {item["process"] for item in results["datasets"].values() if item["kind"] == "data"}
    signals = set((config.get("model") or {}).get("signals", ()))
    made: dict[str, Any] = {process: hist.Hist(form) for process, form in histograms[name].items()}
    edges = next(iter(made.values())).axes[1].edges
    contents = {process: np.asarray(h.values()).sum(axis=0) for process, h in made.items()}
    variances = {process: np.asarray(h.variances()).sum(axis=0) for process, h in made.items()}
    groups = {
        "background": [p for p in made if p not in data and p not in signals],
        "signal": [p for p in made if p in signals],
    }
    stacked = {
        label: sum((contents[p] for p in parts), np.zeros(len(edges) - 1)) for label, parts in groups.items() if parts
    }
    seen = sum((contents[p] for p in made if p in data), np.zeros(len(edges) - 1)) if data & set(made) else None
    luminosity = results.get("luminosity")
    caption = (
        f"pT of the selected candidates of the run {folder.name}"
        + (f" at {luminosity:g} fb⁻¹" if luminosity else "")
        + ": data (points, Poisson errors √n) over the simulated signal and background (stacked; hatched: statistical"
        " error of the simulation), in events by GeV. The last bin does not contain the overflow."
    )
    widths = np.diff(edges)
    spread = np.sqrt(sum((variances[p] for parts in groups.values() for p in parts), np.zeros(len(edges) - 1)))

    def draw() -> matplotlib.figure.Figure:
        figure, axes = plt.subplots(figsize=(9.0, 8.0))
        base = np.zeros(len(edges) - 1)
        for (label, values), color in zip(stacked.items(), (COLORS[0], COLORS[2]), strict=False):
            axes.stairs((base + values) / widths, edges, baseline=base / widths, fill=True, color=color, label=label)
            base = base + values
        if stacked:
            axes.stairs((base + spread) / widths, edges, baseline=(base - spread) / widths, fill=True, hatch="////",
                        facecolor="none", edgecolor="gray", linewidth=0)  # fmt: skip
        if seen is not None:
            axes.errorbar((edges[1:] + edges[:-1]) / 2, seen / widths, np.sqrt(seen) / widths, fmt="o", color="black",
                          label="data")  # fmt: skip
        axes.set(xlabel="$p_T^H$ [GeV]", ylabel="Events / GeV", xlim=(edges[0], edges[-1]))
        top = max(float((base / widths).max()), 0.0 if seen is None else float((seen / widths).max()))
        axes.set(yscale="log", ylim=(top * 1e-5, 5 * top) if top else None)
        axes.legend(frameon=False)
        heading(axes, results.get("title") or folder.name, luminosity, config.get("sqrt_s"))
        return figure

    columns = [bins("pT", edges, "GeV"), *(Column(label, values, "events") for label, values in stacked.items())]
    if seen is not None:
        columns.append(Column("data", seen, "events", errors=(symmetric(np.sqrt(seen), "stat"),)))
    return Figure(f"candidate_pt_{folder.name}", title, caption, draw, (Numbers(tuple(columns)),))
