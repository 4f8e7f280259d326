"""A background that is a smooth spectrum which the data determine: a template, its normalisation free, bent by them.

In a channel the simulated spectrum T is replaced by exp(polynomial of some degree) fitted to it, S; the model then has

    ν_b = N · S_b · (1 + Σ_k c_k P_k(x_b)),   k = 1 … degree

with P_k Legendre's polynomials over the channel's range, N free and c_k held to 0 ± 0.5 only: what simulation says is
where a fit starts, and what it falls back to in a channel where the data leave no background to speak of.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from hist import Hist, storage
from numpy.polynomial import legendre

from gpuhiggs.errors import InputError
from gpuhiggs.inference.flat_model import FloatArray
from gpuhiggs.inference.model import Channel, ParameterSetting, Sample, Workspace
from gpuhiggs.inference.modifiers import HistoSys, Modifier, NormFactor

NAME = "smooth"
"""The sample that takes the place of the processes."""
STEP = 0.5
"""The width of the constraint of c_k, and what it is counted in."""
EVENTS_A_SHAPE = 10.0
"""A channel has as many c_k as its background has times this many events: fewer do not determine them."""
LEAST = 1e-3
"""The lower bound of N: a bin with an event expects something in every hypothesis."""
LARGEST = 0.95
"""By how much all c_k together may change a bin."""
Templates = Mapping[str, Mapping[str, "Hist[Any]"]]


def merge(
    templates: Templates, processes: Collection[str], degree: int, observed: Mapping[str, Hist[Any]] | None = None
) -> dict[str, dict[str, Hist[Any]]]:
    """Return the templates with *processes* replaced by one smooth sample in every channel, without MC errors.

    Channels with the same bins share the shape of their sum: where there are few simulated events, a fit to them alone
    begins too far from the truth. Where data are given, they set the number of events.

    Raises
    ------
    InputError
        If a channel has no templates at all.
    """
    found: dict[str, dict[str, Hist[Any]]] = {}
    if empty := [channel for channel, by_process in templates.items() if not by_process]:
        msg = f"channel {', '.join(empty)}: no simulated events; join it with another, or simulate more"
        raise InputError(msg)
    totals = {channel: _total(by_process, processes) for channel, by_process in templates.items()}
    for channel, by_process in templates.items():
        axis = next(iter(by_process.values())).axes[0]
        alike = [c for c in templates if np.array_equal(_edges(templates[c]), axis.edges)]
        shape = spectrum(axis.edges, _sum([totals[c][0] for c in alike]), _sum([totals[c][1] for c in alike]), degree)
        rest = {name: h for name, h in by_process.items() if name not in processes}
        events = totals[channel][0].sum()
        if observed is not None:
            events = float(np.sum(observed[channel].values())) - sum(float(np.sum(h.values())) for h in rest.values())
        template: Any = Hist(axis, storage=storage.Weight())
        template.view().value = shape * (max(events, 1.0) / shape.sum())
        found[channel] = rest | {NAME: template}
    return found


def spectrum(edges: FloatArray, values: FloatArray, variances: FloatArray, degree: int) -> FloatArray:
    """Return the smooth spectrum nearest to a histogram, by maximum likelihood: shape (bins,), events.

    Weighted events count as Poisson events of their mean weight. Without any events the spectrum is flat.
    """
    width = np.diff(edges)
    if not values.sum() > 0:
        return np.asarray(width / width.sum())
    weight = variances.sum() / values.sum()
    counts = np.maximum(values, 0.0) / weight
    design = legendre.legvander(_position(edges), degree)
    coefficients = np.zeros(degree + 1)
    coefficients[0] = np.log(counts.sum() / width.sum())
    for _ in range(100):  # Newton's method: the likelihood is concave
        expected = width * np.exp(np.clip(design @ coefficients, -50.0, 50.0))
        curvature = (design * expected[:, None]).T @ design + 1e-9 * np.eye(degree + 1)
        step = np.linalg.solve(curvature, design.T @ (counts - expected))
        coefficients += step * min(1.0, 1.0 / max(np.max(np.abs(step)), 1e-30))
        if np.max(np.abs(step)) < 1e-10:
            break
    return np.asarray(width * np.exp(design @ coefficients) * weight)


def attach(workspace: Workspace, degree: int) -> Workspace:
    """Return the workspace whose smooth sample is free in each channel, in normalisation and shape."""
    settings = list(workspace.parameters)
    channels = []
    for channel in workspace.channels:
        samples = []
        for sample in channel.samples:
            if sample.name == NAME:
                modifiers, more = _freedom(channel, sample, degree)
                sample, settings = sample.model_copy(update={"modifiers": modifiers}), settings + more
            samples.append(sample)
        channels.append(channel.model_copy(update={"samples": tuple(samples)}))
    return workspace.model_copy(update={"channels": tuple(channels), "parameters": tuple(settings)})


def _freedom(channel: Channel, sample: Sample, degree: int) -> tuple[tuple[Modifier, ...], list[ParameterSetting]]:
    """Return the factor and the shapes of a channel; the bounds, wider for lower degrees, keep every bin positive."""
    assert channel.edges is not None
    yields = np.asarray(sample.yields)
    polynomials = legendre.legvander(_position(np.asarray(channel.edges)), degree).T
    modifiers: list[Modifier] = [NormFactor(parameter=f"{NAME}_{channel.name}")]
    settings = [ParameterSetting(name=f"{NAME}_{channel.name}", bounds=(LEAST, 1e6))]
    degree = min(degree, int(yields.sum() / EVENTS_A_SHAPE))
    for k in range(1, degree + 1):
        name, change = f"{NAME}_{channel.name}_{k}", STEP * polynomials[k] * yields
        up, down = tuple((yields + change).tolist()), tuple((yields - change).tolist())
        modifiers.append(HistoSys(parameter=name, up=up, down=down, interpolation="code0"))
        limit = LARGEST / STEP / k / sum(1 / j for j in range(1, degree + 1))
        settings.append(ParameterSetting(name=name, bounds=(-limit, limit)))
    return tuple(modifiers), settings


def _position(edges: FloatArray) -> FloatArray:
    """Return the middle of each bin, from -1 to 1 over the range."""
    middle = 0.5 * (edges[1:] + edges[:-1])
    return np.asarray(2.0 * (middle - edges[0]) / (edges[-1] - edges[0]) - 1.0)


def _total(by_process: Mapping[str, Hist[Any]], processes: Collection[str]) -> tuple[FloatArray, FloatArray]:
    nothing = np.zeros(len(next(iter(by_process.values())).axes[0]))
    chosen = [h for name, h in by_process.items() if name in processes]
    values = _sum([nothing, *(np.asarray(h.values(), dtype=np.float64) for h in chosen)])
    return values, _sum([nothing, *(np.asarray(h.variances(), dtype=np.float64) for h in chosen)])


def _sum(arrays: Sequence[FloatArray]) -> FloatArray:
    return np.asarray(np.sum(arrays, axis=0))


def _edges(by_process: Mapping[str, Hist[Any]]) -> FloatArray:
    return np.asarray(next(iter(by_process.values())).axes[0].edges)
