"""The PTX gate: what a GPU would run has no instruction that could change a bit, and the gate sees one that has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpuhiggs.calibrations import calibrated
from gpuhiggs.channels import CHANNELS
from gpuhiggs.kernels import launch, launch_cuda, real_rows

_COMPILER = """
from numba.cuda.cudadrv import nvvm
nvvm.NVVM()
"""


@pytest.fixture(scope="module", autouse=True)
def _compiler() -> None:
    """Ask another process: numba.cuda, once imported, changes how functions of this one are compiled."""
    found = subprocess.run([sys.executable, "-c", _COMPILER], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(f"numba-cuda cannot compile to PTX: {found.stderr.strip().splitlines()[-1]}")


PROGRAMS = {name: channel.program for name, channel in CHANNELS.items()} | {"calibration": calibrated.PROGRAM}


def _gate(channel: str, compute_capability: tuple[int, int]) -> None:
    functions = launch_cuda.device_functions(PROGRAMS[channel])
    assert sorted(functions) == ["process", "select"]
    for name, (function, argument_types) in functions.items():
        text = launch_cuda.ptx(function, argument_types, compute_capability)
        assert launch_cuda.forbidden(text) == [], f"{channel}.{name}"
        assert f".target sm_{compute_capability[0]}{compute_capability[1]}" in text
        if name == "process" or channel != "calibration":  # which takes events as they come
            assert "mul.rn.f64" in text
        assert "add.u64" in text or "add.s64" in text  # of integers, atomic


@pytest.mark.parametrize("channel", PROGRAMS)
def test_channels(channel: str) -> None:
    _gate(channel, (9, 0))


@pytest.mark.nightly
@pytest.mark.parametrize("compute_capability", [(8, 0), (10, 0)], ids=["sm_80", "sm_100"])
@pytest.mark.parametrize("channel", PROGRAMS)
def test_other_architectures(channel: str, compute_capability: tuple[int, int]) -> None:
    _gate(channel, compute_capability)


@pytest.mark.parametrize(
    "instruction",
    [
        "fma.rn.f64 %fd1, %fd2, %fd3, %fd4;", "fma.rn.ftz.f32 %f1, %f2, %f3, %f4;", "mad.rn.f32 %f1, %f2, %f3, %f4;",
        "add.f64 %fd1, %fd2, %fd3;", "sub.f32 %f1, %f2, %f3;", "mul.f64 %fd1, %fd2, %fd3;",
        "mul.ftz.f32 %f1, %f2, %f3;", "sqrt.approx.f32 %f1, %f2;",
        "rcp.approx.ftz.f64 %fd1, %fd2;", "div.full.f32 %f1, %f2, %f3;",
        "atom.global.add.f64 %fd1, [%rd1], %fd2;", "red.global.add.f32 [%rd1], %f1;",
        "atom.add.f64 %fd1, [%rd1], %fd2;",
    ],
)  # fmt: skip
def test_forbidden(instruction: str) -> None:
    assert len(launch_cuda.forbidden(f"\tmov.u32 %r1, 0;\n\t{instruction}\n")) == 1


@pytest.mark.parametrize(
    "instruction",
    [
        "add.rn.f64 %fd1, %fd2, %fd3;", "mul.rn.f32 %f1, %f2, %f3;", "div.rn.f64 %fd1, %fd2, %fd3;",
        "sqrt.rn.f64 %fd1, %fd2;", "mad.lo.s64 %rd1, %rd2, %rd3, %rd4;", "mad.wide.u32 %rd1, %r1, 8, %rd2;",
        "add.s64 %rd1, %rd2, 1;",
        "atom.global.add.u64 %rd1, [%rd2], %rd3;", "red.global.add.u64 [%rd2], %rd3;", "neg.f64 %fd1, %fd2;",
        "cvt.rn.f64.s64 %fd1, %rd1;", "setp.lt.f64 %p1, %fd1, %fd2;",
    ],
)  # fmt: skip
def test_allowed(instruction: str) -> None:
    assert launch_cuda.forbidden(f"\t{instruction}\n") == []


PLANTED = """
from numba import cuda, types
from gpuhiggs.kernels import launch_cuda

def contracted(out, a, b, c):
    out[0] = a * b + c

def summed(out, a, b, c):
    cuda.atomic.add(out, 0, a)

signature = types.void(types.float64[::1], types.float64, types.float64, types.float64)

def stock(function):
    return launch_cuda.forbidden(cuda.compile(function, signature, device=False, abi="numba", cc=(9, 0))[0])

assert any(found.startswith("fma.rn") for found in stock(contracted)), stock(contracted)
assert any(".add.f64" in found for found in stock(summed)), stock(summed)
assert launch_cuda.forbidden(launch_cuda.ptx(contracted, signature)) == []
assert launch_cuda.forbidden(launch_cuda.ptx(summed, signature)) != []
try:
    with launch_cuda._strict_floats():
        cuda.compile(contracted, signature, device=False, abi="numba", cc=(9, 0), fastmath=True)
except ValueError as error:
    assert "fastmath" in str(error)
else:
    raise AssertionError("fastmath was accepted")
"""


def test_the_gate_bites() -> None:
    """By numba-cuda's own settings a·b + c is fused; those of launch_cuda keep it apart. A float atomic is seen."""
    found = subprocess.run([sys.executable, "-c", PLANTED], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_bins_in_shared_memory() -> None:
    """The kernel with histograms in shared memory passes the gate, and adds there by 32 bits only."""
    [one] = launch_cuda.device_functions(CHANNELS["diphoton_atlas"].program, [launch_cuda.PROCESS_SHARED]).values()
    text = launch_cuda.ptx(*one)
    assert launch_cuda.forbidden(text) == []
    assert "atom.shared.add.u32" in text
    assert "atom.shared.add.u64" not in text


WIDEN = launch.Loop("gpuhiggs.kernels.widen", "widen_range", ("sums", "high", "low", "n_sums"))
WIDEN_TYPES = (np.uint64(0), np.uint64(0), np.uint64(0), np.int64(0))


def test_code_is_kept_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled once, assembled, found again; what has a forbidden instruction is not given out."""
    monkeypatch.setenv("GPUHIGGS_CACHE", str(tmp_path))
    binary = launch_cuda.binary(WIDEN, "process", WIDEN_TYPES)
    assert f".entry {binary.entry}(" in binary.ptx
    [text] = tmp_path.rglob("*.ptx")
    is_assembled = launch_cuda.link(binary.ptx)[0] is not None
    assert binary.code.startswith(b"\x7fELF" if is_assembled else b"//")
    assert len(list(tmp_path.rglob("*.cubin"))) == is_assembled

    def compile_again(*_: object) -> None:
        raise AssertionError("compiled again")

    monkeypatch.setattr(launch_cuda, "ptx", compile_again)
    assert launch_cuda.binary(WIDEN, "process", WIDEN_TYPES) == binary
    text.write_text(binary.ptx + "\tfma.rn.f64 %fd1, %fd2, %fd3, %fd4;\n")
    with pytest.raises(ValueError, match=r"process-sm_90\.ptx: instructions that break bit identity: fma\.rn\.f64"):
        launch_cuda.binary(WIDEN, "process", WIDEN_TYPES)


@pytest.mark.nightly
def test_elementary_functions() -> None:
    for one in launch_cuda.device_functions(launch.Program(real_rows.__name__)).values():
        assert launch_cuda.forbidden(launch_cuda.ptx(*one)) == []
