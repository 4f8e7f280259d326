"""Sums of one launch, added to those of the launches before it in wider integers, on the device that has them.

An int64 takes the fills of one launch (:mod:`.fill`); many launches take two limbs, high · 2³² + low, of which the
lower one holds those of 2³¹ launches before it would have to carry.
"""

from __future__ import annotations

import numpy as np

from .language import column, scalar

MASK = 2**32 - 1


@scalar
def widen_range(first, last, row, sums, high, low, n_sums):
    """Move the cells [first, last) of a launch to the limbs, and set them to zero.

    Parameters
    ----------
    sums, high, low
        Addresses of int64, one a cell.
    n_sums
        Cells from here on are not added up: the largest of all launches counts.
    """
    sums, high, low = column(sums, np.int64), column(high, np.int64), column(low, np.int64)
    for cell in range(first, last):
        value = sums[cell]
        sums[cell] = 0
        if cell < n_sums:
            high[cell] = high[cell] + (value >> 32)
            low[cell] = low[cell] + (value & MASK)
        elif value > low[cell]:
            low[cell] = value
