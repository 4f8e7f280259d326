"""How well the mass is measured with a luminosity: pseudo-experiments of a peak over a background, all at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from ..errors import InputError
from .measurements import Array
from .sm import M_H
from .tables import load

HALF_WINDOW, BIN = 8.0, 0.25
"""GeV."""


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
