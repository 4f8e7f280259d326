"""One kernel on two targets: are all of its sums, and all that it says of single events, the same bits."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..backend import Call, Cpu, Device
from ..backend.call import flat
from ..kernels.fill import LAUNCH_FILLS
from ..kernels.language import Column, leaves
from .cases import Case, all_cases
from .events import random_arguments, random_events

Outputs = dict[str, np.ndarray]
"""By the path of a leaf of the kernel's outputs, or of a counter of its tables."""

INTERPRETED = 300
"""Events that the interpreter runs of each case: a hundredth of a second an event, in the worst one."""


class Difference(NamedTuple):
    """The first value that differs."""

    name: str
    place: int
    expected: Any
    found: Any

    def __str__(self) -> str:
        """Say where, and what the bits are."""
        bits = [np.asarray(value).view(np.int64).item() & (2**64 - 1) for value in (self.expected, self.found)]
        return f"{self.name}[{self.place}]: {self.expected!r} ({bits[0]:016x}) and {self.found!r} ({bits[1]:016x})"


def inputs_of(case: Case, n_events: int, seed: int) -> Any:
    """Return random inputs of a case."""
    inputs = case.program.argument_types()[0]
    return (random_arguments if case.histograms is None else random_events)(inputs, n_events, seed)


def call_of(case: Case, inputs: Any, n_events: int, seed: int, n_launches: int = 1) -> Call:
    """Return a call of a case over all events, in so many launches at least."""
    size = max(1, min(LAUNCH_FILLS, -(-n_events // n_launches)))
    ranges = tuple((first, min(first + size, n_events)) for first in range(0, n_events, size))
    tables = case.tables_for(n_events, np.random.default_rng(seed))
    return Call(case.program, inputs, case.cuts, tables, case.out(n_events), ranges, case.shifts, n_events)


def run(device: Device, call: Call) -> Outputs:
    """Run a call; return everything that comes out, as arrays of 64 bits a value."""
    gates: Any = None
    total: Outputs = {}
    for found in device.launches(call):
        gates = found if gates is None else gates + found
        for name, array in _sums(call):
            total[name] = total.get(name, 0) + array
            array[:] = 0
    rows = {name: array for name, array in _per_event(call)}
    return {"gates": np.zeros((0, 4), np.int64) if gates is None else gates, **total, **rows}


def _sums(call: Call) -> Iterator[tuple[str, np.ndarray]]:
    for part, value in (("out", call.out), ("tables", call.tables)):
        for leaf, array in zip(leaves(type(value)), flat(value), strict=True):
            if leaf.kind is Column and leaf.role != 0 and array.dtype == np.int64 and leaf.path[-1] != "values":
                yield ".".join((part, *leaf.path)), array


def _per_event(call: Call) -> Iterator[tuple[str, np.ndarray]]:
    selected = getattr(call.out, "selected", None)
    if selected is None:
        yield "out.values", call.out.values
        return
    n = int(selected.n[0])
    for name, array in selected._asdict().items():
        if name not in ("n", "capacity", "features"):
            yield f"out.selected.{name}", array[:n]


def difference(expected: Outputs, found: Outputs) -> Difference | None:
    """Return the first value that is not the same bits, or None."""
    for name, values in expected.items():
        other = found[name]
        if values.shape != other.shape:
            return Difference(f"{name}: number of values", 0, values.size, other.size)
        wrong = np.flatnonzero(values.reshape(-1).view(np.int64) != other.reshape(-1).view(np.int64))
        if wrong.size:
            place = int(wrong[0])
            return Difference(name, place, values.reshape(-1)[place], other.reshape(-1)[place])
    return None


def interpreted(case: Case, n_events: int, seed: int) -> Outputs:
    """Run the first events of a case in an interpreter without a compiler."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "outputs.npz"
        module = f"{__package__}.interpreted"
        arguments = [sys.executable, "-m", module, case.name, str(n_events), str(seed), str(result)]
        root = str(Path(__file__).resolve().parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path}
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True)
        if done.returncode:
            msg = f"the interpreter failed on {case.name}: {done.stderr.strip()}"
            raise RuntimeError(msg)
        with np.load(result) as archive:
            return dict(archive)


def self_test(
    device: Device, n_events: int, tell: Callable[[str], None], seed: int = 1, n_interpreted: int = INTERPRETED
) -> bool:
    """Compare all kernels between interpreter, CPU and *device*; say of each "identical" or the first difference.

    Parameters
    ----------
    n_interpreted
        How many events the interpreter runs, which is slow; 0 leaves it out.

    Returns
    -------
    bool
        Whether all was identical.
    """
    all_identical = True
    for case in all_cases():
        expected = run(Cpu(), call_of(case, inputs_of(case, n_events, seed), n_events, seed))
        n = expected["out.values" if case.histograms is None else "out.selected.event"].size
        what = f"{n_events} events, {n} {'values' if case.histograms is None else 'selected'}"
        for pair, found in _comparisons(case, device, expected, n_events, seed, n_interpreted):
            all_identical = all_identical and found is None
            tell(f"{case.name}: {pair}: {'identical' if found is None else f'DIFFERENT: {found}'} ({what})")
    return all_identical


def _comparisons(
    case: Case, device: Device, expected: Outputs, n_events: int, seed: int, n_interpreted: int
) -> Iterator[tuple[str, Difference | None]]:
    if n_interpreted:
        few = call_of(case, inputs_of(case, n_interpreted, seed), n_interpreted, seed)
        yield (
            f"CPU = interpreter on {n_interpreted}",
            difference(run(Cpu(), few), interpreted(case, n_interpreted, seed)),
        )
    if device.name != "cpu":
        call = call_of(case, inputs_of(case, n_events, seed), n_events, seed, n_launches=3)
        yield f"CPU = {device.description}", difference(expected, run(device, call))
