"""Weights: corrections of an event's weight, and their variations as ratios to the nominal.

The weight of an event is its generator weight times factors: branches of the file, corrections of the event or of each
selected object. A factor's variations change no selection, so they are filled beside the nominal, contiguously, from
ratios that are found once an event. What there is, rows of ``tables.weights`` say, made from the configuration by
:mod:`gpuhiggs.variations`.

In a body, after the selection::

    ratios = local(WEIGHTS)
    value *= of_event(event, shift, tables, ratios)
    value *= of_object(MUON, pt, eta, phi, shift, tables, ratios)       # for each selected object
    weights = varied(value, shift, tables, ratios, local_int(WEIGHTS))
    fill_varied(out.histograms, number, category, x, shift, weights)
"""

from __future__ import annotations

from typing import NamedTuple

from . import shifts
from .fill import Weights, is_weight, quantise
from .language import Int64, Sums, add, scalar
from .shifts import ELECTRON, MUON

WEIGHTS = 512
"""The most variations of the weight that a run may have."""

NO_BASE = 1 << 62
"""A correction that is not relative to another; references may be negative."""

BRANCH, EVENT, OBJECT, COLUMN = range(4)
"""Kinds of rows: values of a branch; a correction whose variable is a branch; a correction of each selected object; the
value that each selected object has in a branch."""

NO_RATIOS = 1
"""For a shift, where only factors are wanted: control regions have no variations."""

NOMINAL = -1
"""The place of a row that multiplies the weight itself."""

ROW = 8
KIND, FIRST, COUNT, VALUES, BASE, CLASSES, ROOT, MEMBER = range(ROW)
"""Columns of a row: kind; place of its first variation; how many; branch of its values; what these are relative to, a
branch (BRANCH, COLUMN), -1 for 1, or the nominal's root (the others); classes of objects; root of the correction; first
value of the branch that is taken."""


class WeightTable(NamedTuple):
    """All variations of the weight."""

    n: int
    """Variations."""
    n_rows: int
    rows: Int64
    """Shape (n_rows, ROW)."""
    problems: Sums
    """Lookups that gave no value; variations of the weight that cannot be summed."""


@scalar
def of_branch(i, tables, row, member):
    """Return the value of a branch, of an event or an object, for one variation, relative to its nominal."""
    rows, branches = tables.weights.rows, tables.branches
    place = branches.starts[rows[row + VALUES]] + i * branches.strides[rows[row + VALUES]]
    value = branches.values[place + rows[row + MEMBER] + member]
    base = rows[row + BASE]
    return value if base < 0 else value / shifts.branch_value(branches, base, i)


@scalar
def of_correction(tables, row, pt, eta, phi):
    """Return the value of a correction of an object, or of an event, relative to its nominal."""
    weights = tables.weights
    value = shifts.looked_up(tables, weights.rows[row + ROOT], pt, eta, phi, weights.problems)
    base = weights.rows[row + BASE]
    if base == NO_BASE:
        return value
    return value / shifts.looked_up(tables, base, pt, eta, phi, weights.problems)


@scalar
def of_event(event, shift, tables, ratios):
    """Return the factor of the event itself, and begin the ratios of the variations with what it has of them."""
    weights = tables.weights
    rows = weights.rows
    factor = 1.0
    if shift == 0:
        for variation in range(weights.n):
            ratios[variation] = 1.0
    for number in range(weights.n_rows):
        row = number * ROW
        kind = rows[row + KIND]
        first = rows[row + FIRST]
        if kind >= OBJECT or (first >= 0 and shift != 0):
            continue
        if kind == EVENT:
            x = shifts.branch_value(tables.branches, rows[row + VALUES], event)
            value = of_correction(tables, row, x, x, 0.0)
            if first < 0:
                factor *= value
            else:
                ratios[first] *= value
        elif first < 0:
            factor *= of_branch(event, tables, row, 0)
        else:
            for member in range(rows[row + COUNT]):
                ratios[first + member] *= of_branch(event, tables, row, member)
    return factor


@scalar
def of_object(kind, pt, eta, phi, shift, tables, ratios):
    """Return the factor of one selected object, and take what it varies into the ratios."""
    weights = tables.weights
    rows = weights.rows
    factor = 1.0
    for number in range(weights.n_rows):
        row = number * ROW
        first = rows[row + FIRST]
        if rows[row + KIND] != OBJECT or rows[row + CLASSES] & kind == 0 or (first >= 0 and shift != 0):
            continue
        value = of_correction(tables, row, pt, eta, phi)
        if first < 0:
            factor *= value
        else:
            ratios[first] *= value
    return factor


@scalar
def has_columns(kind, tables):
    """Whether objects of a class weigh by what a branch has of them."""
    weights = tables.weights
    for number in range(weights.n_rows):
        row = number * ROW
        if weights.rows[row + KIND] == COLUMN and weights.rows[row + CLASSES] & kind != 0:
            return True
    return False


@scalar
def of_column(kind, i, shift, tables, ratios):
    """Return the factor that branches have of selected object *i*, and take what they vary into the ratios."""
    weights = tables.weights
    rows = weights.rows
    factor = 1.0
    for number in range(weights.n_rows):
        row = number * ROW
        first = rows[row + FIRST]
        if rows[row + KIND] != COLUMN or rows[row + CLASSES] & kind == 0 or (first >= 0 and shift != 0):
            continue
        value = of_branch(i, tables, row, 0)
        if first < 0:
            factor *= value
        else:
            ratios[first] *= value
    return factor


@scalar
def of_lepton(leptons, lepton, shift, tables, ratios):
    """Return the factor of a selected lepton; see :func:`of_object`."""
    kind = MUON if leptons.kind[lepton] == 13 else ELECTRON
    factor = of_object(kind, leptons.pt[lepton], leptons.eta[lepton], leptons.phi[lepton], shift, tables, ratios)
    return factor * of_column(kind, leptons.entry[lepton], shift, tables, ratios)


@scalar
def varied(value, shift, tables, ratios, others):
    """Return an event's weight and its variations as integers, once for all histograms."""
    weights = tables.weights
    if not is_weight(value):
        add(weights.problems, 1, 1)
        value = 0.0
    if shift == 0:
        quantise_others(value, weights, ratios, others)
    return Weights(quantise(value), others)


@scalar
def quantise_others(value, weights, ratios, others):
    """Turn the weight of every variation into an integer."""
    for variation in range(weights.n):
        weight = value * ratios[variation]
        if is_weight(weight):
            others[variation] = quantise(weight).q
        else:
            others[variation] = 0
            add(weights.problems, 1, 1)
