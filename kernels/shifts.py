"""Shifts: what moves the objects of an event in a variation, up or down.

Every transverse momentum that a selection looks at comes from :func:`moved_pt`; *shift* 0 is the nominal. What a shift
does is data, not code: rows of ``tables.shifts``, made from the configuration by :mod:`gpuhiggs.variations`. A row
moves one or several classes of objects by a relative size, looked up in the corrections by (pt, eta, abs_eta, phi), or
by what a branch says.

A channel whose objects move has ``MOVES`` in its kernel module, the classes that it asks for here, and multiplies the
pt by ``cuts.dataset.reach`` in its preselection: the largest factor that any shift has.
"""

from __future__ import annotations

from typing import NamedTuple

from . import lookup
from .language import Float32, Float64, Int64, Sums, add, local, scalar

OBJECTS = ("muon", "electron", "photon", "jet", "met")
MUON, ELECTRON, PHOTON, JET, MET = 1, 2, 4, 8, 16
"""A class of objects is a bit, so that one row can move several."""

RELATIVE, FACTOR, ADDED, REPLACED = range(4)
"""Kinds of rows: pt·(1 + sign·size); pt·size; pt + sign·branch; the branch itself."""

ROW = 4
CLASSES, KIND, SIZE, BRANCH = range(ROW)
"""Columns of a row: bits; kind; reference of the size in the corrections; number of the branch."""

QUANTITIES = ("pt", "eta", "abs_eta", "phi")
"""What the size of a shift, or a scale factor, may depend on: the places of the variables of :mod:`.lookup`."""


class Branches(NamedTuple):
    """Branches that only variations need, one after the other."""

    values: Float32
    starts: Int64
    """Where each of them begins."""
    strides: Int64
    """How many values an event, or an object, has."""


class Shifts(NamedTuple):
    """All shifts, the nominal first."""

    first: Int64
    """Shape (shifts + 1,): shift s has the rows first[s] to first[s + 1]."""
    rows: Int64
    """Shape (rows, ROW)."""
    sign: Float64
    """Shape (rows,): what a size is multiplied with."""
    problems: Sums
    """Lookups that gave no value: outside of a binning, an unknown key."""


class Reach(NamedTuple):
    """The largest factor by which any shift raises the pt of an object of a class; 1 where none does."""

    muon: float
    electron: float
    photon: float
    jet: float
    met: float
    lepton: float
    """The larger one of muons and electrons."""


NO_REACH = Reach(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)


@scalar
def looked_up(tables, reference, pt, eta, phi, problems):
    """Return what the corrections say of an object; NaN, which is counted, where they say nothing."""
    variables = local(4)
    variables[0] = pt
    variables[1] = eta
    variables[2] = abs(eta)
    variables[3] = phi
    value, code = lookup.tabulated(tables.corrections, reference, variables)
    if code != lookup.FOUND or value != value:
        add(problems, 0, 1)
    return value


@scalar
def branch_value(branches, number, i):
    """Return the value of a branch for object, or event, *i*."""
    return branches.values[branches.starts[number] + i * branches.strides[number]]


@scalar
def moved(tables, row, i, pt, eta, phi):
    """Return the pt of object *i* as one row of the shifts moves it."""
    shifts = tables.shifts
    kind = shifts.rows[row * ROW + KIND]
    sign = shifts.sign[row]
    if kind >= ADDED:
        value = branch_value(tables.branches, shifts.rows[row * ROW + BRANCH], i)
        return value if kind == REPLACED else pt + sign * value
    size = looked_up(tables, shifts.rows[row * ROW + SIZE], pt, eta, phi, shifts.problems)
    return pt * size if kind == FACTOR else pt * (1.0 + sign * size)


@scalar
def moves(tables, shift, kind):
    """Whether a shift moves objects of a class."""
    shifts = tables.shifts
    for row in range(shifts.first[shift], shifts.first[shift + 1]):  # noqa: SIM110 - kernels have no generators
        if shifts.rows[row * ROW] & kind != 0:
            return True
    return False


@scalar
def moved_pt(collection, i, shift, tables, kind):
    """Return the transverse momentum of object *i* of a collection, which has pt, eta and phi, in a variation."""
    pt = collection.pt[i]
    if shift == 0:  # the loop below would find no row; this is small enough to become part of its caller
        return pt
    return shifted_pt(collection, i, shift, tables, kind, pt)


@scalar
def shifted_pt(collection, i, shift, tables, kind, pt):
    """Return what the rows of a shift make of a transverse momentum."""
    shifts = tables.shifts
    for row in range(shifts.first[shift], shifts.first[shift + 1]):
        if shifts.rows[row * ROW] & kind != 0:
            pt = moved(tables, row, i, pt, collection.eta[i], collection.phi[i])
    return pt
