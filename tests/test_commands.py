"""The command line as a whole: every command has help with an example; ``--quiet`` prints nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from gpuhiggs.__main__ import app, spread


def commands(group: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    inner = getattr(group, "commands", None)
    if inner is None:
        return {path: group}
    return {key: found for name, one in inner.items() for key, found in commands(one, (*path, name)).items()}


ALL = commands(typer.main.get_command(app))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_help_has_an_example(path: tuple[str, ...]) -> None:
    assert f": gpuhiggs {' '.join(path)}" in (ALL[path].epilog or "")
    assert (ALL[path].help or "").endswith(".")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gpuhiggs", *arguments], capture_output=True, text=True, check=False, cwd=cwd
    )


def test_quiet_prints_errors_alone(tmp_path: Path) -> None:
    loud = run("datasets", "list", "atlas-open-data-2020/*H125_ZZ4lep*", cwd=tmp_path)
    assert loud.returncode == 0
    assert "ggH125_ZZ4lep" in loud.stdout
    quiet = run(
        "--quiet", "combine", "--data", "atlas-run2", "cms-run2", "--model", "mu", "--json", "mu.json", cwd=tmp_path
    )
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert (tmp_path / "mu.json").is_file()
    wrong = run("-q", "combine", "--model", "kapa-vf", cwd=tmp_path)
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "kapa-vf" in wrong.stderr


def test_an_option_takes_several_values() -> None:
    assert spread(["-q", "fit", "w.json", "--poi", "a", "b"]) == ["-q", "fit", "w.json", "--poi", "a", "--poi", "b"]
    assert spread(["run", "--skim", "root"]) == ["run", "--skim", "root"]


def test_the_folders_of_a_report_are_no_data(tmp_path: Path) -> None:
    words = ["report", "--data", "atlas-run2", "cms-run2", str(tmp_path)]
    assert spread(words) == ["report", "--data", "atlas-run2", "--data", "cms-run2", str(tmp_path)]
