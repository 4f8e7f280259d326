"""Missing transverse momentum."""

from __future__ import annotations

from typing import NamedTuple

from . import real
from .four_vector import P4
from .language import Float32, each, scalar
from .shifts import ADDED, BRANCH, CLASSES, KIND, MET, ROW, moved, moved_pt, moves

MET_PT_MIN = 15.0
"""GeV: the missing momentum of CMS has seen the calibration of jets above it (type-1, JINST 14 (2019) P07004)."""


class MissingMomentum(NamedTuple):
    """One vector an event, GeV."""

    pt: Float32
    phi: Float32


@scalar
def missing_momentum(met, event, shift, tables):
    """Return the missing transverse momentum as a massless four-vector at η = 0, as a shift moves it itself.

    What a shift of other objects makes of it, :func:`propagated` adds. Branches that replace it are pairs (pt, phi);
    those that are added are pairs (x, y).
    """
    pt, phi = met.pt[event], met.phi[event]
    shifts, branches = tables.shifts, tables.branches
    x, y = 0.0, 0.0
    for row in range(shifts.first[shift], shifts.first[shift + 1]):
        if shifts.rows[row * ROW + CLASSES] & MET == 0:
            continue
        kind = shifts.rows[row * ROW + KIND]
        if kind < ADDED:
            pt = moved(tables, row, event, pt, 0.0, phi)
            continue
        number = shifts.rows[row * ROW + BRANCH]
        first = branches.values[branches.starts[number] + event]
        second = branches.values[branches.starts[number + 1] + event]
        if kind == ADDED:
            x, y = x + shifts.sign[row] * first, y + shifts.sign[row] * second
        else:
            pt, phi = first, second
    sin_phi, cos_phi = real.sincos(phi)
    if x == 0.0 and y == 0.0:
        return P4(pt * cos_phi, pt * sin_phi, 0.0, pt)
    return transverse(pt * cos_phi + x, pt * sin_phi + y)


@scalar
def transverse(px, py):
    """Return the massless four-vector at η = 0 of a transverse momentum."""
    return P4(px, py, 0.0, real.sqrt(px * px + py * py))


@scalar
def recoiled(met, before, after, phi):
    """Return the missing momentum once an object's pt is *after* instead of *before*."""
    sin_phi, cos_phi = real.sincos(phi)
    change = before - after
    return transverse(met.px + change * cos_phi, met.py + change * sin_phi)


@scalar
def propagated(met, collection, kind, event, shift, tables, pt_min):
    """Return the missing momentum with what a shift does to the objects of a collection above *pt_min* taken into it.

    *pt_min* is that of the objects whose calibration the missing momentum has seen: 15 GeV for the jets of CMS.
    """
    if not moves(tables, shift, kind):
        return met
    for i in each(collection, event):
        before = collection.pt[i]
        if before > pt_min:
            met = recoiled(met, before, moved_pt(collection, i, shift, tables, kind), collection.phi[i])
    return met
