"""The generator's particles of many events as flat arrays, and pairs of objects within an event."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEUTRINOS = (12, 14, 16)


@dataclass(frozen=True)
class Particles:
    """Particles of a block of events, flat; those of event *e* are ``offsets[e]`` to ``offsets[e + 1]``.

    Momenta and masses in GeV, production vertices (``x, y, z``) in mm from the primary vertex. ``record`` is the place
    of each particle in the full record of the block, and ``mother`` the place there of its (first) mother.
    """

    offsets: Ints
    record: Ints
    mother: Ints
    pdg_id: Ints
    status: Ints
    px: Floats
    py: Floats
    pz: Floats
    energy: Floats
    mass: Floats
    x: Floats
    y: Floats
    z: Floats

    def __len__(self) -> int:
        return len(self.pdg_id)

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.offsets) - 1

    @cached_property
    def event(self) -> Ints:
        """Event of each particle, counted within the block."""
        return np.repeat(np.arange(self.n_events), np.diff(self.offsets))

    @cached_property
    def pt(self) -> Floats:
        """Transverse momentum in GeV."""
        return np.hypot(self.px, self.py)

    @cached_property
    def eta(self) -> Floats:
        """Pseudorapidity; infinite along the beam."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.arcsinh(self.pz / self.pt)

    @cached_property
    def phi(self) -> Floats:
        """Azimuth in -π to π."""
        return np.arctan2(self.py, self.px)

    @cached_property
    def kind(self) -> Ints:
        """Absolute PDG identity."""
        return np.abs(self.pdg_id)

    @cached_property
    def is_final(self) -> Bools:
        """Whether the particle reaches the detector (Pythia counts the others as negative)."""
        return self.status > 0

    def select(self, mask: Bools) -> Particles:
        """Return the particles where *mask* is true, in the same events."""
        chosen = np.flatnonzero(mask)
        columns: dict[str, Any] = {
            name: getattr(self, name)[chosen] for name in self.__dataclass_fields__ if name != "offsets"
        }
        return Particles(offsets=np.searchsorted(chosen, self.offsets), **columns)


def pairs_within_events(event: Ints, offsets: Ints) -> tuple[Ints, Ints]:
    """Pair objects with all members of a collection in the same event.

    Parameters
    ----------
    event
        Event of each object, shape (n,).
    offsets
        Where each event begins in the collection, shape (events + 1,).

    Returns
    -------
    left, right
        Index of the object and of the member, for each pair.
    """
    first, number = offsets[event], np.diff(offsets)[event]
    left = np.repeat(np.arange(len(event)), number)
    within = np.arange(len(left)) - np.repeat(np.cumsum(number) - number, number)
    return left, within + np.repeat(first, number)


def sum_by(index: Ints, values: Floats, length: int) -> Floats:
    """Sum the *values* that share an *index*; shape (length,)."""
    return np.bincount(index, weights=values, minlength=length).astype(np.float64, copy=False)


def delta_r(eta1: Floats, phi1: Floats, eta2: Floats, phi2: Floats) -> Floats:
    """Angular distance √(Δη² + Δφ²)."""
    delta_phi = np.abs(phi1 - phi2)
    return np.hypot(eta1 - eta2, np.minimum(delta_phi, 2 * np.pi - delta_phi))
