"""``gpuhiggs doctor``: what this machine has, what is wrong with it, and what to do about that."""

from __future__ import annotations

import importlib.util
import os
import resource
import shutil
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

import numpy as np

from . import backend, selftest
from .kernels import launch

EXTRAS = {
    "cuda13": ("cupy", "numba_cuda", "dask_cuda"),
    "demo": ("pythia8mc", "fastjet"),
    "parquet": ("pyarrow",),
    "xrootd": ("XRootD", "fsspec_xrootd"),
    "hpc": ("dask_jobqueue",),
    "interop": ("pyhf",),
    "bayes": ("nutpie", "arviz"),
    "onnx": ("onnx",),
}
"""By the name of the extra, the modules that it brings."""

_LEAST_DISK = 2**30
_LEAST_FILES = 1024


class Problem(NamedTuple):
    """Something that is known to go wrong."""

    what: str
    cure: str


def facts() -> dict[str, str]:
    """Return versions, machine, memory, disks and extras."""
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cache = launch.cache_folder()
    extras = {name: [m for m in modules if importlib.util.find_spec(m) is None] for name, modules in EXTRAS.items()}
    absent = [f"{name} (lacks {', '.join(missing)})" for name, missing in extras.items() if missing]
    return {
        **backend.versions(),
        "memory": f"{pages / 2**30:.1f} GiB",
        "disk here": f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB free",
        "compiled kernels": f"{cache} ({shutil.disk_usage(_existing(cache)).free / 2**30:.1f} GiB free)",
        "extras": ", ".join(name for name, missing in extras.items() if not missing) or "none",
        "extras that are not there": "; ".join(absent) or "none",
    }


def _existing(path: Path) -> Path:
    """Return the folder that is there on the way to a path."""
    return path if path.exists() else _existing(path.parent)


def problems() -> list[Problem]:
    """Return what is known to go wrong on this machine; an absent GPU is none."""
    return [*_of_the_process(), *_of_packages(), *_of_the_gpu()]


def _of_the_process() -> Iterator[Problem]:
    cache = launch.cache_folder()
    if not os.access(_existing(cache), os.W_OK):
        yield Problem(f"{cache} cannot be written: kernels compile anew each time", "set GPUHIGGS_CACHE to a folder")
    for place in {_existing(cache), Path.cwd()}:
        if shutil.disk_usage(place).free < _LEAST_DISK:
            yield Problem(f"less than 1 GiB is free in {place}", "make room, or set GPUHIGGS_CACHE")
    if os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0"):
        yield Problem("NUMBA_DISABLE_JIT is set: kernels run a thousand times slower", "unset it")
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < _LEAST_FILES:
        yield Problem(f"a process may open {files} files only", "ulimit -n 4096")
    if not flushes_nothing():
        yield Problem(
            "a library in this process sets tiny numbers to zero (it was built with -ffast-math): results differ",
            "find it by importing packages one by one; gpuhiggs itself needs none such",
        )


def flushes_nothing() -> bool:
    """Whether the processor keeps denormal numbers, as IEEE 754 says."""
    tiny = np.array([np.finfo(np.float64).tiny])
    return bool((tiny / 4.0)[0] > 0.0)


def _of_packages() -> Iterator[Problem]:
    installed = {found.metadata["Name"].lower(): found.version for found in distributions()}
    if len(wheels := sorted(name for name in installed if name.startswith("cupy"))) > 1:
        yield Problem(f"{' and '.join(wheels)} overwrite each other", f"pip uninstall {' '.join(wheels)}; install one")
    if (version := installed.get("numba-cuda")) and not version.startswith("0.30."):
        yield Problem(f"numba-cuda {version}: what switches contraction off is known for 0.30", "numba-cuda==0.30.4")
    if (version := installed.get("numba")) and not version.startswith("0.68."):
        yield Problem(f"numba {version}: kernels are tested with 0.68", "pip install 'numba>=0.68,<0.69'")
    if "dask-cuda" in installed and installed.get("dask") != installed.get("distributed"):
        yield Problem(f"dask {installed.get('dask')}, distributed {installed.get('distributed')}", "install the same")


def _of_the_gpu() -> Iterator[Problem]:
    if importlib.util.find_spec("cupy") is None:
        return  # nobody has asked for one
    if (found := backend.problem()) is not None:
        yield Problem(f"no GPU can be used: {found}", "see the message; --device cpu does without")
        return
    from .kernels import launch_cuda

    if (found := launch_cuda.compiler_problem()) is not None:
        yield Problem(found, "pip install 'numba-cuda[cu13]==0.30.4' brings the compiler")


def run(device: str, *, self_test: bool, n_events: int) -> int:
    """Print facts and problems, and what the self-test says; return the exit status."""
    for name, value in facts().items():
        tell(f"{name}: {value}")
    found = problems()
    for problem in found:
        tell(f"PROBLEM: {problem.what}\n    cure: {problem.cure}")
    if not found:
        tell("no known problem")
    if not self_test:
        return 0
    identical = selftest.self_test(backend.open_device(device), n_events, tell)
    tell("identical" if identical else "NOT identical: please report the lines above")
    return 0 if identical else 1


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
