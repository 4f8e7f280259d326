"""A model of some of the bins of another: control regions alone, the sidebands of a window."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from gpuhiggs.errors import InputError
from gpuhiggs.inference.model import Channel, ParameterSetting, Sample, Workspace
from gpuhiggs.inference.modifiers import BinError, HistoSys, Modifier, NormFactor, ShapeFactor, ShapeSys, StatError


def restricted(workspace: Workspace, counts: Mapping[str, Sequence[float | None]]) -> Workspace:
    """Return the model of those bins whose counts are known, with these as what was observed.

    Each unbroken stretch of bins of a channel becomes a channel: of one that is cut, the names say the edges. The
    parameter of interest is fixed to 1; where nothing depends on it any more, the first free one takes its place.

    Parameters
    ----------
    counts
        By channel: the events of each bin, None where they are not to be known.

    Raises
    ------
    InputError
        If no bin is known, or nothing that the bins depend on is free.
    """
    channels = [
        _part(channel, range(*stretch), counts[channel.name])
        for channel in workspace.channels
        for stretch in _stretches(counts[channel.name])
    ]
    if not channels:
        msg = "no bin of the model may be looked at"
        raise InputError(msg)
    free = [
        modifier.parameter
        for channel in channels
        for sample in channel.samples
        for modifier in sample.modifiers
        if isinstance(modifier, NormFactor) and any(sample.yields)
    ]
    if not free:
        msg = "nothing that the bins which may be looked at depend on is free"
        raise InputError(msg)
    poi = workspace.poi if workspace.poi in free else free[0]
    named = {name for channel in channels for sample in channel.samples for name in _names(sample)}
    settings = {setting.name: setting for setting in workspace.parameters if setting.name in named}
    if poi == workspace.poi:
        known = settings.get(poi, ParameterSetting(name=poi))
        settings[poi] = known.model_copy(update={"initial": 1.0, "fixed": True})
    return Workspace(poi=poi, channels=tuple(channels), parameters=tuple(settings.values()))


def _names(sample: Sample) -> list[str]:
    return [modifier.parameter for modifier in sample.modifiers]


def _stretches(counts: Sequence[float | None]) -> list[tuple[int, int]]:
    """Return the unbroken stretches of known counts as (first, past the last)."""
    found = []
    for known, group in itertools.groupby(enumerate(counts), key=lambda entry: entry[1] is not None):
        places = [place for place, _ in group]
        if known:
            found.append((places[0], places[-1] + 1))
    return found


def _part(channel: Channel, bins: range, counts: Sequence[float | None]) -> Channel:
    whole = len(bins) == channel.n_bins
    edges = None if channel.edges is None else channel.edges[bins.start : bins.stop + 1]
    ends = f"{edges[0]:g}-{edges[-1]:g}" if edges is not None else f"{bins.start}-{bins.stop}"
    suffix = "" if whole else f" {ends}"
    return Channel(
        name=f"{channel.name}{suffix}",
        samples=tuple(_sample(sample, bins, suffix) for sample in channel.samples),
        observed=tuple(count for count in counts[bins.start : bins.stop] if count is not None),
        edges=edges,
    )


def _sample(sample: Sample, bins: range, suffix: str) -> Sample:
    return sample.model_copy(
        update={
            "yields": sample.yields[bins.start : bins.stop],
            "modifiers": tuple(_modifier(modifier, bins, suffix) for modifier in sample.modifiers),
        }
    )


def _modifier(modifier: Modifier, bins: range, suffix: str) -> Modifier:
    changes: dict[str, Any] = {}
    if isinstance(modifier, HistoSys):
        changes = {side: getattr(modifier, side)[bins.start : bins.stop] for side in ("up", "down")}
    elif isinstance(modifier, StatError | BinError | ShapeSys):
        changes["errors"] = modifier.errors[bins.start : bins.stop]
    if isinstance(modifier, StatError | BinError | ShapeSys | ShapeFactor):
        changes["parameter"] = f"{modifier.parameter}{suffix}"  # factors of bins are of one channel
    return modifier.model_copy(update=changes)
