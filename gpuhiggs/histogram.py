"""Histograms as integers: what the kernels fill, how results are merged, and the ``hist.Hist`` at the end.

A :class:`Counts` maps (dataset, name) to integer sums in two limbs, wide enough for any run. Adding two is exact and
commutes, so a result depends neither on how the events were cut into chunks nor on who processed them: its
:meth:`Counts.digest` is the proof.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import hist
import numpy as np

from .errors import RunError
from .kernels.fill import FRACTION_BITS, LAYOUT, SQUARE_BITS, Histograms

LIMB_BITS = 32
LIMB_MASK = np.int64(2**LIMB_BITS - 1)


class Axis(NamedTuple):
    """A binning; ``edges`` is empty where the bins are equal."""

    name: str
    label: str
    bins: int
    low: float
    high: float
    edges: tuple[float, ...] = ()

    def to_hist(self) -> hist.axis.Regular | hist.axis.Variable:
        """Return the axis as the hist package has it, flow bins included."""
        if self.edges:
            return hist.axis.Variable(list(self.edges), name=self.name, label=self.label)
        return hist.axis.Regular(self.bins, self.low, self.high, name=self.name, label=self.label)


class HistogramSpec(NamedTuple):
    """One histogram of a channel."""

    name: str
    axis: Axis
    categories: tuple[str, ...]
    shifts: tuple[str, ...] = ("nominal",)
    """Variations that move objects, the nominal first: these have Σw²."""
    weights: tuple[str, ...] = ()
    """Variations of the weight alone."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(categories, bins + 2, variations)."""
        return len(self.categories), self.axis.bins + 2, len(self.shifts) + len(self.weights)


class Wide(NamedTuple):
    """Integers in two limbs, high · 2³² + low with 0 ≤ low < 2³²: one representation a value."""

    high: np.ndarray
    low: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray) -> Wide:
        """Widen int64 values."""
        return cls(values >> LIMB_BITS, values & LIMB_MASK)

    def __add__(self, other: object) -> Wide:
        """Return the exact sum."""
        if not isinstance(other, Wide):
            return NotImplemented
        low = self.low + other.low
        return Wide(self.high + other.high + (low >> LIMB_BITS), low & LIMB_MASK)

    def to_float(self) -> np.ndarray:
        """Return the values as float64, rounded once."""
        return self.high.astype(np.float64) * 2.0**LIMB_BITS + self.low.astype(np.float64)


@dataclass
class Counts:
    """Integer sums by (dataset, name)."""

    sums: dict[tuple[str, str], Wide] = field(default_factory=dict)

    def add(self, dataset: str, name: str, values: np.ndarray) -> None:
        """Add int64 values."""
        key = dataset, name
        wide = Wide.of(values)
        self.sums[key] = self.sums[key] + wide if key in self.sums else wide

    def __add__(self, other: object) -> Counts:
        """Return the exact sum of both; a name that only one has is kept."""
        if not isinstance(other, Counts):
            return NotImplemented
        merged = dict(self.sums)
        for key, wide in other.sums.items():
            merged[key] = merged[key] + wide if key in merged else wide
        return Counts(merged)

    def digest(self) -> str:
        """Return the SHA-256 of all sums, in the order of their names."""
        digest = hashlib.sha256(b"gpuhiggs counts 1\0")
        for (dataset, name), wide in sorted(self.sums.items()):
            digest.update(f"{dataset}\0{name}\0{wide.high.shape}\0".encode())
            digest.update(np.ascontiguousarray(wide.high, dtype="<i8").tobytes())
            digest.update(np.ascontiguousarray(wide.low, dtype="<i8").tobytes())
        return digest.hexdigest()


class Accumulators:
    """The arrays that one launch fills: all histograms of a channel, side by side."""

    def __init__(self, specs: Sequence[HistogramSpec]) -> None:
        self.specs = tuple(specs)
        layout = np.zeros((len(specs), LAYOUT), dtype=np.int64)
        limits = np.zeros((len(specs), 2))
        edges: list[float] = []
        offset = offset2 = 0
        for row, spec in enumerate(specs):
            categories, bins, variations = spec.shape
            uniform = not spec.axis.edges
            layout[row] = (
                offset, offset2, bins - 2, uniform, len(edges), categories, variations, len(spec.shifts)
            )  # fmt: skip
            limits[row] = spec.axis.low, spec.axis.high
            edges.extend(spec.axis.edges)
            offset += categories * bins * variations
            offset2 += categories * bins * len(spec.shifts) * 2
        self._layout = layout
        self.kernel = Histograms(
            sumw=np.zeros(offset, np.int64),
            sumw2=np.zeros(offset2, np.int64),
            layout=layout.reshape(-1),
            limits=limits.reshape(-1),
            edges=np.array(edges, dtype=np.float64),
            misfilled=np.zeros(1, np.int64),
        )

    def drain(self, counts: Counts, dataset: str) -> None:
        """Move what has been filled into *counts*, and start again from zero.

        Raises
        ------
        RunError
            If a body has filled a category or a shift that a histogram does not have.
        """
        if self.kernel.misfilled[0]:
            msg = f"{self.kernel.misfilled[0]} fills went to a category that their histogram does not have"
            raise RunError(msg)
        for row, spec in enumerate(self.specs):
            categories, bins, variations = spec.shape
            shifts = len(spec.shifts)
            start, start2 = self._layout[row, 0], self._layout[row, 1]
            sumw = self.kernel.sumw[start : start + categories * bins * variations]
            sumw2 = self.kernel.sumw2[start2 : start2 + categories * bins * shifts * 2]
            counts.add(dataset, f"{spec.name}/sumw", sumw.reshape(categories, bins, variations))
            counts.add(dataset, f"{spec.name}/sumw2", sumw2.reshape(categories, bins, shifts, 2))
        self.kernel.sumw[:] = 0
        self.kernel.sumw2[:] = 0


def sum_of_weights(wide: Wide) -> np.ndarray:
    """Return Σw from Σq."""
    return wide.to_float() * 2.0**-FRACTION_BITS


def sum_of_squares(wide: Wide) -> np.ndarray:
    """Return Σw² from (Σhi, Σlo) in the last axis."""
    values = wide.to_float()
    return np.asarray(values[..., 0] + values[..., 1] * 2.0**-SQUARE_BITS)


def to_hist(counts: Counts, contributions: Iterable[tuple[str, float]], spec: HistogramSpec) -> hist.Hist[Any]:
    """Return a histogram over (category, axis) with Weight storage.

    Parameters
    ----------
    contributions
        Datasets and the factor that each is scaled by.
    """
    histogram = hist.Hist(
        hist.axis.StrCategory(spec.categories, name="category", label="Category"),
        spec.axis.to_hist(),
        storage=hist.storage.Weight(),
        name=spec.name,
        label="Events",
    )
    view: Any = histogram.view(flow=True)[: len(spec.categories)]  # StrCategory has one overflow bin of its own
    for dataset, scale in contributions:
        view.value += scale * sum_of_weights(counts.sums[dataset, f"{spec.name}/sumw"])[..., 0]
        view.variance += scale**2 * sum_of_squares(counts.sums[dataset, f"{spec.name}/sumw2"])[..., 0]
    return histogram


def to_varied_hist(
    counts: Counts, contributions: Iterable[tuple[str, np.ndarray]], spec: HistogramSpec
) -> hist.Hist[Any]:
    """Return a histogram over (variation, category, axis): contents only, variances are those of the nominal.

    Parameters
    ----------
    contributions
        Datasets and the factor that each variation of them is scaled by.
    """
    names = (*spec.shifts, *spec.weights)
    histogram = hist.Hist(
        hist.axis.StrCategory(names, name="variation", label="Variation", overflow=False),
        hist.axis.StrCategory(spec.categories, name="category", label="Category", overflow=False),
        spec.axis.to_hist(),
        storage=hist.storage.Double(),
        name=spec.name,
        label="Events",
    )
    view: Any = histogram.view(flow=True)
    for dataset, factors in contributions:
        view += np.moveaxis(factors * sum_of_weights(counts.sums[dataset, f"{spec.name}/sumw"]), -1, 0)
    return histogram
