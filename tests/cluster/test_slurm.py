"""A real SLURM of one node on loopback, started here, runs the workers; where there is none the test skips itself.

Debian and Ubuntu: ``apt-get install slurm-wlm`` as root. Its daemons take their configuration and state from a folder
of the test, other ports than usual, and end with it: a SLURM that the machine belongs to is not touched.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from gpuhiggs import cluster, engine
from gpuhiggs.cluster import batch
from gpuhiggs.config import RunConfig
from gpuhiggs.config.cluster import ClusterConfig
from gpuhiggs.engine.work import Work

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed: pip install 'gpuhiggs[hpc]'")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dask_jobqueue")

CONFIGURATION = """
ClusterName=gpuhiggs
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
SchedulerParameters=sched_interval=1,batch_sched_delay=0
{node} NodeAddr=127.0.0.1 State=UNKNOWN
PartitionName=local Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def daemon(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a SLURM that runs jobs here."""
    missing = [name for name in ("munged", "slurmctld", "slurmd", "sbatch") if shutil.which(name) is None]
    if missing or os.getuid() != 0:
        pytest.skip(f"no SLURM can be started: {', '.join(missing) or 'only root may'} (apt-get install slurm-wlm)")
    folder = tmp_path_factory.mktemp("slurm")
    for parent in (folder, *folder.parents):  # munge refuses a socket that others cannot reach
        if parent != Path(tempfile.gettempdir()) and parent.is_relative_to(tempfile.gettempdir()):
            parent.chmod(0o755)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    [node] = [line for line in subprocess.check_output(["slurmd", "-C"], text=True).splitlines() if "NodeName" in line]
    conf = folder / "slurm.conf"
    ports = {"controller_port": free_port(), "node_port": free_port()}
    conf.write_text(CONFIGURATION.format(host=socket.gethostname().split(".")[0], folder=folder, node=node, **ports))
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "log", "pid", "seed")]
    with ExitStack() as stack:
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setenv("SLURM_CONF", str(conf))
        stack.enter_context(daemon("munged", "--foreground", f"--socket={folder}/munge.socket", *munge))
        stack.enter_context(daemon("slurmctld", "-D", "-c"))
        stack.enter_context(daemon("slurmd", "-D"))
        limit = time.monotonic() + 20
        while "idle" not in subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True).stdout:
            assert time.monotonic() < limit, (folder / "slurmctld.log").read_text()
            time.sleep(0.1)
        yield folder


def test_workers_are_jobs_and_one_may_be_cancelled(
    slurm: Path,
    four_muon_events: Callable[..., dict[str, Any]],
    write_nanoaod: Callable[..., Path],
    four_muon_config: Callable[..., RunConfig],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(slurm)  # where the jobs' logs go
    paths = [write_nanoaod(slurm / f"{i}.root", four_muon_events(30, i)) for i in range(4)]
    dataset = {"name": "mc", "process": "mc", "kind": "simulation", "cross_section": None}
    config = four_muon_config(dataset | {"files": [str(path) for path in paths]}, chunk_size=5)
    asked = ClusterConfig(
        kind="slurm", jobs=2, memory="1 GiB", walltime="00:10:00", queue="local", interface="lo", wait=60,
        prologue=("echo the job begins",),
    )  # fmt: skip
    cancelled: list[str] = []

    with batch.batch(asked) as client:
        mapper = cluster.mapper(client)

        def cancelling(function: Callable[[Any], Any], work: Work) -> Iterator[Any]:
            for done, result in enumerate(mapper(function, work)):
                if done == 3:
                    cancelled.extend(subprocess.check_output(["squeue", "-h", "-o", "%i"], text=True).split())
                    subprocess.run(["scancel", cancelled[0]], check=True)
                yield result

        tally = engine.run(config, cancelling)
    assert len(cancelled) == 2
    assert not tally.failures
    assert tally.counts.digest() == engine.run(config).counts.digest()
    assert all("the job begins" in path.read_text() for path in slurm.glob("slurm-*.out"))
    limit = time.monotonic() + 10
    while left := subprocess.check_output(["squeue", "-h", "-t", "RUNNING,PENDING"], text=True):
        assert time.monotonic() < limit, left
        time.sleep(0.1)
