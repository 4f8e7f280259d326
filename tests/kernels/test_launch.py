"""From a kernel module to a loop: arguments, the cache of compiled code, and the loop itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import gpuhiggs.kernels
from gpuhiggs.kernels import launch
from gpuhiggs.kernels.language import Float32, Int64

KERNELS = Path(gpuhiggs.kernels.__file__).parent

# --- arguments -----------------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """A collection and a cut."""

    pt: Float32
    pt_min: float


class Whole(NamedTuple):
    """A tree."""

    n: int
    part: Part
    counts: Int64


def whole(pt: Any = None) -> Whole:
    return Whole(-3, Part(np.zeros(4, np.float32) if pt is None else pt, 2.5), np.zeros(2, np.int64))


def test_record_is_the_leaves_in_order() -> None:
    value = whole()
    slots = launch.record(Whole, value).slots
    assert slots.dtype == np.uint64
    assert slots[:1].view(np.int64).tolist() == [-3]
    assert slots[1] == value.part.pt.__array_interface__["data"][0]
    assert slots[2:3].view(np.float64).tolist() == [2.5]


@pytest.mark.parametrize(
    "pt",
    [np.zeros(4), np.zeros(4, np.int32), np.zeros(4, ">f4"), np.zeros(8, np.float32)[::2]],
    ids=["float64", "int32", "big-endian", "every second"],
)
def test_record_refuses_what_the_kernel_would_misread(pt: Any) -> None:
    with pytest.raises(TypeError, match=r"part\.pt: .* expected contiguous float32"):
        launch.record(Whole, whole(pt))


def test_record_refuses_a_tree_of_another_shape() -> None:
    with pytest.raises(ValueError, match="shorter"):
        launch.record(Whole, whole()[:2])


# --- the cache -----------------------------------------------------------------------------------------------------


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPUHIGGS_CACHE", "/a")
    assert launch.cache_folder() == Path("/a/kernels")
    monkeypatch.delenv("GPUHIGGS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert launch.cache_folder() == Path("/b/gpuhiggs/kernels")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert launch.cache_folder() == Path.home() / ".cache" / "gpuhiggs" / "kernels"


# --- a small program in processes of its own, with kernels that can be edited --------------------------------------

PROGRAM = '''
"""y = √x for every shift, of the events with an odd number."""

from typing import NamedTuple

from gpuhiggs.kernels import real
from gpuhiggs.kernels.language import Float64, Int64, Real, add, scalar

GATES = ("odd",)


class Inputs(NamedTuple):
    x: Float64


class Cuts(NamedTuple):
    factor: Real


class Tables(NamedTuple):
    pass


class Out(NamedTuple):
    errors: Int64
    calls: Int64
    y: Float64


@scalar
def gate(event, inputs, cuts, tables):
    return event % 2


@scalar
def generator_weight(event, inputs, cuts):
    return inputs.x[event]


@scalar
def preselect(event, inputs, cuts):
    return inputs.x[event] > 0.0


@scalar
def body(event, shift, inputs, cuts, tables, out):
    add(out.calls, shift, 1)
    out.y[event] = real.sqrt(inputs.x[event]) * cuts.factor
'''

RUN = """
import json
import numpy as np
from gpuhiggs.kernels import launch
import roots

program = launch.Program("roots")
x = np.array([1.0, 4.0, 9.0, 16.0, np.nan, 1e5, -1.0, -1.0])
out = roots.Out(np.zeros(1, np.int64), np.zeros(3, np.int64), np.zeros(8))
values = (roots.Inputs(x), roots.Cuts(10.0), roots.Tables(), out)
records = [launch.record(kind, value) for kind, value in zip(program.argument_types(), values)]
gates = launch.run(program, records, 0, 7, shifts=2) + launch.run(program, records, 7, 8, shifts=2)
stats = getattr(launch.compiled(program), "stats", None)
print(json.dumps({
    "kernels": launch.__file__, "gates": gates.tolist(), "errors": out.errors.tolist(), "calls": out.calls.tolist(),
    "y": out.y.tolist(), "hits": stats and sum(stats.cache_hits.values()),
    "misses": stats and sum(stats.cache_misses.values()),
}))
"""


class Checkout:
    """A copy of the kernels, a program beside it, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kernels = folder / "gpuhiggs" / "kernels"
        shutil.copytree(KERNELS, self.kernels, ignore=shutil.ignore_patterns("__pycache__"))
        (folder / "gpuhiggs" / "__init__.py").touch()
        (folder / "roots.py").write_text(PROGRAM, encoding="utf-8")

    def run(self, **environment: str) -> dict[str, Any]:
        """Run the program in a new process, which imports what lies in its working folder."""
        environment = {**os.environ, "GPUHIGGS_CACHE": str(self.folder / "cache"), **environment}
        done = subprocess.run(
            [sys.executable, "-c", RUN], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        assert Path(found["kernels"]).parent == self.kernels
        return found

    def cached(self) -> dict[str, int]:
        """The files of the cache and when they were written."""
        return {
            str(path): path.stat().st_mtime_ns
            for path in (self.folder / "cache").rglob("*")
            if path.is_file() and path.suffix != ".pyc"
        }


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    return Checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def first(checkout: Checkout) -> dict[str, Any]:
    """The first run, which compiles."""
    return checkout.run()


def test_loop(first: dict[str, Any]) -> None:
    """Events 1, 3, 5, 7 pass the gate; the weight of 5 is too large and 7 is not preselected."""
    assert first["y"] == [0.0, 20.0, 0.0, 40.0, 0.0, 0.0, 0.0, 0.0]
    assert first["calls"] == [2, 2, 0]
    assert first["errors"] == [2]  # NaN and 1e5
    entries_and_sums = [[entries, q / 2**30, hi, lo] for entries, q, hi, lo in first["gates"]]
    assert entries_and_sums == [[3, 9.0, 83, 0], [3, 19.0, 273, 0]]


def test_interpreter_runs_the_same(first: dict[str, Any], checkout: Checkout) -> None:
    found = checkout.run(NUMBA_DISABLE_JIT="1")
    assert {**found, "hits": 0, "misses": 1} == first


def test_second_process_loads(first: dict[str, Any], checkout: Checkout) -> None:
    before = checkout.cached()
    assert any(path.endswith(".nbc") for path in before)
    found = checkout.run()
    assert (first["misses"], found["hits"], found["misses"]) == (1, 1, 0)
    assert checkout.cached() == before
    assert found["y"] == first["y"]


EDIT = """

from .language import scalar

_root = sqrt


@scalar
def sqrt(x):
    return 3.0 * _root(x)
"""


def test_edited_formula_changes_the_result_at_once(first: dict[str, Any], checkout: Checkout) -> None:
    source = checkout.kernels / "real.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(text + EDIT, encoding="utf-8")
    edited = checkout.run()
    assert edited["y"] == [3.0 * y for y in first["y"]]
    assert edited["misses"] == 1
    source.write_text(text, encoding="utf-8")
    back = checkout.run()
    assert (back["y"], back["hits"]) == (first["y"], 1)


def test_edit_elsewhere_compiles_nothing(first: dict[str, Any], checkout: Checkout) -> None:
    """What the program does not import is none of its business: neither a kernel nor a constant of one."""
    before = checkout.cached()
    source = checkout.kernels / "zz.py"
    text = source.read_text(encoding="utf-8")
    source.write_text(text + "\nNEW = 1\n", encoding="utf-8")
    found = checkout.run()
    source.write_text(text, encoding="utf-8")
    assert (found["y"], found["hits"], found["misses"]) == (first["y"], 1, 0)
    assert checkout.cached() == before
