"""A classifier over arrays: one evaluation a row, as a program of :mod:`.launch`."""

from __future__ import annotations

from typing import NamedTuple

from gpuhiggs.kernels import classifier
from gpuhiggs.kernels import fill as sums  # noqa: F401 (what launch's driver expects of a program)
from gpuhiggs.kernels.language import Float64, Sums, WrittenFloat64, local, scalar
from gpuhiggs.kernels.rows import GATES, STEPS, gate, generator_weight, preselect  # noqa: F401 (parts of the program)


class Inputs(NamedTuple):
    """The inputs, row by row."""

    values: Float64
    """Shape (rows, inputs)."""


class Cuts(NamedTuple):
    """Whether margins are wanted rather than scores."""

    margins: int


class Tables(NamedTuple):
    """The model."""

    classifier: classifier.Classifier


class Out(NamedTuple):
    """What comes out."""

    errors: Sums
    values: WrittenFloat64
    """Shape (rows, outputs)."""


@scalar
def body(event, shift, inputs, cuts, tables, out):
    """Evaluate one row."""
    model = tables.classifier
    values = local(64)
    found = local(16)
    for i in range(model.inputs):
        values[i] = inputs.values[event * model.inputs + i]
    if cuts.margins == 1:
        classifier.margins(model, values, found)
    else:
        classifier.scores(model, values, found)
    for k in range(model.outputs):
        out.values[event * model.outputs + k] = found[k]
