"""What a kernel must survive: columns with values and crowds that no event should have, but some file will.

NaN, infinities, negative and denormal values, angles of ±π, events with 40 objects of one kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np

VALUES = (np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, -25.0, 1e-40, 3e38, np.pi, -np.pi)
"""Values of any float column: 1e-40 is a denormal float32, 3e38 is near the largest."""


def crowd(inputs: Any, rng: np.random.Generator, share: float, size: int) -> Any:
    """Return the events with one collection of some of them grown to *size* objects, copies of any others."""
    n_events = inputs.events.run.size
    collections = []
    for collection in inputs:
        if "offsets" not in collection._fields or not collection.offsets[-1]:
            collections.append(collection)
            continue
        counts = np.diff(collection.offsets)
        grown = np.where(rng.random(n_events) < share, np.maximum(counts, size), counts)
        offsets = np.concatenate([[0], np.cumsum(grown)])
        within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], grown)
        own = np.repeat(collection.offsets[:-1], grown) + within
        other = rng.integers(0, collection.offsets[-1], own.size)
        source = np.where(within < np.repeat(counts, grown), own, other)
        collections.append(
            type(collection)(*(
                offsets if name == "offsets" else getattr(collection, name)[source] for name in collection._fields
            ))
        )  # fmt: skip
    return type(inputs)(*collections)


def spoil(inputs: Any, share: float = 0.01, crowded_share: float = 0.001, seed: int = 1) -> Any:
    """Return the events with nasty values in a *share* of all entries of float columns, and some crowded events."""
    rng = np.random.default_rng(seed)
    crowded = crowd(inputs, rng, crowded_share, 40)
    collections = []
    for collection in crowded:
        columns = []
        for values in collection:
            spoilt = values.copy()
            if values.dtype.kind == "f":
                places = rng.random(values.size) < share
                spoilt[places] = rng.choice(VALUES, np.count_nonzero(places)).astype(values.dtype)
            columns.append(spoilt)
        collections.append(type(collection)(*columns))
    return type(inputs)(*collections)
