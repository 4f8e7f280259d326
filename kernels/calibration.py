"""Calibrations: what is found of each object before a channel's kernel sees it, as a program of :mod:`.launch`.

Corrections made of formulas, transforms, random numbers or of one another would make every channel's kernel larger by
an interpreter of formulas. Here they are evaluated once an object, over one collection: the *nominal* run of the steps
gives the object its transverse momentum, and the missing momentum follows; further runs give columns, which the
channel's kernel takes for shifts and weights.

An object's *quantities* are scratch memory: :data:`QUANTITIES`, what is read for it, what the steps have found.
"""

from __future__ import annotations

from typing import NamedTuple

from gpuhiggs.kernels import fill as sums  # noqa: F401 (what launch's driver expects of a program)
from gpuhiggs.kernels import lookup
from gpuhiggs.kernels.four_vector import P4
from gpuhiggs.kernels.language import Float32, Float64, Int64, add, each, local, scalar
from gpuhiggs.kernels.met import recoiled
from gpuhiggs.kernels.real import atan2, sincos
from gpuhiggs.kernels.rows import GATES, STEPS, gate, generator_weight  # noqa: F401 (parts of the program)

QUANTITIES = ("pt", "eta", "abs_eta", "phi", "index")
"""What every object has; the last is its place in the event."""
PT, ETA, ABS_ETA, PHI, INDEX = range(len(QUANTITIES))

SLOTS = 96
"""Capacity of the quantities of one object, scratch of the corrections included."""

KEEP, SCALE, RELATIVE = range(3)
"""What a row does with its value besides keeping it: nothing; pt·value; pt·(1 + sign·value)."""

ROW = 4
KIND, ROOT, SLOT, WHERE = range(ROW)
"""Columns of a row: kind; root of the correction; slot of its value; root of the condition, or ALWAYS."""

ALWAYS = 1 << 62

RUN = 3
FIRST, LAST, AFTER_NOMINAL = range(RUN)
"""Columns of a run: its rows; whether it goes on from the calibrated objects, or from those of the file."""


class Inputs(NamedTuple):
    """One collection, and what its steps ask for."""

    offsets: Int64
    wanted: Int64
    """1 of events whose objects matter; empty: of all."""
    pt: Float32
    eta: Float32
    phi: Float32
    mass: Float32
    """Empty where it does not scale with the pt."""
    met_pt: Float32
    """Empty where it does not follow, as the next."""
    met_phi: Float32
    values: Float64
    """Further quantities, one after the other."""
    starts: Int64
    """Where each of them begins; of an event's own quantity ~place."""


class Cuts(NamedTuple):
    """How much there is of everything."""

    inputs: int
    runs: int
    takes: int
    objects: int
    has_wanted: int
    has_mass: int
    moves_met: int
    met_pt_min: float
    """The missing momentum follows objects above it, GeV."""


class Tables(NamedTuple):
    """Steps."""

    corrections: lookup.Lookup
    rows: Int64
    """Shape (rows, ROW)."""
    numbers: Float64
    """Shape (rows, 2): the value where the condition does not hold, NaN for the one that is there, and the sign."""
    runs: Int64
    """Shape (runs, RUN), the nominal first."""
    takes: Int64
    """Shape (columns, 3): the run that a column takes its values from, the slot, the column; runs rise."""
    problems: Int64
    """Shape (rows,): evaluations that gave no value."""


class Out(NamedTuple):
    """What comes out."""

    errors: Int64
    pt: Float32
    mass: Float32
    met_pt: Float32
    met_phi: Float32
    columns: Float32
    """Shape (columns, objects)."""


@scalar
def preselect(event, inputs, cuts):
    """Whether the event's objects matter."""
    return cuts.has_wanted == 0 or inputs.wanted[event] == 1


@scalar
def evaluated(tables, row, reference, quantities):
    """Return the value of a correction; NaN, which is counted, where it has none."""
    value, code = lookup.evaluate(tables.corrections, reference, quantities)
    if code != lookup.FOUND or value != value:
        add(tables.problems, row, 1)
    return value


@scalar
def step(tables, row, quantities):
    """Do one row of the steps."""
    entry = row * ROW
    condition = tables.rows[entry + WHERE]
    if condition != ALWAYS and evaluated(tables, row, condition, quantities) == 0.0:
        value = tables.numbers[2 * row]
        if value != value:
            value = quantities[tables.rows[entry + SLOT]]
    else:
        value = evaluated(tables, row, tables.rows[entry + ROOT], quantities)
    quantities[tables.rows[entry + SLOT]] = value
    kind = tables.rows[entry + KIND]
    if kind == SCALE:
        quantities[PT] = quantities[PT] * value
    elif kind == RELATIVE:
        quantities[PT] = quantities[PT] * (1.0 + tables.numbers[2 * row + 1] * value)


@scalar
def begin(event, i, inputs, cuts, quantities):
    """Write what is known of an object before any step."""
    quantities[PT] = inputs.pt[i]
    quantities[ETA] = inputs.eta[i]
    quantities[ABS_ETA] = abs(inputs.eta[i])
    quantities[PHI] = inputs.phi[i]
    quantities[INDEX] = i - inputs.offsets[event]
    for k in range(cuts.inputs):
        start = inputs.starts[k]
        quantities[INDEX + 1 + k] = inputs.values[start + i] if start >= 0 else inputs.values[~start + event]


@scalar
def calibrate(event, i, inputs, cuts, tables, out, quantities):
    """Do all runs of one object."""
    take = 0
    for run in range(cuts.runs):
        if tables.runs[run * RUN + AFTER_NOMINAL] == 1:
            quantities[PT] = out.pt[i]
        else:
            begin(event, i, inputs, cuts, quantities)
        for row in range(tables.runs[run * RUN + FIRST], tables.runs[run * RUN + LAST]):
            step(tables, row, quantities)
        if run == 0:
            out.pt[i] = quantities[PT]
            quantities[PT] = out.pt[i]
            if cuts.has_mass == 1:
                out.mass[i] = inputs.mass[i] * (quantities[PT] / inputs.pt[i])
        while take < cuts.takes and tables.takes[3 * take] == run:
            out.columns[tables.takes[3 * take + 2] * cuts.objects + i] = quantities[tables.takes[3 * take + 1]]
            take += 1


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Calibrate the objects of one event."""
    quantities = local(SLOTS)
    follows = cuts.moves_met == 1
    met = P4(0.0, 0.0, 0.0, 0.0)
    if follows:
        sin_phi, cos_phi = sincos(inputs.met_phi[event])
        met = P4(inputs.met_pt[event] * cos_phi, inputs.met_pt[event] * sin_phi, 0.0, inputs.met_pt[event])
    changed = False
    for i in each(inputs, event):
        calibrate(event, i, inputs, cuts, tables, out, quantities)
        if follows and out.pt[i] > cuts.met_pt_min and out.pt[i] != inputs.pt[i]:
            met = recoiled(met, inputs.pt[i], out.pt[i], inputs.phi[i])
            changed = True
    if changed:
        out.met_pt[event] = met.e
        out.met_phi[event] = atan2(met.py, met.px)
