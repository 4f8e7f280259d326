"""Which device a run gets: ``cpu``, ``cuda``, or ``auto``, the first GPU where there is one that can be used."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from ..errors import DeviceError
from .call import Call
from .cpu import Cpu

_log = logging.getLogger(__name__)

DeviceName = Literal["cpu", "cuda", "auto"]
DEVICES: tuple[DeviceName, ...] = ("cpu", "cuda", "auto")

LEAST_MEMORY = 2**30
"""Bytes that must be free on a GPU: code, stacks of its threads, and a small chunk."""

LEAST_CAPABILITY = (7, 5)
"""The oldest architecture that CUDA 13 compiles for."""

_INSTALL = "pip install 'gpuhiggs[cuda13]' (or gpuhiggs[cuda12] for a driver of CUDA 12)"


class Device(Protocol):
    """What runs kernels."""

    name: str
    description: str

    def launches(self, call: Call) -> Iterator[np.ndarray]:
        """Run a kernel; yield the gate's sums of some launches, whose other sums are in the call's arrays."""

    def upload(self, tree: Any) -> Any:
        """Return columns where they are at hand, of device arrays on a GPU."""

    def pinned(self, tree: Any) -> Any:
        """Return columns in host memory from which they go over fastest."""


class Gpu(NamedTuple):
    """What is known of a GPU."""

    name: str
    capability: tuple[int, int]
    free: int
    """Bytes."""
    total: int


def gpus() -> list[Gpu]:
    """Return the GPUs that this process sees.

    Raises
    ------
    DeviceError
        If CuPy is not there, or there is no driver or device.
    """
    runtime = _runtime()
    found = []
    for number in range(runtime.getDeviceCount()):
        properties = runtime.getDeviceProperties(number)
        with _current(number):
            free, total = runtime.memGetInfo()
        capability = int(properties["major"]), int(properties["minor"])
        found.append(Gpu(properties["name"].decode(), capability, int(free), int(total)))
    return found


def _current(number: int) -> Any:
    return importlib.import_module("cupy").cuda.Device(number)


def _runtime() -> Any:
    """Return CuPy's runtime where there is a driver and a device."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1"):
        msg = f"CUDA_VISIBLE_DEVICES is {visible!r}: every GPU is hidden from this process; unset it or name one"
        raise DeviceError(msg)
    for package, why in (("cupy", "memory and launches"), ("numba_cuda", "compiling kernels")):
        if importlib.util.find_spec(package) is None:
            msg = f"the package {package.replace('_', '-')} ({why} on GPUs) is not installed: {_INSTALL}"
            raise DeviceError(msg)
    try:
        runtime = importlib.import_module("cupy").cuda.runtime
    except Exception as error:  # whatever is wrong with a library of CUDA shows up here
        msg = f"cupy cannot be imported: {type(error).__name__}: {error}; is it the one for this driver? {_INSTALL}"
        raise DeviceError(msg) from error
    driver, built_for = int(runtime.driverGetVersion()), int(runtime.runtimeGetVersion())
    if driver == 0:
        msg = "no NVIDIA driver is installed, or this container does not see it"
        raise DeviceError(msg)
    if driver // 1000 < built_for // 1000:
        msg = (
            f"the driver knows CUDA up to {_version(driver)}, cupy is built for {_version(built_for)}: "
            f"update the driver, or {_INSTALL}"
        )
        raise DeviceError(msg)
    try:
        n = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        msg = f"no GPU: {error}"
        raise DeviceError(msg) from error
    if n == 0:
        msg = "no GPU: the driver sees none"
        raise DeviceError(msg)
    return runtime


def cuda_versions() -> tuple[str, str]:
    """Return which CUDA the driver knows, and which one CuPy is built for.

    Raises
    ------
    DeviceError
        If there is no GPU.
    """
    runtime = _runtime()
    return _version(runtime.driverGetVersion()), _version(runtime.runtimeGetVersion())


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"


def problem() -> str | None:
    """Return why the first GPU cannot be used, with what to do; None if it can."""
    try:
        gpu = gpus()[0]
    except DeviceError as error:
        return str(error)
    if gpu.capability < LEAST_CAPABILITY:
        least = ".".join(map(str, LEAST_CAPABILITY))
        return f"{gpu.name} has compute capability {'.'.join(map(str, gpu.capability))}, at least {least} is needed"
    if gpu.free < LEAST_MEMORY:
        return (
            f"{gpu.name} has {gpu.free / 2**20:.0f} of {gpu.total / 2**20:.0f} MiB free, at least "
            f"{LEAST_MEMORY / 2**20:.0f} are needed; does another process use it (nvidia-smi)?"
        )
    return None


_opened: dict[str, Device] = {}
_opening = threading.Lock()


def open_device(name: str) -> Device:
    """Return the device of this process by its name; ``auto`` falls back to the CPU, and says why in the log.

    Raises
    ------
    DeviceError
        If ``cuda`` is asked for and cannot be had.
    """
    with _opening:
        if name not in _opened:
            _opened[name] = _open(name)
        return _opened[name]


def _open(name: str) -> Device:
    if name not in DEVICES:
        msg = f"unknown device {name!r}; known: {', '.join(DEVICES)}"
        raise DeviceError(msg)
    if name == "cpu":
        return Cpu()
    found = problem()
    if found is None:
        from .cuda import Cuda
        from .cupy_card import CupyCard

        device = Cuda(CupyCard())
        _log.info("kernels run on %s", device.description)
        return device
    if name == "cuda":
        msg = f"device cuda: {found}"
        raise DeviceError(msg)
    _log.warning("no GPU is used: %s", found)
    return Cpu()
