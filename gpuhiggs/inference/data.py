"""The data sets a likelihood can be asked about: observed, Asimov and toys.

A data set is the counts of all bins and the results of the auxiliary measurements: flat vectors in the model's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpuhiggs.errors import InputError
from gpuhiggs.inference import batch
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.model import Workspace


@dataclass(frozen=True)
class Data:
    """One data set.

    Attributes
    ----------
    counts
        Events of each bin, shape (bins,); integers, but for an Asimov data set.
    auxiliary
        Results of the auxiliary measurements, shape (constraints,): Gaussian, then Poisson.
    """

    counts: FloatArray
    auxiliary: FloatArray


def observed(model: FlatModel, workspace: Workspace, *, integers: bool = True) -> Data:
    """Return the workspace's observed counts, with every auxiliary measurement at its nominal result.

    Raises
    ------
    InputError
        A channel has no observed counts, or as `counted`.
    """
    for channel in workspace.channels:
        if channel.observed is None:
            msg = f"channel {channel.name!r} has no observed counts"
            raise InputError(msg)
    counts = np.concatenate([channel.observed for channel in workspace.channels if channel.observed is not None])
    return counted(model, counts, integers=integers)


def counted(model: FlatModel, counts: npt.ArrayLike, *, integers: bool = True) -> Data:
    """Return a data set of given counts, with every auxiliary measurement at its nominal result.

    Parameters
    ----------
    counts
        Events of each bin in the order of the model's channels, shape (bins,).
    integers
        Refuse counts that are no integers; False for expected or weighted events taken as data.

    Raises
    ------
    InputError
        A wrong number of counts, a count that is NaN, negative or (with `integers`) no integer.
    """
    values = np.array(counts, dtype=np.float64)
    if values.shape != (model.n_bins,):
        msg = f"counts of shape {values.shape}, expected ({model.n_bins},): {_bins_of(model)}"
        raise InputError(msg)
    for position in np.flatnonzero(~np.isfinite(values) | (values < 0.0)).tolist():
        msg = f"{model.bin_name(position)}: {values[position]} observed events, expected a finite number >= 0"
        raise InputError(msg)
    for position in np.flatnonzero(integers & (values != np.rint(values))).tolist():
        msg = (
            f"{model.bin_name(position)}: {values[position]} observed events, expected an integer;"
            " expected or weighted events are taken as data with integers=False"
        )
        raise InputError(msg)
    return Data(values, model.constraints.nominal)


def asimov(model: FlatModel, parameters: Mapping[str, float] | None = None) -> Data:
    """Return the data set that equals what the model expects, counts and auxiliary measurements alike.

    Any fit of the model to it has its maximum at the parameters (Cowan et al., arXiv:1007.1727 §3.2), which are the
    initial values and those given by name.
    """
    theta = model.values(parameters)
    constraints = model.constraints
    auxiliary = np.concatenate([theta[constraints.gaussian], theta[constraints.poisson] * constraints.events])
    return Data(_expected(model, theta), auxiliary)


def draw_toys(
    model: FlatModel, n: int, generator: np.random.Generator, parameters: Mapping[str, float] | None = None
) -> tuple[Data, ...]:
    """Return `n` pseudo-data sets drawn at the parameters: the initial values, and those given by name.

    Counts are Poisson; auxiliary measurements are drawn from their own normal or Poisson. Each toy has its own child of
    `generator`, so toy k of a fresh seeded generator is the same however many are drawn.
    """
    if n < 1:
        msg = f"{n} toys, expected at least 1"
        raise InputError(msg)
    theta = model.values(parameters)
    expected, constraints = _expected(model, theta), model.constraints
    toys = []
    for child in generator.spawn(n):
        counts = child.poisson(expected).astype(np.float64)
        normal = child.normal(0.0, constraints.width)
        if constraints.correlation is not None:
            normal = constraints.width * (np.linalg.cholesky(constraints.correlation) @ (normal / constraints.width))
        normal = theta[constraints.gaussian] + normal
        events = child.poisson(theta[constraints.poisson] * constraints.events)
        toys.append(Data(counts, np.concatenate([normal, events])))
    return tuple(toys)


def stack(data: Sequence[Data]) -> tuple[FloatArray, FloatArray]:
    """Return the counts and auxiliary results of data sets, shapes (data sets, bins) and (data sets, constraints)."""
    return np.array([d.counts for d in data]), np.array([d.auxiliary for d in data])


def _expected(model: FlatModel, theta: FloatArray) -> FloatArray:
    expected = batch.expected(model, theta)[0]
    expected[np.abs(expected) <= model.arrays.floor] = 0.0
    for position in np.flatnonzero(~(expected >= 0.0)).tolist():
        msg = (
            f"{model.bin_name(position)}: {expected[position]} events expected at these parameters, no data can be made"
        )
        raise InputError(msg)
    return expected


def _bins_of(model: FlatModel) -> str:
    return ", ".join(f"{bins.stop - bins.start} of {name!r}" for name, bins in model.channels.items())
