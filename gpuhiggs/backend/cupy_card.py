"""A GPU by CuPy: its memory pool, pinned host memory, streams, and the kernels that numba-cuda has compiled.

Kernels take addresses and numbers only, so they are loaded and launched as any other code of the driver's: no type is
looked at when one is launched, and what is loaded is what the gate has read.
"""

from __future__ import annotations

import threading
import weakref
from typing import Any

import cupy
import cupyx
import numpy as np
from cupy.cuda import runtime

from ..kernels import launch_cuda
from ..kernels.launch import Loop, Program
from .card import OutOfMemory


class CupyMemory:
    """A block of CuPy's pool."""

    def __init__(self, pointer: Any) -> None:
        self._pointer = pointer
        self.address = int(pointer.ptr)


class CupyStream:
    """A stream that does not wait for the default one."""

    def __init__(self) -> None:
        self.stream = cupy.cuda.Stream(non_blocking=True)

    def copy_in(self, address: int, array: np.ndarray) -> None:
        """Begin to copy from host memory."""
        runtime.memcpyAsync(address, array.ctypes.data, array.nbytes, runtime.memcpyHostToDevice, self.stream.ptr)

    def copy_out(self, array: np.ndarray, address: int) -> None:
        """Begin to copy to host memory."""
        runtime.memcpyAsync(array.ctypes.data, address, array.nbytes, runtime.memcpyDeviceToHost, self.stream.ptr)

    def zero(self, address: int, nbytes: int) -> None:
        """Set memory to zero."""
        runtime.memsetAsync(address, 0, nbytes, self.stream.ptr)

    def launch(self, kernel: Any, blocks: int, arguments: tuple[int, ...], shared_bytes: int = 0) -> None:
        """Start a kernel; every argument is a number of 64 bits."""
        kernel((blocks,), (launch_cuda.THREADS,), tuple(map(np.int64, arguments)), shared_bytes, self.stream)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Copy from device memory to device memory."""
        runtime.memcpyAsync(target, source, nbytes, runtime.memcpyDeviceToDevice, self.stream.ptr)

    def mark(self) -> Any:
        """Note the time at which the device gets here."""
        return self.stream.record(cupy.cuda.Event())

    def seconds(self, first: Any, last: Any) -> float:
        """Return the time between two marks that have been passed."""
        return float(cupy.cuda.get_elapsed_time(first, last)) / 1e3

    def wait(self) -> None:
        """Wait until all is done."""
        self.stream.synchronize()


class CupyCard:
    """The GPU that CuPy has for its current one."""

    def __init__(self, max_registers: int | None = None) -> None:
        properties = runtime.getDeviceProperties(cupy.cuda.Device().id)
        self.description = properties["name"].decode()
        self.multiprocessors = int(properties["multiProcessorCount"])
        self.compute_capability = int(properties["major"]), int(properties["minor"])
        self.errors: tuple[type[Exception], ...] = (runtime.CUDARuntimeError, cupy.cuda.driver.CUDADriverError)
        self._max_registers = max_registers
        self._pinned: dict[int, int] = {}
        self._loading = threading.Lock()
        self._kernels: dict[tuple[Program | Loop, str], Any] = {}
        self.binaries: dict[tuple[Program | Loop, str], launch_cuda.Binary] = {}
        """What has been loaded."""

    def allocate(self, nbytes: int, stream: CupyStream) -> CupyMemory:
        """Return device memory, which the pool gives to the same stream again when it is free."""
        try:
            with stream.stream:
                return CupyMemory(cupy.cuda.alloc(nbytes))
        except cupy.cuda.memory.OutOfMemoryError as error:
            raise OutOfMemory(str(error)) from error

    def pinned(self, nbytes: int) -> np.ndarray:
        """Return pinned host memory."""
        array: np.ndarray = cupyx.empty_pinned(nbytes, np.uint8)
        self._pinned[array.ctypes.data] = array.ctypes.data + nbytes
        weakref.finalize(array, self._pinned.pop, array.ctypes.data)
        return array

    def is_pinned(self, array: np.ndarray) -> bool:
        """Whether an array lies in memory that :meth:`pinned` gave."""
        address = array.ctypes.data
        return any(first <= address and address + array.nbytes <= last for first, last in self._pinned.copy().items())

    def stream(self) -> CupyStream:
        """Return a new stream."""
        return CupyStream()

    def kernel(self, program: Program | Loop, name: str, arguments: tuple[Any, ...] = ()) -> Any:
        """Return a kernel, loaded once."""
        with self._loading:  # two threads would compile it twice
            if (program, name) not in self._kernels:
                binary = launch_cuda.binary(program, name, arguments, self.compute_capability, self._max_registers)
                module = cupy.cuda.function.Module()
                module.load(binary.code)
                self.binaries[program, name] = binary
                self._kernels[program, name] = module.get_function(binary.entry)
            return self._kernels[program, name]

    def free_bytes(self) -> int:
        """Return the memory that no process has, and what is free in the pool."""
        free, _ = runtime.memGetInfo()
        return int(free) + int(cupy.get_default_memory_pool().free_bytes())
