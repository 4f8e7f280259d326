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
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import FileError

_KEY = struct.Struct(">ihiIhh")
"""fNbytes, version, fObjlen, fDatime, fKeylen, fCycle."""
_MEMBERS = struct.Struct(">HiiiiB")
"""version, fBufferSize, fNevBufSize, fNevBuf, fLast, a flag: the end of the key."""

_HEAD = 256
"""Bytes that hold a key, unless the names in it are very long."""
_GAP = 1 << 16
"""Bytes between two baskets that are read rather than skipped: about what one more request costs."""
_SPAN = 1 << 20
"""Bytes of one read, unless a single basket is larger; small enough that they stay in a core's cache."""

_local = threading.local()


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


class Header(NamedTuple):
    """What a basket says of its payload."""

    key_length: int
    """Where the payload begins; the offsets in it count from the beginning of the key."""
    size: int
    """Bytes after decompression; as many as there are if it is not compressed."""
    border: int
    """Bytes of values; offsets follow."""


def overlapping(branch: Any, start: int, stop: int, file_size: int) -> list[Basket]:
    """Return the baskets of an uproot branch with entries of [start, stop).

    Raises
    ------
    FileError
        If the branch's baskets do not hold these entries, or do not lie in the file; without the name of file and
        branch.
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
        if edges[number] == edges[number + 1]:
            continue
        free = number < n_free
        seek, length = (int(seeks[number]), int(lengths[number])) if free else (0, 0)
        if not 0 <= seek <= seek + length <= file_size:
            msg = f"its basket {number} has {length} bytes from byte {seek} of a file of {file_size}"
            raise FileError(msg)
        embedded = None if free else branch.embedded_baskets[number - n_free]
        found.append(Basket(number, edges[number], edges[number + 1], seek, length, embedded))
    return found


def header(descriptor: int, basket: Basket) -> Header:
    """Read the header of a basket that is not embedded.

    Raises
    ------
    FileError
        If it disagrees with the tree's metadata or with itself; without the name of the file.
    """
    head = os.pread(descriptor, _HEAD, basket.seek)
    if len(head) < _KEY.size + _MEMBERS.size:
        msg = f"{len(head)} bytes of the file are too few for a basket"
        raise FileError(msg)
    length, _, size, _, key_length, _ = _KEY.unpack_from(head)
    if length != basket.length or not _KEY.size + _MEMBERS.size <= key_length <= length:
        msg = f"a key of {key_length} bytes for {length} bytes, the tree says {basket.length}"
        raise FileError(msg)
    if key_length > len(head):
        head = os.pread(descriptor, key_length, basket.seek)
    _, _, _, entries, last, _ = _MEMBERS.unpack_from(head, key_length - _MEMBERS.size)
    if entries != basket.stop - basket.start:
        msg = f"{entries} entries, the tree says {basket.stop - basket.start}"
        raise FileError(msg)
    border = last - key_length
    if not 0 <= border <= size:
        msg = f"{border} bytes of values in {size} bytes"
        raise FileError(msg)
    return Header(key_length, size, border)


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


def fetch(descriptor: int, baskets: Sequence[Basket]) -> list[memoryview]:
    """Read neighbouring baskets at once; the bytes are valid until the same thread reads again.

    Raises
    ------
    FileError
        If the file ends before; without its name.
    """
    start, stop = baskets[0].seek, max(one.seek + one.length for one in baskets)
    buffer = _buffer(stop - start)
    done = 0
    while done < len(buffer):
        n = os.preadv(descriptor, [buffer[done:]], start + done)
        if n == 0:
            msg = f"the file ends at byte {start + done}, expected {stop}"
            raise FileError(msg)
        done += n
    return [buffer[one.seek - start : one.seek - start + one.length] for one in baskets]


def _buffer(size: int) -> memoryview:
    """Return a thread's buffer: memory that is new to a process costs several times what reading into it does."""
    if len(getattr(_local, "buffer", ())) < size:
        _local.buffer = np.empty(max(size, _SPAN), np.uint8).data
    buffer: memoryview = _local.buffer
    return buffer[:size]
