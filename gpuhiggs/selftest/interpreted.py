"""One case in a process of its own, for one without a compiler: ``python -m … CASE N SEED FILE``."""

from __future__ import annotations

import sys

import numpy as np

from ..backend import Cpu
from .cases import all_cases
from .identity import call_of, inputs_of, run


def main(name: str, n_events: str, seed: str, path: str) -> None:
    """Run, and write the outputs to a file."""
    case = next(case for case in all_cases() if case.name == name)
    inputs = inputs_of(case, int(n_events), int(seed))
    np.savez(path, **run(Cpu(), call_of(case, inputs, int(n_events), int(seed))))  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
