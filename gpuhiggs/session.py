"""Columns that stay in memory: read once, cut and histogrammed again in milliseconds.

::

    with gpuhiggs.open("dimuon.py", "data.root") as events:
        loose = events.run()
        tight = events.run(cuts={"pt_min": 20}, histograms={"mass": {"label": "m", "bins": 200, "low": 0, "high": 200}})
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any, Self

from . import backend, channels, config, engine
from .backend.card import OutOfMemory
from .columns import concatenate
from .config import RunConfig
from .engine import processing
from .engine.inspection import work_items
from .engine.preparation import Prepared, opened_at, prepare
from .engine.tally import FileInfo, Tally, WorkItem
from .engine.work import of
from .errors import ConfigError, InputError, RunError
from .histogram import Counts
from .interactive import DATASET, Result, configured, on_threads, result_of
from .read import Request

_CHUNK = 2**20
"""Events that are read at a time, and run at a time by one of several threads or from the host's memory."""


class Session:
    """Columns of some files in memory, of a device where there is one; made by :func:`open`."""

    def __init__(
        self,
        loaded: RunConfig,
        request: Request,
        infos: list[FileInfo],
        columns: Any,
        device: backend.Device,
        threads: int,
        *,
        spill: bool,
    ) -> None:
        self._config, self._request, self._infos = loaded, request, infos
        self._device, self._threads = device, threads
        self.events = sum(info.entries for info in infos)
        """How many there are."""
        self.nbytes = backend.bytes_of(columns)
        """What their columns take."""
        self.resident = True
        """Whether they are where kernels run; if not, they go over to the device at each run."""
        self._host = columns
        try:
            self._columns = device.upload(columns)
        except OutOfMemory as error:
            if not spill:
                msg = (
                    f"{self.nbytes / 2**30:.2f} GiB of columns do not fit into the memory of {device.description}: "
                    f"{error}; take fewer files, or spill=True keeps them in host memory and copies them at each run"
                )
                raise InputError(msg) from error
            self.resident = False
            self._columns = device.pinned(columns)

    def __enter__(self) -> Self:
        """Return the session."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the memory back."""
        self.close()

    def close(self) -> None:
        """Give the memory back."""
        self._columns = self._host = None

    def run(self, **overrides: Any) -> Result:
        """Run the channel again over all events.

        Parameters
        ----------
        overrides
            Parts of the selection to replace, such as ``cuts={"pt_min": 10}`` or ``histograms={"mass": {…}}``, for this
            run.

        Raises
        ------
        ConfigError
            If one of them is wrong, or needs columns that were not read.
        RunError
            If a weight cannot be counted.
        """
        if self._columns is None:
            msg = "the session is closed: its columns are gone"
            raise InputError(msg)
        changed = _changed(self._config, overrides)
        prepared = _prepared(changed)
        self._require_columns(prepared)
        ranges = processing.ranges_of(prepared, self._host, self.events)
        counts = sum(self._counts(prepared, ranges), Counts())
        processing.require_weights(prepared, counts, f"{self.events} events", "the columns in memory")
        tally = Tally()
        tally.restore(self._infos, counts)
        return result_of(changed, tally)

    def _counts(self, prepared: Prepared, ranges: tuple[tuple[int, int], ...]) -> list[Counts]:
        def part(some: tuple[tuple[int, int], ...]) -> Counts:
            return processing.run_kernel(
                prepared, self._columns, self.events, device=self._device, ranges=some, capacity=0
            )[0]

        if self._threads == 1 or (self._device.name == "cuda" and self.resident):
            return [part(ranges)]
        pieces = [
            ((start, min(start + _CHUNK, last)),) for first, last in ranges for start in range(first, last, _CHUNK)
        ]
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(part, pieces)) or [part(())]

    def _require_columns(self, prepared: Prepared) -> None:
        """Refuse overrides that look at what was not read."""
        there, wanted = self._request, prepared.request
        if (wanted.schema, wanted.masks, wanted.absent) != (there.schema, there.masks, there.absent):
            msg = "schema, triggers, filters and absent collections are those of open(): open it with these overrides"
            raise ConfigError(msg)
        if missing := sorted(_read(wanted) - _read(there)):
            msg = f"columns {', '.join(missing)} were not read: open it with these overrides, or every_column=True"
            raise ConfigError(msg)


def _read(request: Request) -> set[str]:
    """Return the columns that are read for a request."""
    return {f"{one.collection}.{one.field}" for one, branch in request.sources() if branch is not None}


def _prepared(loaded: RunConfig) -> Prepared:
    return prepare(engine.Job.of(loaded).config_json, DATASET)


def _changed(loaded: RunConfig, overrides: Mapping[str, Any]) -> RunConfig:
    """Return the configuration with parts of its selection replaced."""
    if not overrides:
        return loaded
    raw = loaded.model_dump(by_alias=True)
    return config.build(raw | {"overrides": dict(overrides)}, Path.cwd() / "gpuhiggs.open")


def open(
    channel: str | PathLike[str],
    files: str | PathLike[str] | Sequence[str | PathLike[str]],
    *,
    device: str = "cpu",
    threads: int = 1,
    simulation: bool = False,
    weight_unit: float = 1.0,
    lumi_mask: str | PathLike[str] | None = None,
    unblind: bool = False,
    spill: bool = False,
    every_column: bool = False,
    **overrides: Any,
) -> Session:
    """Read the columns that a channel needs of some files, and keep them in memory.

    Parameters
    ----------
    channel
        A Python file, a selection of the package, or a YAML file of a selection.
    files
        Paths, patterns or URLs of event files.
    device
        ``cpu``, ``cuda`` or ``auto``: where the columns stay and kernels run.
    threads
        How many parts of the files are read, and on a CPU run, at a time.
    simulation, weight_unit, lumi_mask, unblind
        As in :func:`gpuhiggs.run`.
    spill
        Keep columns that do not fit into a GPU's memory in the host's, and copy them at each run; else that is an
        error.
    every_column
        Read also what the channel could look at with other settings.
    overrides
        Parts of the selection to replace in every run.

    Raises
    ------
    ConfigError
        If the channel or an argument is wrong.
    RunError
        If a file cannot be read.
    InputError
        If there is no such device, or the columns do not fit into its memory.
    """
    at = backend.open_device(device)
    loaded = configured(
        channel, files, chunk_size=_CHUNK, simulation=simulation, weight_unit=weight_unit, lumi_mask=lumi_mask,
        unblind=unblind, device=at.name, overrides=overrides,
    )  # fmt: skip
    prepared = _prepared(loaded)
    channels.find(loaded.selection.channel).compile()
    if every_column:
        prepared = prepared._replace(request=prepared.request._replace(unused=()))
    infos, parts = _read_all(loaded, prepared, threads)
    return Session(loaded, prepared.request, infos, concatenate(parts), at, threads, spill=spill)


def _read_all(loaded: RunConfig, prepared: Prepared, threads: int) -> tuple[list[FileInfo], list[Any]]:
    """Read all columns of all files, in the order of the list."""

    def step(item: WorkItem) -> tuple[WorkItem, Any]:
        with opened_at(prepared, item.path) as events:
            return item, events.read(events.resolve(prepared.request), item.start, item.stop)

    with on_threads(threads) as mapper:
        infos, failures = engine.inspect(loaded, engine.Job.of(loaded), mapper, None)
        if failures:
            raise RunError("\n".join(failure.error for failure in failures))
        infos.sort(key=lambda info: loaded.datasets[0].files.index(info.path))
        items = [item for info in infos for item in work_items(info, _CHUNK)]
        columns = dict(mapper(step, of(items)))
    return infos, [columns[item] for item in items]
