"""What a result was made with: every version that could matter, and the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path

from .. import errors
from . import choice

PACKAGES = (
    "gpuhiggs", "numpy", "numba", "llvmlite", "numba-cuda", "cupy-cuda13x", "cupy-cuda12x", "cuda-core",
    "cuda-bindings", "nvidia-nvvm", "nvidia-nvjitlink", "dask", "distributed", "dask-cuda", "uproot", "awkward",
)  # fmt: skip
"""By the names under which they are installed."""


def packages() -> dict[str, str]:
    """Return the versions of the packages that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def machine() -> dict[str, str]:
    """Return Python, processor, cores this process may use, GPU and driver; a GPU that cannot be used says why."""
    found = {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
    }
    try:
        gpus = choice.gpus()
    except errors.DeviceError as error:
        return found | {"gpu": f"none: {error}"}
    driver, runtime = choice.cuda_versions()
    names = ", ".join(f"{gpu.name} ({gpu.total / 2**30:.0f} GiB, {gpu.free / 2**30:.0f} free)" for gpu in gpus)
    return found | {"gpu": names, "driver": f"CUDA {driver}", "runtime": f"CUDA {runtime}"}


def versions() -> dict[str, str]:
    """Return all of it."""
    return machine() | packages()
