"""Columns: what a kernel asks for, and the flat arrays that it gets and fills.

The NamedTuple ``Inputs`` of a channel's kernel is the whole declaration: its fields are collections, their fields are
columns of a stated type, and a collection with ``offsets`` has objects, one without has one entry an event. Exactly
these columns are read.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .errors import FileError
from .kernels.fill import Counter
from .kernels.language import fields, leaf_kind


class Wanted(NamedTuple):
    """One column that a kernel reads."""

    collection: str
    field: str
    dtype: np.dtype[Any]


class Extra(NamedTuple):
    """One branch that only variations need, as it is in the file."""

    branch: str
    collection: str | None = None
    """Whose objects it has one value each for; None: values of the event."""
    values: int = 0
    """0: one value an event, or object; else there are several an event, at least so many."""
    calibrated: int = -1
    """No branch, but this column of the calibration of the objects that ``branch`` names."""


OFFSETS = "offsets"


def wanted(inputs: type) -> list[Wanted]:
    """List the columns that a kernel's ``Inputs`` declares; ``offsets`` are not columns of a file."""
    return [
        Wanted(collection, field, np.dtype(leaf_kind(hint)[1]))
        for collection, tuple_type in fields(inputs).items()
        for field, hint in fields(tuple_type).items()
        if field != OFFSETS
    ]


def has_objects(inputs: type, collection: str) -> bool:
    """Whether a collection has objects, rather than one entry an event."""
    return OFFSETS in fields(fields(inputs)[collection])


def assemble(inputs: type, n_events: int, arrays: Mapping[tuple[str, str], np.ndarray]) -> Any:
    """Build an ``Inputs`` from arrays by (collection, field), offsets included.

    Raises
    ------
    FileError
        If a column has not as many entries as its collection.
    """
    collections = []
    for name, tuple_type in fields(inputs).items():
        offsets = arrays.get((name, OFFSETS))
        size = n_events if offsets is None else int(offsets[-1])
        for field in fields(tuple_type):
            found = arrays[name, field].size
            if field != OFFSETS and found not in (size, 0):
                msg = f"column {name}.{field} has {found} entries, its collection {size}"
                raise FileError(msg)
        collections.append(tuple_type(*(arrays[name, field] for field in fields(tuple_type))))
    return inputs(*collections)


def concatenate(parts: Sequence[Any]) -> Any:
    """Return the events of several ``Inputs`` of one type as one."""
    first = parts[0]
    collections = []
    for name in first._fields:
        pieces = [getattr(part, name) for part in parts]
        columns = {field: np.concatenate([getattr(piece, field) for piece in pieces]) for field in pieces[0]._fields}
        if OFFSETS in columns:
            starts = np.cumsum([0, *(piece.offsets[-1] for piece in pieces)])
            moved = [piece.offsets[1:] + start for piece, start in zip(pieces, starts[:-1], strict=True)]
            columns[OFFSETS] = np.concatenate([[0], *moved])
        collections.append(type(pieces[0])(**columns))
    return type(first)(*collections)


def launch_ranges(columns: Any, first: int, last: int, limit: int, objects: bool = True) -> list[tuple[int, int]]:
    """Cut a range of events so that no bin can overflow in one launch: of *limit* events and objects.

    A body may fill a bin once an event and, with *objects*, once an object of each collection, unless its channel says
    more.
    """
    if not objects:
        return [(start, min(start + limit, last)) for start in range(first, last, limit)]
    all_offsets = [collection.offsets for collection in columns if OFFSETS in collection._fields]

    def fills(event: int) -> int:
        return event + sum(int(offsets[event]) for offsets in all_offsets)

    ranges = []
    start = first
    while start < last:
        later = range(start + 2, last + 1)
        stop = start + 1 + bisect.bisect_right(later, fills(start) + limit, key=fills)
        ranges.append((start, stop))
        start = stop
    return ranges


def outputs(namespace: Any, histograms: Any, capacity: int, features: int | None = None) -> Any:
    """Return fresh outputs of a channel's kernel module around a set of histograms.

    Parameters
    ----------
    capacity
        How many selected events there is room for.
    features
        How many features each of these has, where they are recorded, with the score after them.
    """
    selected: dict[str, Any] = {"n": np.zeros(1, np.int64), "capacity": capacity}
    for field, hint in fields(namespace.Selected).items():
        if field not in selected:
            width = 1 if field != "features" else 0 if features is None else features + 1
            selected[field] = np.empty(capacity * width, dtype=leaf_kind(hint)[1])
    return namespace.Out(
        errors=np.zeros(2, np.int64),
        cutflow=Counter(np.zeros(4 * len(namespace.STEPS), np.int64)),
        histograms=histograms,
        selected=namespace.Selected(**selected),
    )
