"""What the backend asks of a GPU: memory, streams, kernels. CuPy gives it; a test gives the same from NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ..kernels.launch import Loop, Program


class OutOfMemory(Exception):  # noqa: N818 - it is handled, not reported
    """Memory that was asked for is not there."""


class Memory(Protocol):
    """A block of device memory; it is free again when nothing refers to it."""

    address: int


class Stream(Protocol):
    """Operations of a stream come one after the other, and beside those of other streams."""

    def copy_in(self, address: int, array: np.ndarray) -> None:
        """Begin to copy from host memory, which must stay as it is until :meth:`wait`."""

    def copy_out(self, array: np.ndarray, address: int) -> None:
        """Begin to copy to host memory."""

    def zero(self, address: int, nbytes: int) -> None:
        """Set memory to zero."""

    def launch(self, kernel: Any, blocks: int, arguments: tuple[int, ...], shared_bytes: int = 0) -> None:
        """Start a kernel with blocks of ``launch_cuda.THREADS`` threads."""

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Copy from device memory to device memory."""

    def mark(self) -> Any:
        """Note the time at which the device gets here."""

    def seconds(self, first: Any, last: Any) -> float:
        """Return the time between two marks that have been passed."""

    def wait(self) -> None:
        """Wait until all is done."""


class Card(Protocol):
    """One GPU."""

    description: str
    multiprocessors: int
    errors: tuple[type[Exception], ...]
    """What it raises when it fails."""

    def allocate(self, nbytes: int, stream: Any) -> Memory:
        """Return device memory that *stream* will use, or raise OutOfMemory."""

    def pinned(self, nbytes: int) -> np.ndarray:
        """Return host memory, uint8, that is copied from and to without a detour."""

    def is_pinned(self, array: np.ndarray) -> bool:
        """Whether an array lies in such memory."""

    def stream(self) -> Stream:
        """Return a new stream."""

    def kernel(self, program: Program | Loop, name: str, arguments: tuple[Any, ...] = ()) -> Callable[..., Any]:
        """Return a kernel of a program, compiled and loaded."""

    def free_bytes(self) -> int:
        """Return how much memory could be asked for."""
