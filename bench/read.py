"""Reading ROOT files: bulk basket decoding against uproot, and against bare decompression of the same blocks.

    python -m bench.read FOLDER [--repeat 9] [--json bench/results/read.json]

FOLDER holds what ``bench/write_root.py`` writes. Everything is warm: files in the page cache, trees open, one call of
each before the clock runs. The three take turns (A B C A B C …); medians and the fastest are given. The floor
decompresses, on as many threads, every block that bulk reading touches, with the fastest library and into nothing.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cramjam
import deflate
import numpy as np
import uproot
import zstandard

from bench.throughput import machine
from gpuhiggs.read import ColumnCache, EventFile, blocks, bulk
from gpuhiggs.read.baskets import Branch, header, overlapping
from gpuhiggs.read.source import LocalSource
from gpuhiggs.read.ttree import TreeTable

CODECS = ("zlib", "zstd", "lz4", "lzma", "uncompressed")
FIELDS = ("pt", "eta", "phi", "mass", "pfRelIso03_all", "charge")
CASES = {
    "2 jagged branches, 1 thread": (("Muon_pt", "Muon_eta"), 1),
    "12 jagged branches, 2 threads": (tuple(f"{name}_{f}" for name in ("Muon", "Electron") for f in FIELDS), 2),
}

Block = tuple[bytes, memoryview, int]


def touched(path: Path, branches: dict[str, Branch], stop: int) -> list[Block]:
    """List the blocks of the branches and their counters; an uncompressed basket is one block of codec ``--``."""
    every = {one.name: one for one in branches.values()}
    every |= {one.counter.name: one.counter for one in branches.values() if one.counter is not None}
    raw = memoryview(path.read_bytes())
    found: list[Block] = []
    for branch in every.values():
        baskets = overlapping(branch, 0, stop, len(raw))
        for basket in (baskets[i] for i in range(len(baskets))):
            whole = raw[basket.extent.seek : basket.extent.seek + basket.extent.length]
            key_length, size, _ = header(basket, whole)
            payload = whole[key_length:]
            found += [(b"--", payload, size)] if len(payload) == size else blocks.split(payload)
    return found


def bare() -> Callable[[Block], object]:
    """Return a function that decompresses a block, for one thread."""
    scratch = np.empty(1 << 24, np.uint8)
    zstd = zstandard.ZstdDecompressor()
    decoders: dict[bytes, Callable[[memoryview, int], object]] = {
        b"ZL": deflate.zlib_decompress,
        b"XZ": lambda data, _: lzma.decompress(data),
        b"L4": lambda data, size: cramjam.lz4.decompress_block_into(data[8:], scratch.data),
        b"ZS": lambda data, size: zstd.decompress(data, max_output_size=size),
        b"--": lambda data, _: bytes(data),
    }
    return lambda block: decoders[block[0]](block[1], block[2])


def floor(all_blocks: list[Block], threads: int) -> None:
    """Decompress blocks on threads."""
    remaining = iter(all_blocks)

    def work() -> None:
        decode = bare()
        for block in remaining:
            decode(block)

    if threads == 1:
        work()
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work) for _ in range(threads)]:
            done.result()


def in_turn(functions: dict[str, Callable[[], object]], repeat: int, threads: int = 1) -> dict[str, list[float]]:
    """Time functions one after the other, again and again.

    By the clock; where one thread works, by its processor time, which other jobs on the machine change less.
    """
    clock = time.process_time if threads == 1 else time.perf_counter
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeat + 1):  # the first round warms up
        for name, function in functions.items():
            began = clock()
            function()
            seconds[name].append(clock() - began)
    return {name: times[1:] for name, times in seconds.items()}


def measure(path: Path, branches: tuple[str, ...], threads: int, repeat: int) -> dict[str, Any]:
    """Time the three ways for one file, after comparing their results."""
    with EventFile(str(path), ("Events",)) as events:
        assert isinstance(events.table, TreeTable)
        table, n = events.table, events.entries
        tree = uproot.open(path, object_cache=None, array_cache=None)["Events"]
        source = LocalSource(str(path))
        executor = uproot.ThreadPoolExecutor(threads) if threads > 1 else None
        layouts = {name: found for name in branches if (found := table.branch(name)) is not None}
        assert layouts.keys() == set(branches)

        def by_uproot() -> Any:
            return tree.arrays(list(branches), library="ak", decompression_executor=executor)

        def in_bulk() -> Any:
            return bulk.read(source, layouts, 0, n, threads)

        ours, theirs = in_bulk(), by_uproot()
        for name in branches:
            array = theirs[name].layout
            assert ours[name].content.tobytes() == np.asarray(array.content.data).tobytes(), name
            np.testing.assert_array_equal(ours[name].offsets, np.asarray(array.offsets.data))
        all_blocks = touched(path, layouts, n)
        functions = {"floor": lambda: floor(all_blocks, threads), "bulk": in_bulk, "uproot": by_uproot}
        seconds = in_turn(functions, repeat, threads)
        processor = in_turn(functions, repeat) if threads > 1 else seconds  # what other jobs change less
    median = {name: statistics.median(times) for name, times in seconds.items()}
    median_processor = {name: statistics.median(times) for name, times in processor.items()}
    return {
        "events": n,
        "compressed_bytes": sum(len(data) for _, data, _ in all_blocks),
        "bytes": sum(size for *_, size in all_blocks),
        "seconds": seconds,
        "median_s": median,
        "bulk_over_floor": median["bulk"] / median["floor"],
        "uproot_over_bulk": median["uproot"] / median["bulk"],
        "median_processor_s": median_processor,
        "bulk_over_floor_processor": median_processor["bulk"] / median_processor["floor"],
    }


def first_chunk(path: Path, branches: tuple[str, ...], repeat: int) -> dict[str, Any]:
    """Time a file's opening and its first 20,000 events, of 12 branches."""

    def by_us() -> None:
        with EventFile(str(path), ("Events",)) as events:
            events.values(branches, 0, min(20_000, events.entries))

    def by_uproot() -> None:
        with uproot.open(path, object_cache=None, array_cache=None) as file:
            file["Events"].arrays(list(branches), entry_stop=20_000)

    seconds = in_turn({"ours": by_us, "uproot": by_uproot}, repeat)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return {"file": path.name, "median_s": median, "seconds": seconds, "ratio": median["uproot"] / median["ours"]}


def second_pass(path: Path, branches: tuple[str, ...], threads: int, repeat: int) -> dict[str, Any]:
    """Time reading from the column cache against reading the file: opened, all events, closed."""
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        cache = ColumnCache(folder)

        def read(kept: ColumnCache | None) -> None:
            with EventFile(str(path), ("Events",), threads, kept) as events:
                events.values(branches, 0, events.entries)

        began = time.perf_counter()
        read(cache)
        writing = time.perf_counter() - began
        seconds = in_turn({"file": lambda: read(None), "cache": lambda: read(cache)}, repeat, threads)
        size = sum(one.bytes for one in cache.summaries())
    median = {name: statistics.median(times) for name, times in seconds.items()}
    return {
        "file": path.name, "threads": threads, "first_pass_with_writing_s": writing, "cache_bytes": size,
        "median_s": median, "seconds": seconds, "ratio": median["file"] / median["cache"],
    }  # fmt: skip


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeat", type=int, default=9)
    parser.add_argument("--codecs", nargs="+", choices=CODECS, default=CODECS)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result: dict[str, Any] = {"machine": machine(), "load": os.getloadavg()[0], "rows": []}
    print(result["machine"], f"load {result['load']:.1f}")
    print(f"{'case':30} {'codec':12}  floor s    bulk s  uproot s  bulk/floor  (processor)  uproot/bulk  Mev/s")
    for case, (branches, threads) in CASES.items():
        for codec in arguments.codecs:
            path = arguments.folder / f"events-{codec}.root"
            row = {"case": case, "codec": codec, **measure(path, branches, threads, arguments.repeat)}
            result["rows"].append(row)
            times = "  ".join(f"{row['median_s'][name]:8.4f}" for name in ("floor", "bulk", "uproot"))
            keys = ("bulk_over_floor", "bulk_over_floor_processor", "uproot_over_bulk")
            ratios = "  ".join(f"{row[key]:10.2f}" for key in keys)
            print(f"{case:30} {codec:12} {times}  {ratios}  {row['events'] / row['median_s']['bulk'] / 1e6:5.1f}")
    twelve = CASES["12 jagged branches, 2 threads"][0]
    wide = tuple(f"C{i}_f{j}" for i in (3, 9) for j in range(6))
    result["first_chunk"] = [
        first_chunk(arguments.folder / name, branches, arguments.repeat)
        for name, branches in (("wide-zlib.root", wide), ("events-zlib.root", twelve))
    ]
    for row in result["first_chunk"]:
        ours, uproot_s = row["median_s"]["ours"] * 1e3, row["median_s"]["uproot"] * 1e3
        print(f"first chunk of {row['file']}: {ours:.1f} ms, uproot {uproot_s:.1f} ms, ratio {row['ratio']:.1f}")
    result["cache"] = [
        second_pass(arguments.folder / f"events-{codec}.root", branches, threads, arguments.repeat)
        for codec in ("zlib", "lzma")
        for branches, threads in CASES.values()
    ]
    for row in result["cache"]:
        file, cache = row["median_s"]["file"] * 1e3, row["median_s"]["cache"] * 1e3
        print(
            f"{row['file']}, {row['threads']} threads: {file:.1f} ms, from the cache {cache:.1f} ms, {row['ratio']:.1f}"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
