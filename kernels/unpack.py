"""Values as ROOT stores them, big-endian and basket by basket, to one column of the machine's order.

``unpack_range`` is what a GPU runs over raw decompressed baskets: a thread a value, which finds its basket by bisection
and swaps its bytes. The CPU swaps while it copies from where a basket was decompressed (``gpuhiggs.read.native``).
"""

from __future__ import annotations

import numpy as np

from .language import column, scalar


@scalar
def swap16(x):
    """Swap the bytes of a 16-bit number."""
    return (x & 0xFF) << 8 | (x >> 8 & 0xFF)


@scalar
def swap32(x):
    """Swap the bytes of a 32-bit number."""
    return (x & 0xFF) << 24 | (x & 0xFF00) << 8 | (x >> 8 & 0xFF00) | (x >> 24 & 0xFF)


@scalar
def swap64(x):
    """Swap the bytes of a 64-bit number."""
    return swap32(x & 0xFFFFFFFF) << 32 | swap32(x >> 32 & 0xFFFFFFFF)


@scalar
def basket_of(value, edges, n):
    """Return which of *n* baskets holds a value; ``edges`` has the first value of each, in order."""
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        if edges[middle] <= value:
            low = middle
        else:
            high = middle
    return low


@scalar
def unpack_range(first, last, row, raw, edges, offsets, n, width, values):
    """Unpack the values [first, last) of a column.

    Parameters
    ----------
    raw
        Address of the baskets' bytes; each basket's values begin at a multiple of eight of them.
    edges, offsets
        Addresses of int64 of shape (n,): each basket's first value, and the byte where its values begin.
    width
        Bytes of a value: 1, 2, 4 or 8; 0: bools, of which any byte but 0 is true.
    values
        Address of the column.
    """
    edges, offsets = column(edges, np.int64), column(offsets, np.int64)
    for value in range(first, last):
        basket = basket_of(value, edges, n)
        place = value - edges[basket]
        if width == 4:
            column(values, np.uint32)[value] = swap32(column(raw, np.uint32)[offsets[basket] // 4 + place])
        elif width == 8:
            column(values, np.int64)[value] = swap64(column(raw, np.int64)[offsets[basket] // 8 + place])
        elif width == 2:
            column(values, np.uint16)[value] = swap16(column(raw, np.uint16)[offsets[basket] // 2 + place])
        else:
            byte = column(raw, np.uint8)[offsets[basket] + place]
            column(values, np.uint8)[value] = byte if width == 1 or byte == 0 else 1
