"""The files of a skim: Parquet and ROOT, written block by block from the pieces."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uproot

from .. import channels, normalisation
from ..config import DatasetConfig, RunConfig
from ..engine.tally import FileInfo, Tally
from ..errors import ConfigError, MissingExtraError, RunError
from .pieces import Pieces, Rows

BLOCK = 2**17
"""Rows of a row group or a cluster, whatever the chunks of the run were."""

TREE = "events"
FIRST = ("run", "luminosity_block", "event", "file", "entry")
"""Which event a row is; ``file`` counts the files of the dataset from 0, ``entry`` the events of the file."""
WEIGHT, EXPECTED = "weight", "weight_expected"
"""Generator weight and corrections; and the events expected at the configuration's luminosity, where it has one."""


class Written(NamedTuple):
    """The skim of one dataset."""

    dataset: str
    events: int
    files: tuple[str, ...]
    weight_expected: bool
    """Whether there is a column of events expected."""


class Root:
    """A ROOT file with a TTree."""

    def __init__(self, path: Path, about: str) -> None:
        self._path, self._about = path, about

    def __enter__(self) -> Root:
        self._file = uproot.recreate(self._path, compression=uproot.ZSTD(5))
        self._file["about"] = self._about
        self._tree: Any = None
        return self

    def write(self, rows: Rows) -> None:
        """Append a block; the first says which columns there are."""
        if self._tree is None:
            self._tree = self._file.mktree(TREE, {name: values.dtype for name, values in rows.items()})
        if len(rows["entry"]):
            self._tree.extend(rows)

    def __exit__(self, *error: object) -> None:
        self._file.close()


class Parquet:
    """A Parquet file."""

    def __init__(self, path: Path, about: str) -> None:
        self._path, self._about = path, about

    def __enter__(self) -> Parquet:
        self._writer: Any = None
        return self

    def write(self, rows: Rows) -> None:
        """Append a block; the first says which columns there are."""
        import pyarrow as pa
        from pyarrow import parquet

        table = pa.table(rows).replace_schema_metadata({"gpuhiggs": self._about})
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()


SINKS: dict[str, type[Root] | type[Parquet]] = {"root": Root, "parquet": Parquet}


def require(config: RunConfig) -> None:
    """Make sure, before any event is read, that a skim can be written if one is asked for.

    Raises
    ------
    ConfigError
        If the channel does not record selected events.
    MissingExtraError
        If a package is missing.
    """
    if config.skim and WEIGHT not in channels.find(config.selection.channel).program.namespace().Selected._fields:
        msg = f"skim: the channel {config.selection.channel} records no selected events"
        raise ConfigError(msg)
    if "parquet" in config.skim:
        try:
            import pyarrow  # noqa: F401
        except ImportError as error:
            raise MissingExtraError("writing Parquet skims", "pyarrow", "parquet") from error  # noqa: EM101


def write(config: RunConfig, tally: Tally, pieces: Pieces, folder: Path) -> list[Written]:
    """Write the files of every dataset that has complete files, under temporary names first.

    Raises
    ------
    RunError
        If they cannot be written, or pieces are missing.
    """
    written = []
    for dataset in config.datasets:
        places = {path: number for number, path in enumerate(dataset.files)}
        own = [info for info in tally.complete if info.dataset == dataset.name and info.path in places]
        if own:
            own.sort(key=lambda info: places[info.path])
            factor = normalisation.scale(config, tally, dataset).factor
            normalised = dataset.kind == "data" or (dataset.cross_section is not None and config.luminosity is not None)
            blocks = _blocks(own, places, pieces, dataset, factor if normalised else None)
            written.append(_write(config, dataset, blocks, folder, normalised and factor is not None))
    return written


def _write(config: RunConfig, dataset: DatasetConfig, blocks: Iterator[Rows], folder: Path, scaled: bool) -> Written:
    about = json.dumps(_about(config, dataset))
    paths = [folder / f"{dataset.name}.{suffix}" for suffix in config.skim]
    temporary = [path.with_name(f".{path.name}.tmp") for path in paths]
    n_events = 0
    try:
        with ExitStack() as stack:
            sinks: list[Any] = [
                stack.enter_context(SINKS[suffix](path, about))
                for suffix, path in zip(config.skim, temporary, strict=True)
            ]
            for rows in blocks:
                n_events += len(rows["entry"])
                for sink in sinks:
                    sink.write(rows)
        for path, finished in zip(temporary, paths, strict=True):
            path.replace(finished)
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or error
        msg = f"{folder}: the skim of {dataset.name} cannot be written: {reason}"
        raise RunError(msg) from error
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)
    return Written(dataset.name, n_events, tuple(path.name for path in paths), scaled)


def _about(config: RunConfig, dataset: DatasetConfig) -> dict[str, Any]:
    """Return what a reader of the file wants to know: as JSON in its metadata (Parquet) or in ``about`` (ROOT)."""
    return {
        "dataset": dataset.name,
        "process": dataset.process,
        "kind": dataset.kind,
        "channel": config.selection.channel,
        "cross_section_pb": dataset.cross_section,
        "luminosity_fb": config.luminosity,
        "files": list(dataset.files),
    }


def _blocks(
    infos: list[FileInfo], places: dict[str, int], pieces: Pieces, dataset: DatasetConfig, factor: float | None
) -> Iterator[Rows]:
    """Yield the rows of a dataset in blocks of one size, the last shorter; one without rows, if there are none."""
    waiting: list[Rows] = []
    size = 0
    for info in infos:
        for rows in pieces.rows(info):
            waiting.append(_columns(rows, places[info.path], dataset, factor))
            size += len(rows["entry"])
            while size >= BLOCK:
                joined = _joined(waiting)
                yield {name: values[:BLOCK] for name, values in joined.items()}
                waiting = [{name: values[BLOCK:] for name, values in joined.items()}]
                size -= BLOCK
    yield _joined(waiting)


def _joined(parts: list[Rows]) -> Rows:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _columns(rows: Rows, place: int, dataset: DatasetConfig, factor: float | None) -> Rows:
    """Return the columns in the order of the files, the weights last."""
    known = {**rows, "file": np.full(len(rows["entry"]), place, np.int32)}
    first = {name: known[name] for name in FIRST if name in known}
    rest = {name: values for name, values in rows.items() if name not in (*FIRST, WEIGHT)}
    weights: Rows = {}
    if WEIGHT in rows:
        weights[WEIGHT] = rows[WEIGHT] * dataset.weight_unit
        if factor is not None:
            weights[EXPECTED] = rows[WEIGHT] * factor
    return {**first, **rest, **weights}
