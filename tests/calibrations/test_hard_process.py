"""The generator's four leptons, against Awkward; the K-factor of ZZ that depends on them, through a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib
import numpy as np
import pytest
import uproot

from gpuhiggs import config, engine, examples
from gpuhiggs.calibrations import hard_process
from gpuhiggs.errors import ConfigError
from gpuhiggs.histogram import sum_of_weights
from gpuhiggs.kernels import launch_cuda
from gpuhiggs.read.values import Values

N = 500
FILE = Path(str(examples.__file__)).parent / "qqzz-k-factor.json"


def particles(seed: int = 3) -> dict[str, Any]:
    """Random particles, in most events four hard leptons among them."""
    random = np.random.default_rng(seed)
    leptons, others = random.choice([4, 4, 4, 3, 5], N), random.poisson(3, N)
    counts = leptons + others
    total = int(counts.sum())
    place = np.arange(total) - np.repeat(np.cumsum(counts) - counts, counts)
    hard = place < np.repeat(leptons, counts)
    flavour = np.repeat(random.choice([11, 13, 15], (N, 2)), counts, axis=0)
    kind = np.where(hard, np.where(place % 4 < 2, flavour[:, 0], flavour[:, 1]), random.choice([11, 22, 21], total))
    columns = {
        "pdgId": (kind * random.choice([-1, 1], total)).astype(np.int32),
        "statusFlags": (np.where(hard, 1 << 7, 0) | random.choice([1, 1 << 8], total)).astype(np.int32),
        "pt": random.exponential(30, total).astype(np.float32),
        "eta": random.uniform(-3, 3, total).astype(np.float32),
        "phi": random.uniform(-3.1, 3.1, total).astype(np.float32),
        "mass": np.where(hard, 0.1, 0.0).astype(np.float32),
    }
    return {f"GenPart_{name}": ak.unflatten(values, counts) for name, values in columns.items()}


def expected(branches: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The mass of four hard leptons and whether they are of one flavour; -1 where there are no four."""
    one = {name.removeprefix("GenPart_"): values for name, values in branches.items()}
    kind = abs(one["pdgId"])
    chosen = ((one["statusFlags"] & 128) > 0) & ((kind == 11) | (kind == 13) | (kind == 15))
    pt, eta, phi, mass = (ak.values_astype(one[name][chosen], np.float64) for name in ("pt", "eta", "phi", "mass"))
    energy = np.sqrt((pt * np.cosh(eta)) ** 2 + mass**2)
    parts = (energy, pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta))
    e, x, y, z = (ak.to_numpy(ak.sum(part, axis=1)) for part in parts)
    four = ak.to_numpy(ak.sum(chosen, axis=1)) == 4
    same = ak.to_numpy(ak.all(kind[chosen] == ak.fill_none(ak.firsts(kind[chosen]), 0), axis=1))
    return np.where(four, np.sqrt(e**2 - x**2 - y**2 - z**2), -1.0), np.where(four, same.astype(float), -1.0)


def test_against_awkward() -> None:
    branches = particles()
    found = {
        name: Values(ak.to_numpy(ak.flatten(one)), np.concatenate([[0], np.cumsum(ak.to_numpy(ak.num(one)))]))
        for name, one in branches.items()
    }
    mass, same = expected(branches)
    np.testing.assert_allclose(hard_process.values("mass", found, "memory"), mass, rtol=1e-9)
    np.testing.assert_array_equal(hard_process.values("same_flavour", found, "memory"), same)
    assert {-1.0, 0.0, 1.0} == set(same)


OWN = """
from typing import NamedTuple
from gpuhiggs.language import *

class Met(NamedTuple):
    pt: Float32

class Inputs(NamedTuple):
    MET: Met

class Out(NamedTuple):
    met: Histogram = regular(1, 0.0, 1000.0)

@scalar
def body(event, inputs, weight, variation, out):
    fill_varied(out.met, inputs.MET.pt[event], weight, variation)
"""


def test_k_factor_of_a_run(tmp_path: Path) -> None:
    """As documented, against correctionlib; with its variation by ten per cent."""
    branches = particles() | {"MET_pt": np.full(N, 20.0, np.float32), "genWeight": np.ones(N, np.float32)}
    with uproot.recreate(tmp_path / "zz.root") as file:
        file.mktree("Events", {name: ak.Array(one).type.content for name, one in branches.items()}).extend(branches)
    (tmp_path / "own.py").write_text(OWN)
    step = {
        "correction": {
            "file": str(FILE), "name": "qqZZ_NNLO_over_NLO", "columns": {"m_zz": "m", "same_flavour": "same"},
        },
        "where": "m > 0", "of": "simulation",
    }  # fmt: skip
    raw = {
        "selection": str(tmp_path / "own.py"),
        "datasets": [{"name": "zz", "process": "zz", "kind": "simulation", "cross_section": None,
                      "files": [str(tmp_path / "zz.root")]}],
        "calibrations": {"event": {"inputs": {"m": "hard_process.mass", "same": "hard_process.same_flavour"},
                                   "steps": {"k": step}, "weights": ["k"]}},
    }  # fmt: skip
    tally = engine.run(config.build(raw, tmp_path / "run.yaml"))
    assert not tally.failures
    mass, same = expected(particles())
    table = correctionlib.CorrectionSet.from_file(str(FILE))["qqZZ_NNLO_over_NLO"]
    factors = [table.evaluate(m, s) if m > 0 else 1.0 for m, s in zip(mass, same, strict=True)]
    total = sum_of_weights(tally.counts.sums["zz", "met/sumw"]).sum()
    assert total == pytest.approx(sum(factors), rel=1e-6)
    assert 1.02 < total / N < 1.2


def test_a_wrong_name_is_refused(tmp_path: Path) -> None:
    wrong = {"event": {"inputs": {"m": "hard_process.pt"}}}
    with pytest.raises(ConfigError, match=r"hard_process.mass or hard_process.same_flavour; got 'hard_process.pt'"):
        config.build({"selection": "cms-hzz4l-run2-ul", "datasets": [], "calibrations": wrong}, tmp_path)


def test_ptx() -> None:
    pytest.importorskip("numba_cuda")
    for function, types in launch_cuda.device_functions(hard_process.PROGRAM).values():
        assert launch_cuda.forbidden(launch_cuda.ptx(function, types)) == []
