"""The language of kernel bodies: what a scalar function of one event may use, on every target.

A body is plain Python over :class:`Column` values and numbers. The same text runs in the Python interpreter
(``NUMBA_DISABLE_JIT=1``), in the CPU build and in the CUDA build, and gives the same bits in all three:

* loading from a column widens at once: floats to float64, integers to int64, so no arithmetic is ever done in the
  storage type, where NumPy's and Numba's promotion rules differ;
* ``local(n)`` and ``local_int(n)`` are arrays of one event: stack memory on the CPU, thread-local memory on a GPU;
* ``add`` and ``take`` accumulate into int64 columns: plain on the CPU, where every launch owns its accumulators, atomic
  on a GPU, where threads share them. Integer sums do not depend on order, so both give the same result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def scalar(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a scalar function lazily for whichever target calls it; the one policy for all kernels."""
    compiled: Callable[..., Any] = njit(function, nogil=True, error_model="numpy", fastmath=False, _nrt=False)
    return compiled
