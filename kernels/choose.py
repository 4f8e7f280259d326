"""Choosing without a branch: ``choose(condition, a, b)`` where it cannot be foretold which way a branch would go.

A wrong guess of the processor costs as much as twenty multiplications. ``a if condition else b`` is left to the
compiler, which takes a branch for it where it sees fit; both arguments of ``choose`` are computed, always.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import lower_builtin, type_callable


def choose(condition: bool, a: float, b: float) -> float:
    """Return *a* if the condition holds, else *b*; both are float64."""
    return a if condition else b


@type_callable(choose)
def _type_choose(context: Any) -> Any:
    def typer(condition: Any, a: Any, b: Any) -> Any:
        return types.float64 if condition == types.boolean and a == b == types.float64 else None

    return typer


@lower_builtin(choose, types.Boolean, types.Float, types.Float)
def _lower_choose(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    chosen = builder.select(*args)
    if context.target_name == "cpu":
        chosen.set_metadata("unpredictable", builder.module.add_metadata([]))
    return chosen
