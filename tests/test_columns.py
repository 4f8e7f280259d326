"""Columns: what a kernel's inputs ask for, and how a long range of events is cut into launches."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuhiggs.columns import Wanted, assemble, has_objects, launch_ranges, wanted
from gpuhiggs.errors import FileError
from gpuhiggs.kernels.language import Bool, Float32, Int64


class Event(NamedTuple):
    """One entry an event."""

    flag: Bool
    weight: Float32


class Things(NamedTuple):
    """Some an event."""

    offsets: Int64
    pt: Float32


class Inputs(NamedTuple):
    """What a kernel might read."""

    event: Event
    things: Things


def test_what_is_wanted() -> None:
    assert wanted(Inputs) == [
        Wanted("event", "flag", np.dtype(np.bool_)),
        Wanted("event", "weight", np.dtype(np.float32)),
        Wanted("things", "pt", np.dtype(np.float32)),
    ]
    assert has_objects(Inputs, "things")
    assert not has_objects(Inputs, "event")


def build(per_event: list[int], **changed: np.ndarray) -> Any:
    n = len(per_event)
    arrays = {
        ("event", "flag"): np.zeros(n, np.bool_),
        ("event", "weight"): np.zeros(n, np.float32),
        ("things", "offsets"): np.cumsum([0, *per_event]),
        ("things", "pt"): np.zeros(sum(per_event), np.float32),
    }
    return assemble(Inputs, n, arrays | {("things", name): values for name, values in changed.items()})


def test_assemble() -> None:
    built = build([2, 0, 1])
    assert isinstance(built, Inputs)
    assert built.event._fields == ("flag", "weight")
    assert build([2, 0, 1], pt=np.zeros(0, np.float32)).things.pt.size == 0, "a column that is not read is empty"
    with pytest.raises(FileError, match=r"^column things\.pt has 2 entries, its collection 3$"):
        build([2, 0, 1], pt=np.zeros(2, np.float32))


@given(st.lists(st.integers(0, 12), max_size=40), st.data())
def test_launch_ranges(per_event: list[int], data: st.DataObject) -> None:
    """Ranges follow each other, and each has as many events as it may: one fill an event and one an object."""
    limit = data.draw(st.integers(1, 30))
    first = data.draw(st.integers(0, len(per_event)))
    last = data.draw(st.integers(first, len(per_event)))
    ranges = launch_ranges(build(per_event), first, last, limit)
    assert [event for a, b in ranges for event in range(a, b)] == list(range(first, last))
    for a, b in ranges:
        assert b == a + 1 or sum(per_event[a:b]) + b - a <= limit
        assert b == last or sum(per_event[a : b + 1]) + b + 1 - a > limit
