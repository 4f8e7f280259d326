"""The self-test says "identical" where all bits are, and finds the one that is not; its cases are the selections'."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from bench import write_cases
from bench.channels import CASES
from gpuhiggs import backend, doctor
from gpuhiggs.__main__ import app
from gpuhiggs.backend import Cpu
from gpuhiggs.backend.cuda import Cuda
from gpuhiggs.kernels import launch
from gpuhiggs.selftest import Case, all_cases, cases, difference, identity, run
from tests.backend.fake_card import FakeCard

SOME = ("elementary_functions", "diphoton_atlas", "four_lepton_varied")
"""Of each kind one; tests/kernels/test_identity.py has every channel."""


@pytest.fixture
def some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "all_cases", lambda: [case for case in all_cases() if case.name in SOME])


def case_of(name: str) -> Case:
    return next(case for case in all_cases() if case.name == name)


@pytest.mark.nightly
def test_the_cases_are_those_of_the_shipped_selections() -> None:
    """Where this fails, a selection has changed: python -m bench.write_cases."""
    assert json.loads(write_cases.PATH.read_text()) == write_cases.forms()


def test_every_case_can_be_built() -> None:
    """Where this fails, a channel has other histograms: python -m bench.write_cases."""
    assert [case.name for case in all_cases()] == ["elementary_functions", *CASES, "four_lepton_varied"]


def test_a_cut_that_is_new_is_zero() -> None:
    case = case_of("diphoton_atlas")
    kind = type(case.cuts)
    form = cases.named(case.cuts)
    assert cases.tree_of(kind, form) == case.cuts
    del form["dataset"]
    assert cases.tree_of(kind, form) == case.cuts._replace(dataset=cases.tree_of(type(case.cuts.dataset), {}))
    assert cases.tree_of(type(case.cuts.dataset), {}).reach.muon == 0.0


def test_identical(some: None) -> None:
    lines: list[str] = []
    assert identity.self_test(Cuda(FakeCard()), 2_000, lines.append, n_interpreted=60)
    assert len(lines) == 2 * len(SOME)
    assert lines[1].startswith("elementary_functions: CPU = a GPU of NumPy: identical (2000 events, 42000 values")
    assert all(": identical (" in line for line in lines)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 400), n_launches=st.integers(1, 5))
@pytest.mark.parametrize("name", SOME)
def test_any_events(name: str, seed: int, n: int, n_launches: int) -> None:
    """NaN, infinities, denormals, huge and tiny values, empty and crowded collections, in any number of launches."""
    case = case_of(name)
    inputs = identity.inputs_of(case, n, seed)
    expected = run(Cpu(), identity.call_of(case, inputs, n, seed))
    found = run(Cuda(FakeCard()), identity.call_of(case, inputs, n, seed, n_launches))
    assert difference(expected, found) is None


class _Off(Cuda):
    """A GPU that gets one bit of one event wrong."""

    def launches(self, call: Any) -> Any:
        for gates in super().launches(call):
            column = call.out.selected.weight if hasattr(call.out, "selected") else call.out.values
            column[:1].view(np.int64)[0] ^= 1
            yield gates


def test_one_bit_is_found(some: None) -> None:
    lines: list[str] = []
    assert not identity.self_test(_Off(FakeCard()), 2_000, lines.append, n_interpreted=0)
    assert "elementary_functions: CPU = a GPU of NumPy: DIFFERENT: out.values[0]: " in lines[0]
    assert "DIFFERENT: out.selected.weight[0]: " in lines[1]


def test_what_differs() -> None:
    a = {"x": np.array([0.0, np.nan]), "n": np.array([1, 2])}
    assert difference(a, {"x": np.array([0.0, np.nan]), "n": np.array([1, 2])}) is None
    assert str(difference(a, a | {"x": np.array([-0.0, np.nan])})) == (
        "x[0]: np.float64(0.0) (0000000000000000) and np.float64(-0.0) (8000000000000000)"
    )
    assert str(difference(a, a | {"n": np.array([1])})).startswith("n: number of values[0]: 2 ")


# --- gpuhiggs doctor ---


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "problem", lambda: "no driver")
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0, done.exception
    for expected in ("numba: ", "processor: ", "compiled kernels: ", "extras: "):
        assert f"\n{expected}" in "\n" + done.output
    assert "PROBLEM: NUMBA_DISABLE_JIT is set: kernels run a thousand times slower\n    cure: unset it" in done.output


def test_doctor_tests(some: None) -> None:
    done = CliRunner().invoke(app, ["doctor", "--self-test", "--device", "cpu", "--events", "300"])
    assert done.exit_code == 0, done.exception
    assert done.output.endswith("\nidentical\n")
    assert "diphoton_atlas: CPU = interpreter on 300: identical" in done.output


def test_problems_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    assert doctor.flushes_nothing()
    monkeypatch.setattr(launch, "cache_folder", lambda: tmp_path / "a" / "b")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(doctor, "flushes_nothing", lambda: False)
    found = [problem.what for problem in doctor.problems()]
    assert f"{tmp_path / 'a' / 'b'} cannot be written: kernels compile anew each time" in found
    assert any("-ffast-math" in what for what in found)


BARE = """
import sys
blocked = {"uproot", "awkward", "dask", "distributed", "pydantic", "hist", "boost_histogram", "yaml", "scipy", "rich",
           "typer", "matplotlib", "iminuit", "correctionlib", "sklearn", "fsspec", "hypothesis", "pandas"}
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ImportError(f"{name} is not on a bare machine")
sys.meta_path.insert(0, Blocked())
"""


def bare(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script as on a machine that has NumPy and Numba and little else."""
    command = [sys.executable, "-c", BARE + script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=write_cases.ROOT)


def test_a_bare_machine() -> None:
    script = """
from gpuhiggs import selftest
from gpuhiggs.selftest import identity, __main__
from gpuhiggs.backend import cuda
identity.all_cases = lambda: [case for case in selftest.all_cases() if case.name == "diphoton_atlas"]
sys.argv = ["selftest", "--device", "cpu", "--events", "200", "--interpreted", "50"]
raise SystemExit(__main__.main())
"""
    done = bare(script)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("python ")
    assert lines[-1].startswith("diphoton_atlas: CPU = interpreter on 50: identical")
