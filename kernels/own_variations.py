"""Variations in a channel of the user's own: what its body asks of the one that it runs for, and how it fills.

::

    MOVES, WEIGHED = ("muon",), ("muon",)

    @scalar
    def body(event, inputs, cuts, weight, variation, out):
        for i in each(inputs.Muon, event):
            pt = moved_pt(inputs.Muon, i, MUON, variation)
            …
        weight *= scale_factor(inputs.Muon, i, MUON, variation)
        fill_varied(out.mass, mass, weight, variation)

The body runs for the nominal and again for each shift of objects. What varies the weight alone is filled beside the
nominal, from ratios that the event and its scale factors have; see :mod:`.shifts` and :mod:`.weights`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from . import fill as sums
from . import histogram as one
from . import kept, met, shifts
from . import weights as factors
from .language import add, scalar


class Variation(NamedTuple):
    """Which variation a body runs for."""

    shift: int
    """0: the nominal, with all variations of the weight."""
    tables: Any
    ratios: Any
    """Of each variation of the weight to the nominal, as far as it is known."""


@scalar
def moved_pt(collection, i, kind, variation):
    """Return the pt of object *i* of a collection with pt, eta and phi; *kind* is MUON, ELECTRON, PHOTON or JET."""
    return shifts.moved_pt(collection, i, variation.shift, variation.tables, kind)


@scalar
def moved_met(missing, event, variation):
    """Return the missing momentum as a four-vector, as a shift of class met moves it, from pt and phi of an event.

    What a shift of other objects makes of it, :func:`recoiled` adds.
    """
    return met.missing_momentum(missing, event, variation.shift, variation.tables)


@scalar
def recoiled(momentum, collection, kind, event, pt_min, variation):
    """Return the missing momentum with what a shift does to the objects of a collection above *pt_min* taken in."""
    return met.propagated(momentum, collection, kind, event, variation.shift, variation.tables, pt_min)


@scalar
def scale_factor(collection, i, kind, variation):
    """Return the factor of a selected object, with its pt as it is moved; what varies it counts in all later fills.

    To be asked once an object: see :func:`forget`.
    """
    pt = moved_pt(collection, i, kind, variation)
    eta, phi = collection.eta[i], collection.phi[i]
    factor = factors.of_object(kind, pt, eta, phi, variation.shift, variation.tables, variation.ratios)
    return factor * factors.of_column(kind, i, variation.shift, variation.tables, variation.ratios)


@scalar
def forget(event, variation):
    """Let the scale factors asked so far count in no later fill: where one event is filled for several pairs."""
    factors.of_event(event, variation.shift, variation.tables, variation.ratios)


@scalar
def fill_varied(histogram, x, weight, variation):
    """Fill *x* for this variation, and with the nominal for all variations of the weight."""
    fill_category_varied(histogram, 0, x, weight, variation)


@scalar
def fill_category_varied(histogram, category, x, weight, variation):
    """Fill *x* into a category of a histogram, by its number, as :func:`fill_varied` does."""
    shift = variation.shift
    if category < 0 or category >= histogram.categories:
        add(histogram.problems, one.MISFILLED, 1)
    elif not sums.is_weight(weight):
        add(histogram.problems, one.BAD_WEIGHT, 1)
    elif shift < histogram.shifts:
        cell = one.cell_of(histogram, category, x)
        quantised = sums.quantise(weight)
        start = cell * histogram.variations
        square = (cell * histogram.shifts + shift) * 2
        add(histogram.problems, one.WEIGHTED + shift, 1)
        add(histogram.sumw, start + shift, quantised.q)
        add(histogram.sumw2, square, quantised.hi)
        add(histogram.sumw2, square + 1, quantised.lo)
        if shift == 0:
            fill_weights(histogram, start + histogram.shifts, weight, variation.ratios)


@scalar
def fill_weights(histogram, start, weight, ratios):
    """Add to the bin's variations of the weight, which begin at *start*."""
    for number in range(histogram.variations - histogram.shifts):
        varied = weight * ratios[number]
        if sums.is_weight(varied):
            add(histogram.sumw, start + number, sums.quantise(varied).q)
        else:
            add(histogram.problems, one.BAD_WEIGHT, 1)


@scalar
def passed_once(out, step, weight, variation):
    """Count an event in a row of the cutflow, which is that of the nominal."""
    if variation.shift == 0:
        one.passed(out, step, weight)


@scalar
def keep_once(out, event, weight, values, variation):
    """Keep an event that the nominal selects; see :func:`gpuhiggs.language.keep`."""
    if variation.shift == 0:
        kept.keep(out, event, weight, values)
