"""How a run is carried out, and by whom: nothing here changes a result."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ExecutionConfig(BaseModel):
    """How a run deals with what fails."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where kernels run; auto: on a GPU where there is one that can be used."""
    attempts: int = Field(default=3, ge=1, le=100)
    """How often a file or a range of events is tried before it is left out."""
    back_off: float = Field(default=1.0, ge=0, le=3600)
    """Seconds before the second attempt; each further one waits twice as long."""
    max_failures: int | None = Field(default=None, ge=0)
    """The run is given up when more files than this have failed; null: never."""
    allow_partial: bool = False
    """Fit also when a part of the files is missing and no luminosity_table says what it amounts to."""
    commit_seconds: float = Field(default=5.0, ge=0, le=3600)
    """Files that are done are written to the ledger at least this often, parts of files after twelve times as long."""


class ClusterConfig(BaseModel):
    """A batch system that Dask workers are started on, by dask-jobqueue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["slurm", "htcondor"]
    jobs: int = Field(ge=1)
    """Batch jobs to ask for; the run begins with the first."""
    cores: int = Field(default=1, ge=1)
    """Of a job: each core is a worker of one thread. With GPUs there is one worker a job."""
    memory: str = "4 GiB"
    """Of a job."""
    disk: str = "4 GB"
    """Of a job, on HTCondor."""
    gpus: int = Field(default=0, ge=0, le=1)
    """Of a job: a GPU is one worker, so ask for more jobs instead of more GPUs."""
    walltime: str | None = Field(default=None, pattern=r"^\d+:\d\d:\d\d$")
    queue: str | None = None
    account: str | None = None
    interface: str | None = None
    """Network interface that workers reach the scheduler by, such as ``ib0``."""
    directives: tuple[str, ...] = ()
    """Further lines for the batch system: ``--constraint=a100``; for HTCondor ``key = value``."""
    prologue: tuple[str, ...] = ()
    """Shell commands before the worker starts, such as the activation of an environment."""
    wait: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds to wait for the first worker."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.kind == "htcondor" and self.queue is not None:
            msg = "queue: HTCondor has none; say what a job needs in directives"
            raise ValueError(msg)
        if self.kind == "htcondor" and any("=" not in line for line in self.directives):
            msg = f"directives of HTCondor are `key = value`, got {list(self.directives)}"
            raise ValueError(msg)
        return self
