"""The generator's four leptons: what K-factors of ZZ depend on, found of GenPart before the calibrations run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..errors import FileError
from ..kernels import hard_process as kernel
from ..kernels import launch
from ..read.values import Values

BRANCHES = tuple(f"GenPart_{name}" for name in ("pdgId", "statusFlags", "pt", "eta", "phi", "mass"))
PROGRAM = launch.Program(kernel.__name__)


def values(quantity: str, branches: Mapping[str, Values], path: str) -> np.ndarray:
    """Return a quantity of :class:`.kernels.hard_process.Out` of each event, float64; -1 where there are no four.

    Raises
    ------
    FileError
        If the branches have not one value for each particle.
    """
    offsets, *others = (branches[name].offsets for name in BRANCHES)
    if offsets is None or any(other is None or not np.array_equal(offsets, other) for other in others):
        msg = f"{path}: {', '.join(BRANCHES)} have not one value for each generated particle"
        raise FileError(msg)
    integers = (branches[name].content.astype(np.int32) for name in BRANCHES[:2])
    numbers = (branches[name].content.astype(np.float32) for name in BRANCHES[2:])
    inputs = kernel.Inputs(kernel.Particles(offsets.astype(np.int64), *integers, *numbers))
    n = offsets.size - 1
    out = kernel.Out(np.zeros(1, np.int64), np.zeros(n), np.zeros(n))
    arguments = (inputs, kernel.Cuts(0), kernel.Tables(np.zeros(1, np.int64)), out)
    launch.run(PROGRAM, [launch.record(type(one), one) for one in arguments], 0, n)
    return np.asarray(getattr(out, quantity))
