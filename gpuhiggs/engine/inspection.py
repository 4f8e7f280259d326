"""One file looked at before its events are: what it holds, where it is cut, whether it fits the configuration."""

from __future__ import annotations

import itertools

from .. import variations
from ..catalogue import luminosity
from ..classify.scoring import trained_on
from ..errors import ConfigError, SchemaError
from ..read import ColumnCache, EventFile, Resolved, ranges
from .books import stamp
from .preparation import Prepared, opened_at
from .tally import FileInfo, WorkItem

OBJECTS = 10
"""About how many objects of a class an event has, of which calibrations give columns."""


def inspect(prepared: Prepared, path: str, cache: ColumnCache | None = None) -> FileInfo:
    """Look at a file: can it be read, how many events has it, where is it cut, what does it say of its weights.

    Raises
    ------
    FileError, SchemaError, ConfigError
        If it cannot be read, lacks what the channel needs, or its weights cannot normalise it.
    """
    dataset, request = prepared.dataset, prepared.request
    with opened_at(prepared, path, cache) as events:
        _require_unseen(prepared, events, path)
        resolved = events.resolve(request)
        _require_branches(prepared, events)
        _require_own_trigger(prepared, resolved, path)
        weights = events.sum_of_weights(request.schema) if request.simulation else None
        branches = sorted({*resolved.branches(), *prepared.further_branches()})
        cuts, volumes = _cuts(prepared, events, branches)
        info = FileInfo(
            dataset.name, path, events.uuid, events.entries, weights, resolved.notes, cuts, volumes,
            _sections(prepared, events), stamp(path), _averages(prepared, events),
        )  # fmt: skip
    if dataset.cross_section and dataset.sum_of_weights is None:
        _require_own_weights(dataset.name, path, weights)
    return info


def _require_unseen(prepared: Prepared, events: EventFile, path: str) -> None:
    """Refuse simulation that the selection's classifier was trained on: it knows these events better than others."""
    classifier = prepared.config.selection.classifier
    if prepared.request.simulation and events.uuid in trained_on(classifier):
        msg = (
            f"{path}: the classifier {classifier.file if classifier else ''} was trained on these events; "
            "analyse others, such as a simulation with another seed"
        )
        raise ConfigError(msg)


def _require_own_weights(name: str, path: str, weights: float | None) -> None:
    """Refuse a file that a cross section cannot be scaled to."""
    if weights is None:
        msg = f"{path}: no sum of weights in the file; give sum_of_weights of the dataset {name}"
        raise ConfigError(msg)
    if weights < 0.0:
        msg = f"{path}: its sum of generator weights is {weights}: no cross section can be scaled to it"
        raise ConfigError(msg)


def _require_branches(prepared: Prepared, events: EventFile) -> None:
    """Refuse a file that lacks a branch of a calibration or a variation."""
    if missing := sorted(set(prepared.further_branches()) - events.table.branches):
        what = "calibrations, variations"
        msg = f"{events.path}: no branch {', '.join(missing)} in {events.table.kind} {events.table.name!r} ({what})"
        raise SchemaError(msg)


def _averages(prepared: Prepared, events: EventFile) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Ask for what normalises the sets of weights."""
    declared = prepared.config.variations
    if declared is None or not prepared.request.simulation:
        return ()
    wanted = {
        one.sums: max(one.members)
        for one in declared.sets.values()
        if one.sums is not None and variations.applies(one, prepared.dataset.process)
    }
    found = []
    for branch, last in wanted.items():
        values = events.averages(prepared.request.schema, branch)
        if last >= len(values):
            msg = f"{events.path}: {branch} has {len(values)} members, {last} is asked for"
            raise SchemaError(msg)
        found.append((branch, values))
    return tuple(found)


def _sections(prepared: Prepared, events: EventFile) -> luminosity.Ranges:
    """Return the luminosity sections of a file of data, if the configuration asks for its luminosity."""
    table = prepared.dataset.luminosity_table or prepared.config.luminosity_table
    if table is None or prepared.dataset.kind != "data":
        return ()
    return luminosity.ranges((run, section) for run, section in events.sections(prepared.request.schema))


def _require_own_trigger(prepared: Prepared, resolved: Resolved, path: str) -> None:
    """Refuse a file of data that knows no trigger of its own primary dataset: every event would be lost."""
    asked = next(mask for mask in resolved.masks if mask.field == "triggers").branches
    accept = prepared.cuts.value[0].accept
    if accept and not any(name and accept >> bit & 1 for bit, name in enumerate(asked)):
        primary = prepared.dataset.primary_dataset or "any primary dataset"
        msg = f"{path}: none of the trigger paths of {primary} is in the file"
        raise SchemaError(msg)


def _cuts(
    prepared: Prepared, events: EventFile, branches: list[str]
) -> tuple[tuple[int, ...], tuple[tuple[str, int, int], ...]]:
    """Cut a file along its clusters, so that no work item has too many events or takes too much memory."""
    config = prepared.config
    volumes = events.table.volumes(branches)
    columns = sum(one.columns for one in prepared.variations.calibrations.values())
    size = ranges.event_bytes(volumes, events.entries) + 4 * OBJECTS * columns
    most = max(1, min(config.chunk_size, int(config.chunk_memory * 2**20 / max(size, 1.0))))
    cuts = ranges.cut(events.entries, most, events.table.edges(branches).tolist())
    return tuple(cuts), tuple((codec, *volume) for codec, volume in sorted(volumes.items()))


def work_items(info: FileInfo, chunk_size: int) -> list[WorkItem]:
    """Return the ranges of a file: those that were found when it was inspected, or of at most *chunk_size* events.

    A file without events has one empty item.
    """
    edges = info.cuts or ranges.cut(info.entries, chunk_size)
    return [WorkItem(info.dataset, info.path, a, b) for a, b in itertools.pairwise(edges)]
