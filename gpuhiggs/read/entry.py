"""Entries of the column cache: one array in one file, in LZ4 blocks, each with its checksum.

::

    magic (8)  length of the header (4)  XXH3-64 of the header (8)  header: JSON  blocks…

The header repeats the key that the file's name is made of, so that no chance can hand out another array. Numbers are
little-endian. An array that LZ4 hardly shortens is stored as it is, and used where it is mapped into memory.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import cramjam
import numpy as np
import xxhash

from ..errors import FileError
from . import memory

_MAGIC = b"GHcolmn1"
_START = struct.Struct("<8sIQ")
_BLOCK = 1 << 19
"""Bytes of a block before compression: large enough that Python's part does not show, and within a core's cache."""


_SAVING = 0.125
"""Part of an array that LZ4 has to save: decompression takes several times as long as checking what was stored."""
_ALIGNED = 64


def _blocks(values: np.ndarray) -> list[tuple[bytes | memoryview, int]]:
    raw = np.ascontiguousarray(values).view(np.uint8).data if values.size else memoryview(b"")
    plain = [raw[at : at + _BLOCK] for at in range(0, len(raw), _BLOCK)]
    packed = [bytes(cramjam.lz4.compress_block(block, store_size=False)) for block in plain]
    if sum(map(len, packed)) > (1 - _SAVING) * len(raw):
        return [(block, len(block)) for block in plain]
    chosen = (short if len(short) < len(block) else block for short, block in zip(packed, plain, strict=True))
    return [(one, len(block)) for one, block in zip(chosen, plain, strict=True)]


def write(path: Path, key: Mapping[str, Any], values: np.ndarray, more: Mapping[str, Any]) -> int:
    """Write an array and what is to be known of it; return the bytes written. The file is there whole or not at all."""
    values = values.astype(values.dtype.newbyteorder("<"), copy=False)
    blocks = _blocks(values)
    table = [[len(packed), size, xxhash.xxh3_64_intdigest(packed)] for packed, size in blocks]
    header = json.dumps({"key": key, "dtype": values.dtype.str, "size": values.size, "blocks": table, **more}).encode()
    header += b" " * (-(_START.size + len(header)) % _ALIGNED)
    start = _START.pack(_MAGIC, len(header), xxhash.xxh3_64_intdigest(header))
    return replace(path, (start, header, *(packed for packed, _ in blocks)))


def replace(path: Path, parts: tuple[bytes | memoryview, ...]) -> int:
    """Write a file under another name and rename it; return its bytes."""
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            for part in parts:
                file.write(part)
            file.flush()
            Path(file.name).chmod(0o644)  # a cache may be shared
            os.rename(file.name, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(file.name)
            raise
        return file.tell()


Task = Callable[[], None]
"""Decodes one block to its place."""


_MAP = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
"""Memory is mapped at once, where the system can: page by page takes longer than to check it."""


class Stored:
    """An entry that is there and whole, as far as its header and length tell."""

    def __init__(self, path: Path, key: Mapping[str, Any]) -> None:
        with path.open("rb") as file:
            self._raw = memoryview(mmap.mmap(file.fileno(), 0, _MAP, mmap.PROT_READ))
        magic, length, checksum = _START.unpack_from(self._raw)
        header = self._raw[_START.size : _START.size + length]
        if magic != _MAGIC or xxhash.xxh3_64_intdigest(header) != checksum:
            msg = f"{path}: not an entry of this version, or torn"
            raise FileError(msg)
        self.header: dict[str, Any] = json.loads(bytes(header))
        self._begin = _START.size + length
        if self.header["key"] != dict(key) or len(self._raw) != self._begin + sum(b[0] for b in self.header["blocks"]):
            msg = f"{path}: of another array, or torn"
            raise FileError(msg)
        self._path = path

    def tasks(self) -> tuple[np.ndarray, list[Task]]:
        """Return room for the array, and what fills and checks it; one that is stored as it is stays where it is."""
        dtype, blocks = np.dtype(self.header["dtype"]), self.header["blocks"]
        if all(stored == size for stored, size, _ in blocks):
            values = np.frombuffer(self._raw[self._begin :], dtype, self.header["size"])
        else:
            values = memory.empty(self.header["size"], dtype)
        out = values.view(np.uint8).data if values.size else memoryview(b"")
        tasks: list[Task] = []
        at, to = self._begin, 0
        for stored, size, checksum in blocks:
            tasks.append(self._task(self._raw[at : at + stored], out[to : to + size], checksum))
            at, to = at + stored, to + size
        if to != values.nbytes:
            msg = f"{self._path}: blocks of {to} bytes for an array of {values.nbytes}"
            raise FileError(msg)
        return values, tasks

    def _task(self, raw: memoryview, out: memoryview, checksum: int) -> Task:
        def decode() -> None:
            n = -1
            if xxhash.xxh3_64_intdigest(raw) == checksum:
                if out.readonly:
                    n = len(raw)
                elif len(raw) == len(out):
                    out[:], n = raw, len(out)
                else:
                    n = cramjam.lz4.decompress_block_into(raw, out)
            if n != len(out):
                msg = f"{self._path}: a damaged block"
                raise FileError(msg)

        return decode
