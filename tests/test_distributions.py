"""What is published: a source distribution that has all of the project, and a wheel that is the same from either."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml

import gpuhiggs

CHECKOUT = Path(__file__).resolve().parents[1]


def python(code: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


def committed() -> set[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=False, cwd=CHECKOUT)
    if listed.returncode:
        pytest.skip("no git checkout: what belongs to the project is not known")
    return set(listed.stdout.split("\0")) - {""}


def build(kind: str, source: Path, target: Path) -> Path:
    target.mkdir(exist_ok=True)
    python(f"import setuptools.build_meta as b; b.build_{kind}({str(target)!r})", source)
    return next(target.iterdir())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the checkout that are committed, and nothing else; unpacked from a source distribution of them."""
    folder = tmp_path_factory.mktemp("distributions")
    for name in committed():
        place = folder / "checkout" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if (CHECKOUT / name).is_symlink():
            place.symlink_to((CHECKOUT / name).readlink())
        else:
            place.write_bytes((CHECKOUT / name).read_bytes())
    build("wheel", folder / "checkout", folder / "wheel")
    with tarfile.open(build("sdist", folder / "checkout", folder / "sdist")) as archive:
        archive.extractall(folder / "source", filter="data")
    return folder


def test_the_source_distribution_has_everything(source: Path) -> None:
    root = next((source / "source").iterdir())
    have = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert not committed() - have - {".gitignore", ".gitattributes", "gpuhiggs/kernels"}


def test_the_wheel_is_the_same_from_both(source: Path) -> None:
    again = build("wheel", next((source / "source").iterdir()), source / "wheel-again")
    first = next((source / "wheel").iterdir())
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(again) as two:
        assert {name: one.read(name) for name in one.namelist()} == {name: two.read(name) for name in two.namelist()}
        assert f"gpuhiggs-{gpuhiggs.__version__}.dist-info/licenses/LICENSE" in one.namelist()
        assert {"gpuhiggs/kernels/fill.py", "gpuhiggs/py.typed"} <= set(one.namelist())


def test_the_citation_names_this_version() -> None:
    assert yaml.safe_load((CHECKOUT / "CITATION.cff").read_text())["version"] == gpuhiggs.__version__
