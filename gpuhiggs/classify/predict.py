"""Scores of a model over arrays, by the kernel itself."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpuhiggs.classify.model import Classifier
from gpuhiggs.classify.tables import tables
from gpuhiggs.errors import InputError
from gpuhiggs.kernels import classifier_rows, launch

_PROGRAM = launch.Program(classifier_rows.__name__)


def predict(model: Classifier, values: ArrayLike, *, margins: bool = False, missing: bool = False) -> NDArray[Any]:
    """Evaluate a model.

    Parameters
    ----------
    model
        The classifier.
    values
        Shape (events, inputs), in the order of ``model.inputs``.
    margins
        Return what the link is applied to.
    missing
        Let NaN stand for a missing value, which trees know what to do with.

    Returns
    -------
    float64 array of shape (events, outputs)

    Raises
    ------
    InputError
        For another number of inputs, or NaN without *missing*.
    """
    rows = np.ascontiguousarray(values, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != len(model.inputs):
        names = ", ".join(model.inputs)
        msg = f"classifier: expected an array of (events, {len(model.inputs)}) for {names}; got {rows.shape}"
        raise InputError(msg)
    if not missing and np.isnan(rows).any():
        event, column = np.argwhere(np.isnan(rows))[0]
        msg = f"classifier: input {model.inputs[column]!r} of event {event} is NaN"
        raise InputError(msg)
    out = classifier_rows.Out(np.zeros(1, np.int64), np.empty(rows.shape[0] * len(model.outputs)))
    arguments = [
        classifier_rows.Inputs(rows.reshape(-1)),
        classifier_rows.Cuts(int(margins)),
        classifier_rows.Tables(tables(model)),
        out,
    ]
    launch.run(_PROGRAM, [launch.record(type(value), value) for value in arguments], 0, len(rows))
    found: NDArray[Any] = out.values.reshape(len(rows), len(model.outputs))
    return found
