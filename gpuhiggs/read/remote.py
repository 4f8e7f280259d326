"""Remote files: http(s):// by ranges and root:// by vectored reads, with time-outs and retries.

The protocols are fsspec's (aiohttp; fsspec-xrootd over XRootD's own client). A request that fails for a reason that may
pass is tried again after a pause that doubles; one for a file that is not there, or not to be read, is not.
"""

from __future__ import annotations

import importlib
import io
import logging
import os
import random
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

from ..errors import FileError, MissingExtraError
from .source import Extent, neighbours

_log = logging.getLogger(__name__)

TIMEOUT = 30
"""Seconds without a byte after which a request has failed."""
ATTEMPTS = 5
PAUSE = 0.5
"""Seconds before the second attempt; doubled each time, and up to half as much again, so that workers do not come back
at once."""
_SILENCE = 60.0
"""Seconds after a server has not answered to any attempt, during which it is asked but once: a hundred of its files are
not to take a hundred times as long to be given up."""
_silent: dict[str, float] = {}
"""When servers were given up."""
STREAMS = 4
"""Requests at the same time: a worker's thread waits for the network rather than for its core."""

_XROOTD = {"TimeoutResolution": 1, "ConnectionWindow": 10, "ConnectionRetry": 1}
"""Settings of XRootD's client, unless the user's environment has them: seconds between looks at what has timed out (it
has 15), seconds to wait for a server that does not answer (120), and how often (5)."""

_GAP = 1 << 17
"""Bytes between two extents that are read rather than skipped: about what 1 Gbit/s carries in a millisecond."""
_SPAN = 1 << 23
"""Bytes of one vectored request, about."""
_MOST = 256
"""Ranges of one vectored request."""
_BLOCK = 1 << 19
"""Bytes of a block of metadata."""
_BLOCKS = 64

_FATAL = re.compile(
    r"\[(?:3010|3011|3016)\]|No such file|Permission denied|Invalid address|Name or service not known", re.IGNORECASE
)
"""XRootD's codes for: not authorized, not found, not a file (``XProtocol.hh``); and a server that there is not."""
_UNREACHED = (
    (re.compile(r"Invalid address|Name or service not known"), "there is no such server"),
    (
        re.compile(r"Connection error|Operation expired|Connect call failed|Socket timeout"),
        "the server does not answer",
    ),
)
_NOISE = re.compile(r"Failed to submit <.*> request: |ssl:default ")
"""What the libraries say of themselves."""

_T = TypeVar("_T")


def filesystem(url: str) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the file's name in it.

    Raises
    ------
    FileError
        If the protocol is not known.
    MissingExtraError
        If it needs a package that is not installed.
    """
    import fsspec

    protocol = url.partition("://")[0]
    if protocol in ("root", "roots", "xroot"):
        try:
            importlib.import_module("fsspec_xrootd")
        except ImportError as error:
            feature = f"reading {protocol}:// files"
            raise MissingExtraError(feature, "fsspec-xrootd", "xrootd") from error
        from XRootD import client

        for name, value in _XROOTD.items():
            if f"XRD_{name.upper()}" not in os.environ:
                client.EnvPutInt(name, value)
        options: dict[str, Any] = {"timeout": TIMEOUT}
    elif protocol in ("http", "https"):
        import aiohttp

        timeout = aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT, sock_read=TIMEOUT)
        options = {"client_kwargs": {"timeout": timeout}}
    else:
        msg = f"{url}: unknown protocol {protocol!r}; known: root, roots, http, https"
        raise FileError(msg)
    system, name = fsspec.core.url_to_fs(url.replace("xroot://", "root://", 1), **options)
    return system, str(name)


class RemoteSource:
    """A file on a server."""

    streams = STREAMS
    descriptor: int | None = None

    def __init__(self, url: str) -> None:
        self.path = url
        self._system, self._name = filesystem(url)
        info = self._attempt(lambda: self._system.info(self._name))
        if info.get("size") is None:
            msg = f"{url}: the server does not say how large the file is"
            raise FileError(msg)
        self.size = int(info["size"])
        known = ("ETag", "Last-Modified", "mtime")
        self.about = {"bytes": self.size, **{name: str(info[name]) for name in known if name in info}}

    def groups(self, extents: Sequence[Extent]) -> Iterator[list[int]]:
        """Yield the places of what one vectored request takes."""
        group: list[int] = []
        size = 0
        for i in sorted(range(len(extents)), key=extents.__getitem__):
            if group and (size + extents[i].length > _SPAN or len(group) == _MOST):
                yield group
                group, size = [], 0
            group.append(i)
            size += extents[i].length
        if group:
            yield group

    def fetch(self, extents: Sequence[Extent]) -> list[memoryview]:
        """Read some extents with one vectored request."""
        found: dict[int, memoryview] = {}
        ranges = []
        for group in neighbours(extents, _GAP, _SPAN):
            first = min(extents[i].seek for i in group)
            ranges.append((first, max(extents[i].seek + extents[i].length for i in group), group))
        read = self._attempt(lambda: self._read([(first, last) for first, last, _ in ranges]))
        for raw, (first, _, group) in zip(read, ranges, strict=True):
            for i in group:
                seek, length = extents[i]
                found[i] = memoryview(raw)[seek - first : seek - first + length]
        return [found[i] for i in range(len(extents))]

    def _read(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        starts, ends = [first for first, _ in ranges], [last for _, last in ranges]
        read: list[bytes] = self._system.cat_ranges([self._name] * len(ranges), starts, ends, on_error="raise")
        for raw, (first, last) in zip(read, ranges, strict=True):
            if len(raw) != last - first:
                msg = f"the server sent {len(raw)} bytes for the range {first} to {last}"
                raise FileError(msg)
        return read

    def _attempt(self, request: Callable[[], _T]) -> _T:
        """Do what may fail for a reason that passes."""
        server = urlsplit(self.path).netloc
        attempts = 1 if time.monotonic() - _silent.get(server, -_SILENCE) < _SILENCE else ATTEMPTS
        for attempt in range(1, attempts + 1):
            try:
                return request()
            except Exception as raised:
                error = _cause(raised)
                if attempt == attempts or not _may_pass(error):
                    if _meaning(str(error)):
                        _silent[server] = time.monotonic()
                    _forget_handles(self._system)
                    msg = f"{_said(error)}" + (f" ({attempt} attempts)" if attempt > 1 else "")
                    raise FileError(msg) from raised
                pause = PAUSE * 2 ** (attempt - 1) * (1 + random.random() / 2)
                _log.info("%s: %s; again in %.1f s", self.path, _said(error), pause)
                time.sleep(pause)
        raise AssertionError

    def file(self) -> io.RawIOBase:
        """Return the source as a file object, for readers of metadata."""
        return _Blocks(self)

    def close(self) -> None:
        """Nothing is held open here: fsspec keeps connections for the next file."""


def _forget_handles(system: Any) -> None:
    """Forget the open files of a server that may be gone: fsspec-xrootd would say at exit that it cannot close them."""
    handles = getattr(getattr(system, "_readonly_filehandle_cache", None), "_cache", None)
    if isinstance(handles, dict):
        handles.clear()


def _cause(error: BaseException) -> BaseException:
    """Return what was wrong: fsspec says that a file is not there whatever keeps it from asking the server."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _may_pass(error: BaseException) -> bool:
    status = getattr(error, "status", None)
    if isinstance(status, int):
        return status in (408, 425, 429) or status >= 500
    return not isinstance(error, FileNotFoundError | PermissionError | FileError) and not _FATAL.search(str(error))


def _said(error: BaseException) -> str:
    if isinstance(error, FileError):
        return str(error)
    if isinstance(error, FileNotFoundError) or getattr(error, "status", None) in (404, 410):
        return "no such file"
    text = _NOISE.sub("", str(error)).strip()
    return f"{_meaning(text) or type(error).__name__}: {text}".rstrip(": ")


def _meaning(text: str) -> str:
    """Say what is wrong with a server that was not reached; nothing if it was."""
    return next((meaning for pattern, meaning in _UNREACHED if pattern.search(text)), "")


class _Blocks(io.RawIOBase):
    """A file object over a source, which keeps the blocks that it has read last."""

    def __init__(self, source: RemoteSource) -> None:
        self._source, self._at = source, 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._source.size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._source.size if size is None or size < 0 else min(self._at + size, self._source.size)
        if end <= self._at:
            return b""
        first, last = self._at // _BLOCK, (end - 1) // _BLOCK
        missing = [i for i in range(first, last + 1) if i not in self._kept]
        extents = [Extent(i * _BLOCK, min(_BLOCK, self._source.size - i * _BLOCK)) for i in missing]
        fresh = {i: bytes(raw) for i, raw in zip(missing, self._source.fetch(extents), strict=True)}
        whole = b"".join(fresh[i] if i in fresh else self._kept[i] for i in range(first, last + 1))
        for i in range(first, last + 1):
            self._kept[i] = fresh[i] if i in fresh else self._kept.pop(i)
        while len(self._kept) > _BLOCKS:
            self._kept.popitem(last=False)
        begin = self._at - first * _BLOCK
        self._at = end
        return whole[begin : begin + end - first * _BLOCK - begin]

    def readinto(self, buffer: Any) -> int:
        raw = self.read(len(buffer))
        buffer[: len(raw)] = raw
        return len(raw)
