"""Random events for any kernel: each column by its name, every nasty value, empty and crowded collections.

There is no physics in how objects belong together; there are enough of them that by chance every selection is passed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..columns import OFFSETS, assemble, has_objects, wanted
from ..kernels.language import fields

Array = np.ndarray[Any, Any]

NASTY = (np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, -25.0, 1e-40, 3e38, np.pi, -np.pi)
"""Values of any float column: 1e-40 is a denormal float32, 3e38 is near the largest."""

SIZES = np.array([0, 0, 1, 1, 2, 2, 2, 3, 4, 5])
"""Objects of a collection in an event; a few have CROWD."""
CROWD = 40

_DRAWN: dict[str, Callable[[np.random.Generator, int], Array]] = {
    "pt": lambda rng, n: 3.0 + rng.exponential(30.0, n),
    "e": lambda rng, n: 10.0 + rng.exponential(60.0, n),
    "eta": lambda rng, n: rng.normal(0.0, 1.1, n),
    "phi": lambda rng, n: rng.uniform(-np.pi, np.pi, n),
    "mass": lambda rng, n: rng.uniform(0.0, 10.0, n),
    "charge": lambda rng, n: rng.choice([-1, 1], n),
    "kind": lambda rng, n: rng.choice([11, 13], n),
    "gen_weight": lambda rng, n: rng.choice([-1.0, 1.0, 1.0, 1.0], n) * rng.lognormal(0.0, 0.7, n),
    "run": lambda rng, n: rng.integers(290_000, 330_000, n),
    "luminosity_block": lambda rng, n: rng.integers(1, 500, n),
    "triggers": lambda rng, n: np.where(rng.random(n) < 0.95, 2**40 - 1, rng.integers(0, 2**40, n)),
    "filters": lambda rng, n: np.where(rng.random(n) < 0.95, 2**40 - 1, rng.integers(0, 2**40, n)),
    "r9": lambda rng, n: rng.uniform(0.5, 1.0, n),
}
"""By the name of a column."""
_SMALL = ("iso", "cone", "sip", "d0", "z0", "dxy", "dz")
"""Parts of the names of columns in which most objects have next to nothing."""


def _draw(rng: np.random.Generator, name: str, dtype: np.dtype[Any], n: int) -> Array:
    """Draw a column: by its name, or small numbers and mostly true answers, as identifications are."""
    if name in _DRAWN:
        return _DRAWN[name](rng, n)
    if dtype.kind == "b":
        return rng.random(n) < 0.9
    if dtype.kind in "iu":
        return rng.integers(0, 8, n)
    if any(part in name for part in _SMALL):
        return rng.exponential(0.04, n)
    return rng.choice([0.01, 0.05, 0.9, 1.0], n) * rng.uniform(0.5, 1.0, n)


def random_events(inputs: type, n_events: int, seed: int, nasty: float = 0.002) -> Any:
    """Return an ``Inputs`` of random events.

    Parameters
    ----------
    nasty
        Share of the entries of float columns that are NASTY.
    """
    rng = np.random.default_rng(seed)
    sizes: dict[str, int] = {}
    arrays: dict[tuple[str, str], Array] = {}
    for name in fields(inputs):
        sizes[name] = n_events
        if has_objects(inputs, name):
            objects = rng.choice(SIZES, n_events)
            objects[rng.random(n_events) < 0.001] = CROWD
            arrays[name, OFFSETS] = np.concatenate([[0], np.cumsum(objects)])
            sizes[name] = int(arrays[name, OFFSETS][-1])
    for collection, field, dtype in wanted(inputs):
        n = sizes[collection]
        values = _draw(rng, field, dtype, n).astype(dtype)
        if dtype.kind == "f":
            places = rng.random(n) < nasty
            values[places] = rng.choice(NASTY, np.count_nonzero(places)).astype(dtype)
        arrays[collection, field] = values
    return assemble(inputs, n_events, arrays)


def random_arguments(inputs: type, n: int, seed: int) -> Any:
    """Return arguments of elementary functions: of every size and sign, any bits at all, and what is nasty."""
    rng = np.random.default_rng(seed)

    def column() -> Array:
        any_bits = rng.integers(-(2**63), 2**63, n, dtype=np.int64).view(np.float64)
        chosen = rng.integers(0, 4, n)
        values = np.choose(
            chosen,
            [rng.normal(0, 3, n), rng.uniform(-1, 1, n), rng.normal(0, 300, n), np.nan_to_num(any_bits, nan=0.5)],
        )
        places = rng.random(n) < 0.02
        values[places] = rng.choice(NASTY, np.count_nonzero(places))
        return values

    return inputs(*(column() for _ in fields(inputs)))
