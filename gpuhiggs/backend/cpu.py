"""The CPU as a device: columns stay where they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..kernels import launch
from .call import Call


class Cpu:
    """Runs the CPU build in the calling thread."""

    name = "cpu"
    description = "CPU"

    def launches(self, call: Call) -> Iterator[np.ndarray]:
        """Run a kernel; yield the gate's sums of each launch, whose other sums are in ``call.out`` and ``call.tables``.

        Whoever takes them empties the sums before the next.
        """
        arguments = [
            launch.record(type(value), value) for value in (call.inputs, call.cuts, call.tables, call.out)
        ]  # fmt: skip
        for first, last in call.ranges:
            yield launch.run(call.program, arguments, first, last, call.shifts)

    def upload(self, tree: Any) -> Any:
        """Return columns as they are."""
        return tree

    def pinned(self, tree: Any) -> Any:
        """Return columns as they are."""
        return tree
