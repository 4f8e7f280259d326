"""RNTuple: fields of numbers and bools by their pages, other fields by uproot.

A field holds one value an event, a list of values, or the number of entries of a list (``RNTupleCardinality``). Fields
of a record, or of a list of records, are known as ``record_field``, as NanoAOD names its branches.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import FileError
from . import memory, pages
from .fetching import decode_all
from .pages import ENCODINGS, Encoding, Page
from .source import Extent
from .table import Volume
from .ttree import codec_of
from .values import Values, flat

if TYPE_CHECKING:
    from .root_file import RootFile

_log = logging.getLogger(__name__)

MOST_OBJECTS = 1 << 31
"""In one event: above it, a sum over a range of events might not fit into an int64."""
_LEAF, _COLLECTION, _RECORD = 0, 1, 2
"""Structural roles of a field."""


class Field(NamedTuple):
    """Which columns of the file hold a field."""

    offsets: int | None
    """The column with the ends of its lists; None: one value an event."""
    values: int | None
    """None: the field is the number of entries of the lists."""
    counts: np.dtype[Any] | None = None


_Range = tuple[int, int, int]
"""A cluster, and the first and last of its entries or elements."""


class _Piece(NamedTuple):
    """A range of elements of one column in one cluster, and where it goes."""

    column: int
    cluster: int
    first: int
    stop: int
    at: int


class _Lists(NamedTuple):
    """The lists of a field over a range of events."""

    offsets: np.ndarray
    items: list[_Range]


class NtupleTable:
    """An RNTuple of an open file."""

    kind = "ntuple"

    def __init__(self, file: RootFile, name: str) -> None:
        self._file, self.name = file, name
        self._ntuple = file.directory[name]
        self.uuid = file.uuid
        self.entries = int(self._ntuple.num_entries)
        self._top = {record.field_name: i for i, record in _tops(self._ntuple)}
        self._parts = {f"{name}_{part}": i for name, top in self._top.items() for part, i in self._members(top)}
        self.branches = frozenset(self._top) | frozenset(self._parts)
        self.sums, self.averages, self.sections = file.sums, file.averages, file.sections
        self.close = file.close
        self._pages: dict[tuple[int, int], list[Page]] = {}

    @property
    def closed(self) -> bool:
        """Whether the file has been closed."""
        return self._file.closed

    # --- what there is ---------------------------------------------------------------------------------------------

    def _record(self, i: int) -> Any:
        return self._ntuple.field_records[i]

    def _members(self, top: int) -> Iterable[tuple[str, int]]:
        """List the members of a record, or of the records in a list."""
        children = self._ntuple._related_ids.get(top, [])
        if self._record(top).struct_role == _COLLECTION and len(children) == 1:
            top = children[0]
            children = self._ntuple._related_ids.get(top, [])
        if self._record(top).struct_role == _RECORD:
            yield from ((self._record(i).field_name, i) for i in children)

    def field(self, name: str) -> Field | None:
        """Return which columns hold a field; None: not covered."""
        if name in self._top:
            return self._described(self._top[name])
        i = self._parts[name]
        values = self._column(i)
        parent = self._record(self._record(i).parent_field_id)
        lists = self._record(parent.parent_field_id) if "_0" in parent.field_name else parent
        if values is None:
            return None
        if lists.struct_role != _COLLECTION:
            return Field(None, values)
        return Field(self._column(parent.parent_field_id, _COLLECTION), values)

    def _described(self, i: int) -> Field | None:
        record = self._record(i)
        children = self._ntuple._related_ids.get(i, [])
        if record.struct_role == _LEAF and "RNTupleCardinality" in record.type_name:
            offsets = self._column(i, None)
            counts = np.dtype(np.uint64 if "64" in record.type_name else np.uint32)
            return None if offsets is None else Field(offsets, None, counts)
        if record.struct_role == _LEAF:
            values = self._column(i)
            return None if values is None else Field(None, values)
        if record.struct_role == _COLLECTION and len(children) == 1:
            offsets, values = self._column(i, _COLLECTION), self._column(children[0])
            return None if offsets is None or values is None else Field(offsets, values)
        return None

    def _column(self, i: int, role: int | None = _LEAF) -> int | None:
        """Return the one column of a field, or of the field that it projects; None: not covered."""
        record = self._record(i)
        if role is not None and record.struct_role != role:
            return None
        columns = self._ntuple._column_records_dict.get(i if record.source_field_id is None else record.source_field_id)
        if record.repetition or columns is None or len(columns) != 1 or columns[0].type not in ENCODINGS:
            return None
        is_index = columns[0].type in (0x0E, 0x0F, 0x1A, 0x1B)
        return int(columns[0].idx) if is_index == (role != _LEAF) else None

    def _encoding(self, column: int) -> Encoding:
        return ENCODINGS[self._ntuple.column_records[column].type]

    def pages(self, cluster: int, column: int) -> list[Page]:
        """Return the pages of a column in a cluster.

        Raises
        ------
        FileError
            If they do not lie in the file, or the column is not stored in this cluster.
        """
        if (cluster, column) not in self._pages:
            columns = self._ntuple.page_link_list[cluster]
            if column >= len(columns) or columns[column].suppressed:
                msg = f"column {column} is not stored in the cluster {cluster}"
                raise FileError(msg)
            found, first = [], 0
            for page in columns[column].pages:
                seek, length = int(page.locator.offset), int(page.locator.num_bytes) + 8 * bool(page.has_checksum)
                if not 0 <= seek <= seek + length <= self._file.source.size:
                    msg = f"a page has {length} bytes from byte {seek} of a file of {self._file.source.size}"
                    raise FileError(msg)
                n = int(page.num_elements)
                found.append(Page(first, first + n, Extent(seek, length), bool(page.has_checksum)))
                first += n
            self._pages[cluster, column] = found
        return self._pages[cluster, column]

    def _clusters(self, start: int, stop: int) -> list[_Range]:
        """List the clusters with events of [start, stop): number, and which of its events."""
        found = []
        for i, one in enumerate(self._ntuple.cluster_summaries):
            begin, end = int(one.num_first_entry), int(one.num_first_entry) + int(one.num_entries)
            if begin < stop and start < end:
                found.append((i, max(start, begin) - begin, min(stop, end) - begin))
        if sum(b - a for _, a, b in found) != max(stop - start, 0):
            msg = f"its clusters do not hold the events {start} to {stop}"
            raise FileError(msg)
        return found

    # --- reading ---------------------------------------------------------------------------------------------------

    def read(self, names: Sequence[str], start: int, stop: int, threads: int) -> dict[str, Values]:
        """Read fields over the events [start, stop)."""
        found = {name: self.field(name) for name in names}
        covered = {name: one for name, one in found.items() if one is not None and self._stored(one)}
        others = [name for name in names if name not in covered]
        clusters = self._clusters(start, stop)
        lists = {one.offsets for one in covered.values() if one.offsets is not None}
        flats = {one.values for one in covered.values() if one.offsets is None and one.values is not None}
        ends = self._columns({i: [(c, max(a - 1, 0), b) for c, a, b in clusters] for i in lists}, threads)
        shapes = {i: self._lists(i, clusters, column) for i, column in ends.items()}
        wanted = {i: clusters for i in flats}
        for one in covered.values():
            if one.offsets is not None and one.values is not None:
                wanted[one.values] = shapes[one.offsets].items
        columns = self._columns(wanted, threads)
        data = {name: _values(one, columns, shapes) for name, one in covered.items()}
        return data | self._by_uproot(others, start, stop)

    def _stored(self, one: Field) -> bool:
        """Whether every cluster has the columns: fields that were added later, or stored in two ways, may lack them."""
        columns = [i for i in (one.offsets, one.values) if i is not None]
        return all(
            i < len(cluster) and not cluster[i].suppressed and cluster[i].element_offset >= 0
            for cluster in self._ntuple.page_link_list
            for i in columns
        )

    def _by_uproot(self, names: list[str], start: int, stop: int) -> dict[str, Values]:
        if names:
            _log.debug("%s: read by uproot's arrays(): %s", self._file.path, ", ".join(names))
        found = {}
        for name in names:  # one by one: to choose fields together, uproot goes through all of them for each of them
            path = name if name in self._top else self._ntuple.all_fields[self._parts[name]].path
            array = self._ntuple[path].array(entry_start=start, entry_stop=stop)
            if len(array) != stop - start:
                msg = f"{self._file.path}: {len(array)} of the events {start} to {stop} are in the field {name}"
                raise FileError(msg)
            found[name] = flat(array)
        return found

    def _lists(self, column: int, clusters: list[_Range], ends: np.ndarray) -> _Lists:
        """Turn the ends of lists, counted in each cluster, into offsets and the ranges of their items."""
        counts, items, at = [np.zeros(1, np.int64)], [], 0
        for cluster, a, b in clusters:
            mine = ends[at : at + b - max(a - 1, 0)].astype(np.int64)
            at += len(mine)
            edges = mine if a else np.concatenate([[0], mine])
            counts.append(np.diff(edges))
            items.append((cluster, int(edges[0]), int(edges[-1])))
            if counts[-1].size and not 0 <= int(counts[-1].min()) <= int(counts[-1].max()) < MOST_OBJECTS:
                msg = f"{self._file.path}: field {self._field_of(column)}: counts from {counts[-1].min()}"
                raise FileError(msg)
        return _Lists(np.cumsum(np.concatenate(counts)), items)

    def _columns(self, wanted: Mapping[int, list[_Range]], threads: int) -> dict[int, np.ndarray]:
        """Read ranges (cluster, first, stop) of elements of columns, one after the other into one array each."""
        pieces: list[_Piece] = []
        arrays: dict[int, np.ndarray] = {}
        for column, ranges in wanted.items():
            at = 0
            for cluster, first, stop in ranges:
                pieces.append(_Piece(column, cluster, first, stop, at))
                at += stop - first
            arrays[column] = memory.empty(at, self._encoding(column).dtype.newbyteorder("="))
        tasks = [(piece, page) for piece in pieces for page in self._covering(piece)]

        def decode(i: int, raw: memoryview) -> None:
            piece, page = tasks[i]
            out = arrays[piece.column][piece.at : piece.at + piece.stop - piece.first]
            pages.decode(page, self._encoding(piece.column), raw, out, piece.first, piece.stop)

        def place(i: int) -> str:
            piece, page = tasks[i]
            return f"field {self._field_of(piece.column)}, cluster {piece.cluster}, elements from {page.first}"

        decode_all(self._file.source, [page.extent for _, page in tasks], decode, place, threads)
        return arrays

    def _covering(self, piece: _Piece) -> list[Page]:
        try:
            every = self.pages(piece.cluster, piece.column)
            if piece.stop > piece.first and (not every or every[-1].stop < piece.stop):
                msg = f"{every[-1].stop if every else 0} elements in the cluster {piece.cluster}, expected {piece.stop}"
                raise FileError(msg)
        except FileError as error:
            msg = f"{self._file.path}: field {self._field_of(piece.column)}: {error}"
            raise FileError(msg) from error
        return pages.overlapping(every, piece.first, piece.stop)

    def _field_of(self, column: int) -> str:
        return str(self._ntuple.all_fields[self._ntuple.column_records[column].field_id].path)

    # --- sizes -----------------------------------------------------------------------------------------------------

    def edges(self, names: Sequence[str]) -> np.ndarray:
        """Return the events at which clusters begin."""
        firsts = [int(one.num_first_entry) for one in self._ntuple.cluster_summaries]
        return np.union1d(np.array([0, self.entries], np.int64), np.array(firsts, np.int64))

    def volumes(self, names: Sequence[str]) -> Mapping[str, Volume]:
        """Return the bytes of fields and of the columns with their lists, by codec."""
        fields = [one for name in names if (one := self.field(name)) is not None]
        columns = {i for one in fields for i in (one.offsets, one.values) if i is not None}
        found: dict[str, Volume] = {}
        for cluster, stored in enumerate(self._ntuple.page_link_list):
            for i in columns:
                if i < len(stored) and not stored[i].suppressed:
                    every = self.pages(cluster, i)
                    codec = codec_of(int(stored[i].compression_settings))
                    before = found.get(codec, Volume(0, 0))
                    size = sum(pages.size_of(self._encoding(i), page.stop - page.first) for page in every)
                    found[codec] = Volume(before.stored + sum(page.extent.length for page in every), before.size + size)
        return found


def _tops(ntuple: Any) -> Iterable[tuple[int, Any]]:
    """List the fields that are not part of another one."""
    return ((i, record) for i, record in enumerate(ntuple.field_records) if record.parent_field_id == i)


def _values(one: Field, columns: Mapping[int, np.ndarray], shapes: Mapping[int, _Lists]) -> Values:
    offsets = None if one.offsets is None else shapes[one.offsets].offsets
    if one.values is not None:
        return Values(columns[one.values], offsets)
    assert offsets is not None
    return Values(np.diff(offsets).astype(one.counts), None)
