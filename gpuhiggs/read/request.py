"""What is asked of a file: the columns of a kernel, and the branches that hold them."""

from __future__ import annotations

from typing import NamedTuple

from ..columns import Wanted, wanted
from ..schema import Branch, Schema


class BitMask(NamedTuple):
    """A column that packs bool branches: bit i is the i-th of them."""

    collection: str
    field: str
    branches: tuple[str, ...]
    optional: bool
    """Whether a branch may be missing: a trigger path that an era does not have has not fired."""


class Request(NamedTuple):
    """What to read from files of one dataset."""

    inputs: type
    schema: Schema
    simulation: bool
    masks: tuple[BitMask, ...] = ()
    unused: tuple[str, ...] = ()
    """Columns ``collection.field`` that the configuration makes no use of, and so are not read."""
    absent: tuple[str, ...] = ()
    """Collections that the configuration declares empty."""

    def sources(self) -> list[tuple[Wanted, Branch | None]]:
        """List the columns that branches hold, and what the schema says of them; None: not read.

        Raises
        ------
        ConfigError
            If the schema lacks one of them.
        """
        packed = {(mask.collection, mask.field) for mask in self.masks}
        columns = (one for one in wanted(self.inputs) if (one.collection, one.field) not in packed)
        return [(one, self.source(one)) for one in columns]

    def source(self, one: Wanted) -> Branch | None:
        """Return what the schema says of one column; None: not read."""
        if one.collection in self.absent or f"{one.collection}.{one.field}" in self.unused:
            return None
        source = self.schema.branch(one.collection, one.field)
        return source if self.simulation or not source.simulation else None


class Column(NamedTuple):
    """A wanted column and the branch that holds it in one file; no branch: a constant, or never read."""

    wanted: Wanted
    branch: str | None
    scale: float
    constant: int | float | None


class Resolved(NamedTuple):
    """A request in terms of one file's branches."""

    request: Request
    columns: tuple[Column, ...]
    masks: tuple[BitMask, ...]
    """With the missing branches replaced by empty names."""
    notes: tuple[str, ...]
    """What the file does not have, and what is taken instead."""
    counters: dict[str, str]
    """For each collection with objects, a branch that has its shape."""

    def branches(self) -> list[str]:
        """List the branches to read."""
        named = {column.branch for column in self.columns} | set(self.counters.values())
        named |= {branch for mask in self.masks for branch in mask.branches}
        return sorted(name for name in named if name)
