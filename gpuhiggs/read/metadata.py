"""The metadata of a TTree: an index of its branches, and those that are needed parsed.

A tree of 1,500 branches holds some hundred thousand objects; to read all of them takes longer than to read a million
events of a few branches. Every object says how many bytes it has, so the others are passed over. Whatever is not as
ROOT writes plain branches today is left to uproot: the parser answers None, never a guess.

Sources: ROOT, ``TTree::Streamer`` (version 16 on), ``TBranch::Streamer`` (12, 13), ``TLeaf``, ``TObjArray``,
``TBufferFile::ReadObjectAny``; an object's version stands behind its byte count, whose bit 30 is set.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np

from ..errors import FileError
from . import baskets
from .baskets import Branch, Embedded

_COUNTED = 0x40000000
_NEW_CLASS = 0xFFFFFFFF
_CLASS = 0x80000000
_MAP_OFFSET = 2
_REFERENCED = 1 << 4
"""Bit of a TObject that is followed by the number of its process."""
_MOST_OBJECTS = 1 << 20
"""In an array: above it, the length is wrong."""

_U4, _I4, _U2 = struct.Struct(">I"), struct.Struct(">i"), struct.Struct(">H")
_TREE_16 = struct.Struct(">4q")
_NUMBERS = struct.Struct(">4iq")
"""fCompress, fBasketSize, fEntryOffsetLen, fWriteBasket, fEntryNumber of a TBranch."""
_COUNTS = struct.Struct(">3i4q")
"""fOffset, fMaxBaskets, fSplitLevel, fEntries, fFirstEntry, fTotBytes, fZipBytes."""
_LEAF = struct.Struct(">3i2?")
"""fLen, fLenType, fOffset, fIsRange, fIsUnsigned."""

_DTYPES = {
    "TLeafO": ("?", "?"), "TLeafB": ("i1", "u1"), "TLeafS": (">i2", ">u2"), "TLeafI": (">i4", ">u4"),
    "TLeafL": (">i8", ">u8"), "TLeafF": (">f4", ">f4"), "TLeafD": (">f8", ">f8"),
}  # fmt: skip
"""Of a leaf's class, signed and unsigned."""
_VECTORS = {
    "bool": "?", "char": "i1", "unsigned char": "u1", "short": ">i2", "unsigned short": ">u2", "int": ">i4",
    "unsigned int": ">u4", "long": ">i8", "unsigned long": ">u8", "Long64_t": ">i8", "ULong64_t": ">u8",
    "float": ">f4", "double": ">f8",
}  # fmt: skip
"""Of the values of a ``std::vector``, by their name in C++."""
_ELEMENT = struct.Struct(">IH4i")
"""fCheckSum, fClassVersion, fID, fType, fStreamerType, fMaximum of a TBranchElement."""
_NOT_SPLIT, _WHOLE = 0, -1
"""fType and fStreamerType of a branch that holds its object as a whole."""


class _Strange(Exception):  # noqa: N818
    """Something that the parser does not know."""


_NOT_UNDERSTOOD = (_Strange, FileError, struct.error, LookupError, ValueError, RecursionError)


class _Object(NamedTuple):
    """Where an object in an array of objects stands."""

    kind: str
    start: int
    """Of its data, behind the name of its class."""
    stop: int


class _Leaf(NamedTuple):
    """What a leaf says of its branch."""

    name: str
    dtype: np.dtype[Any]
    counter: str | None
    vector: bool = False


class _Detail(NamedTuple):
    """A branch of one leaf."""

    name: str
    leaf: _Leaf
    setting: int
    stored: int
    size: int
    edges: np.ndarray
    seeks: np.ndarray
    lengths: np.ndarray
    embedded: tuple[Embedded, ...]


class Metadata:
    """The index of a tree's branches."""

    def __init__(self, payload: memoryview, key_length: int) -> None:
        self._raw, self._key_length = payload, key_length
        self._branches: dict[str, _Object] = {}
        self.entries, at = self._tree()
        for one in self._objects(at)[0]:
            if one is None or one.kind not in ("TBranch", "TBranchElement"):
                raise _Strange
            name = self._name(one.start if one.kind == "TBranch" else one.start + 6)
            if name in self._branches:
                raise _Strange
            self._branches[name] = one
        self.names = list(self._branches)

    # --- bytes -----------------------------------------------------------------------------------------------------

    def _counted(self, at: int) -> tuple[int, int, int]:
        """Return version, beginning and end of the object that begins at a byte count."""
        count = _U4.unpack_from(self._raw, at)[0]
        if not count & _COUNTED:
            raise _Strange
        return _U2.unpack_from(self._raw, at + 4)[0], at + 6, at + 4 + (count & ~_COUNTED)

    def _skip(self, at: int) -> int:
        return self._counted(at)[2]

    def _string(self, at: int) -> tuple[str, int]:
        n, at = self._raw[at], at + 1
        if n == 255:
            n, at = _U4.unpack_from(self._raw, at)[0], at + 4
        if at + n > len(self._raw):
            raise _Strange
        return bytes(self._raw[at : at + n]).decode(), at + n

    def _object_header(self, at: int) -> int:
        """Pass a TObject: version, unique id, bits."""
        bits = _U4.unpack_from(self._raw, at + 6)[0]
        return at + 10 + 2 * bool(bits & _REFERENCED)

    def _named(self, at: int) -> tuple[str, str, int]:
        """Return the name and title of a TNamed, and its end."""
        _, begin, end = self._counted(at)
        name, at = self._string(self._object_header(begin))
        title, at = self._string(at)
        if at != end:
            raise _Strange
        return name, title, end

    def _name(self, at: int) -> str:
        """Return the name of a branch, whose data begin with its own byte count."""
        _, begin, _ = self._counted(at)
        _, begin, _ = self._counted(begin)
        return self._string(self._object_header(begin))[0]

    def _class(self, at: int) -> tuple[str, int]:
        """Return the class at a tag, and the tag's end."""
        tag = _U4.unpack_from(self._raw, at)[0]
        if tag == _NEW_CLASS:
            end = bytes(self._raw[at + 4 : at + 256]).index(0) + at + 4
            return bytes(self._raw[at + 4 : end]).decode(), end + 1
        if not tag & _CLASS:
            raise _Strange
        where = (tag & ~_CLASS) - _MAP_OFFSET - self._key_length
        if not 0 <= where < at or _U4.unpack_from(self._raw, where)[0] != _NEW_CLASS:
            raise _Strange
        return self._class(where)[0], at + 4

    def _any(self, at: int, referred: bool = False) -> tuple[_Object | None, int]:
        """Return the object that stands there, or that is referred to there; None: there is none."""
        count = _U4.unpack_from(self._raw, at)[0]
        if count == 0 and not referred:
            return None, at + 4
        if not count & _COUNTED or count == _NEW_CLASS:
            where = count - _MAP_OFFSET - self._key_length
            if referred or not 0 <= where < at:
                raise _Strange
            return self._any(where, referred=True)[0], at + 4
        kind, start = self._class(at + 4)
        stop = at + 4 + (count & ~_COUNTED)
        if not start <= stop <= len(self._raw):
            raise _Strange
        return _Object(kind, start, stop), stop

    def _objects(self, at: int) -> tuple[list[_Object | None], int]:
        """Return the objects of a TObjArray, and its end."""
        _, begin, end = self._counted(at)
        _, at = self._string(self._object_header(begin))
        n, at = _I4.unpack_from(self._raw, at)[0], at + 8
        if not 0 <= n <= _MOST_OBJECTS:
            raise _Strange
        found = []
        for _ in range(n):
            one, at = self._any(at)
            found.append(one)
        if at != end:
            raise _Strange
        return found, end

    def _array(self, at: int, n: int, dtype: str) -> tuple[np.ndarray, int]:
        """Return an array that stands behind a byte that says whether it is there."""
        size = n * np.dtype(dtype).itemsize
        if at + 1 + size > len(self._raw) or self._raw[at] != 1:
            raise _Strange
        return np.frombuffer(self._raw, dtype, n, at + 1).astype(np.int64), at + 1 + size

    # --- objects ---------------------------------------------------------------------------------------------------

    def _tree(self) -> tuple[int, int]:
        """Return the number of entries, and where the array of branches begins."""
        version, at, _ = self._counted(0)
        if not 16 <= version <= 20:
            raise _Strange
        at = self._named(at)[2]
        for _ in range(3):  # line, fill and marker attributes
            at = self._skip(at)
        entries = _TREE_16.unpack_from(self._raw, at)[0]
        at += 8 * 4 + (8 if version >= 18 else 0)  # fEntries, fTotBytes, fZipBytes, fSavedBytes, fFlushedBytes
        at += 8 + 4 * 3  # fWeight, fTimerInterval, fScanField, fUpdate
        at += 4 if version >= 17 else 0  # fDefaultEntryOffsetLen
        n_ranges = 0
        if version >= 19:
            n_ranges, at = _I4.unpack_from(self._raw, at)[0], at + 4
        at += 8 * 6 if version >= 18 else 8 * 5  # fMaxEntries, fMaxEntryLoop, fMaxVirtualSize, fAutoSave, …
        if version >= 19:
            for _ in range(2):  # fClusterRangeEnd, fClusterSize
                at += 1 + 8 * n_ranges
        if version >= 20:
            at = self._skip(at)  # fIOFeatures
        return entries, at

    def _leaf(self, one: _Object) -> _Leaf:
        """Parse a leaf of one number, or of as many as a counter says."""
        if one.kind not in _DTYPES:
            raise _Strange
        _, at, _ = self._counted(one.start)
        _, at, end = self._counted(at)
        name, title, at = self._named(at)
        length, _, _, _, unsigned = _LEAF.unpack_from(self._raw, at)
        counter, at = self._any(at + _LEAF.size)
        if length != 1 or at != end:
            raise _Strange
        counted = None if counter is None else self._leaf(counter).name
        if title != (name if counted is None else f"{name}[{counted}]"):
            raise _Strange
        return _Leaf(name, np.dtype(_DTYPES[one.kind][unsigned]), counted)

    def _vector(self, at: int, stop: int) -> np.dtype[Any]:
        """Return what the elements of a vector are, from the members that a TBranchElement adds to a TBranch."""
        names = []
        for _ in range(3):  # fClassName, fParentName, fClonesName
            name, at = self._string(at)
            names.append(name)
        _, _, _, kind, streamer, _ = _ELEMENT.unpack_from(self._raw, at)
        count, at = self._any(at + _ELEMENT.size)
        count_2, at = self._any(at)
        element = names[0].removeprefix("vector<").removesuffix(">")
        strange = kind != _NOT_SPLIT or streamer != _WHOLE or names[1:] != ["", ""] or count or count_2 or at != stop
        if strange or names[0] != f"vector<{element}>":
            raise _Strange
        return np.dtype(_VECTORS[element])

    def _vector_leaf(self, one: _Object, dtype: np.dtype[Any]) -> _Leaf:
        """Parse the leaf of a vector."""
        if one.kind != "TLeafElement":
            raise _Strange
        _, at, _ = self._counted(one.start)
        _, at, end = self._counted(at)
        name, title, at = self._named(at)
        length = _LEAF.unpack_from(self._raw, at)[0]
        counter, at = self._any(at + _LEAF.size)
        if length != 1 or counter is not None or title != name or at != end:
            raise _Strange
        return _Leaf(name, dtype, None, vector=True)

    def _detail(self, name: str) -> _Detail:
        one = self._branches[name]
        version, at, end = self._counted(one.start)
        element = None
        if one.kind == "TBranchElement":
            if version != 10 or end != one.stop:
                raise _Strange
            version, at, end = self._counted(at)
            element = self._vector(end, one.stop)
        elif end != one.stop:
            raise _Strange
        if version not in (12, 13):
            raise _Strange
        _, _, at = self._named(at)
        at = self._skip(at)  # fill attributes
        setting, _, _, n_written, _ = _NUMBERS.unpack_from(self._raw, at)
        at += _NUMBERS.size
        if version >= 13:
            at = self._skip(at)  # fIOFeatures: of the entries' offsets only, which are not looked at
        _, n_most, _, entries, first, size, stored = _COUNTS.unpack_from(self._raw, at)
        branches, at = self._objects(at + _COUNTS.size)
        leaves, at = self._objects(at)
        held, at = self._objects(at)
        lengths, at = self._array(at, n_most, ">i4")
        starts, at = self._array(at, n_most, ">i8")
        seeks, at = self._array(at, n_most, ">i8")
        file, at = self._string(at)
        if branches or len(leaves) != 1 or leaves[0] is None or file or first or at != end:
            raise _Strange
        leaf = self._leaf(leaves[0]) if element is None else self._vector_leaf(leaves[0], element)
        n = min(n_written, n_most)
        embedded, more = self._held([one for one in held if one is not None])
        edges = starts[: n + 1]
        if not 0 <= n < n_most or (seeks[:n] <= 0).any():
            raise _Strange
        edges = np.append(edges, edges[-1] + np.cumsum(np.array(more, np.int64)))
        if len(edges) < 2 or edges[-1] != entries or entries != self.entries:
            raise _Strange
        return _Detail(name, leaf, setting, stored, size, edges, seeks[:n], lengths[:n], embedded)

    def _held(self, objects: list[_Object]) -> tuple[tuple[Embedded, ...], list[int]]:
        """Return the baskets that the branch holds itself, and the number of entries of each."""
        if any(one.kind != "TBasket" for one in objects):
            raise _Strange
        found = [baskets.embedded(self._raw[one.start : one.stop]) for one in objects]
        return tuple(basket for basket, _ in found), [entries for _, entries in found]

    def branch(self, name: str) -> Branch | None:
        """Return how a branch lies in its baskets; None: uproot is to say."""
        try:
            one = self._detail(name)
            counter = None if one.leaf.counter is None else self._detail(one.leaf.counter)
            if counter is not None and (counter.leaf[2:] != (None, False) or counter.leaf.name != counter.name):
                return None
        except _NOT_UNDERSTOOD:
            return None
        counts = None if counter is None else _branch(counter, None)
        return None if counts is not None and counts.dtype.kind not in "iu" else _branch(one, counts)


def _branch(one: _Detail, counter: Branch | None) -> Branch:
    return Branch(
        one.name, one.leaf.dtype, counter, one.leaf.vector, one.edges, one.seeks, one.lengths, one.embedded,
        one.setting, one.stored, one.size,
    )  # fmt: skip


def parse(payload: memoryview, key_length: int) -> Metadata | None:
    """Index the branches of a tree from the payload of its key; None: uproot is to read it."""
    try:
        return Metadata(payload, key_length)
    except _NOT_UNDERSTOOD:
        return None
