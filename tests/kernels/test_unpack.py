"""Unpacking raw baskets: against NumPy, in the interpreter and compiled; its CUDA build by the gate."""

from __future__ import annotations

import itertools
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuhiggs.kernels import launch, unpack

LOOP = launch.Loop("gpuhiggs.kernels.unpack", "unpack_range", ("raw", "edges", "offsets", "n", "width", "values"))
KINDS = ("?", "i1", "u1", "i2", "u2", "i4", "u4", "f4", "i8", "u8", "f8")


def raw_baskets(values: np.ndarray, sizes: list[int], tail: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay out values as decompressed baskets do, each at a multiple of eight bytes, with *tail* bytes behind it."""
    parts, edges, offsets, at = [], [], [], 0
    cuts = np.concatenate([[0], np.cumsum(sizes)])
    for first, last in itertools.pairwise(cuts):
        raw = values[first:last].astype(values.dtype.newbyteorder(">")).tobytes() + b"\xee" * tail
        edges.append(first)
        offsets.append(at)
        raw += bytes(-len(raw) % 8)
        parts.append(raw)
        at += len(raw)
    whole = np.frombuffer(b"".join(parts), np.uint8)
    aligned = np.empty(whole.size // 8 + 1, np.int64).view(np.uint8)[: whole.size]
    aligned[:] = whole
    return aligned, np.array(edges, np.int64), np.array(offsets, np.int64)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=9), tail=st.integers(0, 20),
    seed=st.integers(0, 100), begin=st.integers(0, 20),
)  # fmt: skip
def test_numpy_agrees(kind: str, sizes: list[int], tail: int, seed: int, begin: int) -> None:
    n = sum(sizes)
    dtype = np.dtype(kind)
    bits = np.random.default_rng(seed).integers(0, 256, n * dtype.itemsize).astype(np.uint8)
    values = bits.view(dtype) if kind != "?" else bits % 2 == 1
    raw, edges, offsets = raw_baskets(values, sizes, tail)
    found = np.zeros(n, dtype)
    first = min(begin, n)
    arguments: list[Any] = [np.uint64(one.ctypes.data) for one in (raw, edges, offsets)]
    arguments += [len(sizes), 0 if kind == "?" else dtype.itemsize, np.uint64(found.ctypes.data)]
    launch.compiled_loop(LOOP)(first, n, 0, *arguments)
    assert found[first:].tobytes() == values[first:].tobytes()
    assert not found[:first].view(np.uint8).any()


@pytest.mark.parametrize("bits", [16, 32, 64])
def test_swaps_in_the_interpreter(bits: int) -> None:
    swap = getattr(unpack, f"swap{bits}")
    swap = getattr(swap, "py_func", swap)
    for value in (0, 1, 0x80, 0x1234, 0xFEDCBA9876543210 & (2**bits - 1), 2**bits - 1, 1 << bits - 1):
        if bits == 64:
            unpack_32 = getattr(unpack.swap32, "py_func", unpack.swap32)
            expected = unpack_32(value & 0xFFFFFFFF) << 32 | unpack_32(value >> 32)
        else:
            expected = swap(value)
        assert expected == int.from_bytes(value.to_bytes(bits // 8, "big"), "little")


GATE = """
from numba import types
from numba.cuda.cudadrv import nvvm
try:
    nvvm.NVVM()
except Exception as error:
    print(f"numba-cuda cannot compile to PTX: {error}")
    raise SystemExit(3)
from gpuhiggs.kernels import launch, launch_cuda
loop = launch.Loop("gpuhiggs.kernels.unpack", "unpack_range", ("raw", "edges", "offsets", "n", "width", "values"))
module = launch_cuda.driver(loop)
u, i = types.uint64, types.int64
text = launch_cuda.ptx(module.process, types.void(i, u, u, u, i, i, u))
assert launch_cuda.forbidden(text) == [], launch_cuda.forbidden(text)
assert ".target sm_90" in text
assert not any(word in text for word in (".f32", ".f64")), "bytes are moved as integers"
assert "st.global" in text or "st.u32" in text or "st.b32" in text
"""


def test_the_cuda_build_passes_the_gate() -> None:
    """In a process of its own: numba.cuda, once imported, changes how functions are compiled."""
    done = subprocess.run([sys.executable, "-c", GATE], capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stderr
