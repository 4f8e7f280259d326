"""Batch systems: what would be submitted, read line by line."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from gpuhiggs.cluster import batch
from gpuhiggs.config.cluster import ClusterConfig
from tests.docs.pages import CHECKOUT, blocks

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed: pip install 'gpuhiggs[hpc]'")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:dask_jobqueue")


def script(**settings: Any) -> str:
    with batch.job_queue(ClusterConfig(**settings)) as cluster:
        return str(cluster.job_script())


@pytest.fixture(autouse=True)
def _proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X509_USER_PROXY", "/home/me/a proxy")


def test_slurm() -> None:
    text = script(
        kind="slurm", jobs=3, cores=4, memory="8 GiB", walltime="02:00:00", queue="short", account="higgs",
        directives=["--constraint=fast"], prologue=["source env/bin/activate"],
    )  # fmt: skip
    lines = text.splitlines()
    for directive in ("-p short", "-A higgs", "-n 1", "--cpus-per-task=4", "-t 02:00:00", "--constraint=fast"):
        assert f"#SBATCH {directive}" in lines
    assert "--mem=8G" in text
    assert lines.index("source env/bin/activate") < lines.index("export X509_USER_PROXY='/home/me/a proxy'")
    command = lines[-1]
    assert "distributed.cli.dask_worker" in command or "dask worker" in command
    assert "--nthreads 1" in command
    assert "--nworkers 4" in command


def test_slurm_with_gpus() -> None:
    text = script(kind="slurm", jobs=2, cores=8, gpus=1)
    assert "#SBATCH --gres=gpu:1" in text
    assert "#SBATCH --cpus-per-task=8" in text
    command = text.splitlines()[-1]
    assert "dask_cuda.cli" in command
    assert "--nthreads 1" in command


def test_htcondor() -> None:
    text = script(kind="htcondor", jobs=2, gpus=1, walltime="01:30:00", directives=["requirements = (Cpus > 1)"])
    for line in ("request_gpus = 1", "requirements = (Cpus > 1)", "+MaxRuntime = 5400"):
        assert line in text
    assert "dask_cuda.cli" in text
    assert "X509_USER_PROXY" in text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "pbs"}, "'slurm' or 'htcondor'"),
        ({"kind": "slurm", "gpus": 4}, "less than or equal to 1"),
        ({"kind": "htcondor", "queue": "long"}, "HTCondor has none"),
        ({"kind": "htcondor", "directives": ["nonsense"]}, "key = value"),
        ({"kind": "slurm", "walltime": "2h"}, "String should match pattern"),
        ({"kind": "slurm", "node": 1}, "Extra inputs"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ClusterConfig(jobs=1, **settings)


def test_the_clusters_of_the_documentation_can_be_asked_for() -> None:
    page = (CHECKOUT / "docs" / "clusters.md").read_text(encoding="utf-8")
    found = [yaml.safe_load(block.text) for block in blocks(page) if block.language == "yaml"]
    asked = [script(**written["cluster"] | {"interface": None}) for written in found if "cluster" in written]
    assert len(asked) == 2
    assert "#SBATCH -p short" in asked[0]
    assert "request_gpus = 1" in asked[1]
    assert '+JobFlavour = "longlunch"' in asked[1]
