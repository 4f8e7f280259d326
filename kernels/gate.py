"""Data quality and trigger: what decides about an event before any object is looked at, in every channel.

No variation touches these cuts, so they are counted once an event, in the loop itself (:mod:`.launch`).
"""

from __future__ import annotations

from typing import NamedTuple

from .language import Float32, Int64, UInt32, scalar
from .shifts import Reach

STEPS = ("certified", "filters", "trigger")
"""The cuts in their order; :func:`gate` returns how many of them an event passes."""


class Events(NamedTuple):
    """What every channel reads of an event."""

    run: UInt32
    luminosity_block: UInt32
    triggers: Int64
    """Bit i: the i-th path of the configuration has fired."""
    filters: Int64
    """Bit i: the i-th filter of the configuration has passed."""
    gen_weight: Float32
    """Generator weight; simulation only, never read for data."""


class Dataset(NamedTuple):
    """What is the same for all events of a dataset."""

    simulation: int
    inverse_weight_unit: float
    """1/W0, W0 a power of two near the size of the generator weights."""
    masked: int
    """Whether the luminosity mask applies: data only."""
    mask_rows: int
    accept: int
    """An event needs one of these triggers; 0 means that no trigger is asked for."""
    veto: int
    """... and none of these, which belong to primary datasets that come first."""
    required: int
    """An event needs all of these filters."""
    regions: int
    """Whether control regions of failing objects are filled."""
    reach: Reach
    """How far the variations raise the pt of objects: what a preselection has to let pass."""


class LumiMask(NamedTuple):
    """Certified luminosity sections: rows (run, first, last), sorted."""

    run: Int64
    first: Int64
    last: Int64


@scalar
def certified(mask, rows, run, section):
    """Whether a luminosity section is in the mask: binary search for the last row not after (run, section)."""
    low = 0
    high = rows
    while low < high:
        middle = (low + high) // 2
        row_run = mask.run[middle]
        if row_run < run or (row_run == run and mask.first[middle] <= section):
            low = middle + 1
        else:
            high = middle
    if low == 0:
        return False
    return mask.run[low - 1] == run and section <= mask.last[low - 1]


@scalar
def gate(event, inputs, cuts, tables):
    """Return how many of STEPS the event passes, in order."""
    events = inputs.events
    dataset = cuts.dataset
    if dataset.masked == 1 and not certified(
        tables.lumi_mask, dataset.mask_rows, events.run[event], events.luminosity_block[event]
    ):
        return 0
    if dataset.required != 0 and (events.filters[event] & dataset.required) != dataset.required:
        return 1
    if dataset.accept != 0:
        fired = events.triggers[event]
        if (fired & dataset.accept) == 0 or (fired & dataset.veto) != 0:
            return 2
    return 3


@scalar
def is_plain(cuts):
    """Whether every event passes the gate, with a weight of 1: data of which no mask, filter or trigger is asked."""
    dataset = cuts.dataset
    return dataset.simulation == 0 and dataset.masked == 0 and dataset.required == 0 and dataset.accept == 0


@scalar
def generator_weight(event, inputs, cuts):
    """Return the event's generator weight in units of W0; 1 for data, whatever the file says."""
    if cuts.dataset.simulation == 0:
        return 1.0
    return inputs.events.gen_weight[event] * cuts.dataset.inverse_weight_unit
