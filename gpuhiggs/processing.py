"""One work item: its columns read, the channel's kernel run over them, and the sums."""

from __future__ import annotations

import os
import resource
import socket
import time
from typing import Any

import numpy as np

from . import sparse, variations
from .columns import launch_ranges
from .errors import FileError, RunError
from .histogram import Accumulators, Counts
from .kernels import launch
from .kernels.fill import WEIGHT_LIMIT
from .kernels.shifts import Branches
from .preparation import Prepared, opened_at
from .read import ColumnCache, EventFile
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
    with opened_at(item.path, prepared.config.redirectors, prepared.request.schema.trees, cache) as events:
        columns = events.read(events.resolve(prepared.request), item.start, item.stop)
        branches = _extras(prepared, events, columns, item)
    read = time.perf_counter() - began
    counts, selected = run_kernel(prepared, columns, item.stop - item.start, branches)
    n_errors = counts.sums[item.dataset, "errors"].to_float()
    if n_errors[0]:
        unit = prepared.dataset.weight_unit
        msg = (
            f"{item.path}: {int(n_errors[0])} of the events {item.start} to {item.stop} have no finite weight below "
            f"{WEIGHT_LIMIT * unit:g}; set weight_unit of {item.dataset} to a larger power of two (now {unit:g}), "
            "unless the weights are NaN"
        )
        raise RunError(msg)
    selected["entry"] = selected.pop("event") + item.start
    sums = sparse.pack(counts)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
    worker = f"{socket.gethostname()}:{os.getpid()}"
    return Partial(item, sums, selected, time.perf_counter() - began, read, worker, memory)


def _extras(prepared: Prepared, events: EventFile, columns: Any, item: WorkItem) -> Branches | None:
    """Read the branches that only variations need."""
    extras = prepared.variations.extras
    if not extras:
        return None
    found = events.values(sorted({extra.branch for extra in extras}), item.start, item.stop)
    arrays, strides = [], []
    for extra in extras:
        content, offsets = found[extra.branch]
        stride = 1
        if extra.collection is not None:
            expected = getattr(columns, extra.collection).offsets
            fits = offsets is not None and np.array_equal(offsets, expected)
        elif extra.values:
            sizes = np.diff(offsets) if offsets is not None else np.ones(item.stop - item.start, np.int64)
            stride = int(sizes[0]) if sizes.size else extra.values
            fits = bool((sizes == stride).all()) and stride >= extra.values
        else:
            fits = offsets is None
        if not fits:
            what = extra.collection or (f"{extra.values} values or more, as many in each" if extra.values else "one")
            msg = f"{item.path}: branch {extra.branch} has not the shape that its variation needs: {what} an event"
            raise FileError(msg)
        arrays.append(content)
        strides.append(stride)
    return variations.branches(arrays, strides)


def _with_branches(prepared: Prepared, branches: Branches | None) -> launch.Record:
    """Return a kernel's tables for one call: with the branches of its events, and counters of its own."""
    tables = prepared.tables.value
    if not prepared.variations.names.n:
        return prepared.tables
    own: dict[str, Any] = {
        "shifts": prepared.variations.shifts._replace(problems=np.zeros(1, np.int64)),
        "weights": prepared.variations.weights._replace(problems=np.zeros(2, np.int64)),
    }
    if branches is not None:
        own["branches"] = branches
    value = tables._replace(**own)  # type: ignore[attr-defined]
    return launch.record(type(value), value)


def _refuse_problems(prepared: Prepared, tables: Any) -> None:
    """Refuse results of which a variation is not known."""
    if prepared.variations.names.n:
        moved, (looked_up, unsummed) = int(tables.shifts.problems[0]), tables.weights.problems.tolist()
        if moved or looked_up or unsummed:
            msg = (
                f"{prepared.dataset.name}: variations: {moved} shifts and {looked_up} weights of objects are in no bin "
                f"of their correction, {unsummed} weights of events cannot be summed"
            )
            raise RunError(msg)


def run_kernel(
    prepared: Prepared, columns: Any, n_events: int, branches: Branches | None = None
) -> tuple[Counts, dict[str, np.ndarray]]:
    """Run a channel's kernel over columns in memory; return its counts and selected events.

    Raises
    ------
    RunError
        If a fill cannot be counted, or a variation has no value.
    """
    channel, name = prepared.channel, prepared.dataset.name
    counts = Counts()
    accumulators = Accumulators(prepared.specs)
    record = prepared.config.selection.classifier is not None and prepared.config.selection.classifier.record
    out = channel.out(accumulators.kernel, n_events, record)
    tables = _with_branches(prepared, branches)
    arguments = [launch.record(type(columns), columns), prepared.cuts, tables, launch.record(type(out), out)]
    for first, last in launch_ranges(columns, 0, n_events, channel.launch_fills):
        gates = launch.run(channel.program, arguments, first, last, len(prepared.variations.names.shifts))
        channel.verify(out)
        _refuse_problems(prepared, tables.value)
        cutflow = np.concatenate([np.cumsum(gates[::-1], axis=0)[::-1], out.cutflow.sums.reshape(-1, 4)])
        counts.add(name, "cutflow", cutflow)
        out.cutflow.sums[:] = 0
        accumulators.drain(counts, name)
    if n_events == 0:
        counts.add(name, "cutflow", np.zeros((len(channel.steps), 4), np.int64))
        accumulators.drain(counts, name)
    counts.add(name, "errors", out.errors)
    n_selected = int(out.selected.n[0])
    names = (name for name in out.selected._fields if name not in ("n", "capacity", "features"))
    selected = {name: getattr(out.selected, name)[:n_selected] for name in names}
    if record:
        columns = (*channel.features, "score")
        features = out.selected.features.reshape(-1, len(columns))[:n_selected]
        selected |= {name: features[:, i] for i, name in enumerate(columns)}
    return counts, selected
