from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import correctionlib
import numpy as np
import pytest

from gpuhiggs import corrections
from gpuhiggs.kernels import lookup

Compare: TypeAlias = Callable[..., np.ndarray]


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """A function from nodes by name to a correctionlib file; all inputs are given as ``name: type``."""

    def build(inputs: dict[str, str], compounds: Sequence[Any] = (), generic: Sequence[Any] = (), **nodes: Any) -> Path:
        variables = [{"name": name, "type": kind} for name, kind in inputs.items()]
        output = {"name": "out", "type": "real"}
        entries = [
            {"name": name, "version": 1, "inputs": variables, "output": output, "data": node}
            | ({"generic_formulas": list(generic)} if generic else {})
            for name, node in nodes.items()
        ]
        stacks = [{"inputs": variables, "output": output, **entry} for entry in compounds]
        content = {"schema_version": 2, "corrections": entries, "compound_corrections": stacks}
        path = tmp_path / "payload.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path

    return build


def reference(correction: Any, given: Sequence[Any], arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Return correctionlib's values one by one, NaN where it throws; *given* has None for the arrays."""
    values = np.empty(len(arrays[0]) if arrays else 1)
    for i in range(values.size):
        rest = iter(array[i].item() for array in arrays)
        try:
            values[i] = correction.evaluate(*(next(rest) if entry is None else entry for entry in given))
        except (RuntimeError, IndexError):
            values[i] = np.nan
    return values


def check(
    path: Path, name: str, fixed: dict[str, Any], arrays: Sequence[np.ndarray], tolerance: float = 0.0
) -> np.ndarray:
    """Compare a correction with correctionlib: values, and where there is none."""
    ours = corrections.load(path)[name]
    compiled = ours.compile(**fixed)
    opened = correctionlib.CorrectionSet.from_file(str(path))
    theirs = opened.compound[name] if name in opened.compound else opened[name]
    expected = reference(theirs, [fixed.get(key) for key in ours.inputs], arrays)
    found, codes = compiled.lookup(*arrays)
    found, codes = np.atleast_1d(found), np.atleast_1d(codes)
    missing = np.isnan(expected)
    assert ((codes != lookup.FOUND) == missing).all() or (np.isnan(found) == missing).all()
    assert np.isnan(found[missing]).all()
    if tolerance == 0.0:
        assert (found[~missing] == expected[~missing]).all()
    else:
        np.testing.assert_allclose(found[~missing], expected[~missing], rtol=tolerance, atol=0.0)
    return found


@pytest.fixture(scope="session")
def compare() -> Compare:
    return check
