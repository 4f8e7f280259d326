"""Unfolding by likelihood: a strength for each generator bin, with the response matrix as templates.

There is no regularisation: what the response does not resolve shows as errors and correlations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gpuhiggs.errors import InputError
from gpuhiggs.inference.data import Data
from gpuhiggs.inference.fit import FitResult, fit
from gpuhiggs.inference.flat_model import FlatModel, FloatArray
from gpuhiggs.inference.model import Channel, Sample, Workspace
from gpuhiggs.inference.modifiers import Modifier, NormFactor


@dataclass(frozen=True)
class Response:
    """A channel of an unfolding.

    Attributes
    ----------
    matrix
        Expected events in each reconstructed bin from each generator bin, shape (generator, reconstructed), for the
        predicted cross sections.
    background
        Expected events of each background, shape (reconstructed,).
    observed
        Counts, shape (reconstructed,), None if there are none yet.
    modifiers
        Uncertainties of each background, and of ``signal``, which are those of every generator bin. A shape's
        templates must be those of the sample that it changes, so `signal` takes normalisations only.
    """

    matrix: npt.ArrayLike
    background: Mapping[str, npt.ArrayLike]
    observed: npt.ArrayLike | None = None
    modifiers: Mapping[str, Sequence[Modifier]] | None = None


@dataclass(frozen=True)
class Unfolded:
    """Unfolded cross sections.

    Attributes
    ----------
    names
        Names of the strengths, one for each generator bin.
    values, minus, plus
        Cross sections and their MINOS errors (`minus` negative; the Hessian's where MINOS finds none).
    predicted
        The predicted ones.
    correlation
        Shape (bins, bins).
    result
        The fit.
    """

    names: tuple[str, ...]
    values: FloatArray
    minus: FloatArray
    plus: FloatArray
    predicted: FloatArray
    correlation: FloatArray
    result: FitResult

    def to_json(self) -> dict[str, object]:
        """Return the JSON form, without the fit."""
        return {
            "names": list(self.names),
            "values": self.values.tolist(),
            "minus": self.minus.tolist(),
            "plus": self.plus.tolist(),
            "predicted": self.predicted.tolist(),
            "correlation": self.correlation.tolist(),
            "converged": self.result.converged,
        }


def unfolding_workspace(channels: Mapping[str, Response], names: Sequence[str]) -> Workspace:
    """Return the model with one strength ``mu_NAME`` for each generator bin, shared by all channels.

    Raises
    ------
    InputError
        A matrix has another number of generator bins than there are names, or a bin that nothing is reconstructed of.
    """
    made, total = [], np.zeros(len(names))
    for channel, response in channels.items():
        matrix, more = np.asarray(response.matrix, dtype=np.float64), response.modifiers or {}
        if matrix.ndim != 2 or len(matrix) != len(names):
            msg = f"channel {channel!r}: response of shape {matrix.shape}, expected {len(names)} generator bins"
            raise InputError(msg)
        if unknown := set(more) - {"signal", *response.background}:
            msg = f"channel {channel!r}: modifiers of {', '.join(sorted(unknown))}, which is no sample"
            raise InputError(msg)
        total += matrix.sum(axis=1)
        samples = [
            Sample(
                name=f"signal_{name}",
                yields=tuple(row.tolist()),
                modifiers=(NormFactor(parameter=f"mu_{name}"), *more.get("signal", ())),
            )
            for name, row in zip(names, matrix, strict=True)
        ]
        for name, yields in response.background.items():
            values = tuple(np.asarray(yields, dtype=np.float64).tolist())
            samples.append(Sample(name=name, yields=values, modifiers=tuple(more.get(name, ()))))
        counts = None if response.observed is None else tuple(np.asarray(response.observed, dtype=np.float64).tolist())
        made.append(Channel(name=channel, samples=tuple(samples), observed=counts))
    if not np.all(total > 0.0):
        missing = [name for name, events in zip(names, total, strict=True) if not events > 0.0]
        msg = f"generator bin {', '.join(missing)}: nothing of it is reconstructed, so nothing can be said of it"
        raise InputError(msg)
    pois = tuple(f"mu_{name}" for name in names)
    return Workspace(poi=pois[0], pois=pois[1:], channels=tuple(made))


def unfold(model: FlatModel, data: Data, predicted: npt.ArrayLike | None = None) -> Unfolded:
    """Fit all strengths; `predicted` are the cross sections of strength 1, None for 1 each.

    Raises
    ------
    InputError
        As `fit`, or predictions of another number.
    """
    return unfolded(fit(model, data, minos=model.pois), model.pois, predicted)


def unfolded(result: FitResult, names: Sequence[str], predicted: npt.ArrayLike | None = None) -> Unfolded:
    """Return the cross sections of a fit with all strengths free.

    Raises
    ------
    InputError
        Predictions of another number, or a strength that the fit held.
    """
    scale = np.ones(len(names)) if predicted is None else np.asarray(predicted, dtype=np.float64)
    if scale.shape != (len(names),):
        msg = f"predicted cross sections of shape {scale.shape}, expected {len(names)}"
        raise InputError(msg)
    if missing := [name for name in names if name not in result.free]:
        msg = f"unfolding: {', '.join(missing)} is not free"
        raise InputError(msg)
    found = [result.parameters[name] for name in names]
    places = [result.free.index(name) for name in names]
    covariance = result.covariance[np.ix_(places, places)]
    size = np.sqrt(np.diag(covariance))
    return Unfolded(
        names=tuple(names),
        values=scale * [e.value for e in found],
        minus=scale * [-e.error if e.minus is None else e.minus for e in found],
        plus=scale * [e.error if e.plus is None else e.plus for e in found],
        predicted=scale,
        correlation=covariance / np.outer(size, size),
        result=result,
    )
