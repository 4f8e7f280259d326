"""Batch systems: Dask workers as jobs of SLURM or HTCondor, by dask-jobqueue."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from distributed import Client

from ..config.cluster import ClusterConfig
from ..errors import MissingExtraError, RunError
from . import PASSED_ON, wait_for_workers


@contextmanager
def batch(config: ClusterConfig) -> Iterator[Client]:
    """Start a scheduler here and workers as batch jobs; yield their client when the first worker is there.

    Raises
    ------
    MissingExtraError
        Without dask-jobqueue.
    RunError
        If the batch system does not take the jobs.
    InputError
        If no worker comes in time.
    """
    with job_queue(config) as cluster, Client(cluster) as client:
        try:
            cluster.scale(jobs=config.jobs)
        except (OSError, RuntimeError) as error:
            msg = f"{config.kind} takes no jobs: {error}"
            raise RunError(msg) from error
        wait_for_workers(client, config.kind, config.wait)
        yield client


def job_queue(config: ClusterConfig) -> Any:
    """Return the cluster of dask-jobqueue, with no job yet; ``job_script()`` of it is what will be submitted."""
    try:
        from dask_jobqueue import HTCondorCluster, SLURMCluster
    except ImportError as error:
        feature = f"a cluster of {config.kind}"
        raise MissingExtraError(feature, "dask-jobqueue", "hpc") from error
    exports = [f"export {name}={shlex.quote(os.environ[name])}" for name in PASSED_ON if name in os.environ]
    settings: dict[str, Any] = {
        "cores": 1 if config.gpus else config.cores,
        "processes": 1 if config.gpus else config.cores,
        "memory": config.memory,
        "interface": config.interface,
        "job_script_prologue": [*config.prologue, *exports],
    }
    if config.gpus:
        settings["worker_command"] = "dask_cuda.cli"  # one worker a GPU, which pins itself to it
    if config.kind == "slurm":
        gpus = [f"--gres=gpu:{config.gpus}"] if config.gpus else []
        return SLURMCluster(
            **settings,
            walltime=config.walltime,
            queue=config.queue,
            account=config.account,
            job_cpu=config.cores,
            job_extra_directives=[*gpus, *config.directives],
        )
    extra = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in config.directives)}
    if config.gpus:
        extra["request_gpus"] = str(config.gpus)
    if config.account is not None:
        extra["accounting_group"] = config.account
    if config.walltime is not None:
        hours, minutes, seconds = map(int, config.walltime.split(":"))
        extra["+MaxRuntime"] = str(3600 * hours + 60 * minutes + seconds)
    return HTCondorCluster(**settings, disk=config.disk, job_extra_directives=extra)
