"""Which sources a program reaches: the modules that its imports lead to, and no other."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gpuhiggs.channels import CHANNELS
from gpuhiggs.kernels import launch, sources

Write = Callable[[dict[str, str]], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """A function that writes modules to a folder on the path."""
    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)

    def write(texts: dict[str, str]) -> None:
        for name, text in texts.items():
            path = tmp_path / f"{name}.py"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        importlib.invalidate_caches()

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_follows_every_kind_of_import(write: Write) -> None:
    write(
        {
            "top": "import first, numpy.linalg\nfrom second import A\nfrom folder import inner as x, outer\n",
            "first": "from third import *\n",
            "second": "A = 1\n",
            "third": "import os, math, numba\n",
            "folder/__init__": "outer = 2\n",
            "folder/inner": "from . import near\nfrom .near import B\n",
            "folder/near": "B = 3\n",
            "unrelated": "import fourth\n",
            "fourth": "",
        }
    )
    expected = {"top", "first", "second", "third", "folder", "folder.inner", "folder.near"}
    assert set(sources.reached("top")) == expected
    assert sources.reached("second")["second"] == "A = 1\n"


TOP = """
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    import a
else:
    import b
try:
    import c
except ImportError:
    import d
def function():
    import e
if __name__ == "__main__":
    import f
"""


def test_follows_what_import_executes(write: Write) -> None:
    """The answer depends on the texts alone, not on what else the process has imported meanwhile."""
    write({"top": TOP, **dict.fromkeys("abcdef", "")})
    importlib.import_module("a")
    assert set(sources.reached("top")) == {"top", "b", "c", "d"}


def test_circles_end(write: Write) -> None:
    write({"one": "import two\n", "two": "import one\n"})
    assert set(sources.reached("one")) == {"one", "two"}


def test_installed_packages_count_by_version(write: Write) -> None:
    write({"top": "import yaml\nfrom iminuit import Minuit\n"})
    found = sources.reached("top")
    assert set(found) == {"top", "yaml", "iminuit"}
    assert found["iminuit"] == f"iminuit {importlib.metadata.version('iminuit')}"
    assert found["yaml"] == f"PyYAML {importlib.metadata.version('PyYAML')}"


@pytest.mark.parametrize("channel", CHANNELS)
def test_channels_reach_what_they_import(channel: str) -> None:
    """Python itself names the kernels that a channel's module has made it import."""
    program = CHANNELS[channel].program
    found = set(sources.reached(*sources.imports(launch.driver_source(program)), launch.__name__))
    names = (getattr(value, "__name__", "") for value in vars(program.namespace()).values() if inspect.ismodule(value))
    modules = {name for name in names if name.startswith("gpuhiggs.kernels.")}
    assert modules
    assert modules < found
    assert {program.module, "gpuhiggs.kernels.language", "gpuhiggs.kernels.launch", "gpuhiggs.kernels.fill"} < found
    others = {other.program.module for other in CHANNELS.values() if other.program != program}
    assert not found & (others - modules), "but one that it builds on, as ATLAS's of 2025 on that of 2020"
