"""How many bytes of its columns a kernel reads, counted: ``NUMBA_DISABLE_JIT=1 python -m bench.touched CASE SHARE N``.

Bodies are run in the interpreter over some generated events, and each entry of a column that they look at counts once.
Prints JSON: bytes an event of what ``select`` reads, bytes an event of the list of what ``process`` reads, bytes an
event of both together, and the share of the events that is on the list.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np

from bench.channels import CASES
from gpuhiggs.kernels import launch
from gpuhiggs.kernels.language import Column
from gpuhiggs.selftest import all_cases


class Watched(Column):
    """A column that notes which of its entries are looked at."""

    __slots__ = ("seen",)

    def __init__(self, array: np.ndarray) -> None:
        super().__init__(array)
        self.seen: set[int] = set()

    def __getitem__(self, index: int) -> Any:
        self.seen.add(int(index))
        return super().__getitem__(index)


def watched(tree: Any) -> Any:
    """Return a tree of columns that are watched."""
    return type(tree)(*map(watched, tree)) if isinstance(tree, tuple) else Watched(tree)


def seen(tree: Any) -> int:
    """Return the bytes looked at."""
    if isinstance(tree, tuple):
        return sum(map(seen, tree))
    return len(tree.seen) * int(tree.array.itemsize)


def count(name: str, preselected: float, n_events: int) -> dict[str, float]:
    """Count the bytes of one case."""
    case = next(case for case in all_cases() if case.name == name)
    columns = CASES[name.removesuffix("_varied")].make(n_events, preselected)
    namespace = case.program.namespace()
    cuts, out = case.cuts, launch._interpreted(case.out(n_events))
    tables = launch._interpreted(case.tables_for(n_events, np.random.default_rng(1)))
    first, second, both = watched(columns), watched(columns), watched(columns)
    chosen = [event for event in range(n_events) if _select(namespace, event, first, cuts, tables)]
    with np.errstate(all="ignore"):
        for event in range(n_events):
            _select(namespace, event, both, cuts, tables)
        for event in chosen:
            namespace.body(event, 0, second, cuts, tables, out)
            namespace.body(event, 0, both, cuts, tables, out)
    return {
        "select": seen(first) / n_events,
        "process": seen(second) / max(1, len(chosen)),
        "both": seen(both) / n_events,
        "listed": len(chosen) / n_events,
    }


def _select(namespace: Any, event: int, inputs: Any, cuts: Any, tables: Any) -> bool:
    namespace.generator_weight(event, inputs, cuts)
    passed = namespace.gate(event, inputs, cuts, tables) == len(namespace.GATES)
    return bool(passed and namespace.preselect(event, inputs, cuts))


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))))
