"""The scheduling of a GPU on one of NumPy: the same sums as the CPU's, in few or many parts, whatever goes wrong."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from bench import in_memory, nasty
from bench.channels import CASES
from gpuhiggs.backend import Call, Cpu, bytes_of
from gpuhiggs.backend.card import OutOfMemory
from gpuhiggs.backend.cuda import DEPTH, Cuda
from gpuhiggs.engine import processing
from gpuhiggs.errors import DeviceLostError, RunError
from gpuhiggs.histogram import Accumulators, Counts
from tests.backend.fake_card import FakeCard

N = 3_000
CHANNEL = "diphoton_atlas"
"""The one that compiles fastest."""


@pytest.fixture(scope="module")
def prepared() -> Any:
    return in_memory.prepare(CASES[CHANNEL].selection)


@pytest.fixture(scope="module")
def columns() -> Any:
    return nasty.spoil(CASES[CHANNEL].make(N, 0.4, seed=3), crowded_share=0.003)


@pytest.fixture(scope="module")
def expected(prepared: Any, columns: Any) -> tuple[Counts, dict[str, np.ndarray]]:
    return processing.run_kernel(prepared, columns, N)


def same(found: tuple[Counts, dict[str, np.ndarray]], expected: tuple[Counts, dict[str, np.ndarray]]) -> None:
    assert found[0].digest() == expected[0].digest()
    assert list(found[1]) == list(expected[1])
    for name, values in expected[1].items():
        assert found[1][name].tobytes() == values.tobytes(), name


def test_one_chunk(prepared: Any, columns: Any, expected: Any) -> None:
    card = FakeCard()
    same(processing.run_kernel(prepared, columns, N, device=Cuda(card)), expected)
    assert expected[1]["event"].size > 100
    gc.collect()
    assert card.used == 0, "nothing stays"
    assert card.launched == 3


def test_many_launches(prepared: Any, columns: Any, expected: Any) -> None:
    ranges = ((0, 1), (1, 700), (700, 2_000), (2_000, N))
    card = FakeCard()
    same(processing.run_kernel(prepared, columns, N, device=Cuda(card), ranges=ranges), expected)
    assert card.launched == 12


def test_a_part_of_the_events(prepared: Any, columns: Any) -> None:
    """Only the columns of these events go over; their numbers stay those of all."""
    card = FakeCard()
    found = processing.run_kernel(prepared, columns, N, device=Cuda(card), ranges=((500, 900),))
    same(found, processing.run_kernel(prepared, columns, N, ranges=((500, 900),)))
    assert found[1]["event"].min() >= 500
    assert card.copied < bytes_of(columns) / 2


def test_no_events(prepared: Any, columns: Any) -> None:
    empty = in_memory.take(columns, 7, 7)
    same(processing.run_kernel(prepared, empty, 0, device=Cuda(FakeCard())), processing.run_kernel(prepared, empty, 0))


@pytest.mark.parametrize("share", [0.6, 0.2, 0.05])
def test_what_does_not_fit_is_halved(prepared: Any, columns: Any, expected: Any, share: float) -> None:
    whole = FakeCard()
    processing.run_kernel(prepared, columns, N, device=Cuda(whole))
    nothing = FakeCard()
    processing.run_kernel(prepared, in_memory.take(columns, 0, 1), 1, device=Cuda(nothing))
    limited = FakeCard(int(nothing.peak + share * (whole.peak - nothing.peak)))
    device = Cuda(limited)
    same(processing.run_kernel(prepared, columns, N, device=device), expected)
    assert device.splits >= 1
    assert limited.peak <= limited.limit


def test_memory_for_nothing(prepared: Any, columns: Any) -> None:
    device = Cuda(FakeCard(1_000))
    with pytest.raises(RunError, match=r"out of memory for a single event with its tables and sums: \d+ bytes of 1000"):
        processing.run_kernel(prepared, columns, N, device=device)
    device.card.limit = 2**40  # type: ignore[attr-defined]
    processing.run_kernel(prepared, columns, N, device=device)  # its slots are free again


def test_threads_share_a_gpu(prepared: Any, columns: Any, expected: Any) -> None:
    """More threads than slots, and less memory than they want: no chunk is lost, none comes twice."""
    card = FakeCard()
    device = Cuda(card)
    parts = [in_memory.take(columns, first, first + 250) for first in range(0, N, 250)]
    processing.run_kernel(prepared, parts[0], 250, device=device)
    card.limit = 2 * card.peak
    with ThreadPoolExecutor(DEPTH + 2) as pool:
        counts = list(pool.map(lambda part: processing.run_kernel(prepared, part, 250, device=device)[0], parts))
    assert sum(counts, Counts()).digest() == expected[0].digest()
    assert len(card.streams) == DEPTH


def call_of(prepared: Any, columns: Any) -> Call:
    n = columns.events.run.size
    out = prepared.channel.out(Accumulators(prepared.specs).kernel, n)
    ranges = processing.ranges_of(prepared, columns, n)
    return Call(prepared.channel.program, columns, prepared.cuts.value, prepared.tables.value, out, ranges)


def test_the_next_goes_over_while_this_one_is_worked_on(prepared: Any, columns: Any) -> None:
    card = FakeCard()
    device = Cuda(card)
    calls = [call_of(prepared, in_memory.take(columns, first, first + 500)) for first in (0, 500, 1000)]
    pending = [device.submit(call) for call in calls]
    assert sum(not stream.is_idle for stream in card.streams) == 3, "each waits on a stream of its own"
    for one, call in reversed(list(zip(pending, calls, strict=True))):
        [gates] = one.results()
        again = call._replace(out=call_of(prepared, call.inputs).out)
        [expected] = Cpu().launches(again)
        np.testing.assert_array_equal(gates, expected)
        np.testing.assert_array_equal(call.out.histograms.sumw, again.out.histograms.sumw)


def test_columns_that_stay(prepared: Any, columns: Any, expected: Any) -> None:
    card = FakeCard()
    device = Cuda(card)
    resident = device.upload(columns)
    assert bytes_of(resident) == bytes_of(columns)
    assert card.used >= bytes_of(columns)
    ranges = processing.ranges_of(prepared, columns, N)
    copied = card.copied
    for _ in range(2):
        same(processing.run_kernel(prepared, resident, N, device=device, ranges=ranges), expected)
    assert card.copied - copied < bytes_of(columns), "only cuts, tables and axes"
    del resident
    gc.collect()
    assert card.used == 0
    card.limit = 1_000
    with pytest.raises(OutOfMemory):
        device.upload(columns)


def test_pinned_columns_go_over_without_a_detour(prepared: Any, columns: Any, expected: Any) -> None:
    device = Cuda(FakeCard())
    pinned = device.pinned(columns)
    same(processing.run_kernel(prepared, pinned, N, device=device), expected)


def test_histograms_in_global_memory(prepared: Any, columns: Any, expected: Any) -> None:
    """Whether bins are in shared memory or not is a matter of their number; the sums are the same."""
    for kernel in ("process", "process_shared"):
        device = Cuda(FakeCard())
        device.kernel = kernel
        if kernel == "process_shared":
            sizes = [spec.shape for spec in prepared.specs]
            if sum(3 * a * b * c for a, b, c in sizes) > 6_000:
                continue
        same(processing.run_kernel(prepared, columns, N, device=device), expected)


def test_a_kernel_that_fails(prepared: Any, columns: Any, expected: Any) -> None:
    card = FakeCard()
    card.fails_at = 0
    device = Cuda(card)
    with pytest.raises(DeviceLostError, match="a GPU of NumPy: FakeError: an illegal memory access"):
        processing.run_kernel(prepared, columns, N, device=device)
    card.fails_at = None
    same(processing.run_kernel(prepared, columns, N, device=device), expected)


def test_a_column_of_another_type(prepared: Any, columns: Any) -> None:
    wrong = columns._replace(events=columns.events._replace(run=columns.events.run.astype(np.int64)))
    with pytest.raises(TypeError, match=r"events\.run: int64 array, expected contiguous uint32"):
        processing.run_kernel(prepared, wrong, N, device=Cuda(FakeCard()))
