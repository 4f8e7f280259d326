"""On a GPU: the same bits as on the CPU, of every kernel, and what only real hardware can show.

These tests import the kernels, ``backend``, ``columns`` and ``selftest`` only, so that they run on a machine with
little else: ``python -m pytest -c tests/gpu/pytest.ini tests/gpu``.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from gpuhiggs import backend
from gpuhiggs.backend import Cpu
from gpuhiggs.kernels import launch, launch_cuda
from gpuhiggs.selftest import Case, all_cases, difference, identity, run

pytestmark = pytest.mark.gpu

N = 200_000


@pytest.fixture(scope="module")
def gpu() -> Any:
    if (found := backend.problem()) is not None:
        pytest.skip(f"no GPU: {found}")
    return backend.open_device("cuda")


@pytest.fixture(params=all_cases(), ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.mark.parametrize("n_launches", [1, 7])
def test_same_bits(gpu: Any, case: Case, n_launches: int) -> None:
    inputs = identity.inputs_of(case, N, seed=11)
    expected = run(Cpu(), identity.call_of(case, inputs, N, 11))
    found = run(gpu, identity.call_of(case, inputs, N, 11, n_launches))
    assert difference(expected, found) is None


def test_the_gate_has_read_what_is_loaded(gpu: Any, case: Case) -> None:
    run(gpu, identity.call_of(case, identity.inputs_of(case, 100, 1), 100, 1))
    loaded = [binary for (program, _), binary in gpu.card.binaries.items() if program == case.program]
    assert len(loaded) >= 2
    for binary in loaded:
        assert launch_cuda.forbidden(binary.ptx) == []


def test_bins_in_shared_and_in_global_memory(gpu: Any) -> None:
    case = next(case for case in all_cases() if case.name == "diphoton_atlas")
    assert case.histograms is not None
    inputs = identity.inputs_of(case, N, seed=5)
    expected = run(Cpu(), identity.call_of(case, inputs, N, 5))
    kernels = [launch_cuda.PROCESS]
    if case.histograms.sumw.size + case.histograms.sumw2.size < 6_000:
        kernels.append(launch_cuda.PROCESS_SHARED)
    try:
        for gpu.kernel in kernels:
            assert difference(expected, run(gpu, identity.call_of(case, inputs, N, 5))) is None
    finally:
        gpu.kernel = None


def test_resident_and_pinned_columns(gpu: Any) -> None:
    case = next(case for case in all_cases() if case.name == "diphoton_atlas")
    inputs = identity.inputs_of(case, N, seed=6)
    expected = run(Cpu(), identity.call_of(case, inputs, N, 6))
    for placed in (gpu.upload(inputs), gpu.pinned(inputs)):
        assert difference(expected, run(gpu, identity.call_of(case, placed, N, 6, 3))) is None


class _Baskets(NamedTuple):
    """Raw bytes, the first value of each basket, where its bytes begin, and the column."""

    raw: Any
    edges: Any
    offsets: Any
    values: Any


UNPACK = launch.Loop("gpuhiggs.kernels.unpack", "unpack_range", ("raw", "edges", "offsets", "n", "width", "values"))


@pytest.mark.parametrize(("dtype", "width"), [("f4", 4), ("f8", 8), ("i2", 2), ("u1", 1), ("b1", 0)])
def test_unpacked_baskets(gpu: Any, dtype: str, width: int) -> None:
    """Raw baskets become columns on the device as ROOT's bytes say."""
    values = np.random.default_rng(3).integers(0, 2 if width == 0 else 100, 10_000).astype(dtype)
    edges = np.array([0, 3_000, 3_001])
    parts = [part.astype(part.dtype.newbyteorder(">")).tobytes() for part in np.split(values, edges[1:])]
    padded = [part + bytes(-len(part) % 8) for part in parts]
    places = np.cumsum([0, *map(len, padded)])[:-1]
    raw = np.frombuffer(b"".join(padded), np.uint8)
    there = gpu.upload(_Baskets(raw, edges, places, np.zeros_like(values)))
    kernel = gpu.card.kernel(UNPACK, "process", tuple(map(np.uint64, (0, 0, 0))) + (np.int64(0),) * 2 + (np.uint64(0),))
    stream = gpu.card.stream()
    addresses = (there.raw.address, there.edges.address, there.offsets.address)
    stream.launch(kernel, 8, (values.size, *addresses, len(edges), width, there.values.address))
    found = np.empty_like(values)
    stream.copy_out(found, there.values.address)
    stream.wait()
    assert found.tobytes() == values.tobytes()
