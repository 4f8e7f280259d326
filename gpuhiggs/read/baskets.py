"""Baskets: which bytes of a file hold a range of events of a branch, and what they are.

uproot has parsed the tree's metadata; a basket's own header is parsed here. It is a TKey, whose last 19 bytes are the
basket's members (ROOT, ``TKey::Streamer`` and ``TBasket::Streamer``); a payload follows. Behind the values of a branch
whose entries have different sizes, the payload has the entries' offsets.
"""

from __future__ import annotations

import bisect
import itertools
import os
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import FileError

_KEY = struct.Struct(">ihiIhh")
"""fNbytes, version, fObjlen, fDatime, fKeylen, fCycle."""
_MEMBERS = struct.Struct(">HiiiiB")
"""version, fBufferSize, fNevBufSize, fNevBuf, fLast, a flag: the end of the key."""

_GAP = 1 << 16
"""Bytes between two baskets that are read rather than skipped: about what one more request costs."""
_SPAN = 1 << 22
"""Bytes of one read, unless a single basket is larger."""


class Basket(NamedTuple):
    """Where a basket is."""

    number: int
    start: int
    stop: int
    """Its entries."""
    seek: int
    length: int
    """Its bytes, key included."""
    embedded: Any
    """uproot's basket where it stands in the tree's metadata rather than by itself."""


class Payload(NamedTuple):
    """What a basket holds, before decompression."""

    data: memoryview
    size: int
    """Bytes after decompression; as many as in ``data`` if it is not compressed."""
    border: int
    """Bytes of values; offsets follow."""
    key_length: int
    """The offsets count from the beginning of the key."""
    offsets: np.ndarray | None
    """The offsets of an embedded basket, from the first value."""


def overlapping(branch: Any, start: int, stop: int) -> list[Basket]:
    """Return the baskets of an uproot branch with entries of [start, stop).

    Raises
    ------
    FileError
        If the branch's baskets do not hold these entries; without the name of file and branch.
    """
    edges = branch.entry_offsets
    if edges[0] != 0 or edges[-1] < stop or any(a > b for a, b in itertools.pairwise(edges)):
        msg = f"its baskets begin at the events {edges[:3]}… and end at {edges[-1]}, expected 0 to at least {stop}"
        raise FileError(msg)
    if start >= stop:
        return []
    first, last = bisect.bisect_right(edges, start) - 1, bisect.bisect_left(edges, stop)
    seeks, lengths = branch.member("fBasketSeek"), branch.member("fBasketBytes")
    n_free = branch.num_baskets - len(branch.embedded_baskets)
    found = []
    for number in range(first, last):
        free = number < n_free
        place = (int(seeks[number]), int(lengths[number])) if free else (0, 0)
        embedded = None if free else branch.embedded_baskets[number - n_free]
        if edges[number] < edges[number + 1]:
            found.append(Basket(number, edges[number], edges[number + 1], *place, embedded))
    return found


def parse(basket: Basket, raw: memoryview) -> Payload:
    """Split a basket's bytes into header and payload.

    Raises
    ------
    FileError
        If its header disagrees with the tree's metadata or with itself; without the name of the file.
    """
    if basket.embedded is not None:
        data = np.ascontiguousarray(basket.embedded.data).view(np.uint8).data
        return Payload(data, len(data), len(data), 0, basket.embedded.byte_offsets)
    if basket.length < _KEY.size + _MEMBERS.size:
        msg = f"{basket.length} bytes are too few"
        raise FileError(msg)
    length, _, size, _, key_length, _ = _KEY.unpack_from(raw)
    if length != basket.length or not _KEY.size + _MEMBERS.size <= key_length <= length:
        msg = f"a key of {key_length} bytes for {length} bytes, the tree says {basket.length}"
        raise FileError(msg)
    _, _, _, entries, last, _ = _MEMBERS.unpack_from(raw, key_length - _MEMBERS.size)
    if entries != basket.stop - basket.start:
        msg = f"{entries} entries, the tree says {basket.stop - basket.start}"
        raise FileError(msg)
    border = last - key_length
    if not 0 <= border <= size:
        msg = f"{border} bytes of values in {size} bytes"
        raise FileError(msg)
    return Payload(raw[key_length:length], size, border, key_length, None)


def spans(baskets: Sequence[Basket]) -> Iterator[list[int]]:
    """Group baskets into few large reads; yield the places of the baskets of each in the sequence."""
    order = sorted((i for i, one in enumerate(baskets) if one.embedded is None), key=lambda i: baskets[i].seek)
    group: list[int] = []
    start = end = 0
    for i in order:
        seek, length = baskets[i].seek, baskets[i].length
        if group and (seek - end > _GAP or seek + length - start > _SPAN):
            yield group
            group = []
        start, end = (start, max(end, seek + length)) if group else (seek, seek + length)
        group.append(i)
    if group:
        yield group


def fetch(descriptor: int, size: int, group: Sequence[Basket]) -> list[memoryview]:
    """Read neighbouring baskets of a file of *size* bytes at once.

    Raises
    ------
    FileError
        If they do not lie within the file; without its name.
    """
    start, stop = group[0].seek, max(one.seek + one.length for one in group)
    if start < 0 or stop > size or any(one.length < 0 for one in group):
        msg = f"bytes {start} to {stop} of a file of {size} bytes"
        raise FileError(msg)
    buffer = np.empty(stop - start, np.uint8).data
    done = 0
    while done < len(buffer):
        n = os.preadv(descriptor, [buffer[done:]], start + done)
        if n == 0:
            msg = f"the file ends at byte {start + done}, expected {stop}"
            raise FileError(msg)
        done += n
    return [buffer[one.seek - start : one.seek - start + one.length] for one in group]
