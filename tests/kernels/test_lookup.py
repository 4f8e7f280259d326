"""Corrections on every target: the interpreter and the CPU build to the bit, the CUDA build by its instructions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gpuhiggs import corrections
from gpuhiggs.corrections import Compiled
from gpuhiggs.kernels import launch, launch_cuda, lookup, lookup_formula, lookup_rows

N_ROWS = 4_000


def _formula(expression: str) -> dict[str, Any]:
    return {"nodetype": "formula", "parser": "TFormula", "expression": expression, "variables": ["x", "y"]}


def _every_node() -> dict[str, Any]:
    """One tree that has every kind of node, flow and operation."""
    unary = "+".join(f"max(0-9,{name}(x/3))" for name in lookup_formula.UNARY[1:])
    binary = "x+y-x*y/(1+y*y)+abs(x)^0.3+atan2(x,y)+max(x,y)+min(x,y)"
    binary += "+(x==y)+(x!=y)+(x>y)+(x<y)+(x>=y)+(x<=y)+(x&&y)+(x||y)"
    drawn = [
        {"nodetype": "hashprng", "inputs": ["x", "i"] * n, "distribution": distribution}
        for n, distribution in ((1, "stdflat"), (2, "normal"), (3, "stdnormal"))
    ]
    moved = {"nodetype": "transform", "input": "i", "rule": drawn[1], "content": drawn[2]}
    leaves = [_formula(unary), _formula(binary), _formula(f"-({unary})"), 1.5, *drawn, moved]
    variable: list[float] = [-2.0, -1.0, 0.5, 1.0, 2.0]
    uniform = {"n": 4, "low": -2.0, "high": 2.0}
    binnings = [
        {"nodetype": "binning", "input": "x", "edges": edges, "content": leaves[:4], "flow": flow}
        for edges in (variable, uniform)
        for flow in ("clamp", "wrap", "error", moved)
    ]
    two = {"inputs": ["x", "y"], "edges": [[-2.0, 0.0, 2.0], uniform], "content": leaves, "flow": "clamp"}
    nodes = [*binnings, {"nodetype": "multibinning", **two}]
    items = [{"key": key, "value": value} for key, value in enumerate(nodes)]
    return {"nodetype": "category", "input": "i", "content": items}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    kinds = {"x": "real", "y": "real", "i": "int"}
    variables = [{"name": name, "type": kind} for name, kind in kinds.items()]
    output = {"name": "out", "type": "real"}
    correction = {"name": "c", "version": 1, "inputs": variables, "output": output, "data": _every_node()}
    path = tmp_path_factory.mktemp("payload") / "every.json"
    path.write_text(json.dumps({"schema_version": 2, "corrections": [correction]}), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of stdnormal
        return corrections.load(path)["c"].compile()


def _rows() -> np.ndarray:
    rng = np.random.default_rng(17)
    x = np.concatenate([rng.uniform(-2.3, 2.3, N_ROWS - 8), [-2.0, 2.0, np.nan, np.inf, -np.inf, 1e300, 0.0, -0.0]])
    y = np.where(rng.uniform(size=N_ROWS) < 0.1, x, rng.uniform(-2.3, 2.3, N_ROWS))
    return np.stack([x, y, rng.integers(-1, 10, N_ROWS).astype(np.float64)], axis=-1)


INTERPRETED = """
import numpy as np
from gpuhiggs.corrections import Compiled
from gpuhiggs.kernels.lookup import Lookup
with np.load({rows!r}) as file:
    compiled = Compiled("c", Lookup(file["nodes"], file["values"]), int(file["root"]), ("x", "y", "i"), 8, False)
    values, codes = compiled.lookup(*file["rows"].T)
np.savez({result!r}, values=values, codes=codes)
"""


def test_interpreter(compiled: Compiled, tmp_path: Path) -> None:
    rows, result = tmp_path / "rows.npz", tmp_path / "result.npz"
    np.savez(rows, rows=_rows(), root=compiled.root, nodes=compiled.tables.nodes, values=compiled.tables.values)
    script = INTERPRETED.format(rows=str(rows), result=str(result))
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    subprocess.run([sys.executable, "-c", script], env=environment, check=True)
    values, codes = compiled.lookup(*_rows().T)
    with np.load(result) as found:
        assert (found["codes"] == codes).all()
        different = found["values"].view(np.int64) != values.view(np.int64)
        assert not different.any(), (_rows()[different][:3], values[different][:3], found["values"][different][:3])
    assert {lookup.FOUND, lookup.OUT_OF_RANGE, lookup.UNKNOWN_KEY} == set(codes.tolist())
    assert np.unique(values).size > N_ROWS / 3


def test_ptx() -> None:
    functions = launch_cuda.device_functions(launch.Program(lookup_rows.__name__))
    for name, (function, argument_types) in functions.items():
        assert launch_cuda.forbidden(launch_cuda.ptx(function, argument_types)) == [], name


def test_every_operation_has_a_code() -> None:
    """The branches of the kernel go by number; this is what the numbers mean."""
    assert len(lookup_formula.UNARY) == 19
    assert lookup_formula.FIRST_UNARY + len(lookup_formula.UNARY) <= lookup_formula.FIRST_BINARY
    assert lookup_formula.FIRST_BINARY + lookup_formula.BINARY.index("||") == 47
