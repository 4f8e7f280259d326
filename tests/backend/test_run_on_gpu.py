"""A whole run whose kernels are on a GPU of NumPy: one digest, and books that are kept when it fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gpuhiggs
from gpuhiggs import backend, cluster, engine, examples
from gpuhiggs.backend import choice
from gpuhiggs.backend.cuda import Cuda
from gpuhiggs.config import RunConfig, with_execution
from gpuhiggs.engine.work import threaded
from gpuhiggs.report import workforce
from tests.backend.fake_card import FakeCard


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> FakeCard:
    card = FakeCard()
    monkeypatch.setattr(choice, "_opened", {"cuda": Cuda(card)})
    return card


@pytest.fixture(scope="module")
def configs(
    tmp_path_factory: pytest.TempPathFactory,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
) -> tuple[RunConfig, RunConfig]:
    """Two files in work items of ten events, on the CPU and on the GPU."""
    folder = tmp_path_factory.mktemp("gpu")
    paths = [str(write_nanoaod(folder / f"{i}.root", four_muon_events(40, i))) for i in range(2)]
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None, "files": paths}
    config = four_muon_config(dataset, chunk_size=10)
    return config, with_execution(config, {"device": "cuda"})


def test_one_digest(configs: tuple[RunConfig, RunConfig], card: FakeCard) -> None:
    cpu, gpu = configs
    expected = engine.run(cpu)
    with ThreadPoolExecutor(4) as pool:
        found = engine.run(gpu, threaded(pool, 4))
    assert card.launched >= 3 * 8
    assert found.counts.digest() == expected.counts.digest()
    assert found.failures == []
    for key, selected in expected.selected.items():
        assert len(selected["entry"]) > 0
        for name, values in selected.items():
            np.testing.assert_array_equal(found.selected[key][name], values, strict=True)


def test_one_gpu_has_threads_that_read_for_it(
    configs: tuple[RunConfig, RunConfig], card: FakeCard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backend, "gpus", lambda: [None])
    cpu, gpu = configs
    with workforce.mapping(3, device="cuda") as mapper:
        found = engine.run(gpu, mapper)
    assert found.counts.digest() == engine.run(cpu).counts.digest()
    assert card.launched == 3 * 8


def test_several_gpus_have_a_process_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    @contextlib.contextmanager
    def start(threads: int) -> Iterator[None]:
        asked.append(threads)
        yield

    monkeypatch.setattr(backend, "gpus", lambda: [None] * 4)
    monkeypatch.setattr(cluster, "cuda", start)
    with workforce.mapping(10, device="cuda"):
        assert asked == [3]


def test_a_channel_of_the_users_own(configs: tuple[RunConfig, RunConfig], card: FakeCard) -> None:
    """Its histograms are records of their own, filled with and without a weight."""
    files = configs[0].datasets[0].files
    dimuon = Path(examples.__file__).with_name("dimuon.py")
    for simulation in (False, True):
        expected = gpuhiggs.run(dimuon, files, simulation=simulation)
        found = gpuhiggs.run(dimuon, files, simulation=simulation, device="cuda", threads=2)
        assert found.digest == expected.digest
        assert found["mass"] == expected["mass"]
        assert np.asarray(found["mass"].values()).sum() > 0
        assert found.cutflow == expected.cutflow


def test_a_gpu_that_fails_in_mid_run(configs: tuple[RunConfig, RunConfig], card: FakeCard) -> None:
    """Tried again, as it may be another GPU's turn; at last the books say what is missing, and why."""
    cpu, gpu = configs
    card.fails_at = 3 * 7  # the seventh work item
    found = engine.run(gpu)
    [failure] = found.failures
    assert failure.path == gpu.datasets[0].files[1]
    assert failure.attempts == gpu.execution.attempts
    assert failure.transient
    assert "an illegal memory access was encountered" in failure.error
    assert (failure.start, failure.stop) == (20, 30)
    assert [info.path for info in found.complete] == [gpu.datasets[0].files[0]]
    first = cpu.model_copy(
        update={"datasets": (cpu.datasets[0].model_copy(update={"files": cpu.datasets[0].files[:1]}),)}
    )
    assert found.counts.digest() == engine.run(first).counts.digest(), "the file that is whole, and nothing else"


def test_a_gpu_without_memory(configs: tuple[RunConfig, RunConfig], card: FakeCard) -> None:
    _, gpu = configs
    card.limit = 10_000
    found = engine.run(gpu)
    assert len(found.failures) == 2
    assert all("out of memory for a single event" in failure.error for failure in found.failures)
    assert all(failure.attempts == 1 for failure in found.failures), "it would not go better a second time"
