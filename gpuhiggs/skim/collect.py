"""What happens to the selected events of a work item: identified on the worker, put on the disk by the client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import blinding, channels
from ..config import RunConfig
from ..engine import is_transient
from ..engine.preparation import opened_by
from ..engine.tally import Failure, Partial
from ..engine.work import Mapper, Work
from ..errors import GpuhiggsError, SchemaError
from ..read import ColumnCache, EventFile
from .pieces import Pieces

IDENTITY = {"run": np.int64, "luminosity_block": np.int64, "event": np.uint64}
"""The columns of ``events`` in a schema that say which event it is; one that a format does not have is left out."""


@dataclass(frozen=True)
class Identified:
    """Applies a function to a work item and adds to its selected events which they are; sent to workers."""

    function: Callable[[Any], Any]
    trees: tuple[str, ...]
    branches: dict[str, tuple[str, ...]]
    """For each column the names that its branch may have."""
    cache: ColumnCache | None
    redirectors: tuple[str, ...] = ()

    def __call__(self, argument: Any) -> Any:
        """Mapper; an event that cannot be identified fails its item, as one that cannot be read does."""
        result = self.function(argument)
        if not isinstance(result, Partial):
            return result
        item = result.item
        try:
            with opened_by(self.redirectors, item.path, self.trees, self.cache) as events:
                return result._replace(selected=self._identified(events, result))
        except GpuhiggsError as error:
            return Failure(*item, str(error), is_transient(error))

    def _identified(self, events: EventFile, result: Partial) -> dict[str, np.ndarray]:
        item, found = result.item, result.selected
        order = np.argsort(found["entry"], kind="stable")  # a GPU finds them in any order
        selected = {name: values[order] for name, values in found.items()}
        names = {column: self._branch(events, item.path, column) for column in self.branches}
        if order.size == 0:
            return {**{column: np.zeros(0, IDENTITY[column]) for column in names}, **selected}
        read = events.values(list(names.values()), item.start, item.stop)
        rows = selected["entry"] - item.start
        identity = {
            column: _unsigned(read[name].content[rows]).astype(IDENTITY[column]) for column, name in names.items()
        }
        return {**identity, **selected}

    def _branch(self, events: EventFile, path: str, column: str) -> str:
        for name in self.branches[column]:
            if name in events.table.branches:
                return name
        msg = f"{path}: no branch {' or '.join(self.branches[column])}, which a skim identifies events by"
        raise SchemaError(msg)


def _unsigned(values: np.ndarray) -> np.ndarray:
    """Take numbers that are never negative as what they are: ATLAS Open Data store large event numbers as int32."""
    return values.view(f"u{values.dtype.itemsize}") if values.dtype.kind == "i" else values


@dataclass(frozen=True)
class LeftOut:
    """Applies a function to a work item and leaves its selected events out; sent to workers."""

    function: Callable[[Any], Any]

    def __call__(self, argument: Any) -> Any:
        """Mapper."""
        result = self.function(argument)
        return result._replace(selected={}) if isinstance(result, Partial) else result


def leaving_out(mapper: Mapper) -> Mapper:
    """Return a mapper whose results hold no selected events: nobody asked for them."""
    return lambda function, work: mapper(LeftOut(function), work)


def keeping(mapper: Mapper, config: RunConfig, pieces: Pieces, cache: ColumnCache | None = None) -> Mapper:
    """Return a mapper that puts the selected events of each result on the disk and hands the rest on.

    Events of data where the selection is blind are left out here, before anything is on the disk.
    """
    channel = channels.find(config.selection.channel)
    schema = channel.schema(config.selection)
    categories = channel.histograms(config.selection)[0].categories
    blinds = {dataset.name: blinding.of(config, dataset.kind) for dataset in config.datasets}
    known = schema.collections.get("events", {})
    branches = {column: known[column].branches for column in IDENTITY if column in known}

    def apply(function: Callable[[Any], Any], work: Work) -> Iterator[Any]:
        for result in mapper(Identified(function, schema.trees, branches, cache, config.redirectors), work):
            if isinstance(result, Partial):
                rows = blinding.shown(blinds[result.item.dataset], categories, result.selected)
                pieces.keep(result.item, rows)
                yield result._replace(selected={})
            else:
                yield result

    return apply
