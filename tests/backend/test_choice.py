"""Which device a run gets, and what it is told where there is none: every way in which a GPU can be missing."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from gpuhiggs import backend
from gpuhiggs.__main__ import app
from gpuhiggs.backend import choice
from gpuhiggs.errors import ConfigError, DeviceError

GIB = 2**30


class _Error(RuntimeError):
    pass


def _runtime(**changed: Any) -> SimpleNamespace:
    """CuPy's runtime on a machine with one good GPU, but for what is changed."""
    properties = {"name": b"NVIDIA H100", "major": changed.pop("major", 9), "minor": 0}
    free = changed.pop("free", 70 * GIB)
    values = {"driver": 13000, "built_for": 13020, "count": 1} | changed

    def count() -> int:
        if isinstance(values["count"], Exception):
            raise values["count"]
        return int(values["count"])

    return SimpleNamespace(
        driverGetVersion=lambda: values["driver"],
        runtimeGetVersion=lambda: values["built_for"],
        getDeviceCount=count,
        getDeviceProperties=lambda number: properties,
        memGetInfo=lambda: (free, 80 * GIB),
        CUDARuntimeError=_Error,
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that makes this machine look like one with a certain GPU."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(choice, "_opened", {})

    def become(**changed: Any) -> None:
        cuda = SimpleNamespace(runtime=_runtime(**changed), Device=lambda number: contextlib.nullcontext())
        monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(cuda=cuda, __spec__=object()))
        found = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util,
            "find_spec",
            lambda name, *a: object() if name in ("cupy", "numba_cuda") else found(name, *a),
        )

    return become


def test_a_good_gpu(machine: Any) -> None:
    machine()
    assert backend.problem() is None
    assert backend.gpus() == [choice.Gpu("NVIDIA H100", (9, 0), 70 * GIB, 80 * GIB)]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"driver": 0}, "no NVIDIA driver is installed"),
        ({"driver": 12040}, r"up to 12\.4, cupy is built for 13\.2: update the driver, or .*gpuhiggs\[cuda12\]"),
        ({"count": 0}, "no GPU: the driver sees none"),
        ({"count": _Error("cudaErrorNoDevice: no CUDA-capable device is detected")}, "no GPU: cudaErrorNoDevice"),
        ({"major": 6}, r"NVIDIA H100 has compute capability 6\.0, at least 7\.5 is needed"),
        ({"free": 100 * 2**20}, r"100 of 81920 MiB free, at least 1024 are needed; does another process use it"),
    ],
    ids=["no driver", "old driver", "no device", "no device, told by an error", "old device", "full device"],
)  # fmt: skip
def test_what_is_missing(machine: Any, changed: dict[str, Any], message: str) -> None:
    machine(**changed)
    with pytest.raises(DeviceError, match=f"device cuda: .*{message}"):
        backend.open_device("cuda")


@pytest.mark.parametrize("value", ["", " ", "-1"])
def test_hidden_gpus(machine: Any, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    machine()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
    assert "every GPU is hidden from this process" in str(backend.problem())


@pytest.mark.parametrize(("package", "name"), [("cupy", "cupy"), ("numba_cuda", "numba-cuda")])
def test_missing_packages(monkeypatch: pytest.MonkeyPatch, package: str, name: str) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda wanted: None if wanted == package else object())
    assert f"the package {name} (" in str(backend.problem())
    assert "pip install 'gpuhiggs[cuda13]'" in str(backend.problem())


def test_auto_falls_back_and_says_why(machine: Any, caplog: pytest.LogCaptureFixture) -> None:
    machine(count=0)
    with caplog.at_level(logging.WARNING):
        assert backend.open_device("auto").name == "cpu"
        assert backend.open_device("auto") is backend.open_device("auto")
    assert [record.message for record in caplog.records] == ["no GPU is used: no GPU: the driver sees none"]


def test_unknown_device() -> None:
    with pytest.raises(DeviceError, match="unknown device 'gpu'; known: cpu, cuda, auto"):
        backend.open_device("gpu")


CONFIG = """
selection: atlas-hgg-open-data-2020
lumi_mask: null
execution: {device: DEVICE}
datasets: [{name: data, process: data, kind: data, primary_dataset: photons, files: [a.root]}]
"""


@pytest.mark.parametrize("arguments", [["--device", "cuda"], []])
def test_the_command_refuses_before_it_writes(machine: Any, tmp_path: Path, arguments: list[str]) -> None:
    """By the option, or by the configuration: one message, and no folder."""
    machine(driver=0)
    (tmp_path / "a.root").touch()
    (tmp_path / "run.yaml").write_text(CONFIG.replace("DEVICE", "cpu" if arguments else "cuda"))
    folder = tmp_path / "out"
    done = CliRunner().invoke(app, ["run", str(tmp_path / "run.yaml"), "--output", str(folder), *arguments])
    assert isinstance(done.exception, DeviceError)
    assert done.exception.exit_status == 2
    assert "no NVIDIA driver is installed" in str(done.exception)
    assert not folder.exists()


def test_a_device_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.root").touch()
    (tmp_path / "run.yaml").write_text(CONFIG.replace("DEVICE", "cpu"))
    done = CliRunner().invoke(app, ["run", str(tmp_path / "run.yaml"), "--device", "gpu"])
    assert isinstance(done.exception, ConfigError)
    assert "device: Input should be 'cpu', 'cuda' or 'auto', got 'gpu'" in str(done.exception)
