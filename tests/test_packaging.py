"""What is installed: the packages, the link to the kernels, the version, and imports that cost nothing."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

import gpuhiggs

CHECKOUT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def pyproject() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def test_every_folder_is_a_package(pyproject: dict[str, Any]) -> None:
    listed = pyproject["tool"]["setuptools"]["packages"]
    root = CHECKOUT / "gpuhiggs"
    folders = {path.parent for path in root.rglob("*.py") if "kernels" not in path.parts}
    folders |= {path.parent for path in (CHECKOUT / "kernels").rglob("*.py")}
    names = {".".join(folder.relative_to(CHECKOUT).parts) for folder in folders}
    expected = {f"gpuhiggs.{name}" if name.split(".")[0] == "kernels" else name for name in names}
    assert set(listed) == expected
    assert len(listed) == len(expected)
    assert all((folder / "__init__.py").is_file() for folder in folders)


def test_every_data_file_is_installed(pyproject: dict[str, Any]) -> None:
    """Package data are found by pattern, which must cover all that is no Python file."""
    patterns = pyproject["tool"]["setuptools"]["package-data"]["gpuhiggs"]
    root = CHECKOUT / "gpuhiggs"
    covered = {path for pattern in patterns for path in root.glob(pattern)}
    others = {path for path in root.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert {path for path in others if "kernels" not in path.relative_to(root).parts} <= covered


def test_kernels_are_linked_and_mapped(pyproject: dict[str, Any]) -> None:
    link = CHECKOUT / "gpuhiggs" / "kernels"
    assert link.is_symlink()
    assert link.readlink() == Path("../kernels")
    assert pyproject["tool"]["setuptools"]["package-dir"] == {"gpuhiggs": "gpuhiggs", "gpuhiggs.kernels": "kernels"}


def test_version() -> None:
    assert gpuhiggs.__version__ == metadata.version("gpuhiggs")
    with pytest.raises(AttributeError, match="module 'gpuhiggs' has no attribute 'versoin'"):
        _ = gpuhiggs.versoin  # type: ignore[attr-defined]


def python(code: str) -> Any:
    """Run code in a new interpreter; return what it prints, read as JSON."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    return json.loads(done.stdout)


def test_import_needs_nothing() -> None:
    code = """
import json, sys
before = set(sys.modules)
import gpuhiggs
print(json.dumps(sorted({name.split(".")[0] for name in set(sys.modules) - before})))
"""
    third_party = set(python(code)) - set(sys.stdlib_module_names)
    assert third_party == {"gpuhiggs"}


EXTRAS = (
    "pythia8mc", "fastjet", "cupy", "numba_cuda", "dask_cuda", "XRootD", "fsspec_xrootd", "dask_jobqueue", "pyhf",
    "nutpie", "coffea", "ROOT",
)  # fmt: skip


@pytest.mark.parametrize("module", ["gpuhiggs.__main__", "gpuhiggs.report.process"])
def test_modules_need_no_extra(module: str) -> None:
    """Optional packages that are imported must be missed only when they are used."""
    code = f"""
import importlib, json, sys
for name in {EXTRAS}:
    sys.modules[name] = None
importlib.import_module({module!r})
print(json.dumps([name for name in {EXTRAS} if sys.modules.get(name)]))
"""
    assert python(code) == []


def test_imports_point_down() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        capture_output=True, text=True, check=False, cwd=CHECKOUT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout
