"""Blinding: what of the data nobody sees before the configuration says ``unblind: true``.

A selection says where its signal is (``blind``): categories, and windows in those histograms that resolve it. Bins of
data there are NaN from the read-out on, so that nothing downstream can draw, print, fit or write them by mistake; rows
of skims are left out, and of the cutflow those that would tell the number of events. Data are whatever a dataset of the
kind ``data`` holds: pseudo-data are blinded too, since nothing in a file tells them apart. Simulation never is.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import hist
import numpy as np

from .config import BlindConfig, RunConfig
from .errors import ConfigError
from .histogram import Axis, HistogramSpec


def of(config: RunConfig, kind: str = "data") -> BlindConfig | None:
    """Return what is withheld of datasets of a kind; None: nothing is."""
    return None if config.unblind or kind != "data" else config.selection.blind


def check(config: RunConfig, specs: Sequence[HistogramSpec], steps: Sequence[str]) -> None:
    """Hold a selection's ``blind`` to what its channel has: a misspelt name would blind nothing.

    Raises
    ------
    ConfigError
        If it names a histogram, category or step that there is not.
    """
    blind = config.selection.blind
    if blind is None:
        return
    known = {spec.name: spec for spec in specs}
    if unknown := [name for name in blind.windows if name not in known]:
        msg = f"selection.blind.windows: unknown {unknown[0]!r}; the channel has {', '.join(known)}"
        raise ConfigError(msg)
    categories = {category for spec in specs for category in spec.categories}
    for pattern in blind.categories:
        if not fnmatch.filter(categories, pattern):
            there_are = ", ".join(specs[0].categories)
            msg = f"selection.blind.categories: no category matches {pattern!r}; there are {there_are}"
            raise ConfigError(msg)
    if blind.last_step not in steps:
        msg = f"selection.blind.last_step: unknown {blind.last_step!r}; the steps are {', '.join(steps)}"
        raise ConfigError(msg)


def bins(blind: BlindConfig, spec: HistogramSpec) -> np.ndarray:
    """Return which bins hold the signal: shape (categories, bins + 2), flow bins included.

    A bin that the window only touches is withheld as a whole.
    """
    hidden = np.array([_is_blind(blind, category) for category in spec.categories])
    inside = np.ones(spec.axis.bins + 2, dtype=bool)
    if spec.name in blind.windows:
        low, high = blind.windows[spec.name]
        edges = np.concatenate([[-np.inf], _edges(spec.axis), [np.inf]])
        inside = (edges[1:] > low) & (edges[:-1] < high)
    return np.asarray(hidden[:, None] & inside[None, :])


def _is_blind(blind: BlindConfig, category: str) -> bool:
    return any(fnmatch.fnmatchcase(category, pattern) for pattern in blind.categories)


def _edges(axis: Axis) -> np.ndarray:
    return np.asarray(axis.to_hist().edges)


def withhold(blind: BlindConfig, spec: HistogramSpec, histogram: hist.Hist[Any]) -> None:
    """Make the blind bins of a histogram over (category, axis) NaN, values and variances."""
    view: Any = histogram.view(flow=True)[: len(spec.categories)]
    hidden = bins(blind, spec)
    view.value[hidden] = np.nan
    view.variance[hidden] = np.nan


def shown_steps(blind: BlindConfig, steps: Sequence[str]) -> int:
    """Return how many rows of a cutflow are shown."""
    return steps.index(blind.last_step) + 1


def shown(
    blind: BlindConfig | None, categories: Sequence[str], selected: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Leave out the selected events that nobody is to see; see :func:`shown_rows`."""
    if blind is None:
        return dict(selected)
    rows = shown_rows(blind, categories, selected)
    return {name: values[rows] for name, values in selected.items()}


def shown_rows(blind: BlindConfig, categories: Sequence[str], selected: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which selected events may be seen.

    Parameters
    ----------
    categories
        Of the channel's first histogram, in the order that the column ``category`` counts them.
    selected
        Columns; a window holds for the column of its histogram's name.
    """
    n = len(next(iter(selected.values()), ()))
    inside = np.ones(n, dtype=bool)
    for name, (low, high) in blind.windows.items():
        if name in selected:
            inside &= (selected[name] >= low) & (selected[name] <= high)
    hidden = np.ones(n, dtype=bool)
    # Where states and categories are counted apart, the name of a row's category is not known: all may be blind.
    if "final_state" not in selected and "category" in selected:
        blinded = np.array([_is_blind(blind, category) for category in categories])
        hidden = blinded[selected["category"].astype(np.int64)]
    return np.asarray(~(inside & hidden))


def report(config: RunConfig, before: Sequence[Mapping[str, Any]] = (), now: datetime | None = None) -> dict[str, Any]:
    """Return what ``results.json`` says: what is withheld, or what was unblinded and when.

    Parameters
    ----------
    before
        What earlier runs into the same folder have unblinded: the first time counts, and stays.
    """
    blind = config.selection.blind
    declared = None if blind is None else blind.model_dump(mode="json")
    data = [dataset.name for dataset in config.datasets if dataset.kind == "data"]
    unblinded = [dict(entry) for entry in before]
    if config.unblind and blind is not None and data:
        entry = {"datasets": data, "regions": declared}
        if not any({"datasets": one["datasets"], "regions": one["regions"]} == entry for one in unblinded):
            moment = (now or datetime.now(UTC)).isoformat(timespec="seconds")
            unblinded.append({"when": moment, **entry})
    return {
        "blind": not config.unblind and blind is not None and bool(data),
        "regions": declared,
        "unblinded": unblinded,
    }
