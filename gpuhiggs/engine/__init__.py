"""The engine: from a configuration to counts.

:func:`.inspection.inspect` looks at each file and cuts it into ranges of events, :func:`.processing.process` runs the
channel's kernel over one range, and :class:`.tally.Tally` adds up what comes back. Every step is a plain function of
plain data, so that whoever calls them, one process or a cluster, in whatever order and how often, gets the same sums.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import NamedTuple, Self

from .. import channels
from ..calibrations import calibrated
from ..catalogue import luminosity
from ..config import RunConfig
from ..errors import ConfigError, DeviceLostError, FileError, GpuhiggsError, RunError
from ..kernels import launch
from ..read import ColumnCache
from . import inspection, processing
from .books import Books, Progress
from .ledger import Ledger
from .preparation import Prepared, fingerprint, prepare
from .tally import Failure, FileInfo, ListedFile, Partial, Tally, WorkItem
from .work import Lost, Mapper, of, serially

_log = logging.getLogger(__name__)


class Job(NamedTuple):
    """A configuration on its way to a worker."""

    config_json: str
    cache: ColumnCache | None = None

    @classmethod
    def of(cls, config: RunConfig, cache: ColumnCache | None = None) -> Self:
        """Return the job of a configuration."""
        return cls(_without_files(config).model_dump_json(by_alias=True), cache)

    def step(self, task: ListedFile | WorkItem) -> FileInfo | Partial | Failure:
        """Do one piece of work, whatever it is."""
        return self.process(task) if isinstance(task, WorkItem) else self.inspect(task)

    def inspect(self, file: ListedFile) -> FileInfo | Failure:
        """Look at one (dataset, path)."""
        name, path = file
        try:
            return inspection.inspect(prepare(self.config_json, name), path, self.cache)
        except Exception as error:  # whatever it is, the other files are not to suffer
            return Failure(name, path, 0, 0, _explained(error, path), is_transient(error))

    def process(self, item: WorkItem) -> Partial | Failure:
        """Run the channel's kernel over one range of events."""
        try:
            return processing.process(prepare(self.config_json, item.dataset), item, self.cache)
        except Exception as error:  # whatever it is, the other files are not to suffer
            return Failure(*item, _explained(error, item.path), is_transient(error))


def _explained(error: Exception, path: str) -> str:
    """Return an error's own message if it was raised on purpose, and what it is otherwise."""
    if isinstance(error, GpuhiggsError):
        return str(error)
    _log.error("%s", path, exc_info=error)
    return f"{path}: {type(error).__name__}: {error}"


def is_transient(error: Exception) -> bool:
    """Whether another attempt may go better: not if the file was read and is not what it should be."""
    return isinstance(error, FileError | DeviceLostError) or not isinstance(error, GpuhiggsError)


def require(config: RunConfig) -> list[Prepared]:
    """Return what the work items of each dataset share; what is wrong with it is known before anything is written.

    Raises
    ------
    ConfigError
        If the configuration does not fit its channel, or a correction or table cannot be used.
    """
    json = Job.of(config).config_json
    for table in {config.luminosity_table, *(dataset.luminosity_table for dataset in config.datasets)} - {None}:
        luminosity.load(str(table))
    return [prepare(json, dataset.name) for dataset in config.datasets]


def run(
    config: RunConfig,
    mapper: Mapper = serially,
    progress: Callable[[Progress], None] | None = None,
    limit_files: int | None = None,
    cache: ColumnCache | None = None,
    ledger: Ledger | None = None,
) -> Tally:
    """Process every file of a configuration.

    Parameters
    ----------
    mapper
        How to apply a function to many arguments: :func:`serially`, or a cluster's.
    progress
        Called after each result.
    limit_files
        Take only the first so many files of each dataset; the others count as not processed.
    cache
        Where columns are kept and looked for.
    ledger
        Where what is done is kept, and where a run that was stopped goes on from.

    Raises
    ------
    ConfigError
        If the configuration does not fit its channel, or lists a file twice.
    RunError
        If the kernel's cache or the ledger cannot be written, or more files fail than are allowed to.
    """
    job = Job.of(config, cache)
    prepared = require(config)
    try:
        channels.find(config.selection.channel).compile()  # once, before any worker needs it
        calibrated.compile_for(one.variations.calibrations for one in prepared)
    except OSError as error:
        msg = f"{launch.cache_folder()}: cannot be written: {error.strerror}; GPUHIGGS_CACHE names another folder"
        raise RunError(msg) from error

    prints = {dataset.name: fingerprint(job.config_json, dataset.name) for dataset in config.datasets}
    books = Books(
        _listed(config, limit_files),
        lambda info: inspection.work_items(info, config.chunk_size),
        config.execution,
        ledger,
        prints,
    )
    twins = _Twins(books.tally.complete)
    try:
        for result in mapper(job.step, books.work):
            if isinstance(result, FileInfo):
                twins.refuse(result)
            books.take(result)
            if progress:
                progress(books.progress())
    finally:
        books.commit(everything=True)  # whatever stops a run, what is done is kept
    return books.finish()


def inspect(
    config: RunConfig, job: Job, mapper: Mapper, limit_files: int | None
) -> tuple[list[FileInfo], list[Failure]]:
    """Look at every file of a configuration.

    Raises
    ------
    ConfigError
        If the configuration does not fit its channel, or a file is listed twice.
    """
    for dataset in config.datasets:
        prepare(job.config_json, dataset.name)
    infos: dict[tuple[str, str], FileInfo] = {}
    failures: list[Failure] = []
    twins = _Twins([])
    for info in mapper(job.inspect, of(_listed(config, limit_files))):
        if isinstance(info, Lost):
            failures.append(Failure(info.argument[0], info.argument[1], 0, 0, f"{info.argument[1]}: {info.error}"))
        elif isinstance(info, Failure):
            failures.append(info)
        else:
            twins.refuse(info)
            infos[info.dataset, info.path] = info
    return list(infos.values()), failures


def _listed(config: RunConfig, limit_files: int | None) -> list[ListedFile]:
    return [ListedFile(dataset.name, path) for dataset in config.datasets for path in dataset.files[:limit_files]]


def _without_files(config: RunConfig) -> RunConfig:
    """Leave out the lists of files: they may be long, and the configuration travels with every work item."""
    datasets = tuple(dataset.model_copy(update={"files": ("left out",)}) for dataset in config.datasets)
    return config.model_copy(update={"datasets": datasets})


class _Twins:
    """Refuses a file that is listed twice, under whatever path: its events would count twice."""

    def __init__(self, infos: Iterable[FileInfo]) -> None:
        self._seen: dict[tuple[str, int], tuple[str, str]] = {}
        for info in infos:
            self.refuse(info)

    def refuse(self, info: FileInfo) -> None:
        dataset, path = self._seen.setdefault((info.uuid, info.entries), (info.dataset, info.path))
        if (dataset, path) != (info.dataset, info.path):
            msg = f"{info.path} ({info.dataset}) and {path} ({dataset}) are the same file"
            raise ConfigError(msg)
