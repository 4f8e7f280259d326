"""Fetching: pieces of a file read in few large requests and decoded where they arrive, on threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..errors import FileError
from .source import Extent, Source


def damaged(source: Source, place: str, error: Exception) -> FileError:
    """Name the place of what was found damaged; the libraries for decompression have errors of their own."""
    what = str(error) if isinstance(error, FileError) else f"{type(error).__name__}: {error}"
    return FileError(f"{source.path}: {place}: {what}")


def decode_all(
    source: Source,
    extents: Sequence[Extent],
    decode: Callable[[int, memoryview], None],
    place: Callable[[int], str],
    threads: int,
    together: Callable[[list[int], list[memoryview]], list[int]] | None = None,
) -> None:
    """Fetch every extent and call *decode* with its place in the sequence and its bytes.

    *together*, if given, is called first with all that came with one request, and returns which of them are left.

    Raises
    ------
    FileError
        If one cannot be read or decoded; names the file, and what *place* says of the extent.
    """

    def work_on(group: list[int]) -> None:
        i = group[0]
        try:
            raws = source.fetch([extents[i] for i in group])
            left = range(len(group)) if together is None else together(group, raws)
            for j in left:
                i = group[j]
                decode(i, raws[j])
        except Exception as error:
            raise damaged(source, place(i), error) from error

    groups = list(source.groups(extents))
    remaining = iter(groups)

    def work() -> None:
        for group in remaining:  # threads take from one iterator, whose steps the GIL makes atomic
            work_on(group)

    threads = min(max(threads, source.streams), len(groups))
    if threads < 2:
        work()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()
