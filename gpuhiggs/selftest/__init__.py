"""Is it the same, bit by bit, on this machine: every kernel on random events, by the interpreter, the CPU and the GPU.

``gpuhiggs doctor --self-test`` runs it; so does ``python -m gpuhiggs.selftest`` where nothing is installed but NumPy,
Numba and what a GPU needs: it imports only the kernels, ``backend`` and ``columns``.
"""

from __future__ import annotations

from .cases import Case, all_cases
from .identity import Outputs, difference, run, self_test

__all__ = ["Case", "Outputs", "all_cases", "difference", "run", "self_test"]
