"""C functions for decompression, by address: the packages of ``blocks`` bring them along and export them."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

WHERE = {"lz4": "block/_block*.so", "xxhash": "_xxhash*.so", "zstandard": "_cffi*.so", "deflate": "_deflate*.so"}
"""The packages' extension modules that hold the C libraries."""

(
    LZ4, LZ4_PARTIAL, XXH64,
    ZSTD_STATE, ZSTD_SIZE, ZSTD_BEGIN, ZSTD_NEXT, ZSTD_CONTINUE,
    ZLIB_STATE, ZLIB, DEFLATE, ADLER,
    PREAD, BUFFER, SCRATCH, TAIL, WRITTEN, PLACES,
) = range(18)  # fmt: skip
"""Places in a workspace; 0 where there is no such function."""

_FUNCTIONS = {
    LZ4: ("lz4", "LZ4_decompress_safe"),
    LZ4_PARTIAL: ("lz4", "LZ4_decompress_safe_partial"),
    XXH64: ("xxhash", "XXH64"),
    ZSTD_SIZE: ("zstandard", "ZSTD_getFrameContentSize"),
    ZSTD_BEGIN: ("zstandard", "ZSTD_decompressBegin"),
    ZSTD_NEXT: ("zstandard", "ZSTD_nextSrcSizeToDecompress"),
    ZSTD_CONTINUE: ("zstandard", "ZSTD_decompressContinue"),
    ZLIB: ("deflate", "libdeflate_zlib_decompress"),
    DEFLATE: ("deflate", "libdeflate_deflate_decompress"),
    ADLER: ("deflate", "libdeflate_adler32"),
}
_STATES = {
    ZSTD_STATE: ("zstandard", "ZSTD_createDCtx"),
    ZLIB_STATE: ("deflate", "libdeflate_alloc_decompressor"),
}

ROOM = 1 << 24
"""Bytes of the largest basket that is decoded with these; a thread touches only as many as its baskets have."""


@functools.cache
def _function(package: str, name: str) -> Any:
    """Return a C function that an extension module exports; None: it does not."""
    spec = importlib.util.find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        for path in sorted(Path(folder).glob(WHERE[package])):
            try:
                found = ctypes.CDLL(str(path))[name]
            except (OSError, AttributeError):
                continue
            found.restype = ctypes.c_void_p
            return found
    return None


def _address(package: str, name: str) -> int:
    found = _function(package, name)
    return 0 if found is None else int(ctypes.cast(found, ctypes.c_void_p).value or 0)


def _state(package: str, name: str) -> int:
    found = _function(package, name)
    return 0 if found is None else int(found() or 0)


class Workspace:
    """What one thread works with at a time."""

    def __init__(self) -> None:
        self._room: list[np.ndarray] = [np.empty(ROOM, np.uint8), np.empty(ROOM, np.uint8), np.zeros(1, np.int64)]
        self.places = np.zeros(PLACES, np.int64)
        for place, one in _FUNCTIONS.items():
            self.places[place] = _address(*one)
        for place, one in _STATES.items():
            self.places[place] = _state(*one)
        self.places[PREAD] = ctypes.cast(ctypes.CDLL(None).pread, ctypes.c_void_p).value or 0
        self._buffer = np.empty(0, np.uint8)
        for place, room in zip((SCRATCH, TAIL, WRITTEN), self._room, strict=True):
            self.places[place] = room.ctypes.data

    def reserve(self, size: int) -> None:
        """Have room for *size* bytes as they stand in a file."""
        if self._buffer.size < size:
            self._buffer = np.empty(size, np.uint8)
            self.places[BUFFER] = self._buffer.ctypes.data
