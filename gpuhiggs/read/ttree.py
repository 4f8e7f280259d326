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
from . import bulk
from .baskets import Branch
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
        self._tree = file.directory[name]
        self.uuid = file.uuid
        self.entries = int(self._tree.num_entries)
        self.branches = frozenset(self._tree.keys(recursive=False))
        self.sums = file.sums
        self.close = file.close
        self._described: dict[str, Branch | None] = {}

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self._file.closed

    def branch(self, name: str) -> Branch | None:
        """Return how a branch lies in its baskets; None: bulk reading does not cover it."""
        if name not in self._described:
            self._described[name] = described(self._tree[name])
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
        counters = {one.counter.name for name in names if (one := self.branch(name)) is not None and one.counter}
        found: dict[str, Volume] = {}
        for name in {*names, *counters}:
            branch = self._tree[name]
            stored, size = int(branch.compressed_bytes), int(branch.uncompressed_bytes)
            setting = branch.member("fCompress") % 100 and branch.member("fCompress")  # uproot writes 0, and compresses
            setting = setting or (self._file.directory.file.fCompress if stored < size else 0)
            parts = [(codec_of(setting), stored, size)]
            parts += [("none", len(one.data), len(one.data)) for one in branch.embedded_baskets]
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
    embedded = tuple(branch.embedded_baskets)
    n_free = len(edges) - 1 - len(embedded)
    return Branch(branch.name, dtype, counter, vector, edges, seeks[:n_free], lengths[:n_free], embedded)
