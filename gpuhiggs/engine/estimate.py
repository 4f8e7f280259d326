"""What a run would take: events, bytes to read, time and disk, before it is started."""

from __future__ import annotations

from typing import NamedTuple

from .. import channels, engine
from ..config import RunConfig
from ..kernels import launch
from ..read import Volume, ranges
from .tally import Failure, FileInfo, WorkItem
from .work import Mapper, serially

_SAMPLE = 50_000
"""Events that are processed to see how fast it goes; more where a cluster of the file is larger."""


class Estimate(NamedTuple):
    """What one dataset would take."""

    dataset: str
    files: int
    events: int
    volumes: dict[str, Volume]
    """Bytes of the needed branches by codec, as stored and decompressed."""
    core_seconds: float
    """Of one core, as the first events of its first file tell; NaN if they could not be processed."""
    failures: tuple[str, ...]

    @property
    def stored(self) -> int:
        """Bytes to read."""
        return sum(volume.stored for volume in self.volumes.values())

    @property
    def size(self) -> int:
        """Bytes after decompression, which the column cache takes at most."""
        return sum(volume.size for volume in self.volumes.values())


def estimate(config: RunConfig, mapper: Mapper = serially, limit_files: int | None = None) -> list[Estimate]:
    """Look at every file of a configuration, and process a few events of each dataset.

    Raises
    ------
    ConfigError
        As :func:`engine.run` does.
    """
    job = engine.Job.of(config)
    infos, failures = engine.inspect(config, job, mapper, limit_files)
    launch.compiled(channels.find(config.selection.channel).program)
    return [
        _dataset(
            job,
            dataset.name,
            [info for info in infos if info.dataset == dataset.name],
            [one for one in failures if one.dataset == dataset.name],
        )
        for dataset in config.datasets
    ]


def _dataset(job: engine.Job, name: str, infos: list[FileInfo], failures: list[Failure]) -> Estimate:
    volumes: dict[str, Volume] = {}
    for codec, stored, size in (volume for info in infos for volume in info.volumes):
        before = volumes.get(codec, Volume(0, 0))
        volumes[codec] = Volume(before.stored + stored, before.size + size)
    events = sum(info.entries for info in infos)
    seconds = next((_seconds_per_event(job, info) for info in infos if info.entries), 0.0)
    return Estimate(name, len(infos), events, volumes, seconds * events, tuple(failure.error for failure in failures))


def _seconds_per_event(job: engine.Job, info: FileInfo) -> float:
    """Process the first events of a file, the second time to see how long they take: the first opens and compiles."""
    stop = ranges.cut(info.entries, min(_SAMPLE, info.entries))[1]
    job.process(WorkItem(info.dataset, info.path, 0, 1))
    result = job.process(WorkItem(info.dataset, info.path, 0, stop))
    return float("nan") if isinstance(result, Failure) else result.seconds / stop
