"""Workers with GPUs and without work on the same run: one digest; how those with GPUs are started."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gpuhiggs import cluster, engine
from gpuhiggs.config import RunConfig, with_execution
from gpuhiggs.errors import InputError, MissingExtraError


def _give_gpu() -> int:
    """Put a GPU of NumPy into this process, under the name that a worker asks for."""
    from gpuhiggs.backend import choice
    from gpuhiggs.backend.cuda import Cuda
    from tests.backend.fake_card import FakeCard

    choice._opened["auto"] = Cuda(FakeCard())
    return 0


def _launches() -> int:
    """Return how many kernels the GPU of this process has run; -1 without one."""
    from gpuhiggs.backend import choice

    card = getattr(choice._opened.get("auto"), "card", None)
    return -1 if card is None else int(card.launched)


def test_mixed_workers(
    tmp_path: Path,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
) -> None:
    paths = [str(write_nanoaod(tmp_path / f"{i}.root", four_muon_events(60, i))) for i in range(4)]
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None, "files": paths}
    config = four_muon_config(dataset, chunk_size=10)
    expected = engine.run(config)
    with cluster.local(2) as client:
        first, second = client.scheduler_info()["workers"]
        client.run(_give_gpu, workers=[first])
        found = engine.run(with_execution(config, {"device": "auto"}), cluster.mapper(client))
        launches = client.run(_launches)
    assert launches[first] > 0, "the one has a GPU and uses it"
    assert launches[second] == -1, "the other has none, and works all the same"
    assert found.failures == []
    assert len(found.complete) == 4
    assert found.counts.digest() == expected.counts.digest()


def test_settings_of_a_cluster_of_gpus() -> None:
    """Each is one that dask-cuda or distributed knows; memory of the device is not spilled."""
    dask_cuda = pytest.importorskip("dask_cuda", exc_type=ImportError)
    settings = cluster.cuda_settings(3)
    assert settings["threads_per_worker"] == 3
    assert settings["device_memory_limit"] == 0
    from distributed import LocalCluster

    known = {*inspect.signature(dask_cuda.LocalCUDACluster).parameters, *inspect.signature(LocalCluster).parameters}
    assert set(settings) <= known


def test_a_cluster_of_gpus_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**settings: Any) -> None:
        msg = "NVML Shared Library Not Found"
        raise RuntimeError(msg)

    module = ModuleType("dask_cuda")
    module.LocalCUDACluster = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "dask_cuda", module)
    with pytest.raises(InputError, match="no GPU can be used: RuntimeError: NVML Shared Library"), cluster.cuda():
        pass
    monkeypatch.setitem(sys.modules, "dask_cuda", None)
    with pytest.raises(MissingExtraError, match="dask-cuda"), cluster.cuda():
        pass
