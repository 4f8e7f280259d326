"""Selected events, as a channel of the user's own keeps them: ``keep(out, event, weight, Selected(mass, pt))``."""

from __future__ import annotations

from typing import NamedTuple

from .language import Float64, Int64, scalar, take


class Kept(NamedTuple):
    """The selected events, in the order in which they were found."""

    n: Int64
    """How many there are, which may be more than there is room for."""
    capacity: int
    event: Int64
    weight: Float64
    values: Float64
    """What is kept of them, of shape (capacity, fields)."""


@scalar
def keep(out, event, weight, values):
    """Keep an event, at most once, with its weight and a NamedTuple of floats."""
    place = take(out.selected.n, 0)
    if place < out.selected.capacity:
        out.selected.event[place] = event
        out.selected.weight[place] = weight
        i = place * len(values)
        for value in values:
            out.selected.values[i] = value
            i += 1
