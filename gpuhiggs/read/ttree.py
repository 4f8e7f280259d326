"""TTree: in bulk where that covers a branch, by uproot where it does not."""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import awkward as ak
import numpy as np
from uproot import AsDtype, AsJagged

from ..errors import FileError
from . import blocks, bulk, metadata
from .baskets import Branch, Embedded
from .fetching import damaged
from .source import Extent
from .table import Volume
from .values import VECTOR_HEADER, Values, flat

if TYPE_CHECKING:
    from .root_file import RootFile

_log = logging.getLogger(__name__)

_ALGORITHMS = {0: "zlib", 1: "zlib", 2: "lzma", 4: "lz4", 5: "zstd"}
"""ROOT, ``Compression.h``; 0 is the global setting, which is ZLIB unless a program has changed it."""


class TreeTable:
    """A TTree of an open file."""

    kind = "tree"

    def __init__(self, file: RootFile, name: str) -> None:
        self._file, self.name = file, name
        self.uuid = file.uuid
        self._metadata = self._parsed()
        if self._metadata is None:
            self.entries = int(self._tree.num_entries)
            self.branches = frozenset(self._tree.keys(recursive=False))
        else:
            self.entries, self.branches = self._metadata.entries, frozenset(self._metadata.names)
        self.sums, self.averages, self.sections = file.sums, file.averages, file.sections
        self.close = file.close
        self._described: dict[str, Branch | None] = {}

    def _parsed(self) -> metadata.Metadata | None:
        """Index the tree's branches without uproot; None: it is to read the tree."""
        key = self._file.directory.key(self.name)
        try:
            [raw] = self._file.source.fetch([Extent(int(key.fSeekKey), int(key.fNbytes))])
            payload = raw[key.fKeylen :]
            whole = payload if len(payload) == key.fObjlen else blocks.decompress(payload, key.fObjlen)
            content = bytes(whole)
        except Exception as error:
            raise damaged(self._file.source, f"tree {self.name}", error) from error
        return metadata.parse(memoryview(content), int(key.fKeylen))

    @functools.cached_property
    def _tree(self) -> Any:
        """The tree as uproot reads it, all branches."""
        _log.debug("%s: tree %s: its metadata are read by uproot", self._file.path, self.name)
        return self._file.tree(self.name)

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self._file.closed

    def branch(self, name: str) -> Branch | None:
        """Return how a branch lies in its baskets; None: bulk reading does not cover it."""
        if name not in self._described:
            found = None if self._metadata is None else self._metadata.branch(name)
            self._described[name] = found or described(self._tree[name])
        return self._described[name]

    def read(self, names: Sequence[str], start: int, stop: int, threads: int) -> dict[str, Values]:
        """Read branches over the events [start, stop)."""
        found = {name: self.branch(name) for name in names}
        covered = {name: branch for name, branch in found.items() if branch is not None}
        others = [name for name in names if name not in covered]
        data = bulk.read(self._file.source, covered, start, stop, threads)
        return data | self._by_uproot(others, start, stop) if others else data

    def _by_uproot(self, names: list[str], start: int, stop: int) -> dict[str, Values]:
        _log.debug("%s: read by uproot's arrays(): %s", self._file.path, ", ".join(names))
        read = self._tree.arrays(names, entry_start=start, entry_stop=stop, library="ak")
        return {name: _checked(self._file.path, name, read[name], start, stop) for name in names}

    def edges(self, names: Sequence[str]) -> np.ndarray:
        """Return the events at which baskets of all branches begin."""
        found = [np.unique(branch.edges) for name in names if (branch := self.branch(name)) is not None]
        ends = np.array([0, self.entries], np.int64)
        return np.union1d(ends, functools.reduce(np.intersect1d, found)) if found else ends

    def volumes(self, names: Sequence[str]) -> Mapping[str, Volume]:
        """Return the bytes of branches and their counters, by codec."""
        branches = {name: one for name in names if (one := self.branch(name)) is not None}
        branches |= {one.counter.name: one.counter for one in list(branches.values()) if one.counter is not None}
        found: dict[str, Volume] = {}
        for one in branches.values():
            setting = one.setting if one.setting % 100 else 0  # uproot writes 0, and compresses
            setting = setting or (self._file.directory.file.fCompress if one.stored < one.size else 0)
            parts = [(codec_of(setting), one.stored, one.size)]
            parts += [("none", len(basket.data), len(basket.data)) for basket in one.embedded]
            for codec, stored, size in parts:
                before = found.get(codec, Volume(0, 0))
                found[codec] = Volume(before.stored + stored, before.size + size)
        return {codec: volume for codec, volume in found.items() if volume.size}


def codec_of(setting: int) -> str:
    """Return the codec of one of ROOT's compression settings, 100 × algorithm + level."""
    return _ALGORITHMS.get(setting // 100, "old") if setting % 100 else "none"


def _checked(path: str, name: str, array: ak.Array, start: int, stop: int) -> Values:
    if len(array) != stop - start:
        msg = f"{path}: {len(array)} of the events {start} to {stop} are in the branch {name}"
        raise FileError(msg)
    return flat(array)


def described(branch: Any) -> Branch | None:
    """Return how an uproot branch lies in its baskets; None: bulk reading does not cover it."""
    interpretation, counter = branch.interpretation, branch.count_branch
    if len(branch.branches) or len(branch.member("fLeaves")) != 1:
        return None
    if _is_numbers(interpretation):
        return _branch(branch, interpretation.from_dtype)
    if type(interpretation) is not AsJagged or not _is_numbers(interpretation.content):
        return None
    dtype = interpretation.content.from_dtype
    if counter is None:
        return _branch(branch, dtype, vector=True) if interpretation.header_bytes == VECTOR_HEADER else None
    counts = described(counter) if interpretation.header_bytes == 0 else None
    is_counter = counts is not None and counts.counter is None and not counts.vector and counts.dtype.kind in "iu"
    return _branch(branch, dtype, counts) if is_counter else None


def _is_numbers(interpretation: Any) -> bool:
    if type(interpretation) is not AsDtype:
        return False
    stored = interpretation.from_dtype
    return stored.kind in "biuf" and stored.newbyteorder("=") == interpretation.to_dtype


def _branch(branch: Any, dtype: np.dtype[Any], counter: Branch | None = None, *, vector: bool = False) -> Branch:
    edges = np.asarray(branch.entry_offsets, np.int64)
    seeks, lengths = (np.asarray(branch.member(name), np.int64) for name in ("fBasketSeek", "fBasketBytes"))
    embedded = tuple(Embedded(basket.data, basket.byte_offsets) for basket in branch.embedded_baskets)
    n_free = len(edges) - 1 - len(embedded)
    totals = (int(branch.member(name)) for name in ("fCompress", "fZipBytes", "fTotBytes"))
    return Branch(branch.name, dtype, counter, vector, edges, seeks[:n_free], lengths[:n_free], embedded, *totals)
