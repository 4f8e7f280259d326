"""Sums that the threads of a block keep in a GPU's shared memory: of 64 bits, added to by 32.

A GPU adds 64 bits to shared memory in a loop of compare and swap, 32 bits by one instruction. So a sum is two words:
the lower one is added to, whoever sees it wrap around carries, and the upper one is added to where there is anything to
add. Modulo 2⁶⁴ that is exact, in whatever order the threads come.
"""

from __future__ import annotations

from .language import fetch_add, scalar

CELLS = 6144
"""The most sums of a block: 48 KiB, more than which a launch cannot ask for without further ado."""

_MASK = 2**32 - 1


@scalar
def add_carried(words, cell, value):
    """Add to the sum in words 2·cell, the lower one, and 2·cell + 1."""
    low = value & _MASK
    high = (value >> 32) + ((fetch_add(words, 2 * cell, low) + low) >> 32)
    if high & _MASK != 0:
        fetch_add(words, 2 * cell + 1, high & _MASK)


@scalar
def carried(words, cell):
    """Return a sum."""
    return words[2 * cell + 1] << 32 | words[2 * cell]


@scalar
def clear(words, cell):
    """Set a sum to zero."""
    words[2 * cell] = 0
    words[2 * cell + 1] = 0
