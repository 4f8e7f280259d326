"""The engine: from a configuration to counts.

``inspect`` looks at each file, ``work_items`` cuts it into ranges of events, ``process`` runs the channel's kernel over
one range, and :class:`.tally.Tally` adds up what comes back. Every step is a plain function of plain data, so that
whoever calls them, one process or a cluster, in whatever order and how often, gets the same sums.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Self

import numpy as np

from . import channels, file_list, variations
from .books import Books, Progress, stamp
from .catalogue import lumi_mask, luminosity
from .channels import Channel
from .columns import launch_ranges
from .config import DatasetConfig, RunConfig
from .errors import ConfigError, FileError, GpuhiggsError, RunError, SchemaError
from .histogram import Accumulators, Counts, HistogramSpec
from .kernels import gate, launch
from .kernels.fill import WEIGHT_LIMIT
from .kernels.language import fields
from .kernels.shifts import Branches
from .ledger import Ledger
from .read import BitMask, ColumnCache, EventFile, Request, Resolved, opened, ranges
from .tally import Failure, FileInfo, ListedFile, Partial, Tally, WorkItem
from .work import Lost, Mapper, of, serially

_log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """What is the same for all work items of a dataset."""

    config: RunConfig
    dataset: DatasetConfig
    channel: Channel
    specs: list[HistogramSpec]
    variations: variations.Tables
    request: Request
    cuts: launch.Record
    tables: launch.Record


def _trigger_bits(config: RunConfig, dataset: DatasetConfig) -> tuple[int, int]:
    """Return which triggers a dataset's events need, and which belong to primary datasets before its own."""
    accept = veto = bit = 0
    before = dataset.kind == "data"
    for primary, paths in config.selection.triggers.items():
        mine = dataset.kind == "simulation" or primary == dataset.primary_dataset
        before = before and not mine
        for _ in paths:
            if mine:
                accept |= 1 << bit
            elif before:
                veto |= 1 << bit
            bit += 1
    return accept, veto


def _masks(config: RunConfig) -> tuple[BitMask, ...]:
    """Return the trigger and filter columns; a path is a bit of an int64."""
    paths = tuple(path for primary in config.selection.triggers.values() for path in primary)
    for name, branches in (("triggers", paths), ("filters", config.selection.filters)):
        if len(branches) > 62:
            msg = f"selection.{name}: {len(branches)} entries, at most 62 are possible"
            raise ConfigError(msg)
        if twice := {branch for branch in branches if branches.count(branch) > 1}:
            msg = f"selection.{name}: {', '.join(sorted(twice))} listed twice"
            raise ConfigError(msg)
    return (
        BitMask("events", "triggers", paths, optional=True),
        BitMask("events", "filters", config.selection.filters, optional=False),
    )


@functools.lru_cache(maxsize=256)
def prepare(config_json: str, dataset_name: str) -> Prepared:
    """Turn a configuration into the arguments of a kernel; checked here, before any file is opened.

    Raises
    ------
    ConfigError
        If the configuration does not fit its channel.
    """
    config = RunConfig.model_validate_json(config_json)
    dataset = next(entry for entry in config.datasets if entry.name == dataset_name)
    selection = config.selection
    channel = channels.find(selection.channel)
    mask = lumi_mask.load(config.lumi_mask) if config.lumi_mask and dataset.kind == "data" else None
    accept, veto = _trigger_bits(config, dataset)
    kernel = channel.program.namespace()
    varied = variations.compile_variations(
        config.variations, kernel, dataset.process, simulation=dataset.kind == "simulation"
    )
    record = gate.Dataset(
        simulation=int(dataset.kind == "simulation"),
        inverse_weight_unit=1.0 / dataset.weight_unit,
        masked=int(mask is not None),
        mask_rows=0 if mask is None else mask.run.size,
        accept=accept,
        veto=veto,
        required=(1 << len(selection.filters)) - 1,
        reach=varied.reach,
    )
    cuts = channel.cuts(selection, record)
    tables = channel.tables(
        mask or lumi_mask.EMPTY,
        corrections=varied.corrections,
        shifts=varied.shifts,
        weights=varied.weights,
        branches=variations.branches([]),
        scoring=channel.scoring(selection),
    )
    collections = [name for name in fields(channel.inputs) if name not in ("events", "scale_factors")]
    if wrong := set(selection.absent) - set(collections):
        msg = f"selection.absent: {', '.join(sorted(wrong))} unknown; the channel has {', '.join(collections)}"
        raise ConfigError(msg)
    unused = channel.unused(selection)
    if mask is None:
        unused = (*unused, "events.run", "events.luminosity_block")
    request = Request(
        channel.inputs, channel.schema(selection), dataset.kind == "simulation", _masks(config), unused,
        selection.absent,
    )  # fmt: skip
    request.sources()
    return Prepared(
        config,
        dataset,
        channel,
        variations.specs(config.variations, channel.histograms(selection), varied.names),
        varied,
        request,
        launch.record(type(cuts), cuts),
        launch.record(type(tables), tables),
    )


# --- steps ---------------------------------------------------------------------------------------------------------


UNIMPORTANT = (
    "title",
    "processes",
    "model",
    "luminosity",
    "datasets",
    "chunk_size",
    "chunk_memory",
    "execution",
    "cluster",
    "redirectors",
    "lumi_mask",
)
"""Parts of a configuration that no sum depends on, or that :func:`fingerprint` looks at by themselves."""
UNIMPORTANT_OF_DATASET = ("files", "cross_section", "sum_of_weights", "process")


def fingerprint(config_json: str, dataset_name: str) -> str:
    """Return a hash of all that decides about what the sums of a dataset mean: kernels, selection, what is read."""
    prepared = prepare(config_json, dataset_name)
    config, dataset = prepared.config, prepared.dataset
    parts = {
        "config": config.model_dump(mode="json", by_alias=True, exclude=set(UNIMPORTANT)),
        "dataset": dataset.model_dump(mode="json", exclude=set(UNIMPORTANT_OF_DATASET)),
        "schema": prepared.request.schema.model_dump(mode="json"),
        "kernels": launch.source_hash(prepared.channel.program),
    }
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for table in _arrays(prepared.tables.value):
        digest.update(f"{table.dtype.str} {table.shape}".encode() + np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()


def _arrays(value: tuple[Any, ...]) -> Iterator[np.ndarray]:
    for entry in value:
        if isinstance(entry, tuple):
            yield from _arrays(entry)
        else:
            yield np.asarray(entry)


class Job(NamedTuple):
    """A configuration on its way to a worker."""

    config_json: str
    cache: ColumnCache | None = None

    @classmethod
    def of(cls, config: RunConfig, cache: ColumnCache | None = None) -> Self:
        """Return the job of a configuration."""
        return cls(_without_files(config).model_dump_json(by_alias=True), cache)

    def step(self, task: ListedFile | WorkItem) -> FileInfo | Partial | Failure:
        """Do one piece of work, whatever it is."""
        return self.process(task) if isinstance(task, WorkItem) else self.inspect(task)

    def inspect(self, file: ListedFile) -> FileInfo | Failure:
        """Look at one (dataset, path): can it be read, how many events has it, what does it say of its weights."""
        name, path = file
        try:
            prepared = prepare(self.config_json, name)
            with _opened(prepared, path, self.cache) as events:
                resolved = events.resolve(prepared.request)
                _require_own_trigger(prepared, resolved, path)
                weights = events.sum_of_weights(prepared.request.schema) if prepared.request.simulation else None
                cuts, volumes = _cuts(prepared.config, events, resolved.branches())
                info = FileInfo(
                    name, path, events.uuid, events.entries, weights, resolved.notes, cuts, volumes,
                    _sections(prepared, events), stamp(path), _averages(prepared, events),
                )  # fmt: skip
            if prepared.dataset.cross_section and weights is None and prepared.dataset.sum_of_weights is None:
                msg = f"{path}: no sum of weights in the file; give sum_of_weights of the dataset {name}"
                raise ConfigError(msg)
            own = prepared.dataset.cross_section and prepared.dataset.sum_of_weights is None
            if own and weights is not None and weights < 0.0:
                msg = f"{path}: its sum of generator weights is {weights}: no cross section can be scaled to it"
                raise ConfigError(msg)
        except Exception as error:  # whatever it is, the other files are not to suffer
            return Failure(name, path, 0, 0, _explained(error, path), is_transient(error))
        return info

    def process(self, item: WorkItem) -> Partial | Failure:
        """Run the channel's kernel over one range of events."""
        try:
            return _process(prepare(self.config_json, item.dataset), item, self.cache)
        except Exception as error:  # whatever it is, the other files are not to suffer
            return Failure(*item, _explained(error, item.path), is_transient(error))


@contextlib.contextmanager
def _opened(prepared: Prepared, path: str, cache: ColumnCache | None = None) -> Iterator[EventFile]:
    """Open a file where it is; one with a logical name at the first of the redirectors that has it."""
    *others, last = file_list.candidates(path, prepared.config.redirectors)
    with contextlib.ExitStack() as stack:
        for place in others:
            try:
                events = stack.enter_context(opened(place, prepared.request.schema.trees, cache))
            except FileError as error:
                _log.info("%s; the next redirector is asked", error)
            else:
                break
        else:
            events = stack.enter_context(opened(last, prepared.request.schema.trees, cache))
        yield events


def _averages(prepared: Prepared, events: EventFile) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """Ask for what normalises the sets of weights; refuse a file that lacks a branch of a variation."""
    declared = prepared.config.variations
    extras = prepared.variations.extras
    if declared is None or not prepared.request.simulation:
        return ()
    if missing := sorted({extra.branch for extra in extras} - events.table.branches):
        msg = f"{events.path}: no branch {', '.join(missing)} in {events.table.kind} {events.table.name!r} (variations)"
        raise SchemaError(msg)
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
    if prepared.config.luminosity_table is None or prepared.dataset.kind != "data":
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


def _explained(error: Exception, path: str) -> str:
    """Return an error's own message if it was raised on purpose, and what it is otherwise."""
    if isinstance(error, GpuhiggsError):
        return str(error)
    _log.error("%s", path, exc_info=error)
    return f"{path}: {type(error).__name__}: {error}"


def is_transient(error: Exception) -> bool:
    """Whether another attempt may go better: not if the file was read and is not what it should be."""
    return isinstance(error, FileError) or not isinstance(error, GpuhiggsError)


def _process(prepared: Prepared, item: WorkItem, cache: ColumnCache | None = None) -> Partial:
    began = time.perf_counter()
    with _opened(prepared, item.path, cache) as events:
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
    return Partial(item, counts, selected, time.perf_counter() - began, read)


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


def _cuts(
    config: RunConfig, events: EventFile, branches: list[str]
) -> tuple[tuple[int, ...], tuple[tuple[str, int, int], ...]]:
    """Cut a file along its clusters, so that no work item has too many events or takes too much memory."""
    volumes = events.table.volumes(branches)
    size = ranges.event_bytes(volumes, events.entries)
    most = max(1, min(config.chunk_size, int(config.chunk_memory * 2**20 / max(size, 1.0))))
    cuts = ranges.cut(events.entries, most, events.table.edges(branches).tolist())
    return tuple(cuts), tuple((codec, *volume) for codec, volume in sorted(volumes.items()))


def work_items(info: FileInfo, chunk_size: int) -> list[WorkItem]:
    """Return the ranges of a file: those that were found when it was inspected, or of at most *chunk_size* events.

    A file without events has one empty item.
    """
    edges = info.cuts or ranges.cut(info.entries, chunk_size)
    return [WorkItem(info.dataset, info.path, a, b) for a, b in itertools.pairwise(edges)]


# --- the run ---------------------------------------------------------------------------------------------------------


def run(
    config: RunConfig,
    mapper: Mapper = serially,
    progress: Callable[[Progress], None] | None = None,
    limit_files: int | None = None,
    cache: ColumnCache | None = None,
    ledger: Ledger | None = None,
) -> Tally:
    """Process every file of a configuration.

    Parameters
    ----------
    mapper
        How to apply a function to many arguments: :func:`serially`, or a cluster's.
    progress
        Called after each result.
    limit_files
        Take only the first so many files of each dataset; the others count as not processed.
    cache
        Where columns are kept and looked for.
    ledger
        Where what is done is kept, and where a run that was stopped goes on from.

    Raises
    ------
    ConfigError
        If the configuration does not fit its channel, or lists a file twice.
    RunError
        If the kernel's cache or the ledger cannot be written, or more files fail than are allowed to.
    """
    job = Job.of(config, cache)
    for dataset in config.datasets:
        prepare(job.config_json, dataset.name)
    if config.luminosity_table is not None:
        luminosity.load(config.luminosity_table)
    try:
        channels.find(config.selection.channel).compile()  # once, before any worker needs it
    except OSError as error:
        msg = f"{launch.cache_folder()}: cannot be written: {error.strerror}; GPUHIGGS_CACHE names another folder"
        raise RunError(msg) from error

    prints = {dataset.name: fingerprint(job.config_json, dataset.name) for dataset in config.datasets}
    books = Books(
        _listed(config, limit_files), lambda info: work_items(info, config.chunk_size), config.execution, ledger, prints
    )
    twins = _Twins(books.tally.complete)
    try:
        for result in mapper(job.step, books.work):
            if isinstance(result, FileInfo):
                twins.refuse(result)
            books.take(result)
            if progress:
                progress(books.progress())
    finally:
        books.commit()  # whatever stops a run, what is done is kept
    return books.finish()


def inspect(
    config: RunConfig, job: Job, mapper: Mapper, limit_files: int | None
) -> tuple[list[FileInfo], list[Failure]]:
    """Look at every file of a configuration.

    Raises
    ------
    ConfigError
        If the configuration does not fit its channel, or a file is listed twice.
    """
    for dataset in config.datasets:
        prepare(job.config_json, dataset.name)
    infos: dict[tuple[str, str], FileInfo] = {}
    failures: list[Failure] = []
    twins = _Twins([])
    for info in mapper(job.inspect, of(_listed(config, limit_files))):
        if isinstance(info, Lost):
            failures.append(Failure(info.argument[0], info.argument[1], 0, 0, f"{info.argument[1]}: {info.error}"))
        elif isinstance(info, Failure):
            failures.append(info)
        else:
            twins.refuse(info)
            infos[info.dataset, info.path] = info
    return list(infos.values()), failures


def _listed(config: RunConfig, limit_files: int | None) -> list[ListedFile]:
    return [ListedFile(dataset.name, path) for dataset in config.datasets for path in dataset.files[:limit_files]]


def _without_files(config: RunConfig) -> RunConfig:
    """Leave out the lists of files: they may be long, and the configuration travels with every work item."""
    datasets = tuple(dataset.model_copy(update={"files": ("left out",)}) for dataset in config.datasets)
    return config.model_copy(update={"datasets": datasets})


class _Twins:
    """Refuses a file that is listed twice, under whatever path: its events would count twice."""

    def __init__(self, infos: Iterable[FileInfo]) -> None:
        self._seen: dict[tuple[str, int], tuple[str, str]] = {}
        for info in infos:
            self.refuse(info)

    def refuse(self, info: FileInfo) -> None:
        dataset, path = self._seen.setdefault((info.uuid, info.entries), (info.dataset, info.path))
        if (dataset, path) != (info.dataset, info.path):
            msg = f"{info.path} ({info.dataset}) and {path} ({dataset}) are the same file"
            raise ConfigError(msg)
