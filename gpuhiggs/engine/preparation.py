"""A configuration made ready: what all work items of a dataset share, and the hash that says what their sums mean."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import blinding, channels, variations
from ..calibrations import calibrated
from ..catalogue import lumi_mask
from ..channels import Channel
from ..config import DatasetConfig, RunConfig, file_list
from ..errors import ConfigError, FileError
from ..histogram import HistogramSpec
from ..kernels import gate, launch
from ..kernels.language import fields
from ..read import BitMask, ColumnCache, EventFile, Request, opened
from ..variations import tables as variation_tables

_log = logging.getLogger(__name__)


class Prepared(NamedTuple):
    """What is the same for all work items of a dataset."""

    config: RunConfig
    dataset: DatasetConfig
    channel: Channel
    specs: list[HistogramSpec]
    variations: variation_tables.Tables
    request: Request
    cuts: launch.Record
    tables: launch.Record

    def further_branches(self) -> list[str]:
        """Return the branches that calibrations and variations ask for beside the kernel's columns."""
        names = {extra.branch for extra in self.variations.extras if extra.calibrated < 0}
        return sorted(names.union(*(one.branches for one in self.variations.calibrations.values())))


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
    varied = variation_tables.compile_variations(
        config.variations,
        kernel,
        dataset.process,
        simulation=dataset.kind == "simulation",
        calibrations=config.calibrations,
    )
    record = gate.Dataset(
        simulation=int(dataset.kind == "simulation"),
        inverse_weight_unit=1.0 / dataset.weight_unit,
        masked=int(mask is not None),
        mask_rows=0 if mask is None else mask.run.size,
        accept=accept,
        veto=veto,
        required=(1 << len(selection.filters)) - 1,
        regions=int(config.nonprompt is not None),
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
    if config.nonprompt is not None:
        unused = tuple(column for column in unused if column not in channel.region_columns)
    if mask is None:
        unused = (*unused, "events.run", "events.luminosity_block")
    request = Request(
        channel.inputs, channel.schema(selection), dataset.kind == "simulation", _masks(config), unused,
        selection.absent,
    )  # fmt: skip
    request.sources()
    specs = channel.histograms(selection)
    blinding.check(config, specs, channel.steps)
    regions = [] if config.nonprompt is None else channel.regions(selection)
    return Prepared(
        config,
        dataset,
        channel,
        [*variations.specs(config.variations, specs, varied.names), *regions],
        varied,
        request,
        launch.record(type(cuts), cuts),
        launch.record(type(tables), tables),
    )


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
    "unblind",
    "nonprompt",
)
"""Parts of a configuration that no sum depends on, or that :func:`fingerprint` looks at by themselves."""
UNIMPORTANT_OF_DATASET = ("files", "cross_section", "sum_of_weights", "process", "luminosity_table")


def fingerprint(config_json: str, dataset_name: str) -> str:
    """Return a hash of all that decides about what the sums of a dataset mean: kernels, selection, what is read."""
    prepared = prepare(config_json, dataset_name)
    config, dataset = prepared.config, prepared.dataset
    parts = {
        "config": config.model_dump(mode="json", by_alias=True, exclude=set(UNIMPORTANT)),
        "dataset": dataset.model_dump(mode="json", exclude=set(UNIMPORTANT_OF_DATASET)),
        "schema": prepared.request.schema.model_dump(mode="json"),
        "kernels": launch.source_hash(prepared.channel.program),
        "regions": config.nonprompt is not None,
    }
    calibrations = prepared.variations.calibrations
    if calibrations:
        parts["calibration"] = [launch.source_hash(program) for program in calibrated.programs(calibrations)]
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode())
    for table in _arrays((prepared.tables.value, *(one.tables for one in calibrations.values()))):
        digest.update(f"{table.dtype.str} {table.shape}".encode() + np.ascontiguousarray(table).tobytes())
    return digest.hexdigest()


def _arrays(value: tuple[Any, ...]) -> Iterator[np.ndarray]:
    for entry in value:
        if isinstance(entry, tuple):
            yield from _arrays(entry)
        else:
            yield np.asarray(entry)


def opened_at(
    prepared: Prepared, path: str, cache: ColumnCache | None = None
) -> contextlib.AbstractContextManager[EventFile]:
    """Open a file of the configuration where it is."""
    return opened_by(prepared.config.redirectors, path, prepared.request.schema.trees, cache)


@contextlib.contextmanager
def opened_by(
    redirectors: tuple[str, ...], path: str, trees: tuple[str, ...], cache: ColumnCache | None = None
) -> Iterator[EventFile]:
    """Open a file where it is; one with a logical name at the first of the redirectors that has it."""
    *others, last = file_list.candidates(path, redirectors)
    with contextlib.ExitStack() as stack:
        for place in others:
            try:
                events = stack.enter_context(opened(place, trees, cache))
            except FileError as error:
                _log.info("%s; the next redirector is asked", error)
            else:
                break
        else:
            events = stack.enter_context(opened(last, trees, cache))
        yield events
