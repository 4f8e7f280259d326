"""How well the mass is measured with a luminosity: pseudo-experiments of a peak over a background, all at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import hist
import numpy as np
import yaml
from scipy import special
from uhi.io.json import object_hook

from ..errors import InputError
from .measurements import Array
from .sm import M_H
from .tables import load

HALF_WINDOW, BIN = 8.0, 0.25
"""GeV."""
MASSES = ("m4l", "m_gg")
"""Histograms of a run in which a Higgs boson is a peak."""


class MassChannel(NamedTuple):
    """A peak: events per fb⁻¹ of signal, per fb⁻¹ and GeV of background, and the resolution in GeV."""

    name: str
    signal: float
    background: float
    resolution: float


class MassPoint(NamedTuple):
    """A measured point: the spread of the fitted masses (GeV), its own statistical error, and the mean bias."""

    channel: str
    luminosity: float
    precision: float
    error: float
    bias: float

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return self._asdict()


def channel(name: str) -> MassChannel:
    """Return one of the package's channels, ``four_lepton`` or ``diphoton``.

    Raises
    ------
    InputError
        If it is unknown.
    """
    known = load("mass")["channels"]
    if name not in known:
        msg = f"unknown mass channel {name!r}; known: {', '.join(known)}"
        raise InputError(msg)
    return MassChannel(name, *(known[name][key] for key in ("signal", "background", "resolution")))


def from_run(folder: Path) -> MassChannel:
    """Return the peak of a finished run of the four-lepton or diphoton channel, all its categories together.

    Yields and resolution are those of the run's simulation within 8 GeV of the peak. The resolution is half the
    narrowest interval with 68.3 % of the signal, less what the width of a bin adds.

    Raises
    ------
    InputError
        If the folder has no result, no model that names its signals, no luminosity or no mass that is known here.
    """
    try:
        results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        histograms = json.loads((folder / "histograms.json").read_text(encoding="utf-8"), object_hook=object_hook)
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        msg = f"{folder}: not the folder of a finished run: {getattr(error, 'strerror', None) or error}"
        raise InputError(msg) from error
    name = next((name for name in MASSES if name in histograms), None)
    model, luminosity = config.get("model"), results.get("luminosity")
    if name is None or not model or not luminosity:
        lack = f"a histogram of {' or '.join(MASSES)}" if name is None else "a model" if not model else "a luminosity"
        msg = f"{folder}: the run has no {lack.removeprefix('a ')}: a precision of the mass needs it"
        raise InputError(msg)
    data = {item["process"] for item in results["datasets"].values() if item["kind"] == "data"}
    parts = {process: _window(form) for process, form in histograms[name].items() if process not in data}
    if unknown := [signal for signal in model["signals"] if signal not in parts]:
        msg = f"{folder}: no {name} histogram of the signal {unknown[0]!r}; there are {', '.join(parts)}"
        raise InputError(msg)
    signal = sum((parts[process][1] for process in model["signals"]), start=np.zeros(()))
    if not signal.sum() > 0:
        msg = f"{folder}: the run expects no signal within {HALF_WINDOW:g} GeV of {M_H:g} GeV"
        raise InputError(msg)
    background = sum((v.sum() for process, (_, v) in parts.items() if process not in model["signals"]), start=0.0)
    density = max(float(background) / (2 * HALF_WINDOW), 1e-3 * float(signal.sum()) / (2 * HALF_WINDOW))
    edges = parts[model["signals"][0]][0]
    channel_name = str(results["selection"])
    label = channel_name if folder.name == channel_name else f"{folder.name}: {channel_name}"
    return MassChannel(label, float(signal.sum()) / luminosity, density / luminosity, _resolution(edges, signal))


def _window(form: dict[str, Any]) -> tuple[Array, Array]:
    """Return the edges (GeV) and contents of the bins near the peak of a histogram in the UHI form."""
    histogram: Any = hist.Hist(form)
    edges = np.asarray(histogram.axes[1].edges)
    values = np.asarray(histogram.values()).sum(axis=0)
    near = (edges[:-1] >= M_H - HALF_WINDOW - 2.0) & (edges[1:] <= M_H + HALF_WINDOW + 2.0)
    first, last = np.flatnonzero(near)[[0, -1]]
    return edges[first : last + 2], values[first : last + 1]


def _resolution(edges: Array, signal: Array) -> float:
    cumulative = np.concatenate([[0.0], np.cumsum(np.maximum(signal, 0.0))])
    cumulative /= cumulative[-1]
    low = np.linspace(0.0, 1.0 - 0.6827, 500)
    span = np.interp(low + 0.6827, cumulative, edges) - np.interp(low, cumulative, edges)
    return float(np.sqrt(max((span.min() / 2) ** 2 - np.diff(edges).max() ** 2 / 12, 1e-4)))


def precision(
    which: MassChannel, luminosities: Sequence[float], *, n_toys: int = 400, seed: int = 1
) -> list[MassPoint]:
    """Draw and fit pseudo-experiments at each luminosity (fb⁻¹).

    Each is a binned Poisson draw; mass, signal and background are fitted by Newton's method with the expected
    curvature. The statistical precision alone: scales and their uncertainties come on top.

    Raises
    ------
    InputError
        If a luminosity, a yield or the resolution is not positive.
    """
    if min(which[1:]) <= 0 or min(luminosities) <= 0:
        msg = f"yields, resolution and luminosities must be positive, got {which} and {list(luminosities)}"
        raise InputError(msg)
    rng = np.random.default_rng(seed)
    found = []
    for luminosity in luminosities:
        truth = np.array([M_H, which.signal * luminosity, which.background * luminosity])
        counts = rng.poisson(_expected(truth[None], which.resolution)[0][0], size=(n_toys, _edges().size - 1))
        masses = _fit(counts.astype(float), truth, which.resolution)
        spread = float(masses.std(ddof=1))
        bias = float(masses.mean() - M_H)
        found.append(MassPoint(which.name, luminosity, spread, spread / (2 * (n_toys - 1)) ** 0.5, bias))
    return found


def _edges() -> Array:
    return np.arange(M_H - HALF_WINDOW, M_H + HALF_WINDOW + BIN / 2, BIN)


def _expected(parameters: Array, resolution: float) -> tuple[Array, Array]:
    """Return events by bin (toys, bins) and derivatives (toys, bins, 3) by mass, signal and background per GeV."""
    mass, signal, background = parameters[:, 0, None], parameters[:, 1, None], parameters[:, 2, None]
    pull = (_edges() - mass) / resolution
    shape = np.diff(special.ndtr(pull), axis=1)
    by_mass = -np.diff(np.exp(-0.5 * pull**2), axis=1) / (resolution * np.sqrt(2 * np.pi))
    derivatives = np.stack([signal * by_mass, shape, np.full_like(shape, BIN)], axis=-1)
    return signal * shape + background * BIN, derivatives


def _fit(counts: Array, start: Array, resolution: float, n_steps: int = 30) -> Array:
    """Return the fitted mass of each pseudo-experiment, shape (toys,)."""
    x = np.repeat(start[None], len(counts), axis=0)
    for _ in range(n_steps):
        expected, slope = _expected(x, resolution)
        gradient = np.einsum("tb,tbk->tk", counts / expected - 1.0, slope)
        curvature = np.einsum("tb,tbk,tbl->tkl", 1.0 / expected, slope, slope)
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        step[:, 0] = np.clip(step[:, 0], -0.5 * resolution, 0.5 * resolution)
        x += step
        x[:, 0] = np.clip(x[:, 0], M_H - HALF_WINDOW / 2, M_H + HALF_WINDOW / 2)
        x[:, 1:] = np.maximum(x[:, 1:], 1e-2 * start[1:])
    return x[:, 0]
