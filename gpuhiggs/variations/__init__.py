"""Variations: the names of what is filled, and which histograms have them; :mod:`.tables` compiles them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..config.variations import SetConfig, VariationsConfig, WeightConfig
from ..errors import ConfigError
from ..histogram import HistogramSpec
from ..kernels import shifts

NOMINAL = "nominal"
SIDES = (("Up", 1.0), ("Down", -1.0))


class Names(NamedTuple):
    """What is filled, in the kernel's order."""

    shifts: tuple[str, ...] = (NOMINAL,)
    weights: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """How many variations there are beside the nominal."""
        return len(self.shifts) - 1 + len(self.weights)


def names(config: VariationsConfig | None) -> Names:
    """Return the names of all variations: a side is ``nameUp`` or ``nameDown``, a member ``name[i]``."""
    if config is None:
        return Names()
    moved = (NOMINAL, *(f"{name}{side}" for name in config.shifts for side, _ in SIDES))
    weighed = [f"{name}{side}" for name in config.weights for side, _ in SIDES]
    for name, one in config.sets.items():
        members = ordered_members(one)
        weighed += [f"{name}[{member}]" for member in members]
    return Names(moved, tuple(weighed))


def applies(one: WeightConfig | SetConfig, process: str) -> bool:
    """Whether a process has a variation of the weight."""
    return one.processes is None or process in one.processes


def ordered_members(one: SetConfig) -> tuple[int, ...]:
    """Return the members of a set as they are filled, the reference first."""
    return one.members if one.reference is None else (one.reference, *one.members)


def specs(config: VariationsConfig | None, all_specs: list[HistogramSpec], filled: Names) -> list[HistogramSpec]:
    """Return the histograms with the variations that each of them has: memory is taken for no others.

    Raises
    ------
    ConfigError
        If one is asked for that the channel does not have.
    """
    if config is None or not filled.n:
        return all_specs
    known = [spec.name for spec in all_specs]
    chosen = [name for name in known if not name.startswith("n_minus_one")]
    if config.histograms is not None:
        chosen = list(config.histograms)
        if unknown := [name for name in chosen if name not in known]:
            msg = f"variations.histograms: unknown {unknown[0]!r}; the channel has {', '.join(known)}"
            raise ConfigError(msg)
    return [
        spec._replace(shifts=filled.shifts, weights=filled.weights) if spec.name in chosen else spec
        for spec in all_specs
    ]


def branches(arrays: Sequence[np.ndarray], strides: Sequence[int] = ()) -> shifts.Branches:
    """Lay the branches that variations need one after the other."""
    starts = np.cumsum([0, *(array.size for array in arrays)])[: len(arrays)]
    joined = np.concatenate([*arrays, np.zeros(1)]).astype(np.float32)
    return shifts.Branches(joined, starts.astype(np.int64), np.array(strides, np.int64))
