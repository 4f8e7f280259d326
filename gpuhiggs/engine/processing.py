"""One work item: its columns read, the channel's kernel run over them, and the sums."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import backend, variations
from ..calibrations import calibrated
from ..columns import Extra, launch_ranges
from ..errors import FileError, RunError
from ..histogram import Accumulators, Counts
from ..kernels import launch
from ..kernels.fill import WEIGHT_LIMIT
from ..kernels.shifts import Branches
from ..read import ColumnCache
from ..read.values import Values
from . import sparse
from .preparation import Prepared, opened_at
from .tally import Partial, WorkItem


def process(prepared: Prepared, item: WorkItem, cache: ColumnCache | None = None) -> Partial:
    """Read a range of a file and run the channel's kernel over it.

    Raises
    ------
    FileError
        If the range cannot be read.
    RunError
        If a weight is too large to be counted, or a variation has no value.
    """
    began = time.perf_counter()
    n_events = item.stop - item.start
    with opened_at(prepared, item.path, cache) as events:
        columns = events.read(events.resolve(prepared.request), item.start, item.stop)
        found = events.values(prepared.further_branches(), item.start, item.stop)
    read = time.perf_counter() - began
    ready, columns, objects = _calibrated(prepared, columns, found, n_events, item.path)
    branches = _extras(ready, columns, found, objects, n_events, item.path)
    device = backend.open_device(prepared.config.execution.device)
    counts, selected = run_kernel(ready, columns, n_events, branches, device)
    require_weights(prepared, counts, f"the events {item.start} to {item.stop}", item.path)
    selected["entry"] = selected.pop("event") + item.start
    sums = sparse.pack(counts)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    worker = f"{socket.gethostname()}:{os.getpid()}"
    return Partial(item, sums, selected, time.perf_counter() - began, read, worker, memory)


def require_weights(prepared: Prepared, counts: Counts, which: str, path: str) -> None:
    """Raise a RunError if a weight could not be counted."""
    n_errors = counts.sums[prepared.dataset.name, "errors"].to_float()
    if n_errors[0]:
        unit = prepared.dataset.weight_unit
        msg = (
            f"{path}: {int(n_errors[0])} of {which} have no finite weight below {WEIGHT_LIMIT * unit:g}; "
            f"set weight_unit of {prepared.dataset.name} to a larger power of two (now {unit:g}), "
            "unless the weights are NaN"
        )
        raise RunError(msg)


def _calibrated(
    prepared: Prepared, columns: Any, found: Mapping[str, Values], n_events: int, path: str
) -> tuple[Prepared, Any, dict[str, np.ndarray]]:
    """Calibrate the objects: first what a preselection looks at, then, of preselected events, the rest.

    Returned are the kernel's arguments, whose preselection lets pass what any shift could, its columns, and the columns
    of the calibrations.
    """
    every = prepared.variations.calibrations
    if not every:
        return prepared, columns, {}
    leading = {name: one for name, one in every.items() if name in calibrated.PRESELECTING}
    rest = {name: one for name, one in every.items() if name not in leading}
    columns, objects = calibrated.calibrate(leading, columns, found, n_events, path)
    cuts: Any = prepared.cuts.value
    reach = calibrated.reach(objects, columns, leading)
    raised = {name: max(factor, getattr(cuts.dataset.reach, name)) for name, factor in reach.items()}
    wider = cuts.dataset.reach._replace(**raised)
    wider = wider._replace(lepton=max(wider.muon, wider.electron))
    cuts = cuts._replace(dataset=cuts.dataset._replace(reach=wider))
    ready = prepared._replace(cuts=launch.record(type(cuts), cuts))
    if rest:
        arguments = [launch.record(type(columns), columns), ready.cuts, prepared.tables]
        wanted = launch.preselected(prepared.channel.program, arguments, n_events)
        columns, more = calibrated.calibrate(rest, columns, found, n_events, path, wanted)
        objects = {**objects, **more}
    return ready, columns, objects


def _extras(
    prepared: Prepared,
    columns: Any,
    found: Mapping[str, Values],
    objects: Mapping[str, np.ndarray],
    n_events: int,
    path: str,
) -> Branches | None:
    """Lay out what only variations and weights need: branches, and columns of calibrated objects."""
    extras = prepared.variations.extras
    if not extras:
        return None
    arrays, strides = [], []
    for extra in extras:
        content, stride = (
            (objects[extra.branch][extra.calibrated], 1)
            if extra.calibrated >= 0
            else _branch(extra, columns, found, n_events, path)
        )
        arrays.append(content)
        strides.append(stride)
    return variations.branches(arrays, strides)


def _branch(
    extra: Extra, columns: Any, found: Mapping[str, Values], n_events: int, path: str
) -> tuple[np.ndarray, int]:
    """Return the values of a branch, and how many an event or object has."""
    content, offsets = found[extra.branch]
    stride = 1
    if extra.collection is not None:
        expected = getattr(columns, extra.collection).offsets
        fits = offsets is not None and np.array_equal(offsets, expected)
    elif extra.values:
        sizes = np.diff(offsets) if offsets is not None else np.ones(n_events, np.int64)
        stride = int(sizes[0]) if sizes.size else extra.values
        fits = bool((sizes == stride).all()) and stride >= extra.values
    else:
        fits = offsets is None
    if not fits:
        what = extra.collection or (f"{extra.values} values or more, as many in each" if extra.values else "one")
        msg = f"{path}: branch {extra.branch} has not the shape that its variation needs: {what} an event"
        raise FileError(msg)
    return content, stride


def _with_branches(prepared: Prepared, branches: Branches | None) -> Any:
    """Return a kernel's tables for one call: with the branches of its events, and counters of its own."""
    tables = prepared.tables.value
    if not prepared.variations.names.n and branches is None:
        return tables
    own: dict[str, Any] = {
        "shifts": prepared.variations.shifts._replace(problems=np.zeros(1, np.int64)),
        "weights": prepared.variations.weights._replace(problems=np.zeros(2, np.int64)),
    }
    if branches is not None:
        own["branches"] = branches
    return tables._replace(**own)  # type: ignore[attr-defined]


def _refuse_problems(prepared: Prepared, tables: Any) -> None:
    """Refuse results of which a variation is not known."""
    if not (prepared.variations.weights.n_rows or prepared.variations.names.n):
        return
    where = f"{prepared.dataset.name}: variations"
    moved, (looked_up, unsummed) = int(tables.shifts.problems[0]), tables.weights.problems.tolist()
    if moved or looked_up:
        msg = (
            f"{where}: {moved} shifts and {looked_up} weights of objects are in no bin of their correction "
            f"({', '.join(_looked_up(prepared))})"
        )
        raise RunError(msg)
    if unsummed:
        msg = f"{where}: {unsummed} weights of events cannot be summed: they are NaN or too large"
        raise RunError(msg)


def _looked_up(prepared: Prepared) -> list[str]:
    """Return the names of variations whose values kernels look up."""
    declared = prepared.config.variations
    if declared is None:
        return []
    shifts = [name for name, shift in declared.shifts.items() if shift.correction is not None or shift.size is not None]
    return shifts + [name for name, weight in declared.weights.items() if weight.correction is not None]


def ranges_of(prepared: Prepared, columns: Any, n_events: int) -> tuple[tuple[int, int], ...]:
    """Cut events into launches in which no sum may wrap."""
    channel = prepared.channel
    return tuple(launch_ranges(columns, 0, n_events, channel.launch_fills, channel.fills_objects))


def run_kernel(
    prepared: Prepared,
    columns: Any,
    n_events: int,
    branches: Branches | None = None,
    device: backend.Device | None = None,
    ranges: tuple[tuple[int, int], ...] | None = None,
    capacity: int | None = None,
) -> tuple[Counts, dict[str, np.ndarray]]:
    """Run a channel's kernel over columns in memory; return its counts and selected events.

    Parameters
    ----------
    device
        Where; the CPU if not given.
    ranges
        What :func:`ranges_of` says, for columns that are in the device's memory already.
    capacity
        How many selected events there is room for; by default all.

    Raises
    ------
    RunError
        If a fill cannot be counted, or a variation has no value.
    """
    channel, name = prepared.channel, prepared.dataset.name
    counts = Counts()
    accumulators = Accumulators(prepared.specs)
    record = prepared.config.selection.classifier is not None and prepared.config.selection.classifier.record
    out = channel.out(accumulators.kernel, n_events if capacity is None else capacity, record)
    call = backend.Call(
        channel.program,
        columns,
        prepared.cuts.value,
        _with_branches(prepared, branches),
        out,
        ranges_of(prepared, columns, n_events) if ranges is None else ranges,
        len(prepared.variations.names.shifts),
    )
    for gates in (device or backend.Cpu()).launches(call):
        channel.verify(out)
        _refuse_problems(prepared, call.tables)
        cutflow = np.concatenate([np.cumsum(gates[::-1], axis=0)[::-1], out.cutflow.sums.reshape(-1, 4)])
        counts.add(name, "cutflow", cutflow)
        out.cutflow.sums[:] = 0
        accumulators.drain(counts, name)
    if not call.ranges:
        counts.add(name, "cutflow", np.zeros((len(channel.steps), 4), np.int64))
        accumulators.drain(counts, name)
    counts.add(name, "errors", out.errors)
    return counts, _selected(prepared, out, record)


def _selected(prepared: Prepared, out: Any, record: bool) -> dict[str, np.ndarray]:
    """Return the selected events by field, and with their features where these are recorded."""
    n = min(int(out.selected.n[0]), out.selected.capacity)
    names = (name for name in out.selected._fields if name not in ("n", "capacity", "features", "values"))
    selected: dict[str, np.ndarray] = {name: getattr(out.selected, name)[:n] for name in names}
    if record:
        columns = (*prepared.channel.features, "score")
        features = out.selected.features.reshape(-1, len(columns))[:n]
        selected |= {name: features[:, i] for i, name in enumerate(columns)}
    return selected | prepared.channel.kept(out, n)
