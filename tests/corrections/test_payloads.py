"""Real CMS payloads: every correction, every combination of keys, edges and beyond, value by value."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
import pytest

from gpuhiggs import corrections
from gpuhiggs.errors import ConfigError

PAYLOADS = [
    f"{year}/{name}.json"
    for year in ("2016postVFP_UL", "2018_UL")
    for name in ("electron", "muon_Z", "jmar", "photon", "puWeights")
]


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "data" / "corrections"


def _strings(node: Any, inputs: dict[str, str]) -> dict[str, list[str]]:
    """Return for each string input the keys that any category has for it."""
    found: dict[str, dict[str, None]] = {name: {} for name, kind in inputs.items() if kind == "string"}

    def walk(entry: Any) -> None:
        if isinstance(entry, dict):
            if entry.get("nodetype") == "category" and entry["input"] in found:
                found[entry["input"]].update({item["key"]: None for item in entry["content"]})
            for value in entry.values():
                walk(value)
        elif isinstance(entry, list):
            for value in entry:
                walk(value)

    walk(node)
    return {name: list(keys) for name, keys in found.items()}


def _edges(node: Any) -> dict[str, set[float]]:
    """Return for each input all edges that any binning has for it."""
    found: dict[str, set[float]] = {}

    def walk(entry: Any) -> None:
        if isinstance(entry, dict):
            if entry.get("nodetype") == "binning":
                add(entry["input"], entry["edges"])
            elif entry.get("nodetype") == "multibinning":
                for name, axis in zip(entry["inputs"], entry["edges"], strict=True):
                    add(name, axis)
            for value in entry.values():
                walk(value)
        elif isinstance(entry, list):
            for value in entry:
                walk(value)

    def add(name: str, axis: Any) -> None:
        if isinstance(axis, dict):
            axis = np.linspace(axis["low"], axis["high"], axis["n"] + 1).tolist()
        found.setdefault(name, set()).update(map(float, axis))

    walk(node)
    return found


def _combinations(keys: dict[str, list[str]]) -> Iterator[dict[str, str]]:
    """Yield every choice of keys."""
    for chosen in itertools.product(*keys.values()):
        yield dict(zip(keys, chosen, strict=True))


def _points(axis: set[float], rng: np.random.Generator) -> np.ndarray:
    """Return every finite edge, its neighbours, values between, beyond and far beyond, and NaN."""
    at = np.array(sorted(x for x in axis if np.isfinite(x)))
    width = 1.0 + at[-1] - at[0]
    inside = rng.uniform(at[0] - 0.2 * width, at[-1] + 0.2 * width, 40)
    near = [np.nextafter(at, -np.inf), np.nextafter(at, np.inf)]
    return np.concatenate([at, *near, inside, [-1e30, 1e30, np.inf, -np.inf]])


@pytest.mark.parametrize("payload", PAYLOADS)
def test_every_value(folder: Path, payload: str) -> None:
    path = folder / payload
    raw = json.loads(path.read_text())
    ours, theirs = corrections.load(path), correctionlib.CorrectionSet.from_file(str(path))
    assert sorted(ours) == sorted(theirs)
    rng = np.random.default_rng(len(payload))
    n_values = n_refused = 0
    for entry in raw["corrections"]:
        correction, known = ours[entry["name"]], theirs[entry["name"]]
        axes = {name: _points(axis, rng) for name, axis in _edges(entry["data"]).items()}
        for fixed in _combinations(_strings(entry["data"], correction.inputs)):
            given = [fixed.get(name) for name in correction.inputs]
            try:
                compiled = correction.compile(**fixed)
            except ConfigError:
                with pytest.raises(IndexError):
                    known.evaluate(*(1.0 if value is None else value for value in given))
                continue
            columns = [rng.permutation(np.resize(axes[name], 600)) for name in compiled.variables]
            found, codes = compiled.lookup(*columns)
            if not columns:
                assert float(found) == known.evaluate(*given)
                continue
            good = codes == 0
            inside = iter([column[good] for column in columns])
            if good.any():
                expected = known.evaluate(*(next(inside) if value is None else value for value in given))
                assert (found[good] == expected).all(), (entry["name"], fixed)
            for i in np.flatnonzero(~good)[:20]:
                values = iter([float(column[i]) for column in columns])
                with pytest.raises(RuntimeError, match="bounds"):
                    known.evaluate(*(next(values) if value is None else value for value in given))
            n_values += int(good.sum())
            n_refused += int((~good).sum())
    assert n_values > 1000
    assert (n_refused > 0) == ("puWeights" not in payload)  # pile-up weights are the ones that clamp


@pytest.mark.parametrize(
    ("payload", "name", "fixed", "inputs", "value"),
    [
        ("electron", "UL-Electron-ID-SF", {"WorkingPoint": "wp90iso", "ValType": "sf"}, (0.5, 45.0), 0.98880),
        ("photon", "UL-Photon-ID-SF", {"WorkingPoint": "wp90", "ValType": "sf"}, (0.5, 45.0), 0.98463),
        ("muon_Z", "NUM_TightID_DEN_TrackerMuons", {"ValType": "sf"}, (0.5, 45.0), 0.98673),
        ("puWeights", "Collisions16_UltraLegacy_goldenJSON", {"weights": "nominal"}, (25.0,), 1.11896),
    ],
)
def test_spot_values(
    folder: Path, payload: str, name: str, fixed: dict[str, Any], inputs: tuple[float, ...], value: float
) -> None:
    """Numbers read off independently, 2016postVFP."""
    correction = corrections.load(folder / "2016postVFP_UL" / f"{payload}.json")[name]
    year = {"electron": "2016postVFP", "photon": "2016postVFP", "muon_Z": "2016postVFP_UL"}
    chosen = fixed | ({"year": year[payload]} if payload in year else {})
    assert correction.compile(**chosen).evaluate(*inputs) == pytest.approx(value, abs=5e-6)
