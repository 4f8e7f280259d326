"""A table behind the column cache: its file is opened only for what the cache does not have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from .cache import ColumnCache, Identity
from .table import Table, Volume
from .values import Values


class CachedTable:
    """What a source has, from the cache where it is there."""

    def __init__(
        self,
        cache: ColumnCache,
        identity: Identity,
        trees: tuple[str, ...],
        open_: Callable[[], Table],
        close: Callable[[], None],
    ) -> None:
        self._cache, self._identity = cache, {**identity, "trees": list(trees)}
        self._open, self._close_source = open_, close
        self._table: Table | None = None
        self._closed = False
        facts = cache.answer(self._identity, "table", self._facts)
        self.name, self.kind, self.uuid = str(facts["name"]), str(facts["kind"]), str(facts["uuid"])
        self.entries = int(facts["entries"])
        self.branches = frozenset(facts["branches"])

    def _source(self) -> Table:
        if self._table is None:
            self._table = self._open()
        return self._table

    def _facts(self) -> dict[str, object]:
        table = self._source()
        names = ("name", "kind", "uuid", "entries")
        return {"branches": sorted(table.branches), **{name: getattr(table, name) for name in names}}

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self._closed

    def close(self) -> None:
        """Close the file, where it is open."""
        if self._table is not None:
            self._table.close()
        self._close_source()
        self._closed = True

    def read(self, names: Sequence[str], start: int, stop: int, threads: int) -> dict[str, Values]:
        """Read branches over the events [start, stop)."""
        found = self._cache.load(self._identity, names, start, stop, threads)
        missing = [name for name in names if name not in found]
        if missing:
            read = self._source().read(missing, start, stop, threads)
            self._cache.store(self._identity, start, stop, read)
            found |= read
        return found

    def edges(self, names: Sequence[str]) -> np.ndarray:
        """Return the events at which a range may begin without anything being decoded twice."""
        said = self._cache.answer(
            self._identity, f"edges {' '.join(sorted(names))}", lambda: self._source().edges(names).tolist()
        )
        return np.array(said, np.int64)

    def volumes(self, names: Sequence[str]) -> Mapping[str, Volume]:
        """Return the bytes of branches, by codec."""
        said = self._cache.answer(
            self._identity, f"volumes {' '.join(sorted(names))}", lambda: dict(self._source().volumes(names))
        )
        return {codec: Volume(*volume) for codec, volume in said.items()}

    def sums(self, tree: str, names: Sequence[str]) -> float | None:
        """Return the sum of the first of some branches in another tree of the file; None: it has none of them."""
        question = f"sums {tree} {' '.join(names)}"
        said = self._cache.answer(self._identity, question, lambda: self._source().sums(tree, names))
        return None if said is None else float(said)

    def averages(self, tree: str, names: Sequence[str], branch: str) -> tuple[float, ...] | None:
        """Return the averages of a branch with several values an entry, weighted by the first of *names*."""
        question = f"averages {tree} {' '.join(names)} {branch}"
        said = self._cache.answer(self._identity, question, lambda: self._source().averages(tree, names, branch))
        return None if said is None else tuple(map(float, said))

    def sections(self, tree: str) -> list[list[int]] | None:
        """Return (run, luminosity section) for each entry of another tree of the file; None: it is not there."""
        found: list[list[int]] | None = self._cache.answer(
            self._identity, f"sections {tree}", lambda: self._source().sections(tree)
        )
        return found
